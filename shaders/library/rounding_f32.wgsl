// Rounding to integers, on the bits of f32: what a driver's own functions make of halves, large numbers and the sign of zero is
// its business.

// The bits of x that stand for less than one: all but the sign of a number below one, none of a large one, of inf and of NaN.
fn fraction_bits_f32(x: f32) -> u32 {
    let exponent = (bitcast<u32>(x) >> 23u) & 0xffu;
    return select(select(0x007fffffu >> ((exponent - 127u) & 31u), 0u, exponent > 149u), 0x7fffffffu, exponent < 127u);
}

fn is_whole_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & fraction_bits_f32(x)) == 0u;
}

// Whether x is an odd integer.
fn is_odd_f32(x: f32) -> bool {
    let bits = bitcast<u32>(x);
    let exponent = (bits >> 23u) & 0xffu;
    // The last bit before the point; that of 1 is the exponent's.
    let last = (bits >> ((150u - exponent) & 31u)) & 1u;
    return is_whole_f32(x) && exponent >= 127u && exponent <= 150u && last == 1u;
}

fn op_trunc_f32(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & ~fraction_bits_f32(x));
}

fn op_floor_f32(x: f32) -> f32 {
    let whole = op_trunc_f32(x);
    return select(whole, whole - 1.0, !is_whole_f32(x) && bitcast<i32>(x) < 0);
}

fn op_ceil_f32(x: f32) -> f32 {
    let whole = op_trunc_f32(x);
    return select(whole, whole + 1.0, !is_whole_f32(x) && bitcast<i32>(x) >= 0);
}

// To nearest, halves to even.
fn op_round_f32(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let exponent = (bits >> 23u) & 0xffu;
    let fraction = fraction_bits_f32(x);
    // Half a unit less one, and one more for an odd integer; a carry goes into the exponent, as it should. The last bit of the
    // integer 1 is the exponent's.
    let odd = (bits >> ((150u - exponent) & 31u)) & 1u;
    let near = (bits + (fraction >> 1u) + odd) & ~fraction;
    let below_one = (bits & 0x80000000u) | select(0u, 0x3f800000u, (bits & 0x7fffffffu) > 0x3f000000u);
    return bitcast<f32>(select(select(near, bits, fraction == 0u), below_one, exponent < 127u));
}

// The integer nearest to x, for |x| < 2²². The sum has it in its last bits, whichever way it is rounded.
fn nearest_f32(x: f32) -> i32 {
    return bitcast<i32>(x + 12582912.0) - 0x4b400000i;
}
