// Exponentials, logarithms and powers on f32. The polynomials interpolate the named function at Chebyshev points.

// x with only its 12 leading bits: the product of two such numbers is exact.
fn head_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// y 2ⁿ for |n| ≤ 252, in two factors, since 2ⁿ alone may be subnormal or infinite.
fn scale_f32(y: f32, n: i32) -> f32 {
    let half = n >> 1u;
    return y * bitcast<f32>(u32(half + 127) << 23u) * bitcast<f32>(u32(n - half + 127) << 23u);
}

// (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2.
fn exp_poly_f32(r: f32) -> f32 {
    var y = f32(0.0001989108);
    y = fma(y, r, 0.0013933731);
    y = fma(y, r, 0.0083333105);
    y = fma(y, r, 0.041666463);
    y = fma(y, r, 0.16666667);
    y = fma(y, r, 0.5);
    return y;
}

// n and r with x = n ln 2 + r and |r| ≤ ½ ln 2.
struct Power_f32 {
    n: i32,
    r: f32,
}

fn split_exp_f32(x: f32) -> Power_f32 {
    let n = nearest_f32(x * 1.442695);
    return Power_f32(n, fma(f32(n), 0.00021219444, x - held_f32(f32(n) * 0.6933594)));
}

// 2ⁿ e^(x + low) for -104 ≤ x ≤ 89 and a small `low`.
fn scaled_exp_f32(x: f32, low: f32, n: i32) -> f32 {
    let parts = split_exp_f32(x);
    let r = parts.r + low;
    return scale_f32(1.0 + fma(r * r, exp_poly_f32(r), r), parts.n + n);
}

fn op_exp_f32(x: f32) -> f32 {
    return select(scaled_exp_f32(clamp(x, -104.0, 89.0), 0.0, 0), x, is_nan_f32(x));
}

// For -20 ≤ x ≤ 89.
fn expm1_finite_f32(x: f32) -> f32 {
    let parts = split_exp_f32(x);
    let r = parts.r;
    // Half of 2ⁿ, since 2¹²⁸ is no f32.
    let half = bitcast<f32>(u32(parts.n + 126) << 23u);
    return 2.0 * fma(half, fma(r * r, exp_poly_f32(r), r), half - 0.5);
}

fn op_expm1_f32(x: f32) -> f32 {
    return select(expm1_finite_f32(clamp(x, -20.0, 89.0)), x, is_nan_f32(x) || abs(x) < 1e-8);
}

// (log(1 + f) − f + f²/2) / f³ for √½ ≤ 1 + f ≤ √2.
fn log_poly_f32(f: f32) -> f32 {
    var y = f32(0.06971612);
    y = fma(y, f, -0.11479734);
    y = fma(y, f, 0.1168542);
    y = fma(y, f, -0.12425687);
    y = fma(y, f, 0.14249058);
    y = fma(y, f, -0.16667803);
    y = fma(y, f, 0.20000716);
    y = fma(y, f, -0.24999997);
    y = fma(y, f, 0.3333333);
    return y;
}

// log(1 + f) − f.
fn log1p_less_f_f32(f: f32) -> f32 {
    let square = f * f;
    return fma(square * f, log_poly_f32(f), -0.5 * square);
}

// k and m with x = 2ᵏ m and √½ ≤ m ≤ √2, for finite positive x.
fn split_log_f32(x: f32) -> vec2<f32> {
    let bits = bitcast<u32>(x);
    let subnormal = bits < 0x00800000u;
    let shifted = select(bits, bitcast<u32>(f32(bits)), subnormal) - 0x3f3504f3u;
    let k = f32((bitcast<i32>(shifted) >> 23u) - select(0, 149, subnormal));
    return vec2<f32>(k, bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u));
}

// What a logarithm gives where x is not finite and positive; elsewhere y.
fn log_special_f32(x: f32, y: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let special = select(select(nan_f32(), highest_f32(), bits == 0x7f800000u), lowest_f32(), is_zero_f32(x));
    return select(y, special, bits == 0u || bits >= 0x7f800000u);
}

fn op_log_f32(x: f32) -> f32 {
    let parts = split_log_f32(x);
    let f = parts.y - 1.0;
    let rest = fma(parts.x, -0.00021219444, log1p_less_f_f32(f)) + f;
    return log_special_f32(x, fma(parts.x, 0.6933594, rest));
}

fn op_log2_f32(x: f32) -> f32 {
    let parts = split_log_f32(x);
    let f = parts.y - 1.0;
    let rest = log1p_less_f_f32(f);
    // log₂ e = 1 + c keeps the large term exact.
    return log_special_f32(x, fma(rest + f, 0.44269504, rest) + f + parts.x);
}

