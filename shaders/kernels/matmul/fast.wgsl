alias T = f32;
alias O = f32;
// As `matmul/tile`, for f32 matrices whose fast dimension is dense and whose lines begin at multiples of four elements: four at
// a time are read and written.
//
// A workgroup makes a tile of BM x BN results. It walks k in steps of BK; tiles of a and b lie in workgroup memory, k the slow
// dimension, while the next ones are on their way through registers, so that one barrier per step is enough. 32 neighbouring
// threads (a warp) share WARP_M x WARP_N results, four of them down and eight across; each makes RM x CN blocks of 4 x 4, which
// are spread so that the reads of a warp fall in different banks. Lines of workgroup memory that are written across get a pad of
// four for the same reason. Rows and columns past the edge repeat the last one, and are not stored. Each result is one sum over
// k in ascending order, as in every tile: which tile makes it changes no digit.

const BM: u32 = 128;
const BN: u32 = 128;
const BK: u32 = 8;
const RM: u32 = 4;
const CN: u32 = 2;
// Whether k is the fast dimension of a and of b in memory.
const A_ALONG_K: u32 = 1;
const B_ALONG_K: u32 = 0;

// Bits of `flags`, beside those of `matmul_result`.
const SPLIT: u32 = 8;
const SCALED: u32 = 16;

const WARP_M: u32 = 16 * RM;
const WARP_N: u32 = 32 * CN;
const WARPS_N: u32 = BN / WARP_N;
const THREADS: u32 = 32 * (BM / WARP_M) * WARPS_N;
// Blocks of four along k, and lines of four along m and n.
const K4: u32 = BK / 4;
const M4: u32 = BM / 4;
const N4: u32 = BN / 4;
const A_LINE: u32 = M4 + A_ALONG_K;
const B_LINE: u32 = N4 + B_ALONG_K;
const A_LOADS: u32 = BM * BK / 4 / THREADS;
const B_LOADS: u32 = BN * BK / 4 / THREADS;
const BLOCKS: u32 = RM * CN * 4;
const SIDE_A: u32 = BK * A_LINE;
const SIDE_B: u32 = BK * B_LINE;
// Between the places of a thread's loads in workgroup memory.
const A_HOP: u32 = A_ALONG_K * (THREADS / K4 / 4) + (1 - A_ALONG_K) * (THREADS / M4 * A_LINE);
const B_HOP: u32 = B_ALONG_K * (THREADS / K4 / 4) + (1 - B_ALONG_K) * (THREADS / N4 * B_LINE);
// Tiles that are neighbours in a column are made by neighbouring groups, so many at a time: they share tiles of b in the cache.
const BAND: u32 = 8;

