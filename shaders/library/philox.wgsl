// Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, 2011).

// 128 random bits for a counter and a key.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let a = mul_wide(0xd2511f53u, c.x);
        let b = mul_wide(0xcd9e8d57u, c.z);
        c = vec4<u32>(b.y ^ c.y ^ k.x, b.x, a.y ^ c.w ^ k.y, a.x);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// Two samples from a block of random bits; f32 takes two of its words for the pair k, f64 all four.

fn two_words(block: vec4<u32>, k: u32) -> vec2<u32> {
    return select(block.xy, block.zw, k == 1u);
}

fn two_numbers(block: vec4<u32>) -> vec2<u64> {
    return vec2<u64>(u64(block.x) | (u64(block.y) << 32u), u64(block.z) | (u64(block.w) << 32u));
}

// Uniform on [0, 1), with 24 bits.
fn uniform_pair_f32(block: vec4<u32>, k: u32) -> vec2<f32> {
    return vec2<f32>(two_words(block, k) >> vec2<u32>(8u, 8u)) * 5.9604645e-8;
}

// Uniform on [0, 1), with 53 bits.
fn uniform_pair_f64(block: vec4<u32>, k: u32) -> vec2<f64> {
    let words = two_numbers(block);
    return vec2<f64>(f64(words.x >> 11u) * 1.1102230246251565e-16lf, f64(words.y >> 11u) * 1.1102230246251565e-16lf);
}

// Standard normal, by Box and Muller: half the squared radius is exponential; the other word is the angle in units of a
// whole turn.
fn normal_pair_f32(block: vec4<u32>, k: u32) -> vec2<f32> {
    let words = two_words(block, k);
    let radius = sqrt(2.0 * exponential_f32(words.x));
    let quarter = (words.y + 0x20000000u) >> 30u;
    let r = f32(bitcast<i32>(words.y - (quarter << 30u))) * 1.4629181e-9;
    return radius * vec2<f32>(sin_of_angle_f32(quarter + 1u, r), sin_of_angle_f32(quarter, r));
}

fn normal_pair_f64(block: vec4<u32>, k: u32) -> vec2<f64> {
    let words = two_numbers(block);
    let u = fma(f64(words.x), 5.421010862427522e-20lf, 2.710505431213761e-20lf);
    let radius = sqrt(-2.0lf * op_log_f64(u));
    let quarter = (words.y + 0x2000000000000000lu) >> 62u;
    let r = f64(bitcast<i64>(words.y - (quarter << 62u))) * 3.406121580086554e-19lf;
    return radius * vec2<f64>(sin_of_angle_f64(u32(quarter) + 1u, r), sin_of_angle_f64(u32(quarter), r));
}

// Exponential with rate 1: −log(1 − u) for u = (word + ½) / 2³², from whichever of u and 1 − u is small, so that no sample
// is infinite or zero.
fn exponential_f32(word: u32) -> f32 {
    let near = -op_log1p_f32(-(f32(word) + 0.5) * 2.3283064e-10);
    let far = -op_log_f32((f32(~word) + 0.5) * 2.3283064e-10);
    return select(far, near, word < 0x80000000u);
}

fn exponential_pair_f32(block: vec4<u32>, k: u32) -> vec2<f32> {
    let words = two_words(block, k);
    return vec2<f32>(exponential_f32(words.x), exponential_f32(words.y));
}

fn exponential_pair_f64(block: vec4<u32>, k: u32) -> vec2<f64> {
    let u = uniform_pair_f64(block, k);
    return vec2<f64>(-op_log1p_f64(-u.x), -op_log1p_f64(-u.y));
}
