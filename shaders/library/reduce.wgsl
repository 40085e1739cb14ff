// How a reduction combines values. `op` is a constant of the kernel: 0 sum, 1 product, 2 largest, 3 smallest, 4 any, 5 all;
// truth values are 0 and 1.

fn reduce_neutral_f32(op: u32) -> f32 {
    switch op {
        case 1u, 5u: { return 1.0f; }
        case 2u: { return lowest_f32(); }
        case 3u: { return highest_f32(); }
        default: { return 0.0f; }
    }
}

fn reduce_combine_f32(op: u32, a: f32, b: f32) -> f32 {
    switch op {
        case 0u: { return a + b; }
        case 1u, 5u: { return a * b; }
        case 3u: { return minimum_f32(a, b); }
        default: { return maximum_f32(a, b); }
    }
}

fn reduce_neutral_i32(op: u32) -> i32 {
    switch op {
        case 1u, 5u: { return 1i; }
        case 2u: { return lowest_i32(); }
        case 3u: { return highest_i32(); }
        default: { return 0i; }
    }
}

fn reduce_combine_i32(op: u32, a: i32, b: i32) -> i32 {
    switch op {
        case 0u: { return a + b; }
        case 1u, 5u: { return a * b; }
        case 3u: { return minimum_i32(a, b); }
        default: { return maximum_i32(a, b); }
    }
}

fn reduce_neutral_i64(op: u32) -> i64 {
    switch op {
        case 1u, 5u: { return 1li; }
        case 2u: { return lowest_i64(); }
        case 3u: { return highest_i64(); }
        default: { return 0li; }
    }
}

fn reduce_combine_i64(op: u32, a: i64, b: i64) -> i64 {
    switch op {
        case 0u: { return a + b; }
        case 1u, 5u: { return a * b; }
        case 3u: { return minimum_i64(a, b); }
        default: { return maximum_i64(a, b); }
    }
}

fn reduce_neutral_f64(op: u32) -> f64 {
    switch op {
        case 1u, 5u: { return 1.0lf; }
        case 2u: { return lowest_f64(); }
        case 3u: { return highest_f64(); }
        default: { return 0.0lf; }
    }
}

fn reduce_combine_f64(op: u32, a: f64, b: f64) -> f64 {
    switch op {
        case 0u: { return a + b; }
        case 1u, 5u: { return a * b; }
        case 3u: { return minimum_f64(a, b); }
        default: { return maximum_f64(a, b); }
    }
}

