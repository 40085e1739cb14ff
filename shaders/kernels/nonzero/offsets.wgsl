alias T = i32;
// The sum of the counts before each block, in place, and after them the sum of all. One workgroup.

const THREADS: u32 = 256;

struct Params {
    blocks: u32,
    counts_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> counts: array<T>;

var<workgroup> sums: array<T, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    let stretch = (p.blocks + THREADS - 1u) / THREADS;
    let begin = p.counts_offset + min(thread * stretch, p.blocks);
    let end = p.counts_offset + min((thread + 1u) * stretch, p.blocks);
    var own = T(0);
    for (var i = begin; i < end; i++) {
        own += counts[i];
    }
    sums[thread] = own;
    workgroupBarrier();
    for (var step = 1u; step < THREADS; step *= 2u) {
        var before = T(0);
        if (thread >= step) {
            before = sums[thread - step];
        }
        workgroupBarrier();
        sums[thread] += before;
        workgroupBarrier();
    }
    var running = sums[thread] - own;
    for (var i = begin; i < end; i++) {
        let count = counts[i];
        counts[i] = running;
        running += count;
    }
    if (thread == THREADS - 1u) {
        counts[p.counts_offset + p.blocks] = running;
    }
}
