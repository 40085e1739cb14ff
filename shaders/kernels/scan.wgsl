alias T = f32;
// Running sums (with PROD, products) along the middle dimension of [outer, n, inner], which is cut in tiles of `tile`
// elements. Each tile has LANES threads; a thread runs over a stretch of it twice, to learn what the stretch adds up to and,
// when the stretches before it are known, to write. With CARRIED, tile t > 0 of a line goes on from carries[line, t - 1].

// The type of carries: the wider one that halves are summed in.
alias S = f32;
const PROD: u32 = 0;
const CARRIED: u32 = 0;
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
    carries_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> carries: array<S>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

var<workgroup> totals: array<C, THREADS>;

fn combine(a: C, b: C) -> C {
    if (PROD == 1u) {
        return a * b;
    }
    return a + b;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = lane_of(thread);
    let unit = group_number(group, groups) * (THREADS / LANES) + at.line;
    let live = unit < p.lines * p.tiles;
    // Neighbouring units are neighbouring lines, then tiles.
    let line = select(0u, unit % p.lines, live);
    let tile = select(0u, unit / p.lines, live);
    let start = line_start(line, p.n, p.inner);
    let tile_end = select(0u, min(p.n, (tile + 1u) * p.tile), live);
    let stretch = (p.tile + LANES - 1u) / LANES;
    let begin = min(tile * p.tile + at.lane * stretch, tile_end);
    let to = min(begin + stretch, tile_end);
    var running = C(PROD);
    if (LANES > 1u) {
        for (var i = begin; i < to; i++) {
            running = combine(running, load(x[p.x_offset + start + i * p.inner]));
        }
        totals[thread] = running;
        workgroupBarrier();
        for (var step = 1u; step < LANES; step *= 2u) {
            var before = C(PROD);
            if (at.lane >= step) {
                before = totals[thread - step * at.stride];
            }
            workgroupBarrier();
            totals[thread] = combine(before, totals[thread]);
            workgroupBarrier();
        }
        running = C(PROD);
        if (at.lane > 0u) {
            running = totals[thread - at.stride];
        }
    }
    if (CARRIED == 1u && tile > 0u) {
        running = combine(C(loadS(carries[p.carries_offset + line * (p.tiles - 1u) + tile - 1u])), running);
    }
    for (var i = begin; i < to; i++) {
        running = combine(running, load(x[p.x_offset + start + i * p.inner]));
        y[p.y_offset + start + i * p.inner] = store(running);
    }
}
