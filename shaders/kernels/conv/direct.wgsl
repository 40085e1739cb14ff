alias T = f32;
// Convolutions of few output channels per group (depthwise ones above all), one thread per output element:
//   MODE 0, forward: y[b, o, q] = bias[o] + Σ_c Σ_t w[o, c, t] · x[b, c, q · stride − padding + t · dilation];
//   MODE 1, gradient of the input: the sum over the taps and outputs that q takes part in.
// `channels` counts the source's channels per group, `m` the result's.

const MODE: u32 = 0;
const BIAS: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    // fields: ConvFields
    n: u32,
    // Between taps that meet one position in mode 1.
    tap_step_z: u32,
    tap_step_y: u32,
    tap_step_x: u32,
    // Between neighbouring channels of the result and of the source in the weight.
    weight_m: u32,
    weight_channel: u32,
    weight_offset: u32,
    source_offset: u32,
    bias_offset: u32,
    out_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> weight: array<T>;
@group(0) @binding(1) var<storage, read> source: array<T>;
@group(0) @binding(2) var<storage, read> bias: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<T>;

// The taps first, first + step, … that meet a position, at the source's coordinates start, start + leap, …
struct Meeting {
    first: u32,
    step: u32,
    start: i32,
    leap: i32,
}

fn meeting(position: u32, kernel: u32, stride: u32, padding: u32, dilation: u32, tap_step: u32) -> Meeting {
    if (MODE == 0u) {
        return Meeting(0u, 1u, i32(position * stride) - i32(padding), i32(dilation));
    }
    if (stride == 1u) {
        return Meeting(0u, 1u, i32(position + padding), -i32(dilation));
    }
    let remainder = (position + padding) % stride;
    var tap = 0u;
    while (tap < min(kernel, stride) && tap * dilation % stride != remainder) {
        tap += 1u;
    }
    if (tap == min(kernel, stride)) {
        return Meeting(kernel, 1u, 0, 0);
    }
    let start = (i32(position + padding) - i32(tap * dilation)) / i32(stride);
    return Meeting(tap, tap_step, start, -i32(tap_step * dilation / stride));
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
    let at = place_in_planes(i, vec3<u32>(p.positions_z, p.positions_y, p.positions_x));
    let group_of_all = at.x / p.m;
    let sample = group_of_all / p.groups;
    let group = group_of_all - sample * p.groups;
    let channel = at.x - sample * p.groups * p.m;
    let source_plane = p.source_z * p.source_y * p.source_x;
    let first = p.source_offset + group_of_all * p.channels * source_plane;
    let kernel = p.kernel_z * p.kernel_y * p.kernel_x;
    let first_weight = p.weight_offset + group * p.m * p.channels * kernel + (channel - group * p.m) * p.weight_m;
    let z = meeting(at.y, p.kernel_z, p.stride_z, p.padding_z, p.dilation_z, p.tap_step_z);
    let y = meeting(at.z, p.kernel_y, p.stride_y, p.padding_y, p.dilation_y, p.tap_step_y);
    let x = meeting(at.w, p.kernel_x, p.stride_x, p.padding_x, p.dilation_x, p.tap_step_x);
    var sum = C(0);
    var sz = z.start;
    for (var kz = z.first; kz < p.kernel_z; kz += z.step) {
        var sy = y.start;
        for (var ky = y.first; ky < p.kernel_y; ky += y.step) {
            var sx = x.start;
            if (u32(sz) < p.source_z && u32(sy) < p.source_y) {
                let line = first + (u32(sz) * p.source_y + u32(sy)) * p.source_x;
                let taps = first_weight + (kz * p.kernel_y + ky) * p.kernel_x;
                for (var kx = x.first; kx < p.kernel_x; kx += x.step) {
                    if (u32(sx) < p.source_x) {
                        var origin = line + u32(sx);
                        var w = taps + kx;
                        for (var c = 0u; c < p.channels; c += 1u) {
                            sum += load(weight[w]) * load(source[origin]);
                            origin += source_plane;
                            w += p.weight_channel;
                        }
                    }
                    sx += x.leap;
                }
            }
            sy += y.leap;
        }
        sz += z.leap;
    }
    if (BIAS != 0u) {
        sum += load(bias[p.bias_offset + channel]);
    }
    out[p.out_offset + i] = store(sum);
}
