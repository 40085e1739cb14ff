// Sines, cosines and their inverses on f64. The polynomials interpolate the named function at Chebyshev points.

// A quarter turn and the rest in radians, |r| ≤ π/4.
struct Angle_f64 {
    quarter: u32,
    r: f64,
}

// 64 bits of 2/π; word 0 is the integer part, 0.
fn two_over_pi_word_u64(i: u32) -> u64 {
    switch i {
        case 1u: { return 0xa2f9836e4e441529lu; }
        case 2u: { return 0xfc2757d1f534ddc0lu; }
        case 3u: { return 0xdb6295993c439041lu; }
        case 4u: { return 0xfe5163abdebbc561lu; }
        case 5u: { return 0xb7246e3a424dd2e0lu; }
        case 6u: { return 0x06492eea09d1921clu; }
        case 7u: { return 0xfe1deb1cb129a73elu; }
        case 8u: { return 0xe88235f52ebb4484lu; }
        case 9u: { return 0xe99c7026b45f7e41lu; }
        case 10u: { return 0x3991d639835339f4lu; }
        case 11u: { return 0x9c845f8bbdf9283blu; }
        case 12u: { return 0x1ff897ffde05980flu; }
        case 13u: { return 0xef2f118b5a0a6d1flu; }
        case 14u: { return 0x6d367ecf27cb09b7lu; }
        case 15u: { return 0x4f463f669e5fea2dlu; }
        case 16u: { return 0x7527bac7ebe5f17blu; }
        case 17u: { return 0x3d0739f78a5292ealu; }
        case 18u: { return 0x6bfb5fb11f8d5d08lu; }
        case 19u: { return 0x56033046fc7b6bablu; }
        default: { return 0lu; }
    }
}

// For x ≥ 2¹⁶: x is a 53-bit integer times a power of two, which selects the 192 bits of 2/π that matter: two before the
// binary point of the product, since multiples of 4 quarters do not count.
fn large_angle_f64(x: f64) -> Angle_f64 {
    let bits = bitcast<u64>(x);
    let start = u32(bits >> 52u) - 1013u;
    let first = start >> 6u;
    let shift = start & 63u;
    let w0 = two_over_pi_word_u64(first);
    let w1 = two_over_pi_word_u64(first + 1u);
    let w2 = two_over_pi_word_u64(first + 2u);
    let w3 = two_over_pi_word_u64(first + 3u);
    let m = (bits & 0x000ffffffffffffflu) | 0x0010000000000000lu;
    // (w >> 1) >> (63 - shift) is w >> (64 - shift), for every shift.
    let p1 = mul_wide_u64(m, (w1 << shift) | ((w2 >> 1u) >> (63u - shift)));
    let p2 = mul_wide_u64(m, (w2 << shift) | ((w3 >> 1u) >> (63u - shift)));
    var low = p1.x + p2.y;
    var high = m * ((w0 << shift) | ((w1 >> 1u) >> (63u - shift))) + p1.y + select(0lu, 1lu, low < p1.x);
    let quarter = (high + 0x2000000000000000lu) >> 62u;
    high -= quarter << 62u;
    let negative = high >= 0x8000000000000000lu;
    if (negative) {
        low = 0lu - low;
        high = ~high + select(0lu, 1lu, low == 0lu);
    }
    // The fraction in units of 2⁻¹²⁶, its leading bit brought to the top.
    let small = high == 0lu;
    let top = select(high, low, small);
    let zeros = leading_zeros_u64(top);
    let leading = (top << zeros) | ((select(low, 0lu, small) >> 1u) >> (63u - zeros));
    let unit = bitcast<f64>(u64(1023u - 62u - zeros - select(0u, 64u, small)) << 52u);
    let r = f64(leading) * (unit * 1.5707963267948966lf);
    return Angle_f64(u32(quarter), select(r, -r, negative));
}

