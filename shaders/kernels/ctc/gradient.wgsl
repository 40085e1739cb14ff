alias T = f32;
// Connectionist temporal classification: the losses' gradient for log-probabilities x [steps, batch, classes],
// (e^x - e^(ln sum alpha beta + loss - x)) g, the sum over the states of a class. One thread per step and sample, since several states
// may be of one class.

// Whether a sample without an alignment has the gradient 0.
const ZERO_INFINITY: u32 = 0;
const THREADS: u32 = 64;

struct Params {
    steps: u32,
    batch: u32,
    classes: u32,
    states: u32,
    blank: u32,
    x_offset: u32,
    labels_offset: u32,
    samples_offset: u32,
    grad_offset: u32,
    losses_offset: u32,
    alpha_offset: u32,
    beta_offset: u32,
    out_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> labels: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> samples: array<u32>;
@group(0) @binding(3) var<storage, read> grad: array<T>;
@group(0) @binding(4) var<storage, read> losses: array<T>;
@group(0) @binding(5) var<storage, read> alpha: array<T>;
@group(0) @binding(6) var<storage, read> beta: array<T>;
@group(0) @binding(7) var<storage, read_write> out: array<T>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = group_number(group, groups) * THREADS + thread;
    if (i >= p.steps * p.batch) {
        return;
    }
    let t = i / p.batch;
    let b = i % p.batch;
    let sample = p.samples_offset + 3u * b;
    let start = samples[sample + 1u];
    let states = 2u * samples[sample + 2u] + 1u;
    let row = p.out_offset + i * p.classes;
    let loss = load(losses[p.losses_offset + b]);
    let impossible = !is_finite_C(loss) && !is_nan_C(loss) && loss > C(0);
    if (t >= samples[sample] || (ZERO_INFINITY == 1u && impossible)) {
        for (var c = 0u; c < p.classes; c++) {
            out[row + c] = store(C(0));
        }
        return;
    }
    for (var c = 0u; c < p.classes; c++) {
        out[row + c] = store(lowest_C());
    }
    let at = (b * p.steps + t) * p.states;
    // At the last step of the sample nothing goes on from other states than the last two.
    let last = t + 1u == samples[sample];
    let least = select(0u, states - min(states, 2u), last);
    for (var s = states; s > least; s--) {
        let to = row + ctc_class(start, s - 1u);
        let both = load(alpha[p.alpha_offset + at + s - 1u]) + load(beta[p.beta_offset + at + s - 1u]);
        let found = load(out[to]);
        var sum = both;
        if (!last) {
            sum = log_sum_C(found, both, lowest_C());
        }
        out[to] = store(sum);
    }
    let g = load(grad[p.grad_offset + b]);
    for (var c = 0u; c < p.classes; c++) {
        let v = load(x[p.x_offset + i * p.classes + c]);
        let passing = load(out[row + c]) + loss - v;
        out[row + c] = store((op_exp_C(v) - op_exp_C(passing)) * g);
    }
}
