//! The Box–Muller transform of 16 floats, bit for bit as PyTorch's vector code computes it.
//!
//! PyTorch takes log, sine and cosine from Cephes' single-precision polynomials, whose results differ from a libm's in
//! the last bit; its compiler fuses each product with the sum that follows. Written lane by lane with `mul_add`, the
//! arithmetic is the same on every machine.

use std::f32::consts::{FRAC_1_SQRT_2, TAU};

/// Natural logarithm on (0, 1] (Cephes `logf`).
#[inline(always)]
fn log(x: f32) -> f32 {
    const P: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_84e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    // ln 2 in two parts, the larger with few bits, so that its product with an exponent is exact.
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const LN_2_HIGH: f32 = 0.693_359_4;
    let bits = x.to_bits();
    let mut exponent = ((bits >> 23) as i32 - 126) as f32;
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    let below = mantissa < FRAC_1_SQRT_2;
    let x = (mantissa - 1.0) + if below { mantissa } else { 0.0 };
    exponent -= if below { 1.0 } else { 0.0 };
    let z = x * x;
    let mut y = P[0];
    for &p in &P[1..] {
        y = y.mul_add(x, p);
    }
    y *= x;
    y = y.mul_add(z, exponent * LN_2_LOW);
    y = (-0.5_f32).mul_add(z, y);
    exponent.mul_add(LN_2_HIGH, x + y)
}

/// Sine and cosine of an angle in [0, 2π] (Cephes `sinf`, `cosf`).
#[inline(always)]
fn sin_cos(x: f32) -> (f32, f32) {
    const FOUR_OVER_PI: f32 = 1.273_239_5;
    // π/4 in three parts; the products of the first two with an octant number are exact.
    const PI_4: [f32; 3] = [0.785_156_25, 2.418_756_5e-4, 3.774_895e-8];
    const SIN: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
    const COS: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];
    let octant = ((x * FOUR_OVER_PI) as i32 + 1) & !1;
    let n = octant as f32;
    let mut x = x;
    for part in PI_4 {
        x = n.mul_add(-part, x);
    }
    let z = x * x;
    let cos_poly = COS[0].mul_add(z, COS[1]).mul_add(z, COS[2]) * z;
    let cosine = cos_poly.mul_add(z, -(z * 0.5)) + 1.0;
    let sin_poly = SIN[0].mul_add(z, SIN[1]).mul_add(z, SIN[2]) * z;
    let sine = sin_poly.mul_add(x, x);
    let (s, c) = if octant & 2 == 0 { (sine, cosine) } else { (cosine, sine) };
    let sin_sign = ((octant & 4) as u32) << 29;
    let cos_sign = ((!(octant - 2) & 4) as u32) << 29;
    (f32::from_bits(s.to_bits() ^ sin_sign), f32::from_bits(c.to_bits() ^ cos_sign))
}

/// 16 uniforms on [0, 1) become 16 normals: `radius = √(−2 ln(1 − x[j]))`, `θ = 2π x[j + 8]`.
#[inline(always)]
pub(super) fn box_muller(x: &mut [f32; 16], mean: f32, std: f32) {
    let (first, second) = x.split_at_mut(8);
    for (a, b) in first.iter_mut().zip(second) {
        let radius = (-2.0 * log(1.0 - *a)).sqrt();
        let (sine, cosine) = sin_cos(TAU * *b);
        *a = (radius * cosine).mul_add(std, mean);
        *b = (radius * sine).mul_add(std, mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomials_are_close_to_the_libm() {
        for i in 0..100_000 {
            let u = (i as f32 + 0.5) / 100_000.0;
            assert!((log(u) - u.ln()).abs() <= 2e-7 * u.ln().abs().max(1e-3), "log {u}");
            let (s, c) = sin_cos(TAU * u);
            assert!((s - (TAU * u).sin()).abs() < 3e-7 && (c - (TAU * u).cos()).abs() < 3e-7, "angle {u}");
        }
        assert_eq!(log(1.0), 0.0);
    }
}
