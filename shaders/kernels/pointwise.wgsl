// Runs a pointwise program: thread i computes the elements i, i + THREADS, … of its group's stretch. What `run` does is
// written by the host from the program (see src/map.rs): it finds the elements of every operand, loads, computes, stores.

const THREADS: u32 = 256;
const PER_THREAD: u32 = 4;
// What is reported of elements for which a program without outputs gives anything but zero.
const FINDING: u32 = 0;

struct Params {
    n: u32,
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
    let first = group_number(group, groups) * (THREADS * PER_THREAD) + thread;
    let end = min(p.n, first + THREADS * PER_THREAD);
    for (var i = first; i < end; i += THREADS) {
        run(i);
    }
}
