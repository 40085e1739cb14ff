alias T = f32;
// y = softmax(x), or its logarithm, along the middle dimension of [outer, n, inner]. A line has LANES threads, each of which
// keeps the largest value m that it saw and the sum of e^(x - m).

const LOG: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    x_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

var<workgroup> largest: array<C, THREADS>;
var<workgroup> sums: array<C, THREADS>;

// e^(x - m), for x no larger than m; nothing for -inf, also where m is -inf too.
fn share(x: C, m: C) -> C {
    return select(C(0), op_exp_C(x - m), is_finite_C(x));
}

fn join(a: u32, b: u32) {
    let m = maximum_C(largest[a], largest[b]);
    sums[a] = sums[a] * share(largest[a], m) + sums[b] * share(largest[b], m);
    largest[a] = m;
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
    let start = line_start(select(0u, line, live), p.n, p.inner);
    let n = select(0u, p.n, live);
    var m = lowest_C();
    var sum = C(0);
    for (var i = at.lane; i < n; i += LANES) {
        let v = load(x[p.x_offset + start + i * p.inner]);
        if (v > m || is_nan_C(v)) {
            sum = sum * share(m, v) + C(1);
            m = maximum_C(m, v);
        } else {
            sum += share(v, m);
        }
    }
    if (LANES > 1u) {
        largest[thread] = m;
        sums[thread] = sum;
        join_lanes(at);
        m = largest[at.first];
        sum = sums[at.first];
    }
    // Where NaN or inf occurs, or only -inf, the whole line is NaN.
    let defined = is_finite_C(m);
    let shift = select(C(0), op_log_C(sum), LOG == 1u);
    let scale = select(C(1) / sum, C(1), LOG == 1u);
    for (var i = at.lane; i < n; i += LANES) {
        let v = load(x[p.x_offset + start + i * p.inner]);
        var result = nan_C();
        if (defined) {
            if (LOG == 1u) {
                result = v - m - shift;
            } else {
                result = share(v, m) * scale;
            }
        }
        y[p.y_offset + start + i * p.inner] = store(result);
    }
}
