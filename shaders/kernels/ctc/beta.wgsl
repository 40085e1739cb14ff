alias T = f32;
// Connectionist temporal classification, backwards: beta [batch, steps, states], the log-probability of what alignments that are in a
// state at a step do from there on. As ctc/alpha, whose labels were found to be classes.

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
    beta_offset: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> labels: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> samples: array<u32>;
@group(0) @binding(3) var<storage, read_write> beta: array<T>;

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
    let first = p.beta_offset + b * p.steps * p.states;
    for (var back = 1u; back <= p.steps; back++) {
        let t = p.steps - back;
        if (t < steps) {
            let now = first + t * p.states;
            for (var s = thread; s < p.states; s += THREADS) {
                var sum = lowest_C();
                if (s < states) {
                    let class_index = ctc_class(start, s);
                    let v = load(x[p.x_offset + (t * p.batch + b) * p.classes + class_index]);
                    if (t + 1u == steps) {
                        // An alignment ends with the last label or the blank behind it.
                        if (s + 2u >= states) {
                            sum = v;
                        }
                    } else {
                        let after = now + p.states;
                        var one = lowest_C();
                        var two = lowest_C();
                        if (s + 1u < states) {
                            one = load(beta[after + s + 1u]);
                        }
                        if (s + 2u < states && ctc_class(start, s + 2u) != class_index) {
                            two = load(beta[after + s + 2u]);
                        }
                        sum = log_sum_C(load(beta[after + s]), one, two) + v;
                    }
                }
                beta[now + s] = store(sum);
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
