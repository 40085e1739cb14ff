alias T = f32;
// The gradient of the negative log-likelihood of classes for log-probabilities [outer, classes, inner]: s = -g w (with MEAN,
// over the weights' total) at each line's target, zero elsewhere. With LOGITS, the gradient for the logits that they are the
// log-softmax of: s (1 - e^x) at the target, -s e^x elsewhere.

const WEIGHTED: u32 = 0;
const MEAN: u32 = 0;
const LOGITS: u32 = 0;
const THREADS: u32 = 256;

struct Params {
    count: u32,
    classes: u32,
    inner: u32,
    ignore_low: u32,
    ignore_high: u32,
    grad_offset: u32,
    // 0 where one gradient serves all lines, else 1.
    grad_step: u32,
    targets_offset: u32,
    weight_offset: u32,
    total_offset: u32,
    x_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> grad: array<T>;
@group(0) @binding(1) var<storage, read> targets: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> weight: array<T>;
@group(0) @binding(3) var<storage, read> total: array<T>;
@group(0) @binding(4) var<storage, read> x: array<T>;
@group(0) @binding(5) var<storage, read_write> y: array<T>;

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
    let outer = i / (p.classes * p.inner);
    let line = outer * p.inner + i % p.inner;
    let target_words = targets[p.targets_offset + line];
    let class_index = position_of(target_words, p.classes);
    var seed = C(0);
    if (!is_ignored(target_words) && class_index < p.classes) {
        seed = -load(grad[p.grad_offset + line * p.grad_step]);
        if (MEAN == 1u) {
            seed /= load(total[p.total_offset]);
        }
        if (WEIGHTED == 1u) {
            let w = load(weight[p.weight_offset + class_index]);
            seed *= w;
            // The mean of nothing is NaN, and so is its gradient; drivers need not see that in ∞ · 0.
            if (MEAN == 1u && is_zero_C(w) && is_zero_C(load(total[p.total_offset]))) {
                seed = nan_C();
            }
        }
    }
    let here = class_index == (i / p.inner) % p.classes;
    var result = select(C(0), seed, here);
    if (LOGITS == 1u) {
        // The sum of the line's seeds is no negative zero.
        result -= op_exp_C(load(x[p.x_offset + i])) * select(seed, C(0), is_zero_C(seed));
    }
    y[i] = store(result);
}
