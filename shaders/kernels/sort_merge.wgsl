alias T = i32;
// One pass of a merge sort of lines [lines, n]: merges neighbouring runs of `run` elements in pairs. Each element finds its
// place by itself: its place in its own run plus the number of elements of the other run that come before it. Of a run only
// the first k elements matter.

const THREADS: u32 = 256;

struct Params {
    lines: u32,
    n: u32,
    k: u32,
    run: u32,
    runs: u32,
    ranks_offset: u32,
    places_offset: u32,
    to_ranks_offset: u32,
    to_places_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> ranks: array<T>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> to_ranks: array<T>;
@group(0) @binding(3) var<storage, read_write> to_places: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let kept = min(p.run, p.k);
    let number = group_number(group, groups) * THREADS + thread;
    let line = number / (p.runs * kept);
    let run = number / kept % p.runs;
    let i = number % kept;
    let begin = run * p.run;
    if (line >= p.lines || begin + i >= p.n) {
        return;
    }
    let other = (run ^ 1u) * p.run;
    let element = line * p.n + begin + i;
    let rank = load(ranks[p.ranks_offset + element]);
    // Equal elements of the first run come before those of the second.
    let second = (run & 1u) == 1u;
    var low = 0u;
    var high = min(kept, max(p.n, other) - other);
    while (low < high) {
        let middle = (low + high) / 2u;
        let theirs = load(ranks[p.ranks_offset + line * p.n + other + middle]);
        if (theirs < rank || (second && theirs == rank)) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    if (i + low < p.k) {
        let to = line * p.n + (run & ~1u) * p.run + i + low;
        to_ranks[p.to_ranks_offset + to] = ranks[p.ranks_offset + element];
        to_places[p.to_places_offset + to] = places[p.places_offset + element];
    }
}
