alias T = f32;
alias S = f32;
// The gradient of a convolution's weight where a group has few output channels or few weights per output channel:
// gw[o, c, t] = Σ_b Σ_q gy[b, o, q] · x[b, c, q · stride − padding + t · dilation]. A workgroup computes 4 output channels ×
// 4 columns (c, t); its threads share the positions (b, q), or a part of them.

const THREADS: u32 = 64;

struct Params {
    // fields: ConvFields
    samples: u32,
    parts: u32,
    part: u32,
    gradient_offset: u32,
    source_offset: u32,
    out_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> gradient: array<T>;
@group(0) @binding(1) var<storage, read> source: array<T>;
@group(0) @binding(2) var<storage, read_write> out: array<S>;

var<workgroup> sums: array<vec4<C>, THREADS * 4u>;

// The coordinates (z, y, x) that a column adds to a position's, and its channel's first element.
fn column_place(i: u32) -> vec4<u32> {
    let tx = i % p.kernel_x;
    let line = i / p.kernel_x;
    let ty = line % p.kernel_y;
    let slice = line / p.kernel_y;
    let tz = slice % p.kernel_z;
    let channel = min(slice / p.kernel_z, p.channels - 1u);
    return vec4<u32>(
        tz * p.dilation_z - p.padding_z,
        ty * p.dilation_y - p.padding_y,
        tx * p.dilation_x - p.padding_x,
        channel * p.source_z * p.source_y * p.source_x,
    );
}

fn source_at(column: vec4<u32>, at: vec3<u32>, first: u32) -> C {
    let place = column.xyz + at;
    if (any(place >= vec3<u32>(p.source_z, p.source_y, p.source_x))) {
        return C(0);
    }
    return load(source[first + column.w + (place.x * p.source_y + place.y) * p.source_x + place.z]);
}

fn gradient_at(i: u32, m: u32) -> C {
    if (m >= p.m) {
        return C(0);
    }
    return load(gradient[i]);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) ids: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var number = group_number(id, ids);
    let n = p.channels * p.kernel_z * p.kernel_y * p.kernel_x;
    let tiles_n = ceil_div(n, 4u);
    let tiles_m = ceil_div(p.m, 4u);
    let n0 = number % tiles_n * 4u;
    number /= tiles_n;
    let m0 = number % tiles_m * 4u;
    number /= tiles_m;
    let part = number % p.parts;
    let group = number / p.parts;
    if (group >= p.groups) {
        return;
    }
    let column0 = column_place(n0);
    let column1 = column_place(n0 + 1u);
    let column2 = column_place(n0 + 2u);
    let column3 = column_place(n0 + 3u);
    let plane = p.positions_z * p.positions_y * p.positions_x;
    let source_plane = p.source_z * p.source_y * p.source_x;
    let k = p.samples * plane;
    let last = min((part + 1u) * p.part, k);
    var c0 = vec4<C>(C(0));
    var c1 = c0;
    var c2 = c0;
    var c3 = c0;
    for (var i = part * p.part + thread; i < last; i += THREADS) {
        let sample = i / plane;
        let q = i % plane;
        let x = q % p.positions_x;
        let line = q / p.positions_x;
        let at = vec3<u32>(line / p.positions_y * p.stride_z, line % p.positions_y * p.stride_y, x * p.stride_x);
        let first = p.source_offset + (sample * p.groups + group) * p.channels * source_plane;
        let v = vec4<C>(
            source_at(column0, at, first),
            source_at(column1, at, first),
            source_at(column2, at, first),
            source_at(column3, at, first),
        );
        let start = p.gradient_offset + ((sample * p.groups + group) * p.m + m0) * plane + q;
        c0 += gradient_at(start, m0) * v;
        c1 += gradient_at(start + plane, m0 + 1u) * v;
        c2 += gradient_at(start + 2u * plane, m0 + 2u) * v;
        c3 += gradient_at(start + 3u * plane, m0 + 3u) * v;
    }
    sums[thread] = c0;
    sums[THREADS + thread] = c1;
    sums[2u * THREADS + thread] = c2;
    sums[3u * THREADS + thread] = c3;
    workgroupBarrier();
    for (var width = THREADS / 2u; width > 0u; width /= 2u) {
        if (thread < width) {
            sums[thread] += sums[thread + width];
            sums[THREADS + thread] += sums[THREADS + thread + width];
            sums[2u * THREADS + thread] += sums[2u * THREADS + thread + width];
            sums[3u * THREADS + thread] += sums[3u * THREADS + thread + width];
        }
        workgroupBarrier();
    }
    let m = m0 + thread / 4u;
    let column = n0 + thread % 4u;
    if (thread < 16u && m < p.m && column < n) {
        let size = p.groups * p.m * n;
        out[p.out_offset + part * size + (group * p.m + m) * n + column] =
            storeS(sums[thread / 4u * THREADS][thread % 4u]);
    }
}
