alias T = f32;
alias S = f32;
// Convolutions as matrix products whose operands are read where they lie (implicit GEMM). One workgroup computes a tile of
// C[n][m] = Σ_k A[k][m] · B[k][n] for one group of channels, or the part of a tile that comes from some of the k:
//   MODE 0, forward: m is an output channel, n a sample and position, k a tap and input channel;
//   MODE 1, gradient of the input: m is an input channel, n a sample and position, k a tap and output channel;
//   MODE 2, gradient of the weight: m is an output channel, n an input channel and tap, k a sample and position.
// A is the weight (the output's gradient in mode 2). B is the source, in which a position and a tap meet at the coordinate
// base + position · step + tap · leap, and which is zero outside. In mode 1 the positions of one remainder modulo the stride
// (a phase) meet the same taps, at the coordinates of a convolution of stride 1: each phase has its own workgroups.

const MODE: u32 = 0;
const BIAS: u32 = 0;
const TILE_M: u32 = 64;
const TILE_N: u32 = 64;

struct Params {
    // fields: ConvFields
    samples: u32,
    // Between neighbouring m, channels and taps of A.
    a_m: u32,
    a_channel: u32,
    a_tap: u32,
    tiles_n: u32,
    parts: u32,
    part: u32,
    a_offset: u32,
    b_offset: u32,
    bias_offset: u32,
    out_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read> bias: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<S>;

// Each thread computes 8 × 8 values; tiles go through shared memory, DEPTH rows at a time.
const DEPTH: u32 = 8;
const THREADS_N: u32 = TILE_N / 8u;
const THREADS: u32 = TILE_M / 8u * THREADS_N;
// Threads that load one row, and what each loads of a row.
const LANES: u32 = THREADS / DEPTH;
const A_LOADS: u32 = TILE_M / LANES;
const B_LOADS: u32 = TILE_N / LANES;
// Rows are a vector longer than the tile, so that columns do not lie in one bank.
const A_ROW: u32 = TILE_M / 4u + 1u;
const B_ROW: u32 = TILE_N / 4u + 1u;
// A coordinate that lies outside of every source, even after another is added.
const OUTSIDE: i32 = -1073741824;
const NOWHERE: u32 = 0xffffffffu;

var<workgroup> a_tile: array<vec4<C>, 2u * DEPTH * A_ROW>;
var<workgroup> b_tile: array<vec4<C>, 2u * DEPTH * B_ROW>;
// What the columns n are: coordinates in the source and an offset, and the place in the output.
var<workgroup> columns: array<vec4<i32>, TILE_N>;
var<workgroup> targets: array<u32, TILE_N>;

// How positions and taps meet, by dimension (z, y, x).
struct Grid {
    positions: vec3<u32>,
    taps: vec3<u32>,
    base: vec3<i32>,
    step: vec3<i32>,
    leap: vec3<i32>,
    // The kernel element of tap 0 and between taps; the output coordinate of position 0 and between positions.
    tap: vec3<u32>,
    tap_step: vec3<u32>,
    place: vec3<u32>,
    place_step: vec3<u32>,
}

struct GridLine {
    positions: u32,
    taps: u32,
    base: i32,
    leap: i32,
    tap: u32,
    tap_step: u32,
}

// The positions first, first + stride, … of a gradient of the input and the taps that they meet.
fn phase_line(first: u32, length: u32, kernel: u32, stride: u32, padding: u32, dilation: u32) -> GridLine {
    let remainder = (first + padding) % stride;
    var tap = 0u;
    while (tap < min(kernel, stride) && tap * dilation % stride != remainder) {
        tap += 1u;
    }
    let divisor = common_divisor(dilation % stride, stride);
    let every = stride / divisor;
    let found = tap < min(kernel, stride);
    return GridLine(
        ceil_div(length - first, stride),
        select(0u, ceil_div(kernel - tap, every), found),
        (i32(first + padding) - i32(tap * dilation)) / i32(stride),
        -i32(dilation / divisor),
        tap,
        every,
    );
}

fn grid_of(phase: u32) -> Grid {
    let positions = vec3<u32>(p.positions_z, p.positions_y, p.positions_x);
    let kernel = vec3<u32>(p.kernel_z, p.kernel_y, p.kernel_x);
    let stride = vec3<u32>(p.stride_z, p.stride_y, p.stride_x);
    let padding = vec3<u32>(p.padding_z, p.padding_y, p.padding_x);
    let dilation = vec3<u32>(p.dilation_z, p.dilation_y, p.dilation_x);
    if (MODE != 1u) {
        return Grid(
            positions,
            kernel,
            -vec3<i32>(padding),
            vec3<i32>(stride),
            vec3<i32>(dilation),
            vec3<u32>(0u),
            vec3<u32>(1u),
            vec3<u32>(0u),
            vec3<u32>(1u),
        );
    }
    let phases = min(stride, positions);
    let first = vec3<u32>(phase / (phases.y * phases.z), phase / phases.z % phases.y, phase % phases.z);
    let z = phase_line(first.x, positions.x, kernel.x, stride.x, padding.x, dilation.x);
    let y = phase_line(first.y, positions.y, kernel.y, stride.y, padding.y, dilation.y);
    let x = phase_line(first.z, positions.z, kernel.z, stride.z, padding.z, dilation.z);
    return Grid(
        vec3<u32>(z.positions, y.positions, x.positions),
        vec3<u32>(z.taps, y.taps, x.taps),
        vec3<i32>(z.base, y.base, x.base),
        vec3<i32>(1),
        vec3<i32>(z.leap, y.leap, x.leap),
        vec3<u32>(z.tap, y.tap, x.tap),
        vec3<u32>(z.tap_step, y.tap_step, x.tap_step),
        first,
        stride,
    );
}

// The digits of i where the last three count to `radix`; zeros if nothing is counted.
fn digits(i: u32, radix: vec3<u32>) -> vec4<u32> {
    let r = max(radix, vec3<u32>(1u));
    let line = i / r.z;
    let plane = line / r.y;
    return vec4<u32>(plane / r.x, plane % r.x, line % r.y, i % r.z);
}

fn flat(at: vec3<i32>, lengths: vec3<u32>) -> i32 {
    let n = vec3<i32>(lengths);
    return (at.x * n.y + at.y) * n.z + at.z;
}

// What a column or row adds to the coordinates and the offset in the source: a sample and position, or a channel and tap.
fn place_of_position(g: Grid, sample: u32, position: vec3<u32>) -> vec4<i32> {
    let lengths = vec3<u32>(p.source_z, p.source_y, p.source_x);
    let at = g.base + vec3<i32>(position) * g.step;
    let plane = i32(lengths.x * lengths.y * lengths.z);
    return vec4<i32>(at, i32(sample * p.groups * p.channels) * plane + flat(at, lengths));
}

fn place_of_tap(g: Grid, channel: u32, tap: vec3<u32>) -> vec4<i32> {
    let lengths = vec3<u32>(p.source_z, p.source_y, p.source_x);
    let at = vec3<i32>(tap) * g.leap;
    return vec4<i32>(at, i32(channel * lengths.x * lengths.y * lengths.z) + flat(at, lengths));
}

// A row k as it is counted: digits (tap z, y, x, channel), or (sample, z, y, x) in mode 2.
fn place_of_row(g: Grid, row: vec4<u32>) -> vec4<i32> {
    if (MODE == 2u) {
        return place_of_position(g, row.x, row.yzw);
    }
    return place_of_tap(g, row.w, row.xyz);
}

fn a_of_row(g: Grid, row: vec4<u32>) -> u32 {
    if (MODE == 2u) {
        let plane = p.positions_z * p.positions_y * p.positions_x;
        return row.x * p.groups * p.m * plane + (row.y * p.positions_y + row.z) * p.positions_x + row.w;
    }
    let tap = g.tap + row.xyz * g.tap_step;
    return row.w * p.a_channel + ((tap.x * p.kernel_y + tap.y) * p.kernel_x + tap.z) * p.a_tap;
}

fn next_row(row: vec4<u32>, radix: vec4<u32>) -> vec4<u32> {
    var r = row;
    r.w += DEPTH;
    while (r.w >= radix.w) {
        r.w -= radix.w;
        r.z += 1u;
        if (r.z >= radix.z) {
            r.z = 0u;
            r.y += 1u;
            if (r.y >= radix.y) {
                r.y = 0u;
                r.x += 1u;
            }
        }
    }
    return r;
}

fn source_at(row: vec4<i32>, column: u32, start: u32) -> C {
    let at = row + columns[column];
    let lengths = vec3<u32>(p.source_z, p.source_y, p.source_x);
    if (any(bitcast<vec3<u32>>(at.xyz) >= lengths)) {
        return C(0);
    }
    return load(b[start + u32(at.w)]);
}

fn weight_at(row: u32, m: u32) -> C {
    if (m >= p.m) {
        return C(0);
    }
    return load(a[row + m * p.a_m]);
}

// Stores four columns' values.
fn put(start: u32, column: u32, values: vec4<C>) {
    for (var i = 0u; i < 4u; i += 1u) { // unroll
        let to = targets[column + i];
        if (to != NOWHERE) {
            out[start + to] = storeS(values[i]);
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) ids: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var number = group_number(id, ids);
    let tiles_m = ceil_div(p.m, TILE_M);
    let tile_m = number % tiles_m * TILE_M;
    number /= tiles_m;
    let tile_n = number % p.tiles_n * TILE_N;
    number /= p.tiles_n;
    let part = number % p.parts;
    number /= p.parts;
    let group = number % p.groups;
    let phase = number / p.groups;
    let strides = vec3<u32>(p.stride_z, p.stride_y, p.stride_x);
    let lengths = vec3<u32>(p.positions_z, p.positions_y, p.positions_x);
    let counts = select(vec3<u32>(1u), min(strides, lengths), MODE == 1u);
    if (phase >= counts.x * counts.y * counts.z) {
        return;
    }
    let g = grid_of(phase);
    let taps = g.taps.x * g.taps.y * g.taps.z;
    let positions = g.positions.x * g.positions.y * g.positions.z;
    let n = select(p.samples * positions, p.channels * taps, MODE == 2u);
    let k = select(p.channels * taps, p.samples * positions, MODE == 2u);
    if (tile_n >= n) {
        return;
    }
    let plane = lengths.x * lengths.y * lengths.z;
    for (var i = thread; i < TILE_N; i += THREADS) {
        var place = vec4<i32>(OUTSIDE, OUTSIDE, OUTSIDE, 0);
        var to = NOWHERE;
        if (tile_n + i < n) {
            if (MODE == 2u) {
                let d = digits(tile_n + i, g.taps);
                place = place_of_tap(g, d.x, d.yzw);
                to = tile_n + i;
            } else {
                let d = digits(tile_n + i, g.positions);
                place = place_of_position(g, d.x, d.yzw);
                let at = g.place + d.yzw * g.place_step;
                to = d.x * p.groups * p.m * plane + (at.x * lengths.y + at.y) * lengths.z + at.z;
            }
        }
        columns[i] = place;
        targets[i] = to;
    }

    // Neighbouring threads load neighbouring elements: columns, but positions in mode 2.
    let row = select(thread / LANES, thread % DEPTH, MODE == 2u);
    let lane = select(thread % LANES, thread / DEPTH, MODE == 2u);
    let first = min(part * p.part, k);
    let last = min(first + p.part, k);
    let radix = select(vec4<u32>(g.taps, p.channels), vec4<u32>(p.samples, g.positions), MODE == 2u);
    var at = digits(first + row, radix.yzw);
    let a_group = group * p.m * select(p.channels * p.kernel_z * p.kernel_y * p.kernel_x, plane, MODE == 2u);
    let a_start = p.a_offset + a_group;
    let b_start = p.b_offset + group * p.channels * p.source_z * p.source_y * p.source_x;

    var sum: array<vec4<C>, 16>;
    for (var i = 0u; i < 16u; i += 1u) { // unroll
        sum[i] = vec4<C>(C(0));
    }
    // What the thread has loaded of the next rows.
    var a_next: array<C, A_LOADS>;
    var b_next: array<C, B_LOADS>;
    let thread_m = thread / THREADS_N;
    let thread_n = thread % THREADS_N;
    let element = lane % 4u;
    var side = 0u;
    workgroupBarrier();

    // The first round only loads; the last only computes.
    for (var start = first; start < last + DEPTH; start += DEPTH) {
        if (start + row < last) {
            let place = place_of_row(g, at);
            let from_a = a_start + a_of_row(g, at);
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                a_next[i] = weight_at(from_a, tile_m + lane + i * LANES);
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                b_next[i] = source_at(place, lane + i * LANES, b_start);
            }
            at = next_row(at, radix);
        } else {
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                a_next[i] = C(0);
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                b_next[i] = C(0);
            }
        }
        if (start > first) {
            let rows = min(last + DEPTH - start, DEPTH);
            for (var k = 0u; k < rows; k += 4u) {
                let first_a = (side * DEPTH + k) * A_ROW + thread_m;
                let first_b = (side * DEPTH + k) * B_ROW + thread_n;
                for (var r = 0u; r < 4u; r += 1u) { // unroll
                    let y0 = b_tile[first_b + r * B_ROW];
                    let y1 = b_tile[first_b + r * B_ROW + TILE_N / 8u];
                    for (var i = 0u; i < 2u; i += 1u) { // unroll
                        let x = a_tile[first_a + r * A_ROW + i * TILE_M / 8u];
                        for (var j = 0u; j < 4u; j += 1u) { // unroll
                            sum[(i * 4u + j) * 2u] += x[j] * y0;
                            sum[(i * 4u + j) * 2u + 1u] += x[j] * y1;
                        }
                    }
                }
            }
            side = 1u - side;
        }
        if (start < last) {
            let in_a = (side * DEPTH + row) * A_ROW + lane / 4u;
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                a_tile[in_a + i * LANES / 4u][element] = a_next[i];
            }
            let in_b = (side * DEPTH + row) * B_ROW + lane / 4u;
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                b_tile[in_b + i * LANES / 4u][element] = b_next[i];
            }
        }
        workgroupBarrier();
    }

    // Each part has its own copy of the output.
    let m_step = select(plane, n, MODE == 2u);
    let size = select(p.samples * p.groups * p.m * plane, p.groups * p.m * n, MODE == 2u);
    let out_start = p.out_offset + part * size + group * p.m * m_step;
    for (var i = 0u; i < 2u; i += 1u) { // unroll
        for (var j = 0u; j < 4u; j += 1u) { // unroll
            let m = tile_m + i * TILE_M / 2u + 4u * thread_m + j;
            if (m < p.m) {
                var more = C(0);
                if (BIAS != 0u) {
                    more = load(bias[p.bias_offset + group * p.m + m]);
                }
                let to = out_start + m * m_step;
                put(to, 4u * thread_n, sum[(i * 4u + j) * 2u] + vec4<C>(more));
                put(to, 4u * thread_n + TILE_N / 2u, sum[(i * 4u + j) * 2u + 1u] + vec4<C>(more));
            }
        }
    }
}
