alias T = f32;
// The gradients of a normalisation for its weight, sum g (x - m) i, and its bias, sum g, over the elements of x,
// [outer, means, inner], that share one. These are cut in `parts` of `part` elements: [parts, parameters]. Each part of a
// parameter has LANES threads.

// The type of the statistics and the results.
alias S = f32;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    // fields: NormFields
    parts: u32,
    part: u32,
    grad_offset: u32,
    x_offset: u32,
    means_offset: u32,
    inverse_stds_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> grad: array<T>;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> means: array<S>;
@group(0) @binding(3) var<storage, read> inverse_stds: array<S>;
@group(0) @binding(4) var<storage, read_write> weight_grads: array<S>;
@group(0) @binding(5) var<storage, read_write> bias_grads: array<S>;

var<workgroup> weight_sums: array<C, THREADS>;
var<workgroup> bias_sums: array<C, THREADS>;

fn join(a: u32, b: u32) {
    weight_sums[a] += weight_sums[b];
    bias_sums[a] += bias_sums[b];
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = lane_of(thread);
    let number = group_number(group, groups) * (THREADS / LANES) + at.line;
    let parameters = p.cycle * p.per_mean;
    let live = number < p.parts * parameters;
    // Neighbouring units are neighbouring parameters, then parts.
    let parameter = select(0u, number % parameters, live);
    let part = select(0u, number / parameters, live);
    let of_mean = p.outer * p.step;
    let count = p.means / p.cycle * of_mean;
    let end = select(0u, min(count, (part + 1u) * p.part), live);
    let first_mean = parameter / p.per_mean;
    let start = parameter % p.per_mean * p.step;
    var weight_sum = C(0);
    var bias_sum = C(0);
    for (var t = part * p.part + at.lane; t < end; t += LANES) {
        let m = t / of_mean * p.cycle + first_mean;
        let e = t % of_mean / p.step * p.inner + start + t % p.step;
        let k = element_of(e, m);
        let g = load(grad[p.grad_offset + k]);
        let d = load(x[p.x_offset + k]) - C(loadS(means[p.means_offset + m]));
        weight_sum += g * d * C(loadS(inverse_stds[p.inverse_stds_offset + m]));
        bias_sum += g;
    }
    if (LANES > 1u) {
        weight_sums[thread] = weight_sum;
        bias_sums[thread] = bias_sum;
        join_lanes(at);
        weight_sum = weight_sums[at.first];
        bias_sum = bias_sums[at.first];
    }
    if (live && at.lane == 0u) {
        weight_grads[number] = storeS(CS(weight_sum));
        bias_grads[number] = storeS(CS(bias_sum));
    }
}
