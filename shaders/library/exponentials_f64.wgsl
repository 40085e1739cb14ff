// Exponentials, logarithms and powers on f64. The polynomials interpolate the named function at Chebyshev points.

// x with only its 26 leading bits: the product of two such numbers is exact.
fn head_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) & 0xfffffffff8000000lu);
}

// y 2ⁿ for |n| ≤ 2044, in two factors, since 2ⁿ alone may be subnormal or infinite.
fn scale_f64(y: f64, n: i32) -> f64 {
    let half = n >> 1u;
    return y * bitcast<f64>(u64(u32(half + 1023)) << 52u) * bitcast<f64>(u64(u32(n - half + 1023)) << 52u);
}

// (eʳ − 1 − r) / r² for |r| ≤ ½ ln 2.
fn exp_poly_f64(r: f64) -> f64 {
    var y = f64(2.5100472505694996e-08lf);
    y = fma(y, r, 2.7620201591031547e-07lf);
    y = fma(y, r, 2.7557268276905696e-06lf);
    y = fma(y, r, 2.4801521057868204e-05lf);
    y = fma(y, r, 0.00019841269863171557lf);
    y = fma(y, r, 0.0013888888917367081lf);
    y = fma(y, r, 0.008333333333330039lf);
    y = fma(y, r, 0.041666666666623824lf);
    y = fma(y, r, 0.16666666666666669lf);
    y = fma(y, r, 0.5000000000000001lf);
    return y;
}


// n and r with x = n ln 2 + r and |r| ≤ ½ ln 2.
struct Power_f64 {
    n: i32,
    r: f64,
}

fn split_exp_f64(x: f64) -> Power_f64 {
    let whole = nearest_f64(x * 1.4426950408889634lf);
    let n = f64(whole);
    return Power_f64(whole, fma(n, -1.9082149292705877e-10lf, x - held_f64(n * 0.6931471803691238lf)));
}

// 2ⁿ e^(x + low) for -746 ≤ x ≤ 711 and a small `low`.
fn scaled_exp_f64(x: f64, low: f64, n: i32) -> f64 {
    let parts = split_exp_f64(x);
    let r = parts.r + low;
    return scale_f64(1.0lf + fma(r * r, exp_poly_f64(r), r), parts.n + n);
}

fn op_exp_f64(x: f64) -> f64 {
    return select(scaled_exp_f64(clamp(x, -746.0lf, 710.0lf), 0.0lf, 0), x, is_nan_f64(x));
}

// For -40 ≤ x ≤ 710.
fn expm1_finite_f64(x: f64) -> f64 {
    let parts = split_exp_f64(x);
    let r = parts.r;
    // Half of 2ⁿ, since 2¹⁰²⁴ is no f64.
    let half = bitcast<f64>(u64(u32(parts.n + 1022)) << 52u);
    return 2.0lf * fma(half, fma(r * r, exp_poly_f64(r), r), half - 0.5lf);
}

fn op_expm1_f64(x: f64) -> f64 {
    return select(expm1_finite_f64(clamp(x, -40.0lf, 710.0lf)), x, is_nan_f64(x) || abs(x) < 1e-17lf);
}

// (log((1 + s)/(1 − s))/s − 2) / s² in w = s², |s| ≤ 0.17158.
fn log_poly_f64(w: f64) -> f64 {
    var y = f64(0.14616562422104645lf);
    y = fma(y, w, 0.15331712479381301lf);
    y = fma(y, w, 0.1818288939967772lf);
    y = fma(y, w, 0.2222221113102852lf);
    y = fma(y, w, 0.2857142862599856lf);
    y = fma(y, w, 0.39999999999899455lf);
    y = fma(y, w, 0.666666666666667lf);
    return y;
}


// k + log(1 + f) / ln 2 as a natural logarithm, for √½ ≤ 1 + f ≤ √2.
fn log_of_parts_f64(k: f64, f: f64) -> f64 {
    let half_square = 0.5lf * f * f;
    let s = f / (2.0lf + f);
    let w = s * s;
    let tail = fma(s, fma(w, log_poly_f64(w), half_square), k * 1.9082149292705877e-10lf);
    return fma(k, 0.6931471803691238lf, f - (half_square - tail));
}

