//! Normalisation, distances and angles.

use flambeau_autograd::{Result, Tensor, ops};

use crate::args::{Args, CallResult};
use crate::opinfo::{OpInfo, one};

/// Why halves differ in the last place.
const ROUNDED_ONCE: &str = "f16 and bf16 compute in f32 and round once, where PyTorch rounds each step";
/// Why norms of halves differ.
const WIDE_STATISTICS: &str = "statistics of f16 and bf16 stay in f32, where PyTorch rounds them to the input's dtype";

type BatchNorm =
    fn(&Tensor, Option<&Tensor>, Option<&Tensor>, Option<&Tensor>, Option<&Tensor>, bool, f64, f64) -> Result<Tensor>;

fn batch_norm(a: &Args, f: BatchNorm, by_batch: &str, default: bool) -> CallResult {
    let (mean, var) = (a.opt_tensor(1, "running_mean")?, a.opt_tensor(2, "running_var")?);
    let (weight, bias) = (a.opt_tensor(3, "weight")?, a.opt_tensor(4, "bias")?);
    let (momentum, eps) = (a.float(6, "momentum", 0.1)?, a.float(7, "eps", 1e-5)?);
    one(f(a.x()?, mean, var, weight, bias, a.bool(5, by_batch, default)?, momentum, eps))
}

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.batch_norm", |a| batch_norm(a, ops::batch_norm, "training", false))
        .differs(&[(20, WIDE_STATISTICS), (23, WIDE_STATISTICS)]),
    OpInfo::general("nn.functional.instance_norm", |a| batch_norm(a, ops::instance_norm, "use_input_stats", true))
        .differs(&[(17, WIDE_STATISTICS), (20, WIDE_STATISTICS)]),
    OpInfo::general("nn.functional.layer_norm", |a| {
        let (weight, bias) = (a.opt_tensor(2, "weight")?, a.opt_tensor(3, "bias")?);
        one(ops::layer_norm(a.x()?, &a.shape(1, "normalized_shape")?, weight, bias, a.float(4, "eps", 1e-5)?))
    }),
    OpInfo::general("nn.functional.group_norm", |a| {
        let (weight, bias) = (a.opt_tensor(2, "weight")?, a.opt_tensor(3, "bias")?);
        let groups = a.need_int(1, "num_groups")? as usize;
        one(ops::group_norm(a.x()?, groups, weight, bias, a.float(4, "eps", 1e-5)?))
    }),
    OpInfo::general("nn.functional.rms_norm", |a| {
        let weight = a.opt_tensor(2, "weight")?;
        one(ops::rms_norm(a.x()?, &a.shape(1, "normalized_shape")?, weight, a.opt_float(3, "eps")?))
    }),
    OpInfo::general("nn.functional.normalize", |a| {
        one(ops::normalize(a.x()?, a.float(1, "p", 2.0)?, &[a.int(2, "dim", 1)?], a.float(3, "eps", 1e-12)?))
    }),
    OpInfo::general("nn.functional.cosine_similarity", |a| {
        one(ops::cosine_similarity(a.x()?, a.tensor(1, "x2")?, a.int(2, "dim", 1)?, a.float(3, "eps", 1e-8)?))
    })
    .differs(&[(17, ROUNDED_ONCE), (18, ROUNDED_ONCE), (19, ROUNDED_ONCE)]),
    OpInfo::general("nn.functional.pairwise_distance", |a| {
        let (p, eps) = (a.float(2, "p", 2.0)?, a.float(3, "eps", 1e-6)?);
        one(ops::pairwise_distance(a.x()?, a.tensor(1, "x2")?, p, eps, a.bool(4, "keepdim", false)?))
    }),
];
