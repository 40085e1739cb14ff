alias T = f32;
// The negative log-likelihood of classes, -w x[target], of log-probabilities x, [outer, classes, inner], and a target for each
// of the outer * inner lines. Without SUMMED, losses[line]. With it, each workgroup's sums of losses and of weights w; a
// workgroup that is alone (LAST) finishes, with MEAN by dividing the first by the second.

// The type of sums: the results' where they are the last, else one to sum on in.
alias S = f32;
const WEIGHTED: u32 = 0;
const SUMMED: u32 = 0;
const LAST: u32 = 0;
const MEAN: u32 = 0;
const THREADS: u32 = 256;
const LANES: u32 = 256;
const COLUMNS: u32 = 0;

struct Params {
    lines: u32,
    classes: u32,
    inner: u32,
    ignore_low: u32,
    ignore_high: u32,
    groups: u32,
    x_offset: u32,
    targets_offset: u32,
    weight_offset: u32,
    // What is reported of a target that is no class.
    code: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> targets: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> weight: array<T>;
@group(0) @binding(3) var<storage, read_write> losses: array<S>;
@group(0) @binding(4) var<storage, read_write> weights: array<S>;
@group(0) @binding(5) var<storage, read_write> status: array<atomic<u32>>;

var<workgroup> loss_sums: array<C, THREADS>;
var<workgroup> weight_sums: array<C, THREADS>;

fn join(a: u32, b: u32) {
    loss_sums[a] += loss_sums[b];
    weight_sums[a] += weight_sums[b];
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let number = group_number(group, groups);
    if (number >= p.groups) {
        return;
    }
    var loss_sum = C(0);
    var weight_sum = C(0);
    for (var line = number * THREADS + thread; line < p.lines; line += p.groups * THREADS) {
        let target_words = targets[p.targets_offset + line];
        var loss = C(0);
        if (!is_ignored(target_words)) {
            let class_index = position_of(target_words, p.classes);
            if (class_index < p.classes) {
                loss = -load(x[p.x_offset + line_start(line, p.classes, p.inner) + class_index * p.inner]);
                var w = C(1);
                if (WEIGHTED == 1u) {
                    w = load(weight[p.weight_offset + class_index]);
                    loss *= w;
                }
                weight_sum += w;
            } else {
                report(p.code, target_words, p.classes, 0u);
            }
        }
        if (SUMMED == 1u) {
            loss_sum += loss;
        } else {
            losses[line] = storeS(CS(loss));
        }
    }
    if (SUMMED == 1u) {
        loss_sums[thread] = loss_sum;
        weight_sums[thread] = weight_sum;
        join_lanes(lane_of(thread));
        if (thread == 0u) {
            loss_sum = loss_sums[0];
            weight_sum = weight_sums[0];
            if (LAST == 1u && MEAN == 1u) {
                loss_sum = mean_C(loss_sum, weight_sum);
            }
            losses[number] = storeS(CS(loss_sum));
            weights[number] = storeS(CS(weight_sum));
        }
    }
}
