alias T = f32;
// Random floats: uniform between two bounds, normal with a mean and a deviation, or exponential with a mean. A thread makes
// PAIRS pairs from the 128 random bits of counter `offset` + its number, so that an element does not depend on how many there
// are.

// 0: uniform on [a, b); 1: normal, of mean a and deviation b; 2: exponential, of mean a.
const KIND: u32 = 0;
// 2, for f64 1.
const PAIRS: u32 = 2;
const THREADS: u32 = 64;

struct Params {
    // fields: DrawFields
    a_low: u32,
    a_high: u32,
    b_low: u32,
    b_high: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> y: array<T>;

// A sample as it is stored. One that rounds up to the end of a uniform range becomes its start.
fn stored(standard: C, a: C, b: C) -> T {
    if (KIND == 1u) {
        return store(fma(standard, b, a));
    }
    if (KIND == 2u) {
        return store(standard * a);
    }
    let value = store(fma(standard, b - a, a));
    return select(value, store(a), load(value) >= load(store(b)));
}

fn sample_pair(block: vec4<u32>, k: u32) -> vec2<C> {
    if (KIND == 1u) {
        return normal_pair_C(block, k);
    }
    if (KIND == 2u) {
        return exponential_pair_C(block, k);
    }
    return uniform_pair_C(block, k);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups) * THREADS + thread;
    let start = number * PAIRS * 2u;
    if (start >= p.n) {
        return;
    }
    let counter = add_words(vec2<u32>(p.offset_low, p.offset_high), vec2<u32>(number, 0u));
    let block = philox(vec4<u32>(counter, 0u, 0u), vec2<u32>(p.key_low, p.key_high));
    let a = number_C(p.a_low, p.a_high);
    let b = number_C(p.b_low, p.b_high);
    for (var k = 0u; k < PAIRS; k++) {
        let pair = sample_pair(block, k);
        let i = start + 2u * k;
        if (i < p.n) {
            y[p.y_offset + i] = stored(pair.x, a, b);
        }
        if (i + 1u < p.n) {
            y[p.y_offset + i + 1u] = stored(pair.y, a, b);
        }
    }
}
