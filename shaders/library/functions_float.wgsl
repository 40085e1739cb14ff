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

// A value x of erfinv(a), nearer by one of Halley's steps. Beyond ½ erfc tells numbers apart where erf is nearly 1.
fn erfinv_step_f32(x: f32, a: f32) -> f32 {
    let off = select((f32(1.0) - a) - op_erfc_f32(x), op_erf_f32(x) - a, a <= f32(0.5));
    let scaled = off / (op_exp_f32(-x * x) * f32(1.1283791670955126));
    return x - scaled / (f32(1.0) + x * scaled);
}

fn op_erfinv_f32(y: f32) -> f32 {
    let a = op_abs_f32(y);
    // Infinite at ±1; what is NaN or beyond has no value.
    if (is_nan_f32(y) || a > f32(1.0)) {
        return nan_f32();
    }
    if (a == f32(1.0)) {
        return with_sign_f32(infinity_f32(), y);
    }
    var x: f32;
    if (a <= f32(0.7)) {
        let z = a * a;
        let above = ((f32(-0.140543331) * z + f32(0.914624893)) * z - f32(1.645349621)) * z + f32(0.886226899);
        let below = (((f32(0.012229801) * z - f32(0.329097515)) * z + f32(1.442710462)) * z - f32(2.118377725)) * z + f32(1.0);
        x = a * above / below;
    } else {
        let z = op_sqrt_f32(-op_log_f32(f32(0.5) * (f32(1.0) - a)));
        let above = ((f32(1.641345311) * z + f32(3.429567803)) * z - f32(1.624906493)) * z - f32(1.970840454);
        x = above / ((f32(1.6370678) * z + f32(3.5438892)) * z + f32(1.0));
    }
    return with_sign_f32(erfinv_step_f32(erfinv_step_f32(x, a), a), y);
}