fn op_log10_f32(x: f32) -> f32 {
    let parts = split_log_f32(x);
    let f = parts.y - 1.0;
    let rest = fma(log1p_less_f_f32(f), 0.4342945, fma(f, 0.4342945, parts.x * 4.605039e-6));
    return log_special_f32(x, fma(parts.x, 0.3010254, rest));
}

fn op_log1p_f32(x: f32) -> f32 {
    let u = 1.0 + x;
    let parts = split_log_f32(u);
    let k = parts.x;
    // u = 2ᵏ m and m = 1 + f, but for what rounding took from u.
    let scale = bitcast<f32>(u32(127 - i32(clamp(k, -126.0, 126.0))) << 23u);
    let lost = held_f32(x * scale) - held_f32(parts.y - scale);
    let f = held_f32(parts.y - 1.0) + select(0.0, lost, x < 16777216.0);
    let rest = fma(k, -0.00021219444, log1p_less_f_f32(f)) + f;
    return select(log_special_f32(u, fma(k, 0.6933594, rest)), x, is_nan_f32(x) || abs(x) < 1e-8);
}

fn op_sinh_f32(x: f32) -> f32 {
    let a = min(op_abs_f32(x), 100.0);
    let e = expm1_finite_f32(min(a, 20.0));
    let y = select(0.5 * (e + e / (e + 1.0)), scaled_exp_f32(min(a, 91.0), 0.0, -1), a > 20.0);
    return select(with_sign_f32(select(y, a, a < 1e-8), x), x, is_nan_f32(x) || abs(x) < 1e-8);
}

fn op_cosh_f32(x: f32) -> f32 {
    let a = min(op_abs_f32(x), 91.0);
    let half = scaled_exp_f32(a, 0.0, -1);
    return select(select(half + 0.25 / half, half, a > 20.0), x, is_nan_f32(x));
}

// (tanh(x)/x − 1) / u with u = x² ≤ 0.391.
fn tanh_poly_f32(u: f32) -> f32 {
    var y = f32(0.0022918095);
    y = fma(y, u, -0.008343119);
    y = fma(y, u, 0.021768667);
    y = fma(y, u, -0.053959228);
    y = fma(y, u, 0.13333303);
    y = fma(y, u, -0.33333334);
    return y;
}

fn op_tanh_f32(x: f32) -> f32 {
    let a = min(op_abs_f32(x), 10.0);
    let u = a * a;
    let near = fma(a * u, tanh_poly_f32(u), a);
    let far = 1.0 - 2.0 / (scaled_exp_f32(2.0 * a, 0.0, 0) + 1.0);
    return select(with_sign_f32(select(far, near, a < 0.625), x), x, is_nan_f32(x));
}

fn op_sigmoid_f32(x: f32) -> f32 {
    let e = scaled_exp_f32(-min(op_abs_f32(x), 104.0), 0.0, 0);
    return select(select(1.0, e, x < 0.0) / (1.0 + e), x, is_nan_f32(x));
}

// erf(x)/x − 1 in u = x² ≤ 0.86.
fn erf_poly_f32(u: f32) -> f32 {
    var y = f32(-0.0005979258);
    y = fma(y, u, 0.004991231);
    y = fma(y, u, -0.02676556);
    y = fma(y, u, 0.112817965);
    y = fma(y, u, -0.37612492);
    y = fma(y, u, 0.12837915);
    return y;
}

// −log(erfc(x)) for 0.9 ≤ x ≤ 4.
fn log_erfc_poly_f32(x: f32) -> f32 {
    var y = f32(4.4538965e-08);
    y = fma(y, x, -2.5943393e-06);
    y = fma(y, x, 5.493617e-05);
    y = fma(y, x, -0.0006433165);
    y = fma(y, x, 0.00491078);
    y = fma(y, x, -0.026736233);
    y = fma(y, x, 0.11049957);
    y = fma(y, x, 0.6314835);
    y = fma(y, x, 1.1303884);
    y = fma(y, x, -0.00034958211);
    return y;
}

// (1 + 2x) exp(x²) erfc(x) in t = (x − 2.5)/(x + 2.5), for 0.49 ≤ x ≤ 11.
fn erfcx_poly_f32(t: f32) -> f32 {
    var y = f32(2.624238253236158e-06);
    y = fma(y, t, 2.2720640719085395e-05);
    y = fma(y, t, 6.2600562251088254e-06);
    y = fma(y, t, -0.00011352707373466133);
    y = fma(y, t, -8.847789152206032e-05);
    y = fma(y, t, 0.0006321250159558212);
    y = fma(y, t, 0.0004918656336596425);
    y = fma(y, t, -0.004382078399564152);
    y = fma(y, t, 0.00093189283079062);
    y = fma(y, t, 0.032760893271578384);
    y = fma(y, t, -0.10296705603907794);
    y = fma(y, t, 0.1576299190231511);
    y = fma(y, t, -0.09902453957359451);
    y = fma(y, t, -0.12235676308240383);
    y = fma(y, t, 1.2648381843668615);
    return y;
}

