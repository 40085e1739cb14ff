alias T = f32;
// Combines the values of each line (all elements that make one result) with the threads of one workgroup. A long line may
// be split among several workgroups, whose results a second launch combines. `bases`, `value` and `out_position` are
// written by the host from the map stage's program (see src/map.rs).

const OP: u32 = 0;
const SPLIT: u32 = 0;
const THREADS: u32 = 256;

struct Params {
    results: u32,
    reduced: u32,
    splits: u32,
    chunk: u32,
    // map: parameters
}
var<immediate> p: Params;
// map: functions

var<workgroup> partial: array<C, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let job = group_number(group, groups);
    if (job >= p.results * p.splits) {
        return;
    }
    let result = job / p.splits;
    let first = (job % p.splits) * p.chunk;
    let end = min(p.reduced, first + p.chunk);
    let line = bases(result);
    var sum = reduce_neutral_C(OP);
    for (var r = first + thread; r < end; r += THREADS) {
        sum = reduce_combine_C(OP, sum, value(line, r));
    }
    partial[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            partial[thread] = reduce_combine_C(OP, partial[thread], partial[thread + half]);
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        if (SPLIT == 1u) {
            out[p.out_offset + job] = store(partial[0]);
        } else {
            out[out_position(result)] = store(partial[0]);
        }
    }
}
