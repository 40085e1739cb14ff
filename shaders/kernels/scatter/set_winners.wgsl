alias T = f32;
// y[o, index[o, j, i], i] = x[o, j, i] where j is the place's winner; shapes as in set.wgsl. One thread per element of x.

const THREADS: u32 = 64;

struct Params {
    // fields: IndexFields
    // fields: MoveFields
    winners_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> index: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> winners: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let entry = group_number(group, groups) * THREADS + thread;
    if (entry >= p.count) {
        return;
    }
    let named = index[p.index_offset + entry];
    let k = position_of(named, p.n);
    if (k == p.n) {
        report(p.code, named, p.n, p.detail);
        return;
    }
    let place = (entry / (p.m * p.inner) * p.n + k) * p.inner + entry % p.inner;
    if (winners[p.winners_offset + place] == 1u + entry / p.inner % p.m) {
        y[p.y_offset + place] = x[p.x_offset + entry];
    }
}
