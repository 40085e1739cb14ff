alias T = f32;
// Connectionist temporal classification, forwards: alpha [batch, steps, states], the log-probability of all alignments that are in a
// state at a step, of log-probabilities x [steps, batch, classes], and each sample's loss. The states of a sample are blanks at even
// places and its labels between them. One workgroup per sample runs over the steps.

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
    alpha_offset: u32,
    losses_offset: u32,
    // What is reported of a label that is no class.
    code: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> labels: array<vec2<u32>>;
// Of each sample: how many steps, where its labels begin, and how many.
@group(0) @binding(2) var<storage, read> samples: array<u32>;
@group(0) @binding(3) var<storage, read_write> alpha: array<T>;
@group(0) @binding(4) var<storage, read_write> losses: array<T>;
@group(0) @binding(5) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups);
    let live = number < p.batch;
    let b = select(0u, number, live);
    let sample = p.samples_offset + 3u * b;
    let steps = select(0u, samples[sample], live);
    let start = samples[sample + 1u];
    let states = 2u * samples[sample + 2u] + 1u;
    let first = p.alpha_offset + b * p.steps * p.states;
    for (var i = thread; i < states / 2u && live; i += THREADS) {
        let words = labels[p.labels_offset + start + i];
        if (position_of(words, p.classes) >= p.classes) {
            report(p.code, words, p.classes, 0u);
        }
    }
    for (var t = 0u; t < p.steps; t++) {
        if (t < steps) {
            let now = first + t * p.states;
            for (var s = thread; s < p.states; s += THREADS) {
                var sum = lowest_C();
                if (s < states) {
                    let class_index = ctc_class(start, s);
                    let v = load(x[p.x_offset + (t * p.batch + b) * p.classes + class_index]);
                    if (t == 0u) {
                        if (s < 2u) {
                            sum = v;
                        }
                    } else {
                        let before = now - p.states;
                        var one = lowest_C();
                        var two = lowest_C();
                        if (s > 0u) {
                            one = load(alpha[before + s - 1u]);
                        }
                        if (s > 1u && ctc_class(start, s - 2u) != class_index) {
                            two = load(alpha[before + s - 2u]);
                        }
                        sum = log_sum_C(load(alpha[before + s]), one, two) + v;
                    }
                }
                alpha[now + s] = store(sum);
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
    if (live && thread == 0u) {
        var loss = select(-lowest_C(), C(0), states == 1u);
        if (steps > 0u) {
            let end = first + (steps - 1u) * p.states + states - 1u;
            var likelihood = load(alpha[end]);
            if (states > 1u) {
                likelihood = log_sum_C(likelihood, load(alpha[end - 1u]), lowest_C());
            }
            loss = -likelihood;
        }
        losses[p.losses_offset + b] = store(loss);
    }
}