struct Params {
    // fields: FactorFields
    // fields: ProductFields
    tiles_m: u32,
    tiles_n: u32,
    jobs: u32,
    chunk: u32,
    splits: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

var<workgroup> a_tile: array<vec4<f32>, 2u * BK * A_LINE>;
var<workgroup> b_tile: array<vec4<f32>, 2u * BK * B_LINE>;

// Four elements of a go to workgroup memory: side by side, or to one place of four neighbouring lines.
fn keep_a(at: u32, lane: u32, x: vec4<f32>) {
    if (A_ALONG_K == 1u) { // static
        a_tile[at][lane] = x.x;
        a_tile[at + A_LINE][lane] = x.y;
        a_tile[at + 2u * A_LINE][lane] = x.z;
        a_tile[at + 3u * A_LINE][lane] = x.w;
    } else {
        a_tile[at] = x;
    }
}

// And of b.
fn keep_b(at: u32, lane: u32, x: vec4<f32>) {
    if (B_ALONG_K == 1u) { // static
        b_tile[at][lane] = x.x;
        b_tile[at + B_LINE][lane] = x.y;
        b_tile[at + 2u * B_LINE][lane] = x.z;
        b_tile[at + 3u * B_LINE][lane] = x.w;
    } else {
        b_tile[at] = x;
    }
}

// The four results that begin at `column`, from their sums: as `matmul_result`.
fn results_of(sum: vec4<f32>, at: u32, column: u32) -> vec4<f32> {
    var value = bitcast<f32>(p.alpha_low) * sum;
    if ((p.flags & MATMUL_BETA) != 0u) {
        value += bitcast<f32>(p.beta_low) * out[at];
    }
    if ((p.flags & MATMUL_BIAS) != 0u) {
        let first = p.bias_offset + column * p.bias_stride;
        value += vec4<f32>(
            bias[first],
            bias[first + p.bias_stride],
            bias[first + 2u * p.bias_stride],
            bias[first + 3u * p.bias_stride],
        );
    }
    if ((p.flags & MATMUL_RELU) != 0u) {
        value = vec4<f32>(op_relu_f32(value.x), op_relu_f32(value.y), op_relu_f32(value.z), op_relu_f32(value.w));
    }
    return value;
}

// Stores the four results that begin at `column`, if there are such. The parts of a sum are left as they are.
fn put(sum: vec4<f32>, row: u32, column: u32, out_start: u32) {
    if (row < p.m && column < p.n) {
        let at = out_start + row * (p.out_row / 4u) + column / 4u;
        if (p.flags == 0u || (p.flags & SPLIT) != 0u) {
            out[at] = sum;
        } else {
            out[at] = results_of(sum, at, column);
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let job = group_number(group, groups);
    if (job >= p.jobs) {
        return;
    }
    let tiles = p.tiles_m * p.tiles_n;
    let tile = job % tiles;
    let split = job / tiles % p.splits;
    let batch = job / (tiles * p.splits);
    let band = BAND * p.tiles_n;
    let band_m = tile / band * BAND;
    let band_rows = min(p.tiles_m - band_m, BAND);
    let row0 = (band_m + tile % band % band_rows) * BM;
    let column0 = tile % band / band_rows * BN;
    let k0 = split * p.chunk;
    let end = min(p.k, k0 + p.chunk);
    let steps = (end - k0) / BK;
    let rest = (end - k0) % BK;

    let warp = thread / 32u;
    let lane_m = thread / 2u % 4u;
    let lane_n = thread % 2u + thread % 32u / 8u * 2u;
    let first_m = warp / WARPS_N * (WARP_M / 4u) + lane_m;
    let first_n = warp % WARPS_N * (WARP_N / 4u) + lane_n;

    // Where the thread reads, in units of four elements; k grows by `a_step` and `b_step`.
    let a_start = (p.a_offset + batch * p.a_batch) / 4u;
    let b_start = (p.b_offset + batch * p.b_batch) / 4u;
    var a_at: array<u32, A_LOADS>; // registers
    var b_at: array<u32, B_LOADS>; // registers
    for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
        let slot = thread + i * THREADS;
        if (A_ALONG_K == 1u) { // static
            a_at[i] = a_start + min(row0 + slot / K4, p.m - 1u) * (p.a_row / 4u) + k0 / 4u + slot % K4;
        } else {
            a_at[i] = a_start + (k0 + slot / M4) * (p.a_column / 4u) + min(row0 / 4u + slot % M4, p.m / 4u - 1u);
        }
    }
    for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
        let slot = thread + i * THREADS;
        if (B_ALONG_K == 1u) { // static
            b_at[i] = b_start + min(column0 + slot / K4, p.n - 1u) * (p.b_column / 4u) + k0 / 4u + slot % K4;
        } else {
            b_at[i] = b_start + (k0 + slot / N4) * (p.b_row / 4u) + min(column0 / 4u + slot % N4, p.n / 4u - 1u);
        }
    }
    // And where it puts that.
    let lane = thread / K4 % 4u;
    var a_to = thread / M4 * A_LINE + thread % M4;
    if (A_ALONG_K == 1u) { // static
        a_to = thread % K4 * 4u * A_LINE + thread / K4 / 4u;
    }
    var b_to = thread / N4 * B_LINE + thread % N4;
    if (B_ALONG_K == 1u) { // static
        b_to = thread % K4 * 4u * B_LINE + thread / K4 / 4u;
    }
    var a_step = K4;
    if (A_ALONG_K == 0u) { // static
        a_step = BK * (p.a_column / 4u);
    }
    var b_step = K4;
    if (B_ALONG_K == 0u) { // static
        b_step = BK * (p.b_row / 4u);
    }

    var sum: array<vec4<f32>, BLOCKS>; // registers
    var a_next: array<vec4<f32>, A_LOADS>; // registers
    var b_next: array<vec4<f32>, B_LOADS>; // registers
    var side = 0u;
    if (steps > 0u) {
        for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
            keep_a(a_to + i * A_HOP, lane, a[a_at[i]]);
            a_at[i] += a_step;
        }
        for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
            keep_b(b_to + i * B_HOP, lane, b[b_at[i]]);
            b_at[i] += b_step;
        }
    }
    workgroupBarrier();
    for (var step = 1u; step <= steps; step += 1u) {
        let more = step < steps;
        if (more) {
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                a_next[i] = a[a_at[i]];
                a_at[i] += a_step;
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                b_next[i] = b[b_at[i]];
                b_at[i] += b_step;
            }
        }
        let a_first = side * SIDE_A + first_m;
        let b_first = side * SIDE_B + first_n;
        for (var k = 0u; k < BK; k += 1u) { // unroll
            for (var c = 0u; c < CN; c += 1u) { // unroll in place
                let y[c] = b_tile[b_first + (k * B_LINE + c * 8u)];
            }
            for (var r = 0u; r < RM; r += 1u) { // unroll in place
                let x[r] = a_tile[a_first + (k * A_LINE + r * 4u)];
                for (var c = 0u; c < CN; c += 1u) { // unroll in place
                    sum[(r * CN + c) * 4u] += x[r].x * y[c];
                    sum[(r * CN + c) * 4u + 1u] += x[r].y * y[c];
                    sum[(r * CN + c) * 4u + 2u] += x[r].z * y[c];
                    sum[(r * CN + c) * 4u + 3u] += x[r].w * y[c];
                }
            }
        }
        side = 1u - side;
        if (more) {
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                keep_a(side * SIDE_A + a_to + i * A_HOP, lane, a_next[i]);
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                keep_b(side * SIDE_B + b_to + i * B_HOP, lane, b_next[i]);
            }
        }
        workgroupBarrier();
    }

    // What is left of k is less than a step. Reads past it repeat its last element.
    if (rest > 0u) {
        for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
            let slot = thread + i * THREADS;
            if (A_ALONG_K == 1u) { // static
                keep_a(side * SIDE_A + a_to + i * A_HOP, lane, a[a_at[i] - (max(slot % K4, rest / 4u - 1u) - (rest / 4u - 1u))]);
            } else {
                keep_a(side * SIDE_A + a_to + i * A_HOP, lane, a[a_at[i] - (max(slot / M4, rest - 1u) - (rest - 1u)) * (p.a_column / 4u)]);
            }
        }
        for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
            let slot = thread + i * THREADS;
            if (B_ALONG_K == 1u) { // static
                keep_b(side * SIDE_B + b_to + i * B_HOP, lane, b[b_at[i] - (max(slot % K4, rest / 4u - 1u) - (rest / 4u - 1u))]);
            } else {
                keep_b(side * SIDE_B + b_to + i * B_HOP, lane, b[b_at[i] - (max(slot / N4, rest - 1u) - (rest - 1u)) * (p.b_row / 4u)]);
            }
        }
        workgroupBarrier();
        for (var k = 0u; k < rest; k += 1u) {
            let a_first = (side * BK + k) * A_LINE + first_m;
            let b_first = (side * BK + k) * B_LINE + first_n;
            for (var c = 0u; c < CN; c += 1u) { // unroll in place
                let y[c] = b_tile[b_first + c * 8u];
            }
            for (var r = 0u; r < RM; r += 1u) { // unroll in place
                let x[r] = a_tile[a_first + r * 4u];
                for (var c = 0u; c < CN; c += 1u) { // unroll in place
                    sum[(r * CN + c) * 4u] += x[r].x * y[c];
                    sum[(r * CN + c) * 4u + 1u] += x[r].y * y[c];
                    sum[(r * CN + c) * 4u + 2u] += x[r].z * y[c];
                    sum[(r * CN + c) * 4u + 3u] += x[r].w * y[c];
                }
            }
        }
    }

    let out_start = (p.out_offset + (batch * p.splits + split) * p.out_batch) / 4u;
    for (var r = 0u; r < RM; r += 1u) { // unroll
        for (var c = 0u; c < CN; c += 1u) { // unroll
            let row = row0 + 4u * (first_m + r * 4u);
            let column = column0 + 4u * (first_n + c * 8u);
            put(sum[(r * CN + c) * 4u], row, column, out_start);
            put(sum[(r * CN + c) * 4u + 1u], row + 1u, column, out_start);
            put(sum[(r * CN + c) * 4u + 2u], row + 2u, column, out_start);
            put(sum[(r * CN + c) * 4u + 3u], row + 3u, column, out_start);
        }
    }
}
