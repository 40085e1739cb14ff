alias T = f32;
// Combines the values of each result in one thread, for many results or short lines: neighbouring threads have neighbouring
// results. A long line may be split among several threads, whose results a second launch combines. `bases`, `value` and
// `out_position` are written by the host from the map stage's program (see src/map.rs).

const OP: u32 = 0;
const SPLIT: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    results: u32,
    reduced: u32,
    splits: u32,
    chunk: u32,
    // map: parameters
}
var<immediate> p: Params;
// map: functions

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let job = group_number(group, groups) * THREADS + thread;
    if (job >= p.results * p.splits) {
        return;
    }
    // The split is the slow index, so that neighbours stay neighbours.
    let result = job % p.results;
    let split = job / p.results;
    let end = min(p.reduced, (split + 1u) * p.chunk);
    let line = bases(result);
    var sum = reduce_neutral_C(OP);
    for (var r = split * p.chunk; r < end; r += 1u) {
        sum = reduce_combine_C(OP, sum, value(line, r));
    }
    if (SPLIT == 1u) {
        out[p.out_offset + result * p.splits + split] = store(sum);
    } else {
        out[out_position(result)] = store(sum);
    }
}
