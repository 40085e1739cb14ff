// The scalar functions on integers, written in i32 (see `src/library.rs`); they wrap. Division by zero gives zero.

fn truth_i32(x: bool) -> i32 {
    return select(i32(0), i32(1), x);
}

fn op_neg_i32(x: i32) -> i32 {
    return i32(0) - x;
}

fn op_abs_i32(x: i32) -> i32 {
    return select(x, i32(0) - x, x < i32(0));
}

fn op_sign_i32(x: i32) -> i32 {
    return truth_i32(x > i32(0)) - truth_i32(x < i32(0));
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
    return max(x, i32(0));
}

fn op_is_nan_i32(x: i32) -> i32 {
    return i32(0);
}

fn op_is_inf_i32(x: i32) -> i32 {
    return i32(0);
}

fn op_is_finite_i32(x: i32) -> i32 {
    return i32(1);
}

fn op_logical_not_i32(x: i32) -> i32 {
    return truth_i32(x == i32(0));
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
    let plain = b != i32(0) && b != -i32(1);
    return select(select(i32(0), i32(0) - a, b == -i32(1)), a / select(i32(1), b, plain), plain);
}

fn op_fmod_i32(a: i32, b: i32) -> i32 {
    return select(a - op_div_i32(a, b) * b, i32(0), b == i32(0));
}

fn op_floor_div_i32(a: i32, b: i32) -> i32 {
    let quotient = op_div_i32(a, b);
    let inexact = quotient * b != a && b != i32(0);
    return quotient - truth_i32(inexact && (a < i32(0)) != (b < i32(0)));
}

fn op_remainder_i32(a: i32, b: i32) -> i32 {
    let rest = op_fmod_i32(a, b);
    return select(rest, rest + b, rest != i32(0) && (b < i32(0)) != (rest < i32(0)));
}

// Negative powers of anything but 1 and -1 are 0.
fn op_pow_i32(base: i32, exponent: i32) -> i32 {
    if (exponent < i32(0)) {
        let unit = select(i32(0), select(i32(1), base, (exponent & i32(1)) == i32(1)), base == -i32(1));
        return select(unit, i32(1), base == i32(1));
    }
    var square = base;
    var bits = exponent;
    var power = i32(1);
    while (bits > i32(0)) {
        if ((bits & i32(1)) == i32(1)) {
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
    return truth_i32(a != i32(0) && b != i32(0));
}

fn op_logical_or_i32(a: i32, b: i32) -> i32 {
    return truth_i32(a != i32(0) || b != i32(0));
}

fn op_logical_xor_i32(a: i32, b: i32) -> i32 {
    return truth_i32((a != i32(0)) != (b != i32(0)));
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
