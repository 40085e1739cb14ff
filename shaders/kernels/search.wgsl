alias T = f32;
// Where each value would stand in its line of sorted boundaries [lines, n]: before those that are equal, or with RIGHT behind them.
// NaN, among the values or the boundaries, is behind all that came before it. One thread per value, m values per line.

const RIGHT: u32 = 0;
// Whether results are int64: two words.
const WIDE: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    count: u32,
    n: u32,
    m: u32,
    boundaries_offset: u32,
    values_offset: u32,
    out_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> boundaries: array<T>;
@group(0) @binding(1) var<storage, read> values: array<T>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups) * THREADS + thread;
    if (i >= p.count) {
        return;
    }
    let value = load(values[p.values_offset + i]);
    let key = key_C(value);
    let start = p.boundaries_offset + i / p.m * p.n;
    var low = 0u;
    var high = p.n;
    while (low < high) {
        let middle = low + (high - low) / 2u;
        let found = load(boundaries[start + middle]);
        let theirs = key_C(found);
        // PyTorch asks whether the boundary is not above (with RIGHT, not at or above) the value, which NaN never is.
        if (theirs < key || (RIGHT == 1u && theirs == key) || is_nan_C(found) || is_nan_C(value)) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    if (WIDE == 1u) {
        out[p.out_offset + 2u * i] = low;
        out[p.out_offset + 2u * i + 1u] = 0u;
    } else {
        out[p.out_offset + i] = low;
    }
}
