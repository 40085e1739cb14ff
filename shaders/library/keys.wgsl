// Order keys: integers that compare as the values do, NaN above all numbers and zeros of both signs equal, so that no
// driver's liberties with floats change an order.

fn key_i32(x: i32) -> i32 {
    return x;
}

fn key_i64(x: i64) -> i64 {
    return x;
}

fn key_f32(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    if ((bits & 0x7fffffffi) > 0x7f800000i) {
        return 0x7fffffffi;
    }
    return select(bits, -(bits & 0x7fffffffi), bits < 0i);
}

fn key_f64(x: f64) -> i64 {
    let bits = bitcast<u64>(x);
    let magnitude = bitcast<i64>(bits & 0x7ffffffffffffffflu);
    if (magnitude > 0x7ff0000000000000li) {
        return 0x7fffffffffffffffli;
    }
    return select(magnitude, -magnitude, (bits >> 63u) != 0lu);
}

// No key is higher.

fn last_key_i32() -> i32 {
    return 0x7fffffffi;
}

fn last_key_f32() -> i32 {
    return 0x7fffffffi;
}

fn last_key_i64() -> i64 {
    return 0x7fffffffffffffffli;
}

fn last_key_f64() -> i64 {
    return 0x7fffffffffffffffli;
}
