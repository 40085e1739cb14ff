//! What a scaler knows and does.

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use flambeau_autograd::{Tensor, no_grad, ops};
use flambeau_tensor::backend::{PointwiseList, ReduceOp};
use flambeau_tensor::ops::{ReduceArgs, pointwise_lists, reduce};
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use flambeau_tensor::{Array, DType, Device};
use std::panic::Location;
use std::sync::LazyLock;

/// Where an optimizer stands between two updates of the scale.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    Ready,
    Unscaled,
    Stepped,
}

/// What is known of an optimizer since the last update of the scale.
pub(super) struct PerOptimizer {
    pub(super) optimizer: Optimizer,
    pub(super) stage: Stage,
    /// Of each device with gradients: whether one of them has an infinity or a NaN, as a tensor, and once it was read as a truth value.
    pub(super) found_inf: Vec<(Array, Option<bool>)>,
}

impl PerOptimizer {
    /// Whether an infinity or a NaN was found; what was not read yet is.
    fn found(&mut self) -> Result<bool> {
        let mut found = false;
        for (array, known) in &mut self.found_inf {
            let here = match known {
                Some(here) => *here,
                None => *known.insert(array.item()?.to_bool()),
            };
            found |= here;
        }
        Ok(found)
    }
}

pub(super) struct Inner {
    pub(super) device: Option<Device>,
    pub(super) enabled: bool,
    pub(super) growth_factor: f64,
    pub(super) backoff_factor: f64,
    pub(super) growth_interval: i64,
    /// What was set until something is scaled; then with float32's digits, as PyTorch's tensor has.
    pub(super) scale: f64,
    pub(super) growth_tracker: i64,
    /// The scale on each device that has seen one, made anew when it changes.
    pub(super) on_devices: Vec<Tensor>,
    /// Whether something was scaled: PyTorch makes its tensors then.
    pub(super) started: bool,
    pub(super) optimizers: Vec<PerOptimizer>,
}

static IS_NOT_FINITE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).unary(UnaryOp::IsFinite).eq(0.0)));
static UNSCALE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::with_outputs(|b| vec![b.input(0) * b.scalar(0)]));

const NEW_SCALE: &str =
    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False.";

pub(super) fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(flambeau_autograd::Error::runtime(message).into())
}

impl Inner {
    /// The scale as a tensor on a device.
    pub(super) fn on_device(&mut self, device: Device) -> Result<Tensor> {
        if let Some(scale) = self.on_devices.iter().find(|t| t.device() == device) {
            return Ok(scale.shallow_clone());
        }
        let scale = flambeau_autograd::from_scalars(&[self.scale.into()], &[], DType::F32)?;
        let scale = ops::to_device(&scale, device)?;
        self.on_devices.push(scale.shallow_clone());
        Ok(scale)
    }

