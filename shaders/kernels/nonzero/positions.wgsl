alias T = f32;
// The positions of the elements that are not zero, in order. Those of each block start at its offset. An element has WORDS
// numbers, and is zero if all are.

const WORDS: u32 = 1;
const THREADS: u32 = 256;
const EACH: u32 = 4;

struct Params {
    n: u32,
    x_offset: u32,
    offsets_offset: u32,
    found_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> found: array<u32>;

var<workgroup> sums: array<u32, THREADS>;

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
    let begin = min((number * THREADS + thread) * EACH, p.n);
    let end = min(begin + EACH, p.n);
    var own = 0u;
    for (var i = begin; i < end; i++) {
        own += flag(i);
    }
    sums[thread] = own;
    workgroupBarrier();
    for (var step = 1u; step < THREADS; step *= 2u) {
        var before = 0u;
        if (thread >= step) {
            before = sums[thread - step];
        }
        workgroupBarrier();
        sums[thread] += before;
        workgroupBarrier();
    }
    if (begin < end) {
        var next = p.found_offset + offsets[p.offsets_offset + number] + sums[thread] - own;
        for (var i = begin; i < end; i++) {
            if (flag(i) == 1u) {
                found[next] = i;
                next += 1u;
            }
        }
    }
}
