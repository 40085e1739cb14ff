alias T = f32;
// How many of each block's elements are not zero. An element has WORDS numbers, and is zero if all are.

const WORDS: u32 = 1;
const THREADS: u32 = 256;
const EACH: u32 = 4;

struct Params {
    n: u32,
    x_offset: u32,
    counts_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;

var<workgroup> block: atomic<u32>;

// 0 or 1.
fn flag(i: u32) -> u32 {
    var zero = true;
    for (var w = 0u; w < WORDS; w++) {
        zero = zero && op_logical_not_C(load(x[p.x_offset + i * WORDS + w])) != C(0);
    }
    return select(1u, 0u, zero);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups);
    let start = number * THREADS * EACH + thread;
    if (thread == 0u) {
        atomicStore(&block, 0u);
    }
    workgroupBarrier();
    var own = 0u;
    for (var i = 0u; i < EACH; i++) {
        let at = start + i * THREADS;
        if (at < p.n) {
            own += flag(at);
        }
    }
    atomicAdd(&block, own);
    workgroupBarrier();
    if (thread == 0u && number * THREADS * EACH < p.n) {
        counts[p.counts_offset + number] = atomicLoad(&block);
    }
}
