// Positions.

// The workgroup's number; more than 65,535 groups are laid out in two dimensions.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}

// Conversions between stored and computed values.

fn i64_of(w: vec2<u32>) -> i64 {
    return bitcast<i64>(u64(w.x) | (u64(w.y) << 32u));
}

fn words_of_i64(x: i64) -> vec2<u32> {
    let u = bitcast<u64>(x);
    return vec2<u32>(u32(u), u32(u >> 32u));
}

// To nearest, halves to even, by the bits: what a driver's own conversion does with halves is its business.
fn bf16_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (bits >> 16u) | 0x40u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

fn bf16_of(x: f32) -> u16 {
    return u16(bf16_bits(x));
}

fn rounded_bf16(x: f32) -> f32 {
    return bitcast<f32>(bf16_bits(x) << 16u);
}

// As `bf16_bits`, for f16.
fn rounded_f16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return x;
    }
    // Below 2⁻¹⁴ the last place of f16 stays at 2⁻²⁴; numbers up to half of that vanish.
    let shift = u32(clamp(126i - i32(size >> 23u), 13i, 23i));
    let unit = 1u << shift;
    let near = (size + (unit >> 1u) - 1u + ((size >> shift) & 1u)) & ~(unit - 1u);
    let tiny = select(0u, 0x33800000u, size > 0x33000000u);
    let kept = select(near, tiny, size < 0x33800000u);
    // From 65520 on everything is infinite.
    let bounded = select(kept, 0x7f800000u, kept >= 0x47800000u);
    return bitcast<f32>(bounded | (bits & 0x80000000u));
}

// A number that has at most f16's bits is converted exactly by any driver.
fn f16_of(x: f32) -> f16 {
    return f16(rounded_f16(x));
}

// An int64 index as a position below n; n if it lies outside.
fn position_of(w: vec2<u32>, n: u32) -> u32 {
    return select(n, w.x, w.y == 0u && w.x < n);
}

// Notes in the kernel's binding `status` what is wrong with an int64 number, for the host's next wait; the host knows the code
// and what `n` and `detail` say. The first report stands: what follows from it is no news.
fn report(code: u32, named: vec2<u32>, n: u32, detail: u32) {
    if (atomicMax(&status[0], 1u) == 0u) {
        atomicStore(&status[1], code);
        atomicStore(&status[2], named.x);
        atomicStore(&status[3], named.y);
        atomicStore(&status[4], n);
        atomicStore(&status[5], detail);
    }
}

// An element number as an int64.
fn index_words(i: u32) -> vec2<u32> {
    return vec2<u32>(i, 0u);
}

// Numbers. Drivers may assume that no NaN and no infinity occurs, so they are told by their bits.

fn is_nan_f32(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_nan_f64(x: f64) -> bool {
    return (bitcast<u64>(x) & 0x7ffffffffffffffflu) > 0x7ff0000000000000lu;
}

fn is_nan_i32(x: i32) -> bool {
    return false;
}

fn is_nan_i64(x: i64) -> bool {
    return false;
}

// Whether a number is zero; NaN is not.

fn is_zero_f32(x: f32) -> bool {
    return (bitcast<u32>(x) << 1u) == 0u;
}

fn is_zero_f64(x: f64) -> bool {
    return (bitcast<u64>(x) << 1u) == 0lu;
}

fn is_zero_i32(x: i32) -> bool {
    return x == 0i;
}

fn is_zero_i64(x: i64) -> bool {
    return x == 0li;
}

// The smallest value, -inf for floats.

fn lowest_f32() -> f32 {
    let bits = 0xff800000u;
    return bitcast<f32>(bits);
}

fn lowest_f64() -> f64 {
    let bits = 0xfff0000000000000lu;
    return bitcast<f64>(bits);
}

fn lowest_i32() -> i32 {
    return i32(-2147483647 - 1);
}

fn lowest_i64() -> i64 {
    let bits = 0x8000000000000000lu;
    return bitcast<i64>(bits);
}

// The largest value, inf for floats.

fn highest_f32() -> f32 {
    let bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn highest_f64() -> f64 {
    let bits = 0x7ff0000000000000lu;
    return bitcast<f64>(bits);
}

fn highest_i32() -> i32 {
    return 2147483647i;
}

fn highest_i64() -> i64 {
    let bits = 0x7ffffffffffffffflu;
    return bitcast<i64>(bits);
}

// The larger and the smaller; NaN if either is.

fn maximum_f32(a: f32, b: f32) -> f32 {
    return select(b, a, a > b || is_nan_f32(a));
}

fn maximum_f64(a: f64, b: f64) -> f64 {
    return select(b, a, a > b || is_nan_f64(a));
}

fn maximum_i32(a: i32, b: i32) -> i32 {
    return max(a, b);
}

fn maximum_i64(a: i64, b: i64) -> i64 {
    return max(a, b);
}

fn minimum_f32(a: f32, b: f32) -> f32 {
    return select(b, a, a < b || is_nan_f32(a));
}

fn minimum_f64(a: f64, b: f64) -> f64 {
    return select(b, a, a < b || is_nan_f64(a));
}

fn minimum_i32(a: i32, b: i32) -> i32 {
    return min(a, b);
}

fn minimum_i64(a: i64, b: i64) -> i64 {
    return min(a, b);
}

// A runtime number from the two words that the host passes.

fn number_f32(low: u32, high: u32) -> f32 {
    return bitcast<f32>(low);
}

fn number_i32(low: u32, high: u32) -> i32 {
    return bitcast<i32>(low);
}

fn number_i64(low: u32, high: u32) -> i64 {
    return i64_of(vec2<u32>(low, high));
}

fn number_f64(low: u32, high: u32) -> f64 {
    return bitcast<f64>(u64(low) | (u64(high) << 32u));
}