fn angle_f64(x: f64) -> Angle_f64 {
    let a = abs(x);
    if (a >= 65536.0lf) {
        let large = large_angle_f64(a);
        if (x < 0.0lf) {
            return Angle_f64(0u - large.quarter, -large.r);
        }
        return large;
    }
    // π/2 in parts, two of 33 bits: their products with n have 49 bits.
    let quarter = nearest_f64(x * 0.6366197723675814lf);
    let n = f64(quarter);
    let r = held_f64(x - held_f64(n * 1.5707963267341256lf)) - held_f64(n * 6.077100506303966e-11lf);
    return Angle_f64(bitcast<u32>(quarter), fma(n, -2.0222662487959506e-21lf, r));
}

// (sin(r)/r − 1) / u with u = r², |r| ≤ π/4.
fn sin_poly_f64(u: f64) -> f64 {
    var y = f64(-7.586094789672621e-13lf);
    y = fma(y, u, 1.6058521349954986e-10lf);
    y = fma(y, u, -2.5052106167335705e-08lf);
    y = fma(y, u, 2.7557319219150783e-06lf);
    y = fma(y, u, -0.00019841269841264821lf);
    y = fma(y, u, 0.008333333333333331lf);
    y = fma(y, u, -0.16666666666666666lf);
    return y;
}

// (cos(r) − 1 + u/2) / u² with u = r², |r| ≤ π/4.
fn cos_poly_f64(u: f64) -> f64 {
    var y = f64(4.745537017319258e-14lf);
    y = fma(y, u, -1.1470455178216906e-11lf);
    y = fma(y, u, 2.0876755754879594e-09lf);
    y = fma(y, u, -2.755731922129809e-07lf);
    y = fma(y, u, 2.480158730158451e-05lf);
    y = fma(y, u, -0.0013888888888888887lf);
    y = fma(y, u, 0.041666666666666664lf);
    return y;
}


fn sin_near_f64(r: f64) -> f64 {
    let u = r * r;
    return fma(r * u, sin_poly_f64(u), r);
}

fn cos_near_f64(r: f64) -> f64 {
    let u = r * r;
    return fma(u * u, cos_poly_f64(u), fma(u, -0.5lf, 1.0lf));
}

fn sin_of_angle_f64(quarter: u32, r: f64) -> f64 {
    let y = select(cos_near_f64(r), sin_near_f64(r), (quarter & 1u) == 0u);
    return bitcast<f64>(bitcast<u64>(y) ^ (u64(quarter & 2u) << 62u));
}

fn op_sin_f64(x: f64) -> f64 {
    let angle = angle_f64(x);
    let y = select(sin_of_angle_f64(angle.quarter, angle.r), x, abs(x) < 1e-8lf);
    return select(nan_f64(), y, is_finite_f64(x));
}

fn op_cos_f64(x: f64) -> f64 {
    let angle = angle_f64(x);
    return select(nan_f64(), sin_of_angle_f64(angle.quarter + 1u, angle.r), is_finite_f64(x));
}

fn op_tan_f64(x: f64) -> f64 {
    let angle = angle_f64(x);
    let s = sin_near_f64(angle.r);
    let c = cos_near_f64(angle.r);
    let even = (angle.quarter & 1u) == 0u;
    let y = select(-c, s, even) / select(s, c, even);
    return select(nan_f64(), select(y, x, abs(x) < 1e-8lf), is_finite_f64(x));
}

// (asin(x)/x − 1) / u with u = x² ≤ ¼.
fn asin_poly_f64(u: f64) -> f64 {
    var y = f64(0.030718768995191097lf);
    y = fma(y, u, -0.024020544918554605lf);
    y = fma(y, u, 0.022553563638202982lf);
    y = fma(y, u, 0.000380853033290726lf);
    y = fma(y, u, 0.00879500607648843lf);
    y = fma(y, u, 0.008135829925501657lf);
    y = fma(y, u, 0.009792751320201996lf);
    y = fma(y, u, 0.011549086612987425lf);
    y = fma(y, u, 0.013965009932053607lf);
    y = fma(y, u, 0.017352757477819787lf);
    y = fma(y, u, 0.02237215927967998lf);
    y = fma(y, u, 0.030381944441363808lf);
    y = fma(y, u, 0.0446428571428834lf);
    y = fma(y, u, 0.07499999999999991lf);
    y = fma(y, u, 0.16666666666666666lf);
    return y;
}


