alias T = f32;
// The first k values of each line in ascending (with LARGEST, descending) order, and where they stood, along the middle
// dimension of [outer, n, inner]; stable. A workgroup sorts TOTAL / SIZE lines of at most SIZE elements in its memory.

// The type of the order keys: i64 for types of 64 bits.
alias K = i32;
const LARGEST: u32 = 0;
const SIZE: u32 = 64;
const TOTAL: u32 = 256;
const THREADS: u32 = 128;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    k: u32,
    x_offset: u32,
    values_offset: u32,
    indices_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> values: array<T>;
@group(0) @binding(2) var<storage, read_write> indices: array<vec2<u32>>;

var<workgroup> ranks: array<CK, TOTAL>;
var<workgroup> places: array<u32, TOTAL>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_line = group_number(group, groups) * (TOTAL / SIZE);
    for (var slot = thread; slot < TOTAL; slot += THREADS) {
        let line = first_line + slot / SIZE;
        let place = slot % SIZE;
        // What is beyond the end comes after all: the highest rank, and a higher place than any element's.
        var rank = last_key_C();
        if (line < p.lines && place < p.n) {
            let key = key_C(load(x[p.x_offset + line_start(line, p.n, p.inner) + place * p.inner]));
            rank = select(key, ~key, LARGEST == 1u);
        }
        ranks[slot] = rank;
        places[slot] = place;
    }
    sort_slots(thread);
    for (var slot = thread; slot < TOTAL; slot += THREADS) {
        let line = first_line + slot / SIZE;
        let i = slot % SIZE;
        if (line < p.lines && i < p.k) {
            let place = places[slot];
            let to = line_start(line, p.k, p.inner) + i * p.inner;
            values[p.values_offset + to] = x[p.x_offset + line_start(line, p.n, p.inner) + place * p.inner];
            indices[p.indices_offset + to] = index_words(place);
        }
    }
}
