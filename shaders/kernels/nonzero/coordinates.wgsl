alias T = i32;
// One column of the table of indices: the coordinate of each found position along a dimension of `length` and `stride`.

const THREADS: u32 = 64;

struct Params {
    n: u32,
    columns: u32,
    column: u32,
    length: u32,
    stride: u32,
    found_offset: u32,
    table_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> found: array<T>;
@group(0) @binding(1) var<storage, read_write> table: array<vec2<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups) * THREADS + thread;
    if (i < p.n) {
        let coordinate = u32(found[p.found_offset + i]) / p.stride % p.length;
        table[p.table_offset + i * p.columns + p.column] = index_words(coordinate);
    }
}
