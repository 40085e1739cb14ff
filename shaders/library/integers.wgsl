// Products and bits of integers.

// The low and the high word of a b, without 64-bit integers.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2<u32>((other << 16u) | (low & 0xffffu), (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u));
}

// The same for 64-bit integers.
fn mul_wide_u64(a: u64, b: u64) -> vec2<u64> {
    let ones = 0xfffffffflu;
    let low = (a & ones) * (b & ones);
    let middle = (a >> 32u) * (b & ones) + (low >> 32u);
    let other = (a & ones) * (b >> 32u) + (middle & ones);
    return vec2<u64>((other << 32u) | (low & ones), (a >> 32u) * (b >> 32u) + (middle >> 32u) + (other >> 32u));
}

fn leading_zeros_u64(x: u64) -> u32 {
    let high = u32(x >> 32u);
    return select(countLeadingZeros(high), 32u + countLeadingZeros(u32(x)), high == 0u);
}

// 64-bit integers as two words, the low one first.

fn add_words(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// The two high words of a b.
fn mul_high_words(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = mul_wide(a.x, b.x);
    let cross = add_words(mul_wide(a.x, b.y), vec2<u32>(low.y, 0u));
    let other = add_words(mul_wide(a.y, b.x), vec2<u32>(cross.x, 0u));
    let high = add_words(mul_wide(a.y, b.y), vec2<u32>(cross.y, 0u));
    return add_words(high, vec2<u32>(other.y, 0u));
}

// A signed number as another type; floats are rounded once.

fn cast_words_i32(w: vec2<u32>) -> i32 {
    return bitcast<i32>(w.x);
}

fn cast_words_f32(w: vec2<u32>) -> f32 {
    let negative = w.y >= 0x80000000u;
    let m = select(w, add_words(~w, vec2<u32>(1u, 0u)), negative);
    let zeros = countLeadingZeros(m.y);
    // The leading 32 bits, and whether anything follows them.
    let leading = (m.y << zeros) | ((m.x >> 1u) >> (31u - zeros)) | select(0u, 1u, (m.x << zeros) != 0u);
    let large = f32(leading) * bitcast<f32>((159u - zeros) << 23u);
    let magnitude = select(large, f32(m.x), m.y == 0u);
    return select(magnitude, -magnitude, negative);
}

fn cast_words_f64(w: vec2<u32>) -> f64 {
    return f64(i64_of(w));
}
