alias T = f32;
// The beginning of a sort of long lines: cuts each line in tiles of SIZE elements and sorts these, one per workgroup. Writes
// ranks (an element's key, or its complement with LARGEST) and places of the line's elements, [lines, n].

// The type of the order keys: i64 for types of 64 bits.
alias K = i32;
const LARGEST: u32 = 0;
const SIZE: u32 = 1024;
const TOTAL: u32 = 1024;
const THREADS: u32 = 256;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    tiles: u32,
    x_offset: u32,
    ranks_offset: u32,
    places_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> sorted_ranks: array<K>;
@group(0) @binding(2) var<storage, read_write> sorted_places: array<u32>;

var<workgroup> ranks: array<CK, TOTAL>;
var<workgroup> places: array<u32, TOTAL>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups);
    if (number >= p.lines * p.tiles) {
        return;
    }
    let line = number / p.tiles;
    let begin = number % p.tiles * SIZE;
    let start = p.x_offset + line_start(line, p.n, p.inner);
    for (var slot = thread; slot < SIZE; slot += THREADS) {
        let place = begin + slot;
        // What is beyond the end comes after all: the highest rank, and a higher place than any element's.
        var rank = last_key_C();
        if (place < p.n) {
            let key = key_C(load(x[start + place * p.inner]));
            rank = select(key, ~key, LARGEST == 1u);
        }
        ranks[slot] = rank;
        places[slot] = place;
    }
    sort_slots(thread);
    for (var slot = thread; slot < min(SIZE, p.n - begin); slot += THREADS) {
        let to = line * p.n + begin + slot;
        sorted_ranks[p.ranks_offset + to] = storeK(ranks[slot]);
        sorted_places[p.places_offset + to] = places[slot];
    }
}
