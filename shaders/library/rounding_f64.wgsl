// Rounding to integers, on the bits of f64: what a driver's own functions make of halves, large numbers and the sign of zero is
// its business.

// The bits of x that stand for less than one: all but the sign of a number below one, none of a large one, of inf and of NaN.
fn fraction_bits_f64(x: f64) -> u64 {
    let exponent = u32(bitcast<u64>(x) >> 52u) & 0x7ffu;
    let small = select(0x000ffffffffffffflu >> ((exponent - 1023u) & 63u), 0lu, exponent > 1074u);
    return select(small, 0x7ffffffffffffffflu, exponent < 1023u);
}

fn is_whole_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & fraction_bits_f64(x)) == 0lu;
}

// Whether x is an odd integer.
fn is_odd_f64(x: f64) -> bool {
    let bits = bitcast<u64>(x);
    let exponent = u32(bits >> 52u) & 0x7ffu;
    // The last bit before the point; that of 1 is the exponent's.
    let last = (bits >> ((1075u - exponent) & 63u)) & 1lu;
    return is_whole_f64(x) && exponent >= 1023u && exponent <= 1075u && last == 1lu;
}

fn op_trunc_f64(x: f64) -> f64 {
    return bitcast<f64>(bitcast<u64>(x) & ~fraction_bits_f64(x));
}

fn op_floor_f64(x: f64) -> f64 {
    let whole = op_trunc_f64(x);
    return select(whole, whole - 1.0lf, !is_whole_f64(x) && bitcast<i64>(x) < 0li);
}

fn op_ceil_f64(x: f64) -> f64 {
    let whole = op_trunc_f64(x);
    return select(whole, whole + 1.0lf, !is_whole_f64(x) && bitcast<i64>(x) >= 0li);
}

// To nearest, halves to even.
fn op_round_f64(x: f64) -> f64 {
    let bits = bitcast<u64>(x);
    let exponent = u32(bits >> 52u) & 0x7ffu;
    let fraction = fraction_bits_f64(x);
    // Half a unit less one, and one more for an odd integer; a carry goes into the exponent, as it should. The last bit of the
    // integer 1 is the exponent's.
    let odd = (bits >> ((1075u - exponent) & 63u)) & 1lu;
    let near = (bits + (fraction >> 1u) + odd) & ~fraction;
    let over_half = (bits & 0x7ffffffffffffffflu) > 0x3fe0000000000000lu;
    let below_one = (bits & 0x8000000000000000lu) | select(0lu, 0x3ff0000000000000lu, over_half);
    return bitcast<f64>(select(select(near, bits, fraction == 0lu), below_one, exponent < 1023u));
}

// The integer nearest to x, for |x| < 2³¹. The sum has it in its last bits, whichever way it is rounded.
fn nearest_f64(x: f64) -> i32 {
    return bitcast<i32>(u32(bitcast<u64>(x + 6755399441055744.0lf) & 0xfffffffflu));
}
