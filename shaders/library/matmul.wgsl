// The last step of a matrix product, for all of its kernels: they have the bindings `out` and `bias`, these parameters, and a
// function `matmul_relu` on C.

const MATMUL_BETA: u32 = 1;
const MATMUL_BIAS: u32 = 2;
const MATMUL_RELU: u32 = 4;

// alpha sum + beta out, then bias and relu, at position `at` in the given column.
fn matmul_result(sum: C, alpha: C, beta: C, at: u32, column: u32) -> O {
    var value = alpha * sum;
    if ((p.flags & MATMUL_BETA) != 0u) {
        value += beta * loadO(out[at]);
    }
    if ((p.flags & MATMUL_BIAS) != 0u) {
        value += load(bias[p.bias_offset + column * p.bias_stride]);
    }
    if ((p.flags & MATMUL_RELU) != 0u) {
        // A small integer wraps first.
        value = loadO(storeO(value));
        value = matmul_relu(value);
    }
    return storeO(value);
}