// k and m with x = 2ᵏ m and √½ ≤ m ≤ √2, for finite positive x.
fn split_log_f64(x: f64) -> vec2<f64> {
    let bits = bitcast<u64>(x);
    let subnormal = bits < 0x0010000000000000lu;
    let shifted = select(bits, bitcast<u64>(f64(bits)), subnormal) - 0x3fe6a09e667f3bcdlu;
    let k = f64(i32(bitcast<i64>(shifted) >> 52u) - select(0, 1074, subnormal));
    return vec2<f64>(k, bitcast<f64>((shifted & 0x000ffffffffffffflu) + 0x3fe6a09e667f3bcdlu));
}

// What a logarithm gives where x is not finite and positive; elsewhere y.
fn log_special_f64(x: f64, y: f64) -> f64 {
    let bits = bitcast<u64>(x);
    let limit = select(nan_f64(), highest_f64(), bits == 0x7ff0000000000000lu);
    let special = select(limit, lowest_f64(), is_zero_f64(x));
    return select(y, special, bits == 0lu || bits >= 0x7ff0000000000000lu);
}

fn op_log_f64(x: f64) -> f64 {
    let parts = split_log_f64(x);
    return log_special_f64(x, log_of_parts_f64(parts.x, parts.y - 1.0lf));
}

fn op_log2_f64(x: f64) -> f64 {
    let parts = split_log_f64(x);
    return log_special_f64(x, fma(log_of_parts_f64(0.0lf, parts.y - 1.0lf), 1.4426950408889634lf, parts.x));
}

fn op_log10_f64(x: f64) -> f64 {
    let parts = split_log_f64(x);
    let rest = fma(log_of_parts_f64(0.0lf, parts.y - 1.0lf), 0.4342944819032518lf, parts.x * 1.1451100898021838e-10lf);
    return log_special_f64(x, fma(parts.x, 0.3010299955494702lf, rest));
}

fn op_log1p_f64(x: f64) -> f64 {
    let u = 1.0lf + x;
    let parts = split_log_f64(u);
    // u = 2ᵏ m and m = 1 + f, but for what rounding took from u.
    let scale = bitcast<f64>(u64(u32(1023 - i32(clamp(parts.x, -1022.0lf, 1022.0lf)))) << 52u);
    let lost = select(0.0lf, held_f64(x * scale) - held_f64(parts.y - scale), x < 9007199254740992.0lf);
    let y = log_special_f64(u, log_of_parts_f64(parts.x, held_f64(parts.y - 1.0lf) + lost));
    return select(y, x, is_nan_f64(x) || abs(x) < 1e-17lf);
}

fn op_sinh_f64(x: f64) -> f64 {
    let a = op_abs_f64(x);
    let e = expm1_finite_f64(min(a, 20.0lf));
    let y = select(0.5lf * (e + e / (e + 1.0lf)), scaled_exp_f64(min(a, 711.0lf), 0.0lf, -1), a > 20.0lf);
    return select(with_sign_f64(y, x), x, is_nan_f64(x) || a < 1e-17lf);
}

fn op_cosh_f64(x: f64) -> f64 {
    let a = min(op_abs_f64(x), 711.0lf);
    let half = scaled_exp_f64(a, 0.0lf, -1);
    return select(select(half + 0.25lf / half, half, a > 20.0lf), x, is_nan_f64(x));
}

fn op_tanh_f64(x: f64) -> f64 {
    let a = op_abs_f64(x);
    let e = expm1_finite_f64(2.0lf * min(a, 22.0lf));
    return select(with_sign_f64(e / (e + 2.0lf), x), x, is_nan_f64(x) || a < 1e-17lf);
}

fn op_sigmoid_f64(x: f64) -> f64 {
    let e = scaled_exp_f64(-min(op_abs_f64(x), 746.0lf), 0.0lf, 0);
    return select(select(1.0lf, e, x < 0.0lf) / (1.0lf + e), x, is_nan_f64(x));
}

