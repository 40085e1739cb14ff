alias T = f32;
// The end of a sort of long lines: the values of [outer, n, inner] at the first k of the sorted places [lines, n], and these
// as int64.

const THREADS: u32 = 256;

struct Params {
    lines: u32,
    n: u32,
    inner: u32,
    k: u32,
    x_offset: u32,
    places_offset: u32,
    values_offset: u32,
    indices_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<T>;
@group(0) @binding(3) var<storage, read_write> indices: array<vec2<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups) * THREADS + thread;
    let line = number / p.k;
    let i = number % p.k;
    if (line >= p.lines) {
        return;
    }
    let place = places[p.places_offset + line * p.n + i];
    let to = line_start(line, p.k, p.inner) + i * p.inner;
    values[p.values_offset + to] = x[p.x_offset + line_start(line, p.n, p.inner) + place * p.inner];
    indices[p.indices_offset + to] = index_words(place);
}
