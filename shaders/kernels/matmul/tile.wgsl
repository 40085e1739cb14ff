alias T = f32;
alias O = f32;
// out = alpha a b + beta out, then bias and relu, for [batch, m, k] · [batch, k, n], any strides.
//
// One workgroup makes a tile of BM x BN results. It walks k in steps of BK: a tile of a (transposed) and one of b lie in
// workgroup memory while the next ones are on their way through registers, so that one barrier per step is enough. Each
// thread makes RM x CN blocks of 4 x 4 results; the blocks are spread over the tile so that neighbours read neighbours.
// With the flag SPLIT, several workgroups share one tile's k range and write their sums to scratch; `matmul/finish` adds them.

const BM: u32 = 64;
const BN: u32 = 64;
const BK: u32 = 16;
const RM: u32 = 1;
const CN: u32 = 1;
const ROWS: u32 = BM / 4 / RM;
const COLUMNS: u32 = BN / 4 / CN;
const THREADS: u32 = ROWS * COLUMNS;
const A_LOADS: u32 = BM * BK / 4 / THREADS;
const B_LOADS: u32 = BN * BK / 4 / THREADS;
const BLOCKS: u32 = RM * CN * 4;
// Whether k is the fast dimension of a and of b in memory: threads read along it.
const A_ALONG_K: u32 = 1;
const B_ALONG_K: u32 = 0;

// A bit of `flags`, beside those of `matmul_result`.
const SPLIT: u32 = 8;

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
@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read> bias: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<O>;

var<workgroup> a_tile: array<vec4<C>, 2u * BK * BM / 4u>;
var<workgroup> b_tile: array<vec4<C>, 2u * BK * BN / 4u>;

fn a_at(start: u32, row: u32, k: u32, end: u32) -> C {
    if (row < p.m && k < end) {
        return load(a[start + row * p.a_row + k * p.a_column]);
    }
    return C(0);
}

fn b_at(start: u32, k: u32, column: u32, end: u32) -> C {
    if (k < end && column < p.n) {
        return load(b[start + k * p.b_row + column * p.b_column]);
    }
    return C(0);
}

fn matmul_relu(x: C) -> C {
    return op_relu_C(x);
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
    let tile_n = job % p.tiles_n;
    let tile_m = (job / p.tiles_n) % p.tiles_m;
    let split = (job / (p.tiles_n * p.tiles_m)) % p.splits;
    let batch = job / (p.tiles_n * p.tiles_m * p.splits);
    let row0 = tile_m * BM;
    let column0 = tile_n * BN;
    let a_start = p.a_offset + batch * p.a_batch;
    let b_start = p.b_offset + batch * p.b_batch;
    let k0 = split * p.chunk;
    let end = min(p.k, k0 + p.chunk);
    let thread_row = thread / COLUMNS;
    let thread_column = thread % COLUMNS;

    var sum: array<vec4<C>, BLOCKS>;
    for (var i = 0u; i < BLOCKS; i += 1u) { // unroll
        sum[i] = vec4<C>(C(0), C(0), C(0), C(0));
    }
    var a_next: array<vec4<C>, A_LOADS>;
    var b_next: array<vec4<C>, B_LOADS>;
    var current = 0u;
    // The round before the first one only loads.
    for (var step = k0; step < end + BK; step += BK) {
        if (step < end) {
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                let slot = thread + i * THREADS;
                let k = step + select(slot / (BM / 4u), slot % BK, A_ALONG_K == 1u);
                let row = row0 + 4u * select(slot % (BM / 4u), slot / BK, A_ALONG_K == 1u);
                a_next[i] = vec4<C>(
                    a_at(a_start, row, k, end),
                    a_at(a_start, row + 1u, k, end),
                    a_at(a_start, row + 2u, k, end),
                    a_at(a_start, row + 3u, k, end),
                );
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                let slot = thread + i * THREADS;
                let k = step + select(slot / (BN / 4u), slot % BK, B_ALONG_K == 1u);
                let column = column0 + 4u * select(slot % (BN / 4u), slot / BK, B_ALONG_K == 1u);
                b_next[i] = vec4<C>(
                    b_at(b_start, k, column, end),
                    b_at(b_start, k, column + 1u, end),
                    b_at(b_start, k, column + 2u, end),
                    b_at(b_start, k, column + 3u, end),
                );
            }
        }
        if (step > k0) {
            let a_first = (1u - current) * BK * (BM / 4u) + thread_row;
            let b_first = (1u - current) * BK * (BN / 4u) + thread_column;
            for (var k = 0u; k < BK; k += 1u) { // unroll
                for (var r = 0u; r < RM; r += 1u) { // unroll
                    let x = a_tile[a_first + k * (BM / 4u) + r * ROWS];
                    for (var c = 0u; c < CN; c += 1u) { // unroll
                        let y = b_tile[b_first + k * (BN / 4u) + c * COLUMNS];
                        sum[(r * CN + c) * 4u + 0u] += x.x * y;
                        sum[(r * CN + c) * 4u + 1u] += x.y * y;
                        sum[(r * CN + c) * 4u + 2u] += x.z * y;
                        sum[(r * CN + c) * 4u + 3u] += x.w * y;
                    }
                }
            }
        }
        if (step < end) {
            for (var i = 0u; i < A_LOADS; i += 1u) { // unroll
                let slot = thread + i * THREADS;
                let k = select(slot / (BM / 4u), slot % BK, A_ALONG_K == 1u);
                let row = select(slot % (BM / 4u), slot / BK, A_ALONG_K == 1u);
                a_tile[current * BK * (BM / 4u) + k * (BM / 4u) + row] = a_next[i];
            }
            for (var i = 0u; i < B_LOADS; i += 1u) { // unroll
                let slot = thread + i * THREADS;
                let k = select(slot / (BN / 4u), slot % BK, B_ALONG_K == 1u);
                let column = select(slot % (BN / 4u), slot / BK, B_ALONG_K == 1u);
                b_tile[current * BK * (BN / 4u) + k * (BN / 4u) + column] = b_next[i];
            }
        }
        workgroupBarrier();
        current = 1u - current;
    }

    let out_start = p.out_offset + (batch * p.splits + split) * p.out_batch;
    for (var r = 0u; r < RM; r += 1u) { // unroll
        for (var c = 0u; c < CN; c += 1u) { // unroll
            for (var i = 0u; i < 4u; i += 1u) { // unroll
                let row = row0 + 4u * (thread_row + r * ROWS) + i;
                for (var j = 0u; j < 4u; j += 1u) { // unroll
                    let column = column0 + 4u * (thread_column + c * COLUMNS) + j;
                    if (row < p.m && column < p.n) {
                        let at = out_start + row * p.out_row + column * p.out_column;
                        let total = sum[(r * CN + c) * 4u + i][j];
                        if ((p.flags & SPLIT) != 0u) {
                            out[at] = storeO(total);
                        } else {
                            let alpha = number_C(p.alpha_low, p.alpha_high);
                            let beta = number_C(p.beta_low, p.beta_high);
                            out[at] = matmul_result(total, alpha, beta, at, column);
                        }
                    }
                }
            }
        }
    }
}