// erf(x)/x − 1 in u = x² ≤ 1.
fn erf_poly_f64(u: f64) -> f64 {
    var y = f64(-7.795898827002142e-10lf);
    y = fma(y, u, 1.3720064546777686e-08lf);
    y = fma(y, u, -1.6208483801871705e-07lf);
    y = fma(y, u, 1.6447424703317362e-06lf);
    y = fma(y, u, -1.492473690741966e-05lf);
    y = fma(y, u, 0.00012055294904839707lf);
    y = fma(y, u, -0.0008548325975389692lf);
    y = fma(y, u, 0.0052239776071164225lf);
    y = fma(y, u, -0.02686617064323777lf);
    y = fma(y, u, 0.11283791670945006lf);
    y = fma(y, u, -0.37612638903183543lf);
    y = fma(y, u, 0.12837916709551256lf);
    return y;
}

// (1 + 2x) exp(x²) erfc(x) in t = (x − 2.5)/(x + 2.5), for 0.49 ≤ x ≤ 28.
fn erfcx_poly_f64(t: f64) -> f64 {
    var y = f64(2.1260157562788764e-08lf);
    y = fma(y, t, -1.0286866604582312e-07lf);
    y = fma(y, t, -8.361174864779568e-08lf);
    y = fma(y, t, 5.358095711000577e-07lf);
    y = fma(y, t, 6.366470680459684e-07lf);
    y = fma(y, t, -1.6048635020103197e-06lf);
    y = fma(y, t, -4.278310957664828e-06lf);
    y = fma(y, t, 2.624238253236158e-06lf);
    y = fma(y, t, 2.2720640719085395e-05lf);
    y = fma(y, t, 6.2600562251088254e-06lf);
    y = fma(y, t, -0.00011352707373466133lf);
    y = fma(y, t, -8.847789152206032e-05lf);
    y = fma(y, t, 0.0006321250159558212lf);
    y = fma(y, t, 0.0004918656336596425lf);
    y = fma(y, t, -0.004382078399564152lf);
    y = fma(y, t, 0.00093189283079062lf);
    y = fma(y, t, 0.032760893271578384lf);
    y = fma(y, t, -0.10296705603907794lf);
    y = fma(y, t, 0.1576299190231511lf);
    y = fma(y, t, -0.09902453957359451lf);
    y = fma(y, t, -0.12235676308240383lf);
    y = fma(y, t, 1.2648381843668615lf);
    return y;
}


// erfc(a) for a ≥ 0.49.
fn erfc_far_f64(x: f64) -> f64 {
    let a = min(x, 28.0lf);
    // exp(-a²) from the square of a's leading bits, which is exact, and the rest.
    let head = head_f64(a);
    let power = scaled_exp_f64(max(-head * head, -746.0lf), -(a - head) * (a + head), 0);
    return power * (erfcx_poly_f64((a - 2.5lf) / (a + 2.5lf)) / (1.0lf + 2.0lf * a));
}

fn op_erf_f64(x: f64) -> f64 {
    let a = op_abs_f64(x);
    let bounded = min(a, 1.0lf);
    let near = fma(bounded, erf_poly_f64(bounded * bounded), bounded);
    return select(with_sign_f64(select(1.0lf - erfc_far_f64(a), near, a < 1.0lf), x), x, is_nan_f64(x));
}

fn op_erfc_f64(x: f64) -> f64 {
    let a = op_abs_f64(x);
    let near = 1.0lf - fma(x, erf_poly_f64(x * x), x);
    let far = erfc_far_f64(a);
    return select(select(select(far, 2.0lf - far, x < 0.0lf), near, a < 0.5lf), x, is_nan_f64(x));
}

// A number as an unevaluated sum: its head, and the rest.
fn pair_f64(x: f64, low: f64) -> vec2<f64> {
    let head = head_f64(x + low);
    return vec2<f64>(head, held_f64(x - head) + low);
}

