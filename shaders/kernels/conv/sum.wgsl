alias T = f32;
alias S = f32;
// y[i] = Σ_part x[part][i], plus the bias of the element's channel: the end of a convolution whose products were split.

const BIAS: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    n: u32,
    parts: u32,
    plane: u32,
    channels: u32,
    x_offset: u32,
    bias_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read> bias: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<T>;

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
    var sum = C(0);
    for (var part = 0u; part < p.parts; part += 1u) {
        sum += loadS(x[p.x_offset + part * p.n + i]);
    }
    if (BIAS != 0u) {
        sum += load(bias[p.bias_offset + i / p.plane % p.channels]);
    }
    y[p.y_offset + i] = store(sum);
}
