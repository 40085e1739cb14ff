// The scalar functions that are the same on f32 and f64, written in f32 (see `src/library.rs`), with PyTorch's special values: those
// are told by their bits, since drivers may assume that no NaN and no infinity occurs.

fn truth_f32(x: bool) -> f32 {
    return select(f32(0.0), f32(1.0), x);
}

fn ordered_f32(a: f32, b: f32) -> bool {
    return !is_nan_f32(a) && !is_nan_f32(b);
}

fn op_sign_f32(x: f32) -> f32 {
    // By the bits: drivers may compare subnormal numbers as zeros.
    return select(with_sign_f32(f32(1.0), x), f32(0.0), is_zero_f32(x) || is_nan_f32(x));
}

fn op_reciprocal_f32(x: f32) -> f32 {
    return f32(1.0) / x;
}

fn op_rsqrt_f32(x: f32) -> f32 {
    return f32(1.0) / op_sqrt_f32(x);
}

fn op_is_nan_f32(x: f32) -> f32 {
    return truth_f32(is_nan_f32(x));
}

fn op_is_finite_f32(x: f32) -> f32 {
    return truth_f32(is_finite_f32(x));
}

fn op_logical_not_f32(x: f32) -> f32 {
    return truth_f32(is_zero_f32(x));
}

fn op_add_f32(a: f32, b: f32) -> f32 {
    return a + b;
}

fn op_sub_f32(a: f32, b: f32) -> f32 {
    return a - b;
}

fn op_mul_f32(a: f32, b: f32) -> f32 {
    return a * b;
}

fn op_maximum_f32(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a >= b), b, is_nan_f32(b)), a, is_nan_f32(a));
}

fn op_minimum_f32(a: f32, b: f32) -> f32 {
    return select(select(select(b, a, a <= b), b, is_nan_f32(b)), a, is_nan_f32(a));
}

fn op_eq_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a == b && ordered_f32(a, b));
}

fn op_ne_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a != b || !ordered_f32(a, b));
}

fn op_lt_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a < b && ordered_f32(a, b));
}

fn op_le_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a <= b && ordered_f32(a, b));
}

fn op_gt_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a > b && ordered_f32(a, b));
}

fn op_ge_f32(a: f32, b: f32) -> f32 {
    return truth_f32(a >= b && ordered_f32(a, b));
}

fn op_logical_and_f32(a: f32, b: f32) -> f32 {
    return truth_f32(!is_zero_f32(a) && !is_zero_f32(b));
}

fn op_logical_or_f32(a: f32, b: f32) -> f32 {
    return truth_f32(!is_zero_f32(a) || !is_zero_f32(b));
}

fn op_logical_xor_f32(a: f32, b: f32) -> f32 {
    return truth_f32(is_zero_f32(a) != is_zero_f32(b));
}
