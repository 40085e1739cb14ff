alias T = f32;
// y[o, j, i] = x[o, index[o, j, i], i] for x of shape [outer, n, inner] and y of shape [outer, m, inner]. With SELECT, the
// index has m elements for all lines.

const SELECT: u32 = 0;
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
    let i = group_number(group, groups) * THREADS + thread;
    if (i >= p.count) {
        return;
    }
    let row = i / p.inner;
    let named = index[p.index_offset + select(i, row % p.m, SELECT == 1u)];
    let k = position_of(named, p.n);
    if (k == p.n) {
        report(p.code, named, p.n, p.detail);
        return;
    }
    y[p.y_offset + i] = x[p.x_offset + ((row / p.m) * p.n + k) * p.inner + i % p.inner];
}
