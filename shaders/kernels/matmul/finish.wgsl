alias T = f32;
alias O = f32;
alias S = f32;
// out = alpha Σ partial + beta out, then bias and relu: adds what the workgroups that shared a tile's k range left in
// `partial`, [batch, splits, m, n].

const THREADS: u32 = 64;

struct Params {
    // fields: ProductFields
    results: u32,
    mn: u32,
    n: u32,
    splits: u32,
    partial_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> partial: array<S>;
@group(0) @binding(1) var<storage, read> bias: array<T>;
@group(0) @binding(2) var<storage, read_write> out: array<O>;

fn matmul_relu(x: C) -> C {
    return op_relu_C(x);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups) * THREADS + thread;
    if (i >= p.results) {
        return;
    }
    let batch = i / p.mn;
    let row = (i % p.mn) / p.n;
    let column = i % p.n;
    let first = p.partial_offset + batch * p.splits * p.mn + i % p.mn;
    var sum = C(0);
    for (var s = 0u; s < p.splits; s += 1u) {
        sum += loadS(partial[first + s * p.mn]);
    }
    let at = p.out_offset + batch * p.out_batch + row * p.out_row + column * p.out_column;
    let alpha = number_C(p.alpha_low, p.alpha_high);
    let beta = number_C(p.beta_low, p.beta_high);
    out[at] = matmul_result(sum, alpha, beta, at, column);
}
