alias T = f32;
// The end of a loss that several workgroups summed: adds up their sums of losses and of weights; with MEAN, divides.

// The type of the sums.
alias S = f32;
const MEAN: u32 = 0;
const THREADS: u32 = 256;
const LANES: u32 = 256;
const COLUMNS: u32 = 0;

struct Params {
    parts: u32,
}
var<immediate> p: Params;
@group(0) @binding(0) var<storage, read> losses: array<S>;
@group(0) @binding(1) var<storage, read> weights: array<S>;
@group(0) @binding(2) var<storage, read_write> loss: array<T>;
@group(0) @binding(3) var<storage, read_write> total: array<T>;

var<workgroup> loss_sums: array<C, THREADS>;
var<workgroup> weight_sums: array<C, THREADS>;

fn join(a: u32, b: u32) {
    loss_sums[a] += loss_sums[b];
    weight_sums[a] += weight_sums[b];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32) {
    var loss_sum = C(0);
    var weight_sum = C(0);
    for (var i = thread; i < p.parts; i += THREADS) {
        loss_sum += C(loadS(losses[i]));
        weight_sum += C(loadS(weights[i]));
    }
    loss_sums[thread] = loss_sum;
    weight_sums[thread] = weight_sum;
    join_lanes(lane_of(thread));
    if (thread == 0u) {
        if (MEAN == 1u) {
            loss[0] = store(mean_C(loss_sums[0], weight_sums[0]));
        } else {
            loss[0] = store(loss_sums[0]);
        }
        total[0] = store(weight_sums[0]);
    }
}
