alias T = f32;
// The largest value of each window of [planes, d, h, w] and its flat index in the plane: the first of equal values wins, the
// last NaN over everything, padding never.

const THREADS: u32 = 64;

struct Params {
    n: u32,
    // fields: PlaneFields
    // fields: WindowFields
    // Window lengths times dilation.
    span_z: u32,
    span_y: u32,
    span_x: u32,
    dilation_z: u32,
    dilation_y: u32,
    dilation_x: u32,
    // The dtype's least value, which windows of padding alone have.
    least_low: u32,
    least_high: u32,
    x_offset: u32,
    y_offset: u32,
    indices_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;
@group(0) @binding(2) var<storage, read_write> indices: array<vec2<u32>>;

// The first coordinate of a window that is not padding.
fn first_place(at: u32, stride: u32, padding: u32, dilation: u32) -> u32 {
    let start = at * stride;
    if (start >= padding) {
        return start - padding;
    }
    return start + ceil_div(padding - start, dilation) * dilation - padding;
}

// Where a window or the input ends.
fn end_place(at: u32, stride: u32, span: u32, padding: u32, input: u32) -> u32 {
    return max(min(at * stride + span, input + padding), padding) - padding;
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
    let at = place_in_planes(i, vec3<u32>(p.out_z, p.out_y, p.out_x));
    let first = p.x_offset + at.x * p.in_z * p.in_y * p.in_x;
    let first_z = first_place(at.y, p.stride_z, p.padding_z, p.dilation_z);
    let first_y = first_place(at.z, p.stride_y, p.padding_y, p.dilation_y);
    let first_x = first_place(at.w, p.stride_x, p.padding_x, p.dilation_x);
    let end_z = end_place(at.y, p.stride_z, p.span_z, p.padding_z, p.in_z);
    let end_y = end_place(at.z, p.stride_y, p.span_y, p.padding_y, p.in_y);
    let end_x = end_place(at.w, p.stride_x, p.span_x, p.padding_x, p.in_x);
    var index = (first_z * p.in_y + first_y) * p.in_x + first_x;
    var best = number_C(p.least_low, p.least_high);
    for (var z = first_z; z < end_z; z += p.dilation_z) {
        for (var y = first_y; y < end_y; y += p.dilation_y) {
            let row = (z * p.in_y + y) * p.in_x;
            for (var x_place = first_x; x_place < end_x; x_place += p.dilation_x) {
                let value = load(x[first + row + x_place]);
                if ((value > best && !is_nan_C(best)) || is_nan_C(value)) {
                    best = value;
                    index = row + x_place;
                }
            }
        }
    }
    indices[p.indices_offset + i] = index_words(index);
    if (first_z < end_z && first_y < end_y && first_x < end_x) {
        y[p.y_offset + i] = x[first + index];
    } else {
        y[p.y_offset + i] = store(best);
    }
}
