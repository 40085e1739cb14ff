alias T = f32;
// Means over windows of [planes, d, h, w]: MODE 0 of the given size, MODE 1 (adaptive) tiling the input; and BACKWARD their
// gradients, where each input element collects its shares of the windows that it lies in, in the windows' order.

const ADAPTIVE: u32 = 0;
const BACKWARD: u32 = 0;
// Whether padding counts; whether the divisor is the parameters'.
const COUNT_PAD: u32 = 1;
const FIXED: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    n: u32,
    // fields: PlaneFields
    // fields: WindowFields
    kernel_z: u32,
    kernel_y: u32,
    kernel_x: u32,
    divisor_low: u32,
    divisor_high: u32,
    x_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

// The start, end and share in the divisor of window `at` along a dimension.
fn window_of(at: u32, input: u32, output: u32, kernel: u32, stride: u32, padding: u32) -> vec3<u32> {
    if (ADAPTIVE != 0u) {
        let start = scaled_position(at, input, output);
        let end = scaled_position_up(at + 1u, input, output);
        return vec3<u32>(start, end, end - start);
    }
    // In coordinates of the padded input, which windows at its end do not leave.
    let start = at * stride;
    let end = min(start + kernel, input + 2u * padding);
    let first = max(start, padding) - padding;
    let last = min(max(end, padding) - padding, input);
    let within = max(last, first) - first;
    return vec3<u32>(first, first + within, select(within, max(end, start) - start, COUNT_PAD != 0u));
}

// The windows that hold the element `at`, from the first to before the second.
fn holders(at: u32, input: u32, output: u32, kernel: u32, stride: u32, padding: u32) -> vec2<u32> {
    if (ADAPTIVE != 0u) {
        return vec2<u32>(scaled_position(at, output, input), scaled_position_up(at + 1u, output, input));
    }
    return windows_around(at, kernel, stride, padding, output);
}

fn divided(sum: C, z: u32, y: u32, x: u32) -> C {
    if (FIXED != 0u) {
        return sum / number_C(p.divisor_low, p.divisor_high);
    }
    if (ADAPTIVE != 0u) {
        return sum / C(z) / C(y) / C(x);
    }
    return sum / C(z * y * x);
}

fn window_z(at: u32) -> vec3<u32> {
    return window_of(at, p.in_z, p.out_z, p.kernel_z, p.stride_z, p.padding_z);
}

fn window_y(at: u32) -> vec3<u32> {
    return window_of(at, p.in_y, p.out_y, p.kernel_y, p.stride_y, p.padding_y);
}

fn window_x(at: u32) -> vec3<u32> {
    return window_of(at, p.in_x, p.out_x, p.kernel_x, p.stride_x, p.padding_x);
}

// The mean of the window at (z, y, x) of the plane that starts at `first`.
fn mean_of(first: u32, at: vec3<u32>) -> C {
    let z = window_z(at.x);
    let y = window_y(at.y);
    let x_window = window_x(at.z);
    var sum = C(0);
    for (var i = z.x; i < z.y; i += 1u) {
        for (var j = y.x; j < y.y; j += 1u) {
            let row = first + (i * p.in_y + j) * p.in_x;
            for (var k = row + x_window.x; k < row + x_window.y; k += 1u) {
                sum += load(x[k]);
            }
        }
    }
    return divided(sum, z.z, y.z, x_window.z);
}

// What the element at (z, y, x) gets of the gradients of the plane that starts at `first`.
fn shares_of(first: u32, at: vec3<u32>) -> C {
    let z = holders(at.x, p.in_z, p.out_z, p.kernel_z, p.stride_z, p.padding_z);
    let y = holders(at.y, p.in_y, p.out_y, p.kernel_y, p.stride_y, p.padding_y);
    let x_windows = holders(at.z, p.in_x, p.out_x, p.kernel_x, p.stride_x, p.padding_x);
    var sum = C(0);
    for (var i = z.x; i < z.y; i += 1u) {
        let z_share = window_z(i).z;
        for (var j = y.x; j < y.y; j += 1u) {
            let y_share = window_y(j).z;
            let row = first + (i * p.out_y + j) * p.out_x;
            for (var k = x_windows.x; k < x_windows.y; k += 1u) {
                sum += divided(load(x[row + k]), z_share, y_share, window_x(k).z);
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
        y[p.y_offset + i] = store(shares_of(first, at.yzw));
    } else {
        y[p.y_offset + i] = store(mean_of(first, at.yzw));
    }
}