// asin(a) for 0 ≤ a ≤ 1 is this, or π/2 less twice this where a > ½.
fn asin_part_f64(a: f64) -> f64 {
    let s = select(a, sqrt(0.5lf - 0.5lf * a), a > 0.5lf);
    let u = s * s;
    return fma(s * u, asin_poly_f64(u), s);
}

fn op_asin_f64(x: f64) -> f64 {
    let a = abs(x);
    let part = asin_part_f64(a);
    let y = select(part, 1.5707963267948966lf - (2.0lf * part - 6.123233995736766e-17lf), a > 0.5lf);
    return select(with_sign_f64(y, x), nan_f64(), a > 1.0lf || is_nan_f64(x));
}

fn op_acos_f64(x: f64) -> f64 {
    let a = abs(x);
    let part = asin_part_f64(a);
    let near = 1.5707963267948966lf - (with_sign_f64(part, x) - 6.123233995736766e-17lf);
    let far = select(2.0lf * part, 3.141592653589793lf - (2.0lf * part - 1.2246467991473532e-16lf), x < 0.0lf);
    return select(select(near, far, a > 0.5lf), nan_f64(), a > 1.0lf || is_nan_f64(x));
}

// (atan(x)/x − 1) / u with u = x² ≤ 0.1716.
fn atan_poly_f64(u: f64) -> f64 {
    var y = f64(0.01627552168389342lf);
    y = fma(y, u, -0.03456132296826231lf);
    y = fma(y, u, 0.04551233844829568lf);
    y = fma(y, u, -0.05230375457576669lf);
    y = fma(y, u, 0.058789182929757273lf);
    y = fma(y, u, -0.06666423954373413lf);
    y = fma(y, u, 0.07692296323157785lf);
    y = fma(y, u, -0.09090908751706075lf);
    y = fma(y, u, 0.11111111105119366lf);
    y = fma(y, u, -0.14285714285659457lf);
    y = fma(y, u, 0.19999999999999804lf);
    y = fma(y, u, -0.3333333333333333lf);
    return y;
}


// The angle of the point (x, y).
fn op_atan2_f64(y: f64, x: f64) -> f64 {
    let a = op_abs_f64(x);
    let b = op_abs_f64(y);
    let steep = b > a;
    let large = select(a, b, steep);
    let small = select(b, a, steep);
    // No sum of both may overflow.
    let scale = select(1.0lf, 8.636168555094445e-78lf, large > 1e300lf);
    // 0/0 counts as 0, ∞/∞ as 1.
    let infinite = !is_finite_f64(large);
    let none = is_zero_f64(small) || (infinite && is_finite_f64(small));
    let s = select(select(small * scale, 1.0lf, infinite), 0.0lf, none);
    let l = select(large * scale, 1.0lf, infinite || none);
    // Beyond π/8, the angle from π/4 on.
    let wide = s > 0.41421356237309503lf * l;
    let ratio = select(s, s - l, wide) / select(l, s + l, wide);
    let u = ratio * ratio;
    let part = fma(ratio * u, atan_poly_f64(u), ratio);
    let acute = select(part, 0.7853981633974483lf + (part + 3.061616997868383e-17lf), wide);
    let right = select(acute, 1.5707963267948966lf - (acute - 6.123233995736766e-17lf), steep);
    let angle = select(right, 3.141592653589793lf - (right - 1.2246467991473532e-16lf), (bitcast<u64>(x) >> 63u) == 1lu);
    return select(nan_f64(), with_sign_f64(angle, y), ordered_f64(x, y));
}

fn op_atan_f64(x: f64) -> f64 {
    return op_atan2_f64(x, 1.0lf);
}
