// 64-bit integers as pairs of words, low first, for adapters that have none: addition, subtraction, multiplication,
// comparison, bits and conversion. Division and powers need the adapter's own.

alias pair = vec2<u32>;

fn pair_of(w: vec2<u32>) -> pair {
    return w;
}

fn words_of_pair(x: pair) -> vec2<u32> {
    return x;
}

fn pair_of_bool(x: bool) -> pair {
    return vec2<u32>(select(0u, 1u, x), 0u);
}

fn number_pair(low: u32, high: u32) -> pair {
    return vec2<u32>(low, high);
}

fn is_zero_pair(x: pair) -> bool {
    return (x.x | x.y) == 0u;
}

fn is_negative_pair(x: pair) -> bool {
    return (x.y >> 31u) == 1u;
}

fn less_pair(a: pair, b: pair) -> bool {
    return bitcast<i32>(a.y) < bitcast<i32>(b.y) || (a.y == b.y && a.x < b.x);
}

fn maximum_pair(a: pair, b: pair) -> pair {
    return select(a, b, less_pair(a, b));
}

fn minimum_pair(a: pair, b: pair) -> pair {
    return select(a, b, less_pair(b, a));
}

fn lowest_pair() -> pair {
    return vec2<u32>(0u, 0x80000000u);
}

fn highest_pair() -> pair {
    return vec2<u32>(0xffffffffu, 0x7fffffffu);
}

fn cast_i32_pair(x: i32) -> pair {
    return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u));
}

fn cast_pair_i32(x: pair) -> i32 {
    return bitcast<i32>(x.x);
}

fn cast_pair_f32(x: pair) -> f32 {
    let negative = is_negative_pair(x);
    let m = select(x, op_neg_pair(x), negative);
    let size = f32_of_words(m.x, m.y);
    return select(size, -size, negative);
}

// high · 2³² + low, rounded to nearest, halves to even.
fn f32_of_words(low: u32, high: u32) -> f32 {
    if (high == 0u) {
        return f32(low);
    }
    // The 32 bits from the first one on, and whether any follows.
    let shift = 32u - countLeadingZeros(high);
    let top = (high << ((32u - shift) & 31u)) | select(low >> shift, 0u, shift == 32u);
    let upper = select(top, high, shift == 32u);
    let rest = select(low << (32u - shift), low, shift == 32u);
    let sticky = upper | select(0u, 1u, rest != 0u);
    return f32(sticky) * f32(1u << (shift & 31u)) * select(1.0f, 4294967296.0f, shift == 32u);
}

fn cast_f32_pair(x: f32) -> pair {
    let fits = x >= -9223372036854775808.0f && x < 9223372036854775808.0f && !is_nan_f32(x);
    if (!fits) {
        return lowest_pair();
    }
    // The significand where its exponent says: 24 bits, from 2⁻²³ up to 2³⁹ times as much.
    let bits = bitcast<u32>(x);
    let exponent = (bits >> 23u) & 0xffu;
    if (exponent < 127u) {
        return vec2<u32>(0u, 0u);
    }
    let significand = (bits & 0x007fffffu) | 0x00800000u;
    var m = vec2<u32>(significand >> ((150u - exponent) & 31u), 0u);
    if (exponent > 150u) {
        let up = exponent - 150u;
        let low = select(significand << (up & 31u), 0u, up > 31u);
        // (s >> 1) >> (31 - up) is s >> (32 - up), for every shift below 32.
        let high = select((significand >> 1u) >> ((31u - up) & 31u), significand << ((up - 32u) & 31u), up > 31u);
        m = vec2<u32>(low, high);
    }
    return select(m, op_neg_pair(m), (bits >> 31u) == 1u);
}

fn reduce_neutral_pair(op: u32) -> pair {
    switch op {
        case 1u, 5u: { return vec2<u32>(1u, 0u); }
        case 2u: { return lowest_pair(); }
        case 3u: { return highest_pair(); }
        default: { return vec2<u32>(0u, 0u); }
    }
}

fn reduce_combine_pair(op: u32, a: pair, b: pair) -> pair {
    switch op {
        case 0u: { return op_add_pair(a, b); }
        case 1u, 5u: { return op_mul_pair(a, b); }
        case 3u: { return minimum_pair(a, b); }
        default: { return maximum_pair(a, b); }
    }
}

fn op_abs_pair(x: pair) -> pair {
    return select(x, op_neg_pair(x), is_negative_pair(x));
}

fn op_neg_pair(x: pair) -> pair {
    return op_sub_pair(vec2<u32>(0u, 0u), x);
}

fn op_sign_pair(x: pair) -> pair {
    return select(select(pair_of_bool(!is_zero_pair(x)), vec2<u32>(0xffffffffu, 0xffffffffu), is_negative_pair(x)), x, is_zero_pair(x));
}

fn op_floor_pair(x: pair) -> pair {
    return x;
}

fn op_ceil_pair(x: pair) -> pair {
    return x;
}

fn op_round_pair(x: pair) -> pair {
    return x;
}

fn op_trunc_pair(x: pair) -> pair {
    return x;
}

fn op_relu_pair(x: pair) -> pair {
    return select(x, vec2<u32>(0u, 0u), is_negative_pair(x));
}

fn op_is_nan_pair(x: pair) -> pair {
    return vec2<u32>(0u, 0u);
}

fn op_is_inf_pair(x: pair) -> pair {
    return vec2<u32>(0u, 0u);
}

fn op_is_finite_pair(x: pair) -> pair {
    return vec2<u32>(1u, 0u);
}

fn op_logical_not_pair(x: pair) -> pair {
    return pair_of_bool(is_zero_pair(x));
}

fn op_bitwise_not_pair(x: pair) -> pair {
    return ~x;
}

fn op_add_pair(a: pair, b: pair) -> pair {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn op_sub_pair(a: pair, b: pair) -> pair {
    return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn op_mul_pair(a: pair, b: pair) -> pair {
    // Low words in halves, since 32-bit products lose their upper words.
    let a0 = a.x & 0xffffu;
    let a1 = a.x >> 16u;
    let b0 = b.x & 0xffffu;
    let b1 = b.x >> 16u;
    let middle = a1 * b0 + ((a0 * b0) >> 16u);
    let other = a0 * b1 + (middle & 0xffffu);
    let high = a1 * b1 + (middle >> 16u) + (other >> 16u);
    return vec2<u32>(a.x * b.x, high + a.x * b.y + a.y * b.x);
}

fn op_maximum_pair(a: pair, b: pair) -> pair {
    return maximum_pair(a, b);
}

fn op_minimum_pair(a: pair, b: pair) -> pair {
    return minimum_pair(a, b);
}

fn op_eq_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(all(a == b));
}

fn op_ne_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(any(a != b));
}

fn op_lt_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(less_pair(a, b));
}

fn op_le_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(!less_pair(b, a));
}

fn op_gt_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(less_pair(b, a));
}

fn op_ge_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(!less_pair(a, b));
}

fn op_logical_and_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(!is_zero_pair(a) && !is_zero_pair(b));
}

fn op_logical_or_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(!is_zero_pair(a) || !is_zero_pair(b));
}

fn op_logical_xor_pair(a: pair, b: pair) -> pair {
    return pair_of_bool(is_zero_pair(a) != is_zero_pair(b));
}

fn op_bitwise_and_pair(a: pair, b: pair) -> pair {
    return a & b;
}

fn op_bitwise_or_pair(a: pair, b: pair) -> pair {
    return a | b;
}

fn op_bitwise_xor_pair(a: pair, b: pair) -> pair {
    return a ^ b;
}
