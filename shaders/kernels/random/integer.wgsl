alias T = i32;
// Random integers: from `start`, `range` of them, each about equally likely; or truth values, one with probability
// `range` / 2³² (a range of 2³² is certainty). With WIDE, 64 random bits make an element, else 32. Elements of two WORDS
// are 64-bit integers. Counters as in float.wgsl.

const BERNOULLI: u32 = 0;
const WIDE: u32 = 0;
const WORDS: u32 = 1;
const THREADS: u32 = 64;

struct Params {
    // fields: DrawFields
    start_low: u32,
    start_high: u32,
    range_low: u32,
    range_high: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read_write> y: array<T>;

fn value_of(draw: vec2<u32>) -> vec2<u32> {
    let range = vec2<u32>(p.range_low, p.range_high);
    if (BERNOULLI == 1u) {
        return vec2<u32>(select(0u, 1u, draw.x < range.x || range.y != 0u), 0u);
    }
    let start = vec2<u32>(p.start_low, p.start_high);
    if (WIDE == 1u) {
        return add_words(start, mul_high_words(draw, range));
    }
    return add_words(start, vec2<u32>(mul_wide(draw.x, range.x).y, 0u));
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups) * THREADS + thread;
    let each = select(4u, 2u, WIDE == 1u);
    let start = number * each;
    if (start >= p.n) {
        return;
    }
    let counter = add_words(vec2<u32>(p.offset_low, p.offset_high), vec2<u32>(number, 0u));
    var block = philox(vec4<u32>(counter, 0u, 0u), vec2<u32>(p.key_low, p.key_high));
    for (var i = start; i < min(start + each, p.n); i++) {
        let value = value_of(block.xy);
        if (WORDS == 2u) {
            y[p.y_offset + 2u * i] = T(bitcast<i32>(value.x));
            y[p.y_offset + 2u * i + 1u] = T(bitcast<i32>(value.y));
        } else {
            y[p.y_offset + i] = store(cast_words_C(value));
        }
        block = select(block.yzwx, block.zwxy, WIDE == 1u);
    }
}
