alias T = f32;
// The gradient of max pooling: each input element collects the gradients of the windows around it whose index names it, in
// the windows' order. Windows reach from −padding by `stride` over `span` elements; their exact elements do not matter.

const THREADS: u32 = 64;

struct Params {
    n: u32,
    outputs: u32,
    // fields: PlaneFields
    // fields: WindowFields
    span_z: u32,
    span_y: u32,
    span_x: u32,
    gradient_offset: u32,
    indices_offset: u32,
    out_offset: u32,
    // What is reported of an index outside.
    code: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> gradient: array<T>;
@group(0) @binding(1) var<storage, read> indices: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> out: array<T>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) ids: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(id, ids) * THREADS + thread;
    let inputs = p.in_z * p.in_y * p.in_x;
    if (i < p.outputs) {
        let named = indices[p.indices_offset + i];
        if (position_of(named, inputs) == inputs) {
            report(p.code, named, inputs, 0u);
        }
    }
    if (i >= p.n) {
        return;
    }
    let at = place_in_planes(i, vec3<u32>(p.in_z, p.in_y, p.in_x));
    let first = at.x * p.out_z * p.out_y * p.out_x;
    let place = i - at.x * inputs;
    let z_windows = windows_around(at.y, p.span_z, p.stride_z, p.padding_z, p.out_z);
    let y_windows = windows_around(at.z, p.span_y, p.stride_y, p.padding_y, p.out_y);
    let x_windows = windows_around(at.w, p.span_x, p.stride_x, p.padding_x, p.out_x);
    var sum = C(0);
    for (var wz = z_windows.x; wz < z_windows.y; wz += 1u) {
        for (var wy = y_windows.x; wy < y_windows.y; wy += 1u) {
            let row = first + (wz * p.out_y + wy) * p.out_x;
            for (var wx = x_windows.x; wx < x_windows.y; wx += 1u) {
                if (all(indices[p.indices_offset + row + wx] == index_words(place))) {
                    sum += load(gradient[p.gradient_offset + row + wx]);
                }
            }
        }
    }
    out[p.out_offset + i] = store(sum);
}