fn pair_mul_f64(a: vec2<f64>, b: vec2<f64>) -> vec2<f64> {
    return pair_f64(a.x * b.x, fma(a.x, b.y, a.y * (b.x + b.y)));
}

// (atanh(s)/s − 1 − s²/3) / s⁴ in w = s², |s| ≤ 0.1716.
fn atanh_poly_f64(w: f64) -> f64 {
    var y = f64(0.058618018114527055lf);
    y = fma(y, w, 0.05853097844940682lf);
    y = fma(y, w, 0.06667403106050301lf);
    y = fma(y, w, 0.07692297467298959lf);
    y = fma(y, w, 0.0909090916782708lf);
    y = fma(y, w, 0.11111111110827367lf);
    y = fma(y, w, 0.14285714285714685lf);
    y = fma(y, w, 0.2lf);
    return y;
}


// log₂ x for finite positive x, to about 68 bits.
fn log2_pair_f64(x: f64) -> vec2<f64> {
    let parts = split_log_f64(x);
    let f = parts.y - 1.0lf;
    // s = f / (2 + f): a head, and what it leaves of the quotient.
    let s_head = head_f64(f / (2.0lf + f));
    let f_head = head_f64(f);
    let left = held_f64(held_f64(f - 2.0lf * s_head) - held_f64(s_head * f_head)) - s_head * held_f64(f - f_head);
    let s = vec2<f64>(s_head, left / (2.0lf + f));
    // log(1 + f) = 2 atanh(s).
    let w = pair_mul_f64(s, s);
    let u = w.x + w.y;
    let series = pair_f64(0.3333333283662796lf, fma(u, atanh_poly_f64(u), 4.967053731282552e-09lf));
    let tail = pair_mul_f64(pair_mul_f64(s, w), series);
    let head = head_f64(s.x + tail.x);
    let half = vec2<f64>(head, held_f64(held_f64(s.x - head) + tail.x) + (s.y + tail.y));
    // 2 log₂ e.
    let scaled = pair_mul_f64(half, vec2<f64>(2.885390043258667lf, 3.851925982253235e-08lf));
    let sum = head_f64(parts.x + scaled.x);
    return vec2<f64>(sum, held_f64(held_f64(parts.x - sum) + scaled.x) + scaled.y);
}

fn op_pow_f64(x: f64, y: f64) -> f64 {
    if (is_nan_f64(x) || is_nan_f64(y)) {
        return select(nan_f64(), 1.0lf, is_zero_f64(y) || bitcast<u64>(x) == 0x3ff0000000000000lu);
    }
    if (is_zero_f64(y)) {
        return 1.0lf;
    }
    if (y == 2.0lf) {
        return x * x;
    }
    let a = op_abs_f64(x);
    let sign = select(0lu, bitcast<u64>(x) & 0x8000000000000000lu, is_odd_f64(y));
    if (is_zero_f64(x) || !is_finite_f64(x)) {
        let grows = is_zero_f64(x) == (y < 0.0lf);
        return bitcast<f64>(select(0lu, 0x7ff0000000000000lu, grows) | sign);
    }
    if (x < 0.0lf && !is_whole_f64(y)) {
        return nan_f64();
    }
    // Larger exponents of anything but 1 overflow or vanish just the same.
    let exponent = clamp(y, -3.6893488147419103e19lf, 3.6893488147419103e19lf);
    let log = log2_pair_f64(a);
    let head = head_f64(exponent);
    let low = fma(exponent, log.y, (exponent - head) * log.x);
    // Beyond, the result is infinite or zero.
    let power = clamp(head * log.x, -1200.0lf, 1200.0lf);
    let rest = select(low, 0.0lf, abs(power) == 1200.0lf);
    let n = nearest_f64(clamp(power + rest, -1100.0lf, 1030.0lf));
    let r = 0.6931471805599453lf * clamp(held_f64(power - f64(n)) + rest, -1.0lf, 1.0lf);
    let magnitude = scale_f64(1.0lf + fma(r * r, exp_poly_f64(r), r), n);
    return bitcast<f64>(bitcast<u64>(magnitude) | sign);
}
