alias T = f32;
// Resizes [planes, d, h, w]: each dimension takes one source pixel (nearest) or two with weights (linear). BACKWARD gives the
// gradient, where each source pixel collects from the output pixels that took it, in their order.

const BACKWARD: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    n: u32,
    // fields: PlaneFields
    // 0 nearest, 1 linear, 2 linear with aligned corners, 3 nearest to the centre; and source pixels per output pixel: f32 for
    // nearest.
    mode_z: u32,
    mode_y: u32,
    mode_x: u32,
    step_z_low: u32,
    step_z_high: u32,
    step_y_low: u32,
    step_y_high: u32,
    step_x_low: u32,
    step_x_high: u32,
    x_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

// One dimension.
struct Axis {
    input: u32,
    output: u32,
    mode: u32,
    step: vec2<u32>,
}

// The first source pixel of an output pixel, and the weight of the next.
struct Tap {
    low: u32,
    weight: C,
}

fn is_nearest(axis: Axis) -> bool {
    return axis.mode == 0u || axis.mode == 3u;
}

fn tap_of(axis: Axis, i: u32) -> Tap {
    let last = axis.input - 1u;
    if (is_nearest(axis)) {
        // A conversion to integers drops the fraction, as its rounding down does.
        let place = (f32(i) + select(0.0, 0.5, axis.mode == 3u)) * bitcast<f32>(axis.step.x);
        return Tap(min(u32(min(place, f32(last))), last), C(0));
    }
    let step = number_C(axis.step.x, axis.step.y);
    var place = step * C(i);
    if (axis.mode == 1u) {
        place = max(step * (C(i) + C(0.5)) - C(0.5), C(0));
    }
    let low = min(u32(min(place, C(last))), last);
    return Tap(low, clamp(place - C(low), C(0), C(1)));
}

// What output pixel i takes of source pixel `at`.
fn share_of(axis: Axis, i: u32, at: u32) -> C {
    let tap = tap_of(axis, i);
    let next = min(tap.low + 1u, axis.input - 1u);
    return select(C(0), C(1) - tap.weight, tap.low == at) + select(C(0), tap.weight, next == at);
}

// The first output pixel whose first source pixel is `low` or a later one: a guess, put right by looking.
fn first_from(axis: Axis, low: u32) -> u32 {
    if (low == 0u) {
        return 0u;
    }
    if (low >= axis.input) {
        return axis.output;
    }
    var step = 0.0;
    if (is_nearest(axis)) {
        step = bitcast<f32>(axis.step.x);
    } else {
        step = f32(number_C(axis.step.x, axis.step.y));
    }
    let shift = select(0.0, 0.5, axis.mode == 1u);
    let place = f32(low) + shift;
    var i = axis.output;
    if (place < step * f32(axis.output)) {
        i = min(u32(place / step), axis.output);
    }
    while (i > 0u && tap_of(axis, i - 1u).low >= low) {
        i -= 1u;
    }
    while (i < axis.output && tap_of(axis, i).low < low) {
        i += 1u;
    }
    return i;
}

// The output pixels that take source pixel `at`, from the first to before the second.
fn takers(axis: Axis, at: u32) -> vec2<u32> {
    let reach = select(1u, 0u, is_nearest(axis));
    return vec2<u32>(first_from(axis, max(at, reach) - reach), first_from(axis, at + 1u));
}

// What element `at` adds by its weight: nothing if that is zero, so that the element may be infinite.
fn weighted(at: u32, weight: C) -> C {
    if (is_zero_C(weight)) {
        return C(0);
    }
    return load(x[at]) * weight;
}

fn axis_z() -> Axis {
    return Axis(p.in_z, p.out_z, p.mode_z, vec2<u32>(p.step_z_low, p.step_z_high));
}

fn axis_y() -> Axis {
    return Axis(p.in_y, p.out_y, p.mode_y, vec2<u32>(p.step_y_low, p.step_y_high));
}

fn axis_x() -> Axis {
    return Axis(p.in_x, p.out_x, p.mode_x, vec2<u32>(p.step_x_low, p.step_x_high));
}

fn sample_at(first: u32, at: vec3<u32>) -> C {
    let z = tap_of(axis_z(), at.x);
    let y_tap = tap_of(axis_y(), at.y);
    let x_tap = tap_of(axis_x(), at.z);
    var sum = C(0);
    for (var i = 0u; i < 2u; i += 1u) {
        let z_weight = select(C(1) - z.weight, z.weight, i == 1u);
        let slice = min(z.low + i, p.in_z - 1u) * p.in_y;
        for (var j = 0u; j < 2u; j += 1u) {
            let weight = z_weight * select(C(1) - y_tap.weight, y_tap.weight, j == 1u);
            let row = first + (slice + min(y_tap.low + j, p.in_y - 1u)) * p.in_x;
            sum += weighted(row + x_tap.low, weight * (C(1) - x_tap.weight));
            sum += weighted(row + min(x_tap.low + 1u, p.in_x - 1u), weight * x_tap.weight);
        }
    }
    return sum;
}

fn gradient_at(first: u32, at: vec3<u32>) -> C {
    let z = takers(axis_z(), at.x);
    let y_takers = takers(axis_y(), at.y);
    let x_takers = takers(axis_x(), at.z);
    var sum = C(0);
    for (var i = z.x; i < z.y; i += 1u) {
        let z_share = share_of(axis_z(), i, at.x);
        for (var j = y_takers.x; j < y_takers.y; j += 1u) {
            let share = z_share * share_of(axis_y(), j, at.y);
            let row = first + (i * p.out_y + j) * p.out_x;
            for (var k = x_takers.x; k < x_takers.y; k += 1u) {
                sum += weighted(row + k, share * share_of(axis_x(), k, at.z));
            }
        }
    }
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) ids: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(id, ids) * THREADS + thread;
    if (i >= p.n) {
        return;
    }
    let inputs = vec3<u32>(p.in_z, p.in_y, p.in_x);
    let outputs = vec3<u32>(p.out_z, p.out_y, p.out_x);
    let to = select(outputs, inputs, BACKWARD != 0u);
    let origin = select(inputs, outputs, BACKWARD != 0u);
    let at = place_in_planes(i, to);
    let first = p.x_offset + at.x * origin.x * origin.y * origin.z;
    if (BACKWARD != 0u) {
        y[p.y_offset + i] = store(gradient_at(first, at.yzw));
    } else {
        y[p.y_offset + i] = store(sample_at(first, at.yzw));
    }
}
