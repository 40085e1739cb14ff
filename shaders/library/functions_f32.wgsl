// The scalar functions on f32, with PyTorch's special values. Drivers may assume that no NaN and no infinity occurs and may
// cancel terms of a sum, so that special values are told by their bits, and what rounding lost is found with every step held.

// The magnitude of x with the sign of s.
fn with_sign_f32(x: f32, s: f32) -> f32 {
    // Joined by a select: LLVM 15 (lavapipe with AVX-512) makes s & ~x of (x & m) | (s & ~m) where s is itself selected.
    let magnitude = bitcast<u32>(x) & 0x7fffffffu;
    return bitcast<f32>(select(magnitude, magnitude | 0x80000000u, bitcast<i32>(s) < 0));
}

// x as it was rounded. Drivers take (x − a) − b for x − (a + b) and fuse products into sums; they cannot look through this, since
// from 2⁶⁵ on the last bit may flip.
fn held_f32(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>(bits ^ ((bits >> 30u) & (bits >> 29u) & 1u));
}

fn op_neg_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ 0x80000000u);
}

fn op_abs_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu);
}

fn op_sqrt_f32(x: f32) -> f32 {
    return select(sqrt(x), nan_f32(), bitcast<u32>(x) > 0x80000000u);
}

fn op_relu_f32(x: f32) -> f32 {
    // By the bits alone: as a comparison it is a maximum to drivers, which loses NaN and the sign of zero.
    let bits = bitcast<u32>(x);
    return bitcast<f32>(select(bits, 0u, bits > 0x80000000u && bits <= 0xff800000u));
}

fn op_is_inf_f32(x: f32) -> f32 {
    return truth_f32((bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u);
}

fn op_div_f32(a: f32, b: f32) -> f32 {
    // Vulkan promises nothing of a divisor above 2¹²⁶, and some drivers make zero of the quotient.
    let scale = select(1.0, 0.25, (bitcast<u32>(b) & 0x7fffffffu) >= 0x7e800000u);
    return (a * scale) / (b * scale);
}

// The exact remainder with a's sign, by long division of the significands, 8 bits at a time.
fn op_fmod_f32(a: f32, b: f32) -> f32 {
    let sign = bitcast<u32>(a) & 0x80000000u;
    let ua = bitcast<u32>(a) & 0x7fffffffu;
    let ub = bitcast<u32>(b) & 0x7fffffffu;
    if (ub == 0u || ua >= 0x7f800000u || ub > 0x7f800000u) {
        return nan_f32();
    }
    if (ua < ub) {
        return a;
    }
    let exponent = max(ub >> 23u, 1u);
    let divisor = (ub & 0x007fffffu) | select(0x00800000u, 0u, ub < 0x00800000u);
    var left = max(ua >> 23u, 1u) - exponent;
    var rest = ((ua & 0x007fffffu) | select(0x00800000u, 0u, ua < 0x00800000u)) % divisor;
    while (left > 0u && rest != 0u) {
        let step = min(left, 8u);
        rest = (rest << step) % divisor;
        left -= step;
    }
    if (rest == 0u) {
        return bitcast<f32>(sign);
    }
    let shift = min(countLeadingZeros(rest) - 8u, exponent - 1u);
    let shifted = rest << shift;
    let high = select(0u, exponent - shift, shifted >= 0x00800000u);
    return bitcast<f32>(sign | (high << 23u) | (shifted & 0x007fffffu));
}

fn op_remainder_f32(a: f32, b: f32) -> f32 {
    let rest = op_fmod_f32(a, b);
    let opposite = ((bitcast<u32>(rest) ^ bitcast<u32>(b)) >> 31u) == 1u;
    return select(rest, rest + b, opposite && !is_zero_f32(rest));
}

fn op_floor_div_f32(a: f32, b: f32) -> f32 {
    let plain = a / b;
    if (is_zero_f32(b)) {
        return plain;
    }
    let rest = op_fmod_f32(a, b);
    let opposite = ((bitcast<u32>(rest) ^ bitcast<u32>(b)) >> 31u) == 1u;
    let quotient = (a - rest) / b - truth_f32(opposite && !is_zero_f32(rest));
    if (is_nan_f32(rest)) {
        return rest;
    }
    if (is_zero_f32(quotient)) {
        return bitcast<f32>((bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u);
    }
    let below = op_floor_f32(quotient);
    return below + truth_f32(quotient - below > 0.5);
}

// The terms of I₁'s series (see `bessel.wgsl`), on both sides of 8.
const I1_NEAR_TERMS_f32 = 17u;
const I1_FAR_TERMS_f32 = 7u;
