alias T = i32;
// y[i] = the place below n that x[i] names, where negative numbers count from the end with WRAP. What names none is reported,
// and becomes -2³²: no place of any dimension, nor after products with lengths and sums with places below 2³².

const WRAP: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    count: u32,
    n: u32,
    code: u32,
    detail: u32,
    x_offset: u32,
    y_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> status: array<atomic<u32>>;

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
    let named = x[p.x_offset + i];
    var place = position_of(named, p.n);
    if (WRAP == 1u && named.y == 0xffffffffu && named.x != 0u && (0u - named.x) <= p.n) {
        place = named.x + p.n;
    }
    if (place == p.n) {
        report(p.code, named, p.n, p.detail);
        y[p.y_offset + i] = vec2<u32>(0u, 0xffffffffu);
    } else {
        y[p.y_offset + i] = vec2<u32>(place, 0u);
    }
}
