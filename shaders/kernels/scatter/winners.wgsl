alias T = i32;
// Who writes where, when all elements of a scatter are written at once: winners[o, k, i] is 1 + the last j with
// index[o, j, i] = k. Without VOTE, clears the winners that the index names; with it, finds them.

const VOTE: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    // fields: IndexFields
    winners_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> index: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> winners: array<atomic<u32>>;

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
    let k = position_of(index[p.index_offset + entry], p.n);
    if (k == p.n) {
        return;
    }
    let place = p.winners_offset + (entry / (p.m * p.inner) * p.n + k) * p.inner + entry % p.inner;
    if (VOTE == 1u) {
        atomicMax(&winners[place], 1u + entry / p.inner % p.m);
    } else {
        atomicStore(&winners[place], 0u);
    }
}
