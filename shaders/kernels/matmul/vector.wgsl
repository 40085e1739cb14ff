alias T = f32;
alias O = f32;
// As `matmul/tile`, for products with a vector, where tiles would be mostly empty. LANES threads share a dot product and add up
// in a tree; neighbouring threads have neighbouring results, of which a workgroup makes THREADS / LANES. Where k is the fast
// dimension in memory all threads share one result, so that neighbours read neighbours either way.

const THREADS: u32 = 64;
const LANES: u32 = 64;
const RESULTS: u32 = THREADS / LANES;

struct Params {
    // fields: FactorFields
    // fields: ProductFields
    results: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read> bias: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<O>;

var<workgroup> partial: array<C, THREADS>;

fn matmul_relu(x: C) -> C {
    return op_relu_C(x);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = group_number(group, groups) * RESULTS;
    if (first >= p.results) {
        return;
    }
    let lane = thread / RESULTS;
    // Threads past the last result work on it again and store nothing.
    let i = min(first + thread % RESULTS, p.results - 1u);
    let column = i % p.n;
    let row = (i / p.n) % p.m;
    let batch = i / (p.n * p.m);
    let a_start = p.a_offset + batch * p.a_batch + row * p.a_row;
    let b_start = p.b_offset + batch * p.b_batch + column * p.b_column;
    var sum = C(0);
    for (var k = lane; k < p.k; k += LANES) {
        sum += load(a[a_start + k * p.a_column]) * load(b[b_start + k * p.b_row]);
    }
    partial[thread] = sum;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            partial[thread] += partial[thread + half * RESULTS];
        }
        workgroupBarrier();
    }
    if (lane == 0u && first + thread < p.results) {
        let at = p.out_offset + batch * p.out_batch + row * p.out_row + column * p.out_column;
        let alpha = number_C(p.alpha_low, p.alpha_high);
        let beta = number_C(p.beta_low, p.beta_high);
        out[at] = matmul_result(partial[thread], alpha, beta, at, column);
    }
}
