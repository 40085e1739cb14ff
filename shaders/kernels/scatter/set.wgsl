alias T = f32;
// y[o, index[o, j, i], i] = x[o, j, i] for y of shape [outer, n, inner], x and index of shape [outer, m, inner]; the last j
// wins. One thread per column (o, i), which no other column's index can name.

const THREADS: u32 = 64;

struct Params {
    // fields: IndexFields
    // fields: MoveFields
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> index: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let column = group_number(group, groups) * THREADS + thread;
    if (column >= p.count) {
        return;
    }
    let x_start = line_start(column, p.m, p.inner);
    let y_start = line_start(column, p.n, p.inner);
    for (var j = 0u; j < p.m; j++) {
        let entry = x_start + j * p.inner;
        let named = index[p.index_offset + entry];
        let k = position_of(named, p.n);
        if (k < p.n) {
            y[p.y_offset + y_start + k * p.inner] = x[p.x_offset + entry];
        } else {
            report(p.code, named, p.n, p.detail);
        }
    }
}
