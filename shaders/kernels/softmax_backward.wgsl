alias T = f32;
// The gradient of softmax, y (g - sum g y), or of its logarithm, g - e^y sum g, along the middle dimension of
// [outer, n, inner]. A line has LANES threads.

const LOG: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    grad_offset: u32,
    y_offset: u32,
    dx_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> grad: array<T>;
@group(0) @binding(1) var<storage, read> y: array<T>;
@group(0) @binding(2) var<storage, read_write> dx: array<T>;

var<workgroup> sums: array<C, THREADS>;

fn join(a: u32, b: u32) {
    sums[a] += sums[b];
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
    var sum = C(0);
    for (var i = at.lane; i < n; i += LANES) {
        let k = start + i * p.inner;
        var v = load(grad[p.grad_offset + k]);
        if (LOG == 0u) {
            v *= load(y[p.y_offset + k]);
        }
        sum += v;
    }
    if (LANES > 1u) {
        sums[thread] = sum;
        join_lanes(at);
        sum = sums[at.first];
    }
    for (var i = at.lane; i < n; i += LANES) {
        let k = start + i * p.inner;
        let g = load(grad[p.grad_offset + k]);
        let v = load(y[p.y_offset + k]);
        if (LOG == 1u) {
            dx[p.dx_offset + k] = store(g - op_exp_C(v) * sum);
        } else {
            dx[p.dx_offset + k] = store(v * (g - sum));
        }
    }
}
