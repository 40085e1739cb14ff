alias T = f32;
// The gradient of a normalisation for x, [outer, means, inner]: i (g - sum g / n - (x - m) i^2 sum g (x - m) / n), with g the
// result's gradient times the weight. A mean has LANES threads.

// The type of the weight.
alias W = f32;
// The type of the statistics.
alias S = f32;
const WEIGHT: u32 = 0;
const THREADS: u32 = 64;
const LANES: u32 = 64;
const COLUMNS: u32 = 0;

struct Params {
    // fields: NormFields
    grad_offset: u32,
    x_offset: u32,
    means_offset: u32,
    inverse_stds_offset: u32,
    weight_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> grad: array<T>;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> means: array<S>;
@group(0) @binding(3) var<storage, read> inverse_stds: array<S>;
@group(0) @binding(4) var<storage, read> weight: array<W>;
@group(0) @binding(5) var<storage, read_write> dx: array<T>;

var<workgroup> sums: array<C, THREADS>;
var<workgroup> products: array<C, THREADS>;

fn join(a: u32, b: u32) {
    sums[a] += sums[b];
    products[a] += products[b];
}

// The weighted gradient of element e, at position k, of mean m.
fn weighted(e: u32, k: u32, m: u32) -> C {
    let g = load(grad[p.grad_offset + k]);
    if (WEIGHT == 1u) {
        return g * C(loadW(weight[p.weight_offset + parameter_of(e, m)]));
    }
    return g;
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
    let mean = C(loadS(means[p.means_offset + m]));
    let inverse_std = C(loadS(inverse_stds[p.inverse_stds_offset + m]));
    var sum = C(0);
    var product = C(0);
    for (var e = at.lane; e < count; e += LANES) {
        let k = element_of(e, m);
        let g = weighted(e, k, m);
        sum += g;
        product += g * (load(x[p.x_offset + k]) - mean);
    }
    if (LANES > 1u) {
        sums[thread] = sum;
        products[thread] = product;
        join_lanes(at);
        sum = sums[at.first];
        product = products[at.first];
    }
    let slope = inverse_std * inverse_std * product / n;
    for (var e = at.lane; e < count; e += LANES) {
        let k = element_of(e, m);
        let d = load(x[p.x_offset + k]) - mean;
        dx[k] = store((weighted(e, k, m) - sum / n - d * slope) * inverse_std);
    }
}