fn op_erf_f32(x: f32) -> f32 {
    let a = min(op_abs_f32(x), 4.0);
    let near = fma(a, erf_poly_f32(a * a), a);
    let far = 1.0 - scaled_exp_f32(-log_erfc_poly_f32(a), 0.0, 0);
    return select(with_sign_f32(select(far, near, a < 0.92), x), x, is_nan_f32(x));
}

fn op_erfc_f32(x: f32) -> f32 {
    let a = min(op_abs_f32(x), 10.1);
    let near = 1.0 - fma(x, erf_poly_f32(x * x), x);
    // exp(-a²) from the square of a's leading bits, which is exact, and the rest.
    let head = head_f32(a);
    let power = scaled_exp_f32(-head * head, -(a - head) * (a + head), 0);
    let far = power * (erfcx_poly_f32((a - 2.5) / (a + 2.5)) / (1.0 + 2.0 * a));
    return select(select(select(far, 2.0 - far, x < 0.0), near, a < 0.5), x, is_nan_f32(x));
}

// A number as an unevaluated sum: its head, and the rest.
fn pair_f32(x: f32, low: f32) -> vec2<f32> {
    let head = head_f32(x + low);
    return vec2<f32>(head, held_f32(x - head) + low);
}

fn pair_mul_f32(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return pair_f32(a.x * b.x, fma(a.x, b.y, a.y * (b.x + b.y)));
}

// (atanh(s)/s − 1 − s²/3) / s⁴ in w = s², |s| ≤ 0.1716.
fn atanh_poly_f32(w: f32) -> f32 {
    var y = f32(0.09090909);
    y = fma(y, w, 0.11111111);
    y = fma(y, w, 0.14285714);
    y = fma(y, w, 0.2);
    return y;
}

// log₂ x for finite positive x, to about 34 bits.
fn log2_pair_f32(x: f32) -> vec2<f32> {
    let parts = split_log_f32(x);
    let f = parts.y - 1.0;
    // s = f / (2 + f): a head, and what it leaves of the quotient.
    let s_head = head_f32(f / (2.0 + f));
    let f_head = head_f32(f);
    let left = held_f32(held_f32(f - 2.0 * s_head) - held_f32(s_head * f_head)) - s_head * held_f32(f - f_head);
    let s = vec2<f32>(s_head, left / (2.0 + f));
    // log(1 + f) = 2 atanh(s).
    let w = pair_mul_f32(s, s);
    let series = pair_f32(0.33325195, fma(w.x + w.y, atanh_poly_f32(w.x + w.y), 8.138021e-5));
    let tail = pair_mul_f32(pair_mul_f32(s, w), series);
    let half = pair_f32(s.x, s.y + tail.x + tail.y);
    // 2 log₂ e.
    let scaled = pair_mul_f32(half, vec2<f32>(2.8847656, 0.0006244573));
    let head = head_f32(parts.x + scaled.x);
    return vec2<f32>(head, held_f32(held_f32(parts.x - head) + scaled.x) + scaled.y);
}

fn op_pow_f32(x: f32, y: f32) -> f32 {
    if (is_nan_f32(x) || is_nan_f32(y)) {
        return select(nan_f32(), 1.0, is_zero_f32(y) || bitcast<u32>(x) == 0x3f800000u);
    }
    if (y == 2.0) {
        return x * x;
    }
    let a = op_abs_f32(x);
    let sign = select(0u, bitcast<u32>(x) & 0x80000000u, is_odd_f32(y));
    if (is_zero_f32(y)) {
        return 1.0;
    }
    if (is_zero_f32(x) || !is_finite_f32(x)) {
        let grows = is_zero_f32(x) == (y < 0.0);
        return bitcast<f32>(select(0u, 0x7f800000u, grows) | sign);
    }
    if (x < 0.0 && !is_whole_f32(y)) {
        return nan_f32();
    }
    // Larger exponents of anything but 1 overflow or vanish just the same.
    let exponent = clamp(y, -1.7179869e10, 1.7179869e10);
    let log = log2_pair_f32(a);
    let head = head_f32(exponent);
    let low = fma(exponent, log.y, (exponent - head) * log.x);
    // Beyond, the result is infinite or zero.
    let power = clamp(head * log.x, -200.0, 200.0);
    let rest = select(low, 0.0, abs(power) == 200.0);
    let n = nearest_f32(clamp(power + rest, -160.0, 130.0));
    let r = 0.6931472 * clamp(held_f32(power - f32(n)) + rest, -1.0, 1.0);
    let magnitude = scale_f32(1.0 + fma(r * r, exp_poly_f32(r), r), n);
    return bitcast<f32>(bitcast<u32>(magnitude) | sign);
}
