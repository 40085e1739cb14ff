// Tests for values that are no numbers, by their bits, and such values.

fn is_finite_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

fn is_finite_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ff0000000000000lu) != 0x7ff0000000000000lu;
}

fn nan_f32() -> f32 {
    let bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

fn nan_f64() -> f64 {
    let bits = 0x7ff8000000000000lu;
    return bitcast<f64>(bits);
}

fn infinity_f32() -> f32 {
    let bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn infinity_f64() -> f64 {
    let bits = 0x7ff0000000000000lu;
    return bitcast<f64>(bits);
}

// x, for a `zero` that is zero when the kernel runs. Drivers that assume that there is no NaN and no infinity see that x - x is
// 0 and x / x is 1; they cannot look through this.

fn hidden_f32(x: f32, zero: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) | zero);
}

fn hidden_f64(x: f64, zero: u32) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) | u64(zero));
}

// A sum over the sum of its weights; NaN of nothing.

fn mean_f32(sum: f32, weights: f32) -> f32 {
    return select(sum / weights, nan_f32(), is_zero_f32(sum) && is_zero_f32(weights));
}

fn mean_f64(sum: f64, weights: f64) -> f64 {
    return select(sum / weights, nan_f64(), is_zero_f64(sum) && is_zero_f64(weights));
}
