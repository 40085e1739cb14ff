// The scalar functions on f64, with PyTorch's special values. Drivers may assume that no NaN and no infinity occurs and may
// cancel terms of a sum, so that special values are told by their bits, and what rounding lost is found with every step held.

// The magnitude of x with the sign of s.
fn with_sign_f64(x: f64, s: f64) -> f64 {
    // Joined by a select: LLVM 15 (lavapipe with AVX-512) makes s & ~x of (x & m) | (s & ~m) where s is itself selected.
    let magnitude = bitcast<u64>(x) & 0x7ffffffffffffffflu;
    return bitcast<f64>(select(magnitude, magnitude | 0x8000000000000000lu, bitcast<i64>(s) < 0li));
}

// x as it was rounded. Drivers take (x − a) − b for x − (a + b) and fuse products into sums; they cannot look through this, since
// from 2⁵¹³ on the last bit may flip.
fn held_f64(x: f64) -> f64 {
    let bits = bitcast<u64>(x);
    return bitcast<f64>(bits ^ ((bits >> 62u) & (bits >> 61u) & 1lu));
}

fn op_neg_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) ^ 0x8000000000000000lu);
}

fn op_abs_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) & 0x7ffffffffffffffflu);
}

fn op_sqrt_f64(x: f64) -> f64 {
    return select(sqrt(x), nan_f64(), bitcast<u64>(x) > 0x8000000000000000lu);
}

fn op_relu_f64(x: f64) -> f64 {
    // By the bits alone: as a comparison it is a maximum to drivers, which loses NaN and the sign of zero.
    let bits = bitcast<u64>(x);
    return bitcast<f64>(select(bits, 0lu, bits > 0x8000000000000000lu && bits <= 0xfff0000000000000lu));
}

fn op_is_inf_f64(x: f64) -> f64 {
    return truth_f64((bitcast<u64>(x) & 0x7ffffffffffffffflu) == 0x7ff0000000000000lu);
}

fn op_div_f64(a: f64, b: f64) -> f64 {
    return a / b;
}

// The exact remainder with a's sign, by long division of the significands, 11 bits at a time.
fn op_fmod_f64(a: f64, b: f64) -> f64 {
    let sign = bitcast<u64>(a) & 0x8000000000000000lu;
    let ua = bitcast<u64>(a) & 0x7ffffffffffffffflu;
    let ub = bitcast<u64>(b) & 0x7ffffffffffffffflu;
    if (ub == 0lu || ua >= 0x7ff0000000000000lu || ub > 0x7ff0000000000000lu) {
        return nan_f64();
    }
    if (ua < ub) {
        return a;
    }
    let unit = 0x0010000000000000lu;
    let exponent = max(u32(ub >> 52u), 1u);
    let divisor = (ub & (unit - 1lu)) | select(unit, 0lu, ub < unit);
    var left = max(u32(ua >> 52u), 1u) - exponent;
    var rest = ((ua & (unit - 1lu)) | select(unit, 0lu, ua < unit)) % divisor;
    while (left > 0u && rest != 0lu) {
        let step = min(left, 11u);
        rest = (rest << step) % divisor;
        left -= step;
    }
    if (rest == 0lu) {
        return bitcast<f64>(sign);
    }
    let shift = min(leading_zeros_u64(rest) - 11u, exponent - 1u);
    let shifted = rest << shift;
    let high = select(0lu, u64(exponent - shift), shifted >= unit);
    return bitcast<f64>(sign | (high << 52u) | (shifted & (unit - 1lu)));
}

fn op_remainder_f64(a: f64, b: f64) -> f64 {
    let rest = op_fmod_f64(a, b);
    let opposite = ((bitcast<u64>(rest) ^ bitcast<u64>(b)) >> 63u) == 1lu;
    return select(rest, rest + b, opposite && !is_zero_f64(rest));
}

fn op_floor_div_f64(a: f64, b: f64) -> f64 {
    let plain = a / b;
    if (is_zero_f64(b)) {
        return plain;
    }
    let rest = op_fmod_f64(a, b);
    let opposite = ((bitcast<u64>(rest) ^ bitcast<u64>(b)) >> 63u) == 1lu;
    let quotient = (a - rest) / b - truth_f64(opposite && !is_zero_f64(rest));
    if (is_nan_f64(rest)) {
        return rest;
    }
    if (is_zero_f64(quotient)) {
        return bitcast<f64>((bitcast<u64>(a) ^ bitcast<u64>(b)) & 0x8000000000000000lu);
    }
    let below = op_floor_f64(quotient);
    return below + truth_f64(quotient - below > 0.5lf);
}

// The terms of I₁'s series (see `bessel.wgsl`), on both sides of 8.
const I1_NEAR_TERMS_f64 = 29u;
const I1_FAR_TERMS_f64 = 25u;