    /// Something is scaled: PyTorch makes its tensor now.
    pub(super) fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.set_scale(self.scale);
        }
    }

    pub(super) fn set_scale(&mut self, scale: f64) {
        let scale = if self.started { f64::from(scale as f32) } else { scale };
        if self.scale.to_bits() != scale.to_bits() {
            self.scale = scale;
            self.on_devices.clear();
        }
    }

    pub(super) fn check_started(&self, function: &str) -> Result<()> {
        match self.started {
            true => Ok(()),
            false => refuse(format!(
                "Attempted {function} but _scale is None.  This may indicate your script did not use scaler.scale(loss or \
                 outputs) earlier in the iteration."
            )),
        }
    }

    pub(super) fn of(&mut self, optimizer: &Optimizer) -> &mut PerOptimizer {
        let known = self.optimizers.iter().position(|known| known.optimizer.is_same(optimizer));
        let at = known.unwrap_or_else(|| {
            let (optimizer, stage, found_inf) = (optimizer.clone(), Stage::Ready, Vec::new());
            self.optimizers.push(PerOptimizer { optimizer, stage, found_inf });
            self.optimizers.len() - 1
        });
        &mut self.optimizers[at]
    }

    pub(super) fn unscale(&mut self, optimizer: &Optimizer, caller: &'static Location<'static>) -> Result<()> {
        let inverse = (1.0 / self.scale) as f32;
        let state = self.of(optimizer);
        match state.stage {
            Stage::Ready => {}
            Stage::Unscaled => {
                return refuse("unscale_() has already been called on this optimizer since the last update().");
            }
            Stage::Stepped => return refuse("unscale_() is being called after step()."),
        }
        state.found_inf = unscale(optimizer, inverse, caller)?;
        state.stage = Stage::Unscaled;
        Ok(())
    }

    /// Makes sure that the gradients are unscaled; tells whether the step is to be left out.
    pub(super) fn before_step(&mut self, optimizer: &Optimizer, caller: &'static Location<'static>) -> Result<bool> {
        self.check_started("step")?;
        match self.of(optimizer).stage {
            Stage::Ready => self.unscale(optimizer, caller)?,
            Stage::Unscaled => {}
            Stage::Stepped => return refuse("step() has already been called since the last update()."),
        }
        let state = self.of(optimizer);
        if state.found_inf.is_empty() {
            return refuse("No inf checks were recorded for this optimizer.");
        }
        state.found()
    }

    /// The scale after this iteration, and the counter.
    pub(super) fn next_scale(&mut self) -> Result<f64> {
        if self.optimizers.iter().all(|state| state.found_inf.is_empty()) {
            return refuse("No inf checks were recorded prior to update.");
        }
        let mut found = false;
        for state in &mut self.optimizers {
            found |= state.found()?;
        }
        if found {
            self.growth_tracker = 0;
            return Ok(self.scale * self.backoff_factor);
        }
        self.growth_tracker += 1;
        if self.growth_tracker != self.growth_interval {
            return Ok(self.scale);
        }
        self.growth_tracker = 0;
        // The scale does not grow into an infinity.
        let grown = self.scale * self.growth_factor;
        Ok(if (grown as f32).is_finite() { grown } else { self.scale })
    }

    pub(super) fn new_scale(&self, scale: &Tensor) -> Result<f64> {
        let is_here = self.device.is_some_and(|device| device.is_cpu() == scale.device().is_cpu());
        if !is_here || scale.numel() != 1 || scale.requires_grad() {
            return refuse(NEW_SCALE);
        }
        if scale.dim() > 0 {
            let shape = scale.size().to_vec();
            return refuse(format!("output with shape [] doesn't match the broadcast shape {shape:?}"));
        }
        Ok(scale.array().item()?.to_f64())
    }
}

/// Multiplies the gradients by a number, one launch for all of a device and dtype; gives for each device whether one of them had an
/// infinity or a NaN: one launch for each gradient and one for all, and nobody waits for it here.
fn unscale(
    optimizer: &Optimizer,
    inverse: f32,
    caller: &'static Location<'static>,
) -> Result<Vec<(Array, Option<bool>)>> {
    let _mode = no_grad();
    let mut by_device: Vec<(Device, Vec<Tensor>)> = Vec::new();
    for group in optimizer.param_groups() {
        for grad in group.params().iter().filter_map(Tensor::grad) {
            if grad.dtype() == DType::F16 {
                return Err(Error::Value("Attempting to unscale FP16 gradients.".into()));
            }
            match by_device.iter_mut().find(|(device, _)| *device == grad.device()) {
                Some((_, grads)) => grads.push(grad),
                None => by_device.push((grad.device(), vec![grad])),
            }
        }
    }
    let mut found = Vec::new();
    for (_, grads) in by_device {
        let arrays: Vec<Array> = grads.iter().map(|g| g.array().clone()).collect();
        let checked = |array: &Array| {
            let args = ReduceArgs { map: Some(&IS_NOT_FINITE), ..ReduceArgs::new(ReduceOp::Any, &[], false) };
            reduce(args, &[array], &[])
        };
        let each: Vec<Tensor> = arrays.iter().map(|a| checked(a).map(Tensor::from)).collect::<Result<_, _>>()?;
        let any = match &each[..] {
            [one] => one.array().clone(),
            all => {
                let all = ops::stack(all, 0)?;
                reduce(ReduceArgs::new(ReduceOp::Any, &[], false), &[&all.array()], &[])?
            }
        };
        if inverse != 1.0 {
            let list = |array: &Array| PointwiseList {
                inputs: [array.clone()].into_iter().collect(),
                outs: [array.clone()].into_iter().collect(),
            };
            let lists: Vec<PointwiseList> = arrays.iter().map(list).collect();
            pointwise_lists(&UNSCALE, &lists, &[f64::from(inverse).into()])?;
            arrays.iter().for_each(|array| array.storage().bump_version(caller));
        }
        found.push((any, None));
    }
    Ok(found)
}
