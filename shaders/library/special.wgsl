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

// A sum over the sum of its weights; NaN of nothing.

fn mean_f32(sum: f32, weights: f32) -> f32 {
    return select(sum / weights, nan_f32(), sum == 0.0 && weights == 0.0);
}

fn mean_f64(sum: f64, weights: f64) -> f64 {
    return select(sum / weights, nan_f64(), sum == 0.0lf && weights == 0.0lf);
}
