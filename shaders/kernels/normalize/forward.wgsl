alias T = f32;
// y = (x - m) i of x, [outer, means, inner], with the mean m and i = 1 / sqrt(variance + eps) of each of the `means` groups of
// outer * inner elements, then weight and bias where there are any. A group has LANES threads. Also m, the sum of squared
// deviations from it, and i.

// The type of weight and bias.
alias W = f32;
// The type of the statistics.
alias S = f32;
const WEIGHT: u32 = 0;
const BIAS: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    // fields: NormFields
    eps_low: u32,
    eps_high: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> weight: array<W>;
@group(0) @binding(2) var<storage, read> bias: array<W>;
@group(0) @binding(3) var<storage, read_write> y: array<T>;
@group(0) @binding(4) var<storage, read_write> means: array<S>;
@group(0) @binding(5) var<storage, read_write> deviations: array<S>;
@group(0) @binding(6) var<storage, read_write> inverse_stds: array<S>;

var<workgroup> sums: array<C, THREADS>;

fn join(a: u32, b: u32) {
    sums[a] += sums[b];
}

// The sum over the lanes of a group.
fn sum_of(v: C, thread: u32, at: Lane) -> C {
    if (LANES == 1u) {
        return v;
    }
    workgroupBarrier();
    sums[thread] = v;
    join_lanes(at);
    return sums[at.first];
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = lane_of(thread);
    let number = group_number(group, groups) * (THREADS / LANES) + at.line;
    let live = number < p.means;
    let m = select(0u, number, live);
    let count = select(0u, p.outer * p.inner, live);
    let n = C(p.outer * p.inner);
    var sum = C(0);
    for (var e = at.lane; e < count; e += LANES) {
        sum += load(x[p.x_offset + element_of(e, m)]);
    }
    let first_mean = sum_of(sum, thread, at) / n;
    // What the first mean lacks is the mean of the deviations from it.
    var squares = C(0);
    var rests = C(0);
    for (var e = at.lane; e < count; e += LANES) {
        let d = load(x[p.x_offset + element_of(e, m)]) - first_mean;
        squares += d * d;
        rests += d;
    }
    let about_first = sum_of(squares, thread, at);
    let rest = sum_of(rests, thread, at) / n;
    // An infinite mean stays.
    let mean = select(first_mean + rest, first_mean, is_nan_C(rest));
    let corrected = about_first - rest * rest * n;
    // Not a select: compilers make it a maximum that loses NaN.
    let deviation = maximum_C(corrected, C(0));
    let inverse_std = C(1) / sqrt(deviation / n + number_C(p.eps_low, p.eps_high));
    for (var e = at.lane; e < count; e += LANES) {
        let k = element_of(e, m);
        var v = (load(x[p.x_offset + k]) - mean) * inverse_std;
        let parameter = parameter_of(e, m);
        if (WEIGHT == 1u) {
            v *= C(loadW(weight[p.weight_offset + parameter]));
        }
        if (BIAS == 1u) {
            v += C(loadW(bias[p.bias_offset + parameter]));
        }
        y[k] = store(v);
    }
    if (live && at.lane == 0u) {
        means[m] = storeS(CS(mean));
        deviations[m] = storeS(CS(deviation));
        inverse_stds[m] = storeS(CS(inverse_std));
    }
}
