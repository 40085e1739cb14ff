// Conversions between compute types, as `Tensor.to` does them: floats truncate towards zero; what does not fit, and NaN,
// becomes the smallest integer.

fn cast_i32_i64(x: i32) -> i64 {
    return i64(x);
}

fn cast_i32_f32(x: i32) -> f32 {
    return f32(x);
}

fn cast_i32_f64(x: i32) -> f64 {
    return f64(x);
}

// The low bits.
fn cast_i64_i32(x: i64) -> i32 {
    return i32(x);
}

fn cast_i64_f32(x: i64) -> f32 {
    return f32(x);
}

fn cast_i64_f64(x: i64) -> f64 {
    return f64(x);
}

fn cast_f32_i32(x: f32) -> i32 {
    let fits = x >= -2147483648.0f && x < 2147483648.0f && !is_nan_f32(x);
    return select(lowest_i32(), i32(select(0.0f, x, fits)), fits);
}

fn cast_f32_i64(x: f32) -> i64 {
    let fits = x >= -9223372036854775808.0f && x < 9223372036854775808.0f && !is_nan_f32(x);
    return select(lowest_i64(), i64(select(0.0f, x, fits)), fits);
}

fn cast_f32_f64(x: f32) -> f64 {
    return f64(x);
}

fn cast_f64_i32(x: f64) -> i32 {
    let fits = x > -2147483649.0lf && x < 2147483648.0lf && !is_nan_f64(x);
    return select(lowest_i32(), i32(select(0.0lf, x, fits)), fits);
}

fn cast_f64_i64(x: f64) -> i64 {
    let fits = x >= -9223372036854775808.0lf && x < 9223372036854775808.0lf && !is_nan_f64(x);
    return select(lowest_i64(), i64(select(0.0lf, x, fits)), fits);
}

fn cast_f64_f32(x: f64) -> f32 {
    return f32(x);
}
