// What the kernels of connectionist temporal classification share.

// ln(e^a + e^b + e^c), -inf where all are; NaN where one is, or inf.
fn log_sum_f32(a: f32, b: f32, c: f32) -> f32 {
    let m = maximum_f32(a, maximum_f32(b, c));
    if (!is_finite_f32(m)) {
        return select(nan_f32(), m, m < f32(0.0));
    }
    let sum = log_share_f32(a, m) + log_share_f32(b, m) + log_share_f32(c, m);
    return op_log_f32(sum) + m;
}

// e^(x - m); nothing for -inf.
fn log_share_f32(x: f32, m: f32) -> f32 {
    return select(f32(0.0), op_exp_f32(x - m), is_finite_f32(x));
}

// The class of a state of a sample whose labels begin at `start`: the blank at even places, and for a label that is no class.
fn ctc_class(start: u32, state: u32) -> u32 {
    if (state % 2u == 0u) {
        return p.blank;
    }
    let class_index = position_of(labels[p.labels_offset + start + state / 2u], p.classes);
    return select(p.blank, class_index, class_index < p.classes);
}
