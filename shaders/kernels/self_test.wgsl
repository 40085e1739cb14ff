alias T = f32;
// What the library takes for granted of a driver's arithmetic: thread i applies each primitive to the three numbers of case i.
// The host knows the results and their order.

const RESULTS: u32 = 25;
const THREADS: u32 = 64;

struct Params {
    cases: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups) * THREADS + thread;
    if (i >= p.cases) {
        return;
    }
    let a = load(x[3u * i]);
    let b = load(x[3u * i + 1u]);
    let c = load(x[3u * i + 2u]);
    let at = RESULTS * i;
    y[at] = store(a + b);
    y[at + 1u] = store(a - b);
    y[at + 2u] = store(a * b);
    y[at + 3u] = store(a / b);
    y[at + 4u] = store(fma(a, b, c));
    y[at + 5u] = store(sqrt(op_abs_C(a)));
    y[at + 6u] = store(min(a, b));
    y[at + 7u] = store(max(a, b));
    y[at + 8u] = store(clamp(a, C(-3), C(5)));
    y[at + 9u] = store(abs(a));
    y[at + 10u] = store(-a);
    y[at + 11u] = store(C(i32(a)));
    y[at + 12u] = store(C(u32(op_abs_C(a))));
    y[at + 13u] = store(select(b, c, a < b));
    y[at + 14u] = store(select(b, c, a >= b));
    y[at + 15u] = store(select(b, c, a == b));
    y[at + 16u] = store(op_floor_C(a));
    y[at + 17u] = store(op_ceil_C(a));
    y[at + 18u] = store(op_round_C(a));
    y[at + 19u] = store(op_trunc_C(a));
    y[at + 20u] = store(op_relu_C(a));
    y[at + 21u] = store(with_sign_C(a, b));
    y[at + 22u] = store(C(i32(a) * 3i + 1i));
    y[at + 23u] = store(C(u32(op_abs_C(a)) * 3u + 1u));
    let infinite = load(x[3u * p.cases]);
    let other = load(x[3u * p.cases + 1u]);
    y[at + 24u] = store(op_is_nan_C((infinite - other) * a));
}
