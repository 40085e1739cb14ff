alias T = f32;
// The sum (with PROD, product) of each tile of `tile` elements but a line's last, along the middle dimension of
// [outer, n, inner]: totals[line, tile]. A tile has LANES threads.

// The type of totals: the wider one that halves are summed in.
alias S = f32;
const PROD: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    tile: u32,
    tiles: u32,
    x_offset: u32,
    totals_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> totals: array<S>;

var<workgroup> parts: array<C, THREADS>;

fn combine(a: C, b: C) -> C {
    if (PROD == 1u) {
        return a * b;
    }
    return a + b;
}

fn join(a: u32, b: u32) {
    parts[a] = combine(parts[a], parts[b]);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = lane_of(thread);
    let unit = group_number(group, groups) * (THREADS / LANES) + at.line;
    let live = unit < p.lines * (p.tiles - 1u);
    let line = select(0u, unit % p.lines, live);
    let tile = select(0u, unit / p.lines, live);
    let start = p.x_offset + line_start(line, p.n, p.inner) + tile * p.tile * p.inner;
    var sum = C(PROD);
    for (var i = at.lane; i < p.tile; i += LANES) {
        sum = combine(sum, load(x[start + i * p.inner]));
    }
    if (LANES > 1u) {
        parts[thread] = sum;
        join_lanes(at);
        sum = parts[at.first];
    }
    if (live && at.lane == 0u) {
        totals[p.totals_offset + line * (p.tiles - 1u) + tile] = storeS(CS(sum));
    }
}
