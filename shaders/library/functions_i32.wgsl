// The scalar functions on i32, which wrap. Division by zero gives zero.

fn truth_i32(x: bool) -> i32 {
    return select(0i, 1i, x);
}

fn op_neg_i32(x: i32) -> i32 {
    return 0i - x;
}

fn op_abs_i32(x: i32) -> i32 {
    return select(x, 0i - x, x < 0i);
}

fn op_sign_i32(x: i32) -> i32 {
    return truth_i32(x > 0i) - truth_i32(x < 0i);
}

fn op_floor_i32(x: i32) -> i32 {
    return x;
}

fn op_ceil_i32(x: i32) -> i32 {
    return x;
}

fn op_round_i32(x: i32) -> i32 {
    return x;
}

fn op_trunc_i32(x: i32) -> i32 {
    return x;
}

fn op_relu_i32(x: i32) -> i32 {
    return max(x, 0i);
}

fn op_is_nan_i32(x: i32) -> i32 {
    return 0i;
}

fn op_is_inf_i32(x: i32) -> i32 {
    return 0i;
}

fn op_is_finite_i32(x: i32) -> i32 {
    return 1i;
}

fn op_logical_not_i32(x: i32) -> i32 {
    return truth_i32(x == 0i);
}

fn op_bitwise_not_i32(x: i32) -> i32 {
    return ~x;
}

fn op_add_i32(a: i32, b: i32) -> i32 {
    return a + b;
}

fn op_sub_i32(a: i32, b: i32) -> i32 {
    return a - b;
}

fn op_mul_i32(a: i32, b: i32) -> i32 {
    return a * b;
}

// Truncated. The quotient of the smallest number and -1 wraps, which the machine's division need not do.
fn op_div_i32(a: i32, b: i32) -> i32 {
    let plain = b != 0i && b != -1i;
    return select(select(0i, 0i - a, b == -1i), a / select(1i, b, plain), plain);
}

fn op_fmod_i32(a: i32, b: i32) -> i32 {
    return select(a - op_div_i32(a, b) * b, 0i, b == 0i);
}

fn op_floor_div_i32(a: i32, b: i32) -> i32 {
    let quotient = op_div_i32(a, b);
    let inexact = quotient * b != a && b != 0i;
    return quotient - truth_i32(inexact && (a < 0i) != (b < 0i));
}

fn op_remainder_i32(a: i32, b: i32) -> i32 {
    let rest = op_fmod_i32(a, b);
    return select(rest, rest + b, rest != 0i && (b < 0i) != (rest < 0i));
}

// Negative powers of anything but 1 and -1 are 0.
fn op_pow_i32(base: i32, exponent: i32) -> i32 {
    if (exponent < 0i) {
        let unit = select(0i, select(1i, base, (exponent & 1i) == 1i), base == -1i);
        return select(unit, 1i, base == 1i);
    }
    var square = base;
    var bits = exponent;
    var power = 1i;
    while (bits > 0i) {
        if ((bits & 1i) == 1i) {
            power *= square;
        }
        square *= square;
        bits >>= 1u;
    }
    return power;
}

fn op_maximum_i32(a: i32, b: i32) -> i32 {
    return max(a, b);
}

fn op_minimum_i32(a: i32, b: i32) -> i32 {
    return min(a, b);
}

fn op_eq_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a == b);
}

fn op_ne_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a != b);
}

fn op_lt_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a < b);
}

fn op_le_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a <= b);
}

fn op_gt_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a > b);
}

fn op_ge_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a >= b);
}

fn op_logical_and_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a != 0i && b != 0i);
}

fn op_logical_or_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a != 0i || b != 0i);
}

fn op_logical_xor_i32(a: i32, b: i32) -> i32 {
    return truth_i32((a != 0i) != (b != 0i));
}

fn op_bitwise_and_i32(a: i32, b: i32) -> i32 {
    return a & b;
}

fn op_bitwise_or_i32(a: i32, b: i32) -> i32 {
    return a | b;
}

fn op_bitwise_xor_i32(a: i32, b: i32) -> i32 {
    return a ^ b;
}
