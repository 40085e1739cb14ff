alias T = f32;
// As `matmul/tile`, one workgroup per result: for products with a vector, where tiles would be mostly empty. The threads
// share the dot product and add up in a tree.

const THREADS: u32 = 64;

// Bits of `flags`.
const BETA: u32 = 1;
const BIAS: u32 = 2;
const RELU: u32 = 4;

struct Params {
    flags: u32,
    m: u32,
    n: u32,
    k: u32,
    results: u32,
    a_offset: u32,
    a_batch: u32,
    a_row: u32,
    a_column: u32,
    b_offset: u32,
    b_batch: u32,
    b_row: u32,
    b_column: u32,
    out_offset: u32,
    out_batch: u32,
    out_row: u32,
    out_column: u32,
    bias_offset: u32,
    bias_stride: u32,
    alpha_low: u32,
    alpha_high: u32,
    beta_low: u32,
    beta_high: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read> bias: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<T>;

var<workgroup> partial: array<C, THREADS>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups);
    if (i >= p.results) {
        return;
    }
    let column = i % p.n;
    let row = (i / p.n) % p.m;
    let batch = i / (p.n * p.m);
    let a_start = p.a_offset + batch * p.a_batch + row * p.a_row;
    let b_start = p.b_offset + batch * p.b_batch + column * p.b_column;
    var sum = C(0);
    for (var k = thread; k < p.k; k += THREADS) {
        sum += load(a[a_start + k * p.a_column]) * load(b[b_start + k * p.b_row]);
    }
    partial[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            partial[thread] += partial[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        let at = p.out_offset + batch * p.out_batch + row * p.out_row + column * p.out_column;
        var value = partial[0] * number_C(p.alpha_low, p.alpha_high);
        if ((p.flags & BETA) != 0u) {
            value += number_C(p.beta_low, p.beta_high) * load(out[at]);
        }
        if ((p.flags & BIAS) != 0u) {
            value += load(bias[p.bias_offset + column * p.bias_stride]);
        }
        if ((p.flags & RELU) != 0u) {
            // A small integer wraps first.
            value = load(store(value));
            value = select(value, C(0), value < C(0));
        }
        out[at] = store(value);
    }
}
