// Sines, cosines and their inverses on f32. The polynomials interpolate the named function at Chebyshev points.

// Sines and cosines: a quarter turn and the rest in radians, |r| ≤ π/4.
struct Angle_f32 {
    quarter: u32,
    r: f32,
}

// 32 bits of 2/π; word 0 is the integer part, 0.
fn two_over_pi_word(i: u32) -> u32 {
    switch i {
        case 1u: { return 0xa2f9836eu; }
        case 2u: { return 0x4e441529u; }
        case 3u: { return 0xfc2757d1u; }
        case 4u: { return 0xf534ddc0u; }
        case 5u: { return 0xdb629599u; }
        case 6u: { return 0x3c439041u; }
        case 7u: { return 0xfe5163abu; }
        default: { return 0u; }
    }
}

// For x ≥ 128: x is a 24-bit integer times a power of two, which selects the 96 bits of 2/π that matter: two before the
// binary point of the product, since multiples of 4 quarters do not count.
fn large_angle_f32(x: f32) -> Angle_f32 {
    let bits = bitcast<u32>(x);
    let start = (bits >> 23u) - 120u;
    let first = start >> 5u;
    let shift = start & 31u;
    let w0 = two_over_pi_word(first);
    let w1 = two_over_pi_word(first + 1u);
    let w2 = two_over_pi_word(first + 2u);
    let w3 = two_over_pi_word(first + 3u);
    let m = (bits & 0x007fffffu) | 0x00800000u;
    // (w >> 1) >> (31 - shift) is w >> (32 - shift), for every shift.
    let p1 = mul_wide(m, (w1 << shift) | ((w2 >> 1u) >> (31u - shift)));
    let p2 = mul_wide(m, (w2 << shift) | ((w3 >> 1u) >> (31u - shift)));
    var low = p1.x + p2.y;
    var high = m * ((w0 << shift) | ((w1 >> 1u) >> (31u - shift))) + p1.y + select(0u, 1u, low < p1.x);
    let quarter = (high + 0x20000000u) >> 30u;
    high -= quarter << 30u;
    let negative = high >= 0x80000000u;
    if (negative) {
        low = 0u - low;
        high = ~high + select(0u, 1u, low == 0u);
    }
    // The fraction in units of 2⁻⁶², its leading bit brought to the top.
    let small = high == 0u;
    let top = select(high, low, small);
    let zeros = countLeadingZeros(top);
    let leading = (top << zeros) | ((select(low, 0u, small) >> 1u) >> (31u - zeros));
    let unit = bitcast<f32>((127u - 30u - zeros - select(0u, 32u, small)) << 23u);
    let r = f32(leading) * (unit * 1.5707964);
    return Angle_f32(quarter, select(r, -r, negative));
}

fn angle_f32(x: f32) -> Angle_f32 {
    let a = abs(x);
    if (a >= 128.0) {
        let large = large_angle_f32(a);
        if (x < 0.0) {
            return Angle_f32(0u - large.quarter, -large.r);
        }
        return large;
    }
    // π/2 in parts of 13 bits: their products with n have 20 bits.
    let quarter = nearest_f32(x * 0.63661975);
    let n = f32(quarter);
    let high = held_f32(x - held_f32(n * 1.570556640625)) - held_f32(n * 0.0002396702766418457);
    let r = held_f32(high) - held_f32(n * 1.5890691429376602e-8);
    return Angle_f32(bitcast<u32>(quarter), fma(n, -2.5633440682570896e-12, r));
}

// (sin(r)/r − 1) / u with u = r², |r| ≤ π/4.
fn sin_poly_f32(u: f32) -> f32 {
    var y = f32(-0.00019587841);
    y = fma(y, u, 0.008332748);
    y = fma(y, u, -0.16666664);
    return y;
}

// (cos(r) − 1 + u/2) / u² with u = r², |r| ≤ π/4.
fn cos_poly_f32(u: f32) -> f32 {
    var y = f32(2.4547891e-05);
    y = fma(y, u, -0.0013888302);
    y = fma(y, u, 0.041666664);
    return y;
}

fn sin_near_f32(r: f32) -> f32 {
    let u = r * r;
    return fma(r * u, sin_poly_f32(u), r);
}

fn cos_near_f32(r: f32) -> f32 {
    let u = r * r;
    return fma(u * u, cos_poly_f32(u), fma(u, -0.5, 1.0));
}

