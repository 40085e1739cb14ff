// The scalar functions on i64, which wrap. Division by zero gives zero.

fn truth_i64(x: bool) -> i64 {
    return select(0li, 1li, x);
}

fn op_neg_i64(x: i64) -> i64 {
    return 0li - x;
}

fn op_abs_i64(x: i64) -> i64 {
    return select(x, 0li - x, x < 0li);
}

fn op_sign_i64(x: i64) -> i64 {
    return truth_i64(x > 0li) - truth_i64(x < 0li);
}

fn op_floor_i64(x: i64) -> i64 {
    return x;
}

fn op_ceil_i64(x: i64) -> i64 {
    return x;
}

fn op_round_i64(x: i64) -> i64 {
    return x;
}

fn op_trunc_i64(x: i64) -> i64 {
    return x;
}

fn op_relu_i64(x: i64) -> i64 {
    return max(x, 0li);
}

fn op_is_nan_i64(x: i64) -> i64 {
    return 0li;
}

fn op_is_inf_i64(x: i64) -> i64 {
    return 0li;
}

fn op_is_finite_i64(x: i64) -> i64 {
    return 1li;
}

fn op_logical_not_i64(x: i64) -> i64 {
    return truth_i64(x == 0li);
}

fn op_bitwise_not_i64(x: i64) -> i64 {
    return ~x;
}

fn op_add_i64(a: i64, b: i64) -> i64 {
    return a + b;
}

fn op_sub_i64(a: i64, b: i64) -> i64 {
    return a - b;
}

fn op_mul_i64(a: i64, b: i64) -> i64 {
    return a * b;
}

// Truncated. The quotient of the smallest number and -1 wraps, which the machine's division need not do.
fn op_div_i64(a: i64, b: i64) -> i64 {
    let plain = b != 0li && b != -1li;
    return select(select(0li, 0li - a, b == -1li), a / select(1li, b, plain), plain);
}

fn op_fmod_i64(a: i64, b: i64) -> i64 {
    return select(a - op_div_i64(a, b) * b, 0li, b == 0li);
}

fn op_floor_div_i64(a: i64, b: i64) -> i64 {
    let quotient = op_div_i64(a, b);
    let inexact = quotient * b != a && b != 0li;
    return quotient - truth_i64(inexact && (a < 0li) != (b < 0li));
}

fn op_remainder_i64(a: i64, b: i64) -> i64 {
    let rest = op_fmod_i64(a, b);
    return select(rest, rest + b, rest != 0li && (b < 0li) != (rest < 0li));
}

// Negative powers of anything but 1 and -1 are 0.
fn op_pow_i64(base: i64, exponent: i64) -> i64 {
    if (exponent < 0li) {
        let unit = select(0li, select(1li, base, (exponent & 1li) == 1li), base == -1li);
        return select(unit, 1li, base == 1li);
    }
    var square = base;
    var bits = exponent;
    var power = 1li;
    while (bits > 0li) {
        if ((bits & 1li) == 1li) {
            power *= square;
        }
        square *= square;
        bits >>= 1u;
    }
    return power;
}

fn op_maximum_i64(a: i64, b: i64) -> i64 {
    return max(a, b);
}

fn op_minimum_i64(a: i64, b: i64) -> i64 {
    return min(a, b);
}

fn op_eq_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a == b);
}

fn op_ne_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a != b);
}

fn op_lt_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a < b);
}

fn op_le_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a <= b);
}

fn op_gt_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a > b);
}

fn op_ge_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a >= b);
}

fn op_logical_and_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a != 0li && b != 0li);
}

fn op_logical_or_i64(a: i64, b: i64) -> i64 {
    return truth_i64(a != 0li || b != 0li);
}

fn op_logical_xor_i64(a: i64, b: i64) -> i64 {
    return truth_i64((a != 0li) != (b != 0li));
}

fn op_bitwise_and_i64(a: i64, b: i64) -> i64 {
    return a & b;
}

fn op_bitwise_or_i64(a: i64, b: i64) -> i64 {
    return a | b;
}

fn op_bitwise_xor_i64(a: i64, b: i64) -> i64 {
    return a ^ b;
}
