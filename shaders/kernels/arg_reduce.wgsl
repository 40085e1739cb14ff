alias T = f32;
// The first index of the largest value (or, with MIN, the smallest) along the middle dimension of [outer, n, inner], and the
// value; NaN comes before all numbers. A line has LANES threads.

// The type of the order keys: i64 for types of 64 bits.
alias K = i32;
const MIN: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    x_offset: u32,
    values_offset: u32,
    indices_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> values: array<T>;
@group(0) @binding(2) var<storage, read_write> indices: array<vec2<u32>>;

var<workgroup> ranks: array<CK, THREADS>;
var<workgroup> places: array<u32, THREADS>;

// The lowest rank is the one that is looked for.
fn rank(v: C) -> CK {
    if (is_nan_C(v)) {
        return ~key_C(v);
    }
    return select(~key_C(v), key_C(v), MIN == 1u);
}

fn join(a: u32, b: u32) {
    if (ranks[b] < ranks[a] || (ranks[b] == ranks[a] && places[b] < places[a])) {
        ranks[a] = ranks[b];
        places[a] = places[b];
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = lane_of(thread);
    let line = group_number(group, groups) * (THREADS / LANES) + at.line;
    let live = line < p.lines;
    let start = p.x_offset + line_start(select(0u, line, live), p.n, p.inner);
    // A lane beyond the line's end stands at the last element: it then loses by its index or ties with itself.
    var place = min(at.lane, p.n - 1u);
    var best = rank(load(x[start + place * p.inner]));
    for (var i = at.lane + LANES; i < p.n; i += LANES) {
        let r = rank(load(x[start + i * p.inner]));
        if (r < best) {
            best = r;
            place = i;
        }
    }
    if (LANES > 1u) {
        ranks[thread] = best;
        places[thread] = place;
        join_lanes(at);
        place = places[at.first];
    }
    if (live && at.lane == 0u) {
        values[p.values_offset + line] = x[start + place * p.inner];
        indices[p.indices_offset + line] = index_words(place);
    }
}
