alias T = f32;
// y[o, k, i] = y[o, k, i] ⊕ x[o, j, i] with k = index[o, j, i], for y of shape [outer, n, inner], x and index of shape
// [outer, m, inner]; ⊕ is +, ·, maximum or minimum. One thread per element of x, for few columns (o, i) and types that are
// stored in 32 bits: the order of j at one place is not determined.

const OP: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    // fields: IndexFields
    // fields: MoveFields
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> index: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> y: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

fn combine(a: C, b: C) -> C {
    switch OP {
        case 0u: { return a + b; }
        case 1u: { return a * b; }
        case 2u: { return op_maximum_C(a, b); }
        default: { return op_minimum_C(a, b); }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let entry = group_number(group, groups) * THREADS + thread;
    if (entry >= p.count) {
        return;
    }
    let named = index[p.index_offset + entry];
    let k = position_of(named, p.n);
    if (k == p.n) {
        report(p.code, named, p.n, p.detail);
        return;
    }
    let place = p.y_offset + (entry / (p.m * p.inner) * p.n + k) * p.inner + entry % p.inner;
    let value = load(x[p.x_offset + entry]);
    var old = atomicLoad(&y[place]);
    loop {
        let joined = bitcast<u32>(store(combine(load(bitcast<T>(old)), value)));
        let result = atomicCompareExchangeWeak(&y[place], old, joined);
        if (result.exchanged) {
            break;
        }
        old = result.old_value;
    }
}