fn sin_of_angle_f32(quarter: u32, r: f32) -> f32 {
    let y = select(cos_near_f32(r), sin_near_f32(r), (quarter & 1u) == 0u);
    return bitcast<f32>(bitcast<u32>(y) ^ ((quarter & 2u) << 30u));
}

fn op_sin_f32(x: f32) -> f32 {
    let angle = angle_f32(x);
    let y = select(sin_of_angle_f32(angle.quarter, angle.r), x, abs(x) < 2.4e-4);
    return select(nan_f32(), y, is_finite_f32(x));
}

fn op_cos_f32(x: f32) -> f32 {
    let angle = angle_f32(x);
    return select(nan_f32(), sin_of_angle_f32(angle.quarter + 1u, angle.r), is_finite_f32(x));
}

fn op_tan_f32(x: f32) -> f32 {
    let angle = angle_f32(x);
    let s = sin_near_f32(angle.r);
    let c = cos_near_f32(angle.r);
    let even = (angle.quarter & 1u) == 0u;
    let y = select(-c, s, even) / select(s, c, even);
    return select(nan_f32(), select(y, x, abs(x) < 2.4e-4), is_finite_f32(x));
}

// (asin(x)/x − 1) / u with u = x² ≤ ¼.
fn asin_poly_f32(u: f32) -> f32 {
    var y = f32(0.03369084720283012);
    y = fma(y, u, 0.017149238357677253);
    y = fma(y, u, 0.03110066273549457);
    y = fma(y, u, 0.04459940152851218);
    y = fma(y, u, 0.07500094543497424);
    y = fma(y, u, 0.16666666337430908);
    return y;
}

// asin(a) for 0 ≤ a ≤ 1 is this, or π/2 less twice this where a > ½.
fn asin_part_f32(a: f32) -> f32 {
    let s = select(a, sqrt(0.5 - 0.5 * a), a > 0.5);
    let u = s * s;
    return fma(s * u, asin_poly_f32(u), s);
}

fn op_asin_f32(x: f32) -> f32 {
    let a = abs(x);
    let part = asin_part_f32(a);
    let y = select(part, fma(-2.0, part, 1.5707964), a > 0.5);
    return select(with_sign_f32(y, x), nan_f32(), a > 1.0 || is_nan_f32(x));
}

fn op_acos_f32(x: f32) -> f32 {
    let a = abs(x);
    let part = asin_part_f32(a);
    let near = 1.5707964 - (with_sign_f32(part, x) + 4.371139e-8);
    let far = select(2.0 * part, 3.1415927 - (2.0 * part + 8.742278e-8), x < 0.0);
    return select(select(near, far, a > 0.5), nan_f32(), a > 1.0 || is_nan_f32(x));
}

// (atan(x)/x − 1) / u with u = x² ≤ 1.
fn atan_poly_f32(u: f32) -> f32 {
    var y = f32(0.0014886919393047597);
    y = fma(y, u, -0.009144629760592396);
    y = fma(y, u, 0.026305001110062377);
    y = fma(y, u, -0.04896051402709067);
    y = fma(y, u, 0.07031914250029966);
    y = fma(y, u, -0.08931826777381315);
    y = fma(y, u, 0.11088261628735159);
    y = fma(y, u, -0.1428400379473353);
    y = fma(y, u, 0.19999949321141888);
    y = fma(y, u, -0.3333333308107325);
    return y;
}

// The angle of the point (x, y).
fn op_atan2_f32(y: f32, x: f32) -> f32 {
    let a = op_abs_f32(x);
    let b = op_abs_f32(y);
    let steep = b > a;
    let large = select(a, b, steep);
    let small = select(b, a, steep);
    // Division is inexact near the ends of the range.
    let scale = select(select(1.0, 1.8446744e19, large < 1e-19), 5.421011e-20, large > 1e19);
    let quotient = (small * scale) / (large * scale);
    // 0/0 counts as 0, ∞/∞ as 1.
    let infinite = !is_finite_f32(large);
    let ratio = select(select(quotient, 0.0, is_zero_f32(small) || infinite), 1.0, infinite && !is_finite_f32(small));
    let u = ratio * ratio;
    let acute = fma(ratio * u, atan_poly_f32(u), ratio);
    let right = select(acute, 1.5707964 - (acute + 4.371139e-8), steep);
    let angle = select(right, 3.1415927 - (right + 8.742278e-8), (bitcast<u32>(x) >> 31u) == 1u);
    return select(nan_f32(), with_sign_f32(angle, y), ordered_f32(x, y));
}

fn op_atan_f32(x: f32) -> f32 {
    return op_atan2_f32(x, 1.0);
}
