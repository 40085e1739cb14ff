//! Scaled gradients: `torch.amp.GradScaler`.

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::options::OptionValue;
use flambeau_autograd::mode::DeviceType;
use flambeau_autograd::{OrPanic, Tensor, no_grad, ops, warn};
use flambeau_tensor::backend::{PointwiseList, ReduceOp};
use flambeau_tensor::ops::{ReduceArgs, pointwise_lists, reduce};
use flambeau_tensor::pointwise::{Pointwise, UnaryOp};
use flambeau_tensor::{Array, DType, Device, Scalar};
use std::panic::Location;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

flambeau_autograd::options! {
    /// Options of [`GradScaler`].
    #[derive(Clone, Copy, Debug)]
    GradScalerOptions {
        /// The first scale (65536.0).
        init_scale: f64 = 65536.0,
        /// The factor by which the scale grows after `growth_interval` steps without an infinity or a NaN (2.0).
        growth_factor: f64 = 2.0,
        /// The factor by which the scale shrinks after a step with one (0.5).
        backoff_factor: f64 = 0.5,
        /// After how many steps in a row the scale grows (2000).
        growth_interval: i64 = 2000,
        /// Whether there is any scaling; without, all methods pass on what they get (true).
        enabled: bool = true,
    }
}

flambeau_autograd::options! {
    /// Options of [`GradScaler::update_with`].
    #[derive(Clone, Debug)]
    UpdateOptions {
        /// The new scale, in place of the one that follows from what the steps found (`None`).
        new_scale: NewScale = NewScale::None,
    }
}

/// A scale that is set by hand: a number, or a tensor of one.
#[derive(Clone, Debug)]
pub enum NewScale {
    /// None: the scale follows from what the steps found.
    None,
    /// A number.
    Number(f64),
    /// A tensor without dimensions.
    Tensor(Tensor),
}

flambeau_autograd::settings! {
    [] f64 => NewScale: |scale| NewScale::Number(scale);
    ['a] &'a Tensor => NewScale: |scale| NewScale::Tensor(scale.shallow_clone());
    [] Tensor => NewScale: |scale| NewScale::Tensor(scale);
    [] NewScale => NewScale: |scale| scale;
    [] Option<f64> => NewScale: |scale| scale.map_or(NewScale::None, NewScale::Number);
}

/// Where an optimizer stands between two updates of the scale.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Ready,
    Unscaled,
    Stepped,
}

/// What is known of an optimizer since the last update of the scale.
struct PerOptimizer {
    optimizer: Optimizer,
    stage: Stage,
    /// Of each device with gradients: whether one of them has an infinity or a NaN, as a tensor, and once it was read as a truth value.
    found_inf: Vec<(Array, Option<bool>)>,
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

struct Inner {
    device: Option<Device>,
    enabled: bool,
    growth_factor: f64,
    backoff_factor: f64,
    growth_interval: i64,
    /// What was set until something is scaled; then with float32's digits, as PyTorch's tensor has.
    scale: f64,
    growth_tracker: i64,
    /// The scale on each device that has seen one, made anew when it changes.
    on_devices: Vec<Tensor>,
    /// Whether something was scaled: PyTorch makes its tensors then.
    started: bool,
    optimizers: Vec<PerOptimizer>,
}

/// Keeps small gradients from becoming zeros in float16: `torch.amp.GradScaler(device)`. The loss is multiplied by a scale before
/// backward, and the gradients are divided by it before the step. A step whose gradients hold an infinity or a NaN is left out, and
/// the scale shrinks; after many steps in a row without one it grows. It is a cheap handle, whose clones are the same scaler.
///
/// `device` is the kind of device, `"cuda"` or `"cpu"`. Where there is no GPU, a scaler for `"cuda"` is not enabled, and warns.
///
/// ```
/// use flambeau_optim::{GradScaler, SGD};
/// let w = flambeau_autograd::tensor([1.0, 2.0]).requires_grad_(true);
/// let (optimizer, scaler) = (SGD::new([&w], 0.5), GradScaler::new("cpu"));
/// optimizer.zero_grad();
/// scaler.scale(w.sum()).backward();
/// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [65536.0, 65536.0]);
/// scaler.step(&optimizer);
/// scaler.update();
/// assert_eq!(w.detach().to_vec::<f32>(), [0.5, 1.5]);
/// ```
#[derive(Clone)]
pub struct GradScaler(Arc<Mutex<Inner>>);

static IS_NOT_FINITE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).unary(UnaryOp::IsFinite).eq(0.0)));
static UNSCALE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::with_outputs(|b| vec![b.input(0) * b.scalar(0)]));

const NEW_SCALE: &str =
    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False.";

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(flambeau_autograd::Error::runtime(message).into())
}

impl GradScaler {
    /// A scaler with PyTorch's defaults: `torch.amp.GradScaler(device)`.
    ///
    /// # Panics
    /// For a word that names no device.
    #[track_caller]
    pub fn new(device: impl DeviceType) -> Self {
        Self::with(device, |options| options)
    }

    /// A scaler with options: `GradScaler::with("cuda", |o| o.init_scale(1024.0).enabled(use_amp))`.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::with("cpu", |o| o.init_scale(8.0).growth_interval(100));
    /// assert_eq!((scaler.get_scale(), scaler.get_growth_interval()), (8.0, 100));
    /// ```
    ///
    /// # Panics
    /// For a word that names no device, a growth factor of at most 1, and a backoff factor of at least 1.
    #[track_caller]
    pub fn with(device: impl DeviceType, options: impl FnOnce(GradScalerOptions) -> GradScalerOptions) -> Self {
        let options = options(GradScalerOptions::default());
        let mut enabled = options.enabled;
        // Of a kind of device that flambeau lacks, PyTorch's scaler is made too.
        let device = device.device_type().ok();
        if let (true, Some(device @ Device::Wgpu(_))) = (enabled, device)
            && !flambeau_autograd::mode::has_device(device)
        {
            warn("torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.");
            enabled = false;
        }
        if enabled {
            let checked = match (options.growth_factor > 1.0, options.backoff_factor < 1.0) {
                (false, _) => refuse("The growth factor must be > 1.0."),
                (_, false) => refuse("The backoff factor must be < 1.0."),
                _ => Ok(()),
            };
            checked.or_panic();
        }
        GradScaler(Arc::new(Mutex::new(Inner {
            device,
            enabled,
            growth_factor: options.growth_factor,
            backoff_factor: options.backoff_factor,
            growth_interval: options.growth_interval,
            scale: options.init_scale,
            growth_tracker: 0,
            on_devices: Vec::new(),
            started: false,
            optimizers: Vec::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Outputs times the scale: `scaler.scale(outputs)`. `outputs` is a tensor, or a list or tuple of them, which may be nested. A scaler
    /// that is not enabled returns them as they are.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::with("cpu", |o| o.init_scale(4.0));
    /// let loss = flambeau_autograd::tensor(0.5);
    /// assert_eq!(scaler.scale(&loss).item(), 2.0);
    /// let (a, b) = scaler.scale((&loss, &loss));
    /// assert_eq!(a.item() + b.item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// When no memory is left.
    #[track_caller]
    pub fn scale<S: Scalable>(&self, outputs: S) -> S::Scaled {
        let enabled = self.is_enabled();
        outputs.scaled(&mut |x| if enabled { self.scaled(x).or_panic() } else { x.shallow_clone() })
    }

    fn scaled(&self, x: &Tensor) -> Result<Tensor> {
        let scale = {
            let mut inner = self.lock();
            inner.start();
            inner.on_device(x.device())?
        };
        // A tensor, as PyTorch's: of float32, whatever the loss is.
        Ok(ops::mul(x, &scale)?)
    }

    /// Divides the gradients of an optimizer's parameters by the scale, and looks for infinities and NaN among them:
    /// `scaler.unscale_(optimizer)`. Whoever clips gradients calls it before; else [`GradScaler::step`] does.
    ///
    /// # Panics
    /// When it was called for this optimizer since the last update, before anything was scaled, or for gradients in float16.
    ///
    /// ```
    /// let w = flambeau_autograd::tensor([3.0, 4.0]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 1.0);
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.scale(w.square().sum()).backward();
    /// scaler.unscale_(&optimizer);
    /// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [6.0, 8.0]);
    /// scaler.step(&optimizer);
    /// scaler.update();
    /// ```
    #[track_caller]
    pub fn unscale_(&self, optimizer: impl AsRef<Optimizer>) {
        self.try_unscale_(optimizer).or_panic();
    }

    /// [`GradScaler::unscale_`] with a result.
    ///
    /// # Errors
    /// Where `unscale_` panics.
    #[track_caller]
    pub fn try_unscale_(&self, optimizer: impl AsRef<Optimizer>) -> Result<()> {
        let caller = Location::caller();
        let mut inner = self.lock();
        if !inner.enabled {
            return Ok(());
        }
        inner.check_started("unscale_")?;
        inner.unscale(optimizer.as_ref(), caller)
    }

    /// Unscales the gradients unless that was done, and takes the optimizer's step unless one of them is infinite or NaN:
    /// `scaler.step(optimizer)`. The one look at the device is here.
    ///
    /// # Panics
    /// When it was called for this optimizer since the last update, or no parameter has a gradient; as [`GradScaler::unscale_`] and
    /// [`Optimizer::step`].
    ///
    /// ```
    /// let w = flambeau_autograd::tensor([1.0]).requires_grad_(true);
    /// let optimizer = flambeau_optim::SGD::new([&w], 0.5);
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.scale(w.sum() * f64::INFINITY).backward();
    /// scaler.step(&optimizer);
    /// scaler.update();
    /// assert_eq!((w.item(), scaler.get_scale()), (1.0, 32768.0));
    /// ```
    #[track_caller]
    pub fn step(&self, optimizer: impl AsRef<Optimizer>) {
        self.try_step(optimizer).or_panic();
    }

    /// [`GradScaler::step`] with a result.
    ///
    /// # Errors
    /// Where `step` panics.
    #[track_caller]
    pub fn try_step(&self, optimizer: impl AsRef<Optimizer>) -> Result<()> {
        let (caller, optimizer) = (Location::caller(), optimizer.as_ref());
        let skips = {
            let mut inner = self.lock();
            match inner.enabled {
                false => false,
                true => inner.before_step(optimizer, caller)?,
            }
        };
        // Without the lock: hooks of the step may ask the scaler.
        if !skips {
            optimizer.try_step()?;
        }
        let mut inner = self.lock();
        if inner.enabled {
            inner.of(optimizer).stage = Stage::Stepped;
        }
        Ok(())
    }

    /// Makes the scale smaller after a step that was left out, larger after many that were not: `scaler.update()`. It ends the
    /// iteration, after the steps of all optimizers.
    ///
    /// # Panics
    /// When no gradients were looked at since the last update.
    #[track_caller]
    pub fn update(&self) {
        self.try_update_with(|options| options).or_panic();
    }

    /// [`GradScaler::update`] with the keyword `new_scale`, which sets the scale: a float, or a tensor of one.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.scale(flambeau_autograd::tensor(1.0));
    /// scaler.update_with(|o| o.new_scale(256.0));
    /// assert_eq!(scaler.get_scale(), 256.0);
    /// ```
    ///
    /// # Panics
    /// As [`GradScaler::update`]; for a tensor of several elements, that requires grad, or on another kind of device.
    #[track_caller]
    pub fn update_with(&self, options: impl FnOnce(UpdateOptions) -> UpdateOptions) {
        self.try_update_with(options).or_panic();
    }

    /// [`GradScaler::update_with`] with a result.
    ///
    /// # Errors
    /// Where `update_with` panics.
    pub fn try_update_with(&self, options: impl FnOnce(UpdateOptions) -> UpdateOptions) -> Result<()> {
        let options = options(UpdateOptions::default());
        let mut inner = self.lock();
        if !inner.enabled {
            return Ok(());
        }
        inner.check_started("update")?;
        let scale = match options.new_scale {
            NewScale::Number(scale) => scale,
            NewScale::Tensor(scale) => inner.new_scale(&scale)?,
            NewScale::None => inner.next_scale()?,
        };
        inner.set_scale(scale);
        inner.optimizers.clear();
        Ok(())
    }

    /// The scale; 1 where the scaler is not enabled: `scaler.get_scale()`.
    ///
    /// ```
    /// use flambeau_optim::GradScaler;
    /// assert_eq!(GradScaler::new("cpu").get_scale(), 65536.0);
    /// assert_eq!(GradScaler::with("cpu", |o| o.enabled(false)).get_scale(), 1.0);
    /// ```
    pub fn get_scale(&self) -> f64 {
        let inner = self.lock();
        if inner.enabled { inner.scale } else { 1.0 }
    }

    /// The factor by which the scale grows: `scaler.get_growth_factor()`.
    ///
    /// ```
    /// assert_eq!(flambeau_optim::GradScaler::new("cpu").get_growth_factor(), 2.0);
    /// ```
    pub fn get_growth_factor(&self) -> f64 {
        self.lock().growth_factor
    }

    /// Sets [`GradScaler::get_growth_factor`]: `scaler.set_growth_factor(new_factor)`.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.set_growth_factor(4.0);
    /// assert_eq!(scaler.get_growth_factor(), 4.0);
    /// ```
    pub fn set_growth_factor(&self, new_factor: f64) {
        self.lock().growth_factor = new_factor;
    }

    /// The factor by which the scale shrinks: `scaler.get_backoff_factor()`.
    ///
    /// ```
    /// assert_eq!(flambeau_optim::GradScaler::new("cpu").get_backoff_factor(), 0.5);
    /// ```
    pub fn get_backoff_factor(&self) -> f64 {
        self.lock().backoff_factor
    }

    /// Sets [`GradScaler::get_backoff_factor`]: `scaler.set_backoff_factor(new_factor)`.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.set_backoff_factor(0.25);
    /// assert_eq!(scaler.get_backoff_factor(), 0.25);
    /// ```
    pub fn set_backoff_factor(&self, new_factor: f64) {
        self.lock().backoff_factor = new_factor;
    }

    /// After how many steps in a row the scale grows: `scaler.get_growth_interval()`.
    ///
    /// ```
    /// assert_eq!(flambeau_optim::GradScaler::new("cpu").get_growth_interval(), 2000);
    /// ```
    pub fn get_growth_interval(&self) -> i64 {
        self.lock().growth_interval
    }

    /// Sets [`GradScaler::get_growth_interval`]: `scaler.set_growth_interval(new_interval)`.
    ///
    /// ```
    /// let scaler = flambeau_optim::GradScaler::new("cpu");
    /// scaler.set_growth_interval(10);
    /// assert_eq!(scaler.get_growth_interval(), 10);
    /// ```
    pub fn set_growth_interval(&self, new_interval: i64) {
        self.lock().growth_interval = new_interval;
    }

    /// Whether there is any scaling: `scaler.is_enabled()`.
    ///
    /// ```
    /// assert!(flambeau_optim::GradScaler::new("cpu").is_enabled());
    /// ```
    pub fn is_enabled(&self) -> bool {
        self.lock().enabled
    }

    /// The scale, its factors and its counter under PyTorch's names; nothing where the scaler is not enabled:
    /// `scaler.state_dict()`.
    ///
    /// ```
    /// let state = flambeau_optim::GradScaler::new("cpu").state_dict();
    /// let names: Vec<&str> = state.entries.iter().map(|(name, _)| name.as_str()).collect();
    /// assert_eq!(names, ["scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker"]);
    /// ```
    pub fn state_dict(&self) -> ScalerState {
        let inner = self.lock();
        if !inner.enabled {
            return ScalerState::default();
        }
        let numbers: [(&str, Scalar); 5] = [
            (SCALE, inner.scale.into()),
            (GROWTH_FACTOR, inner.growth_factor.into()),
            (BACKOFF_FACTOR, inner.backoff_factor.into()),
            (GROWTH_INTERVAL, inner.growth_interval.into()),
            (GROWTH_TRACKER, inner.growth_tracker.into()),
        ];
        ScalerState { entries: numbers.into_iter().map(|(name, number)| (name.to_owned(), number.into())).collect() }
    }

    /// Takes over what [`GradScaler::state_dict`] gave: `scaler.load_state_dict(state_dict)`. A scaler that is not enabled stays as
    /// it is.
    ///
    /// ```
    /// use flambeau_optim::GradScaler;
    /// let (from, to) = (GradScaler::with("cpu", |o| o.init_scale(8.0)), GradScaler::new("cpu"));
    /// to.load_state_dict(&from.state_dict()).unwrap();
    /// assert_eq!(to.get_scale(), 8.0);
    /// ```
    ///
    /// # Errors
    /// When the state is empty, as of a scaler that was not enabled, or lacks an entry.
    pub fn load_state_dict(&self, state_dict: &ScalerState) -> Result<()> {
        let mut inner = self.lock();
        if !inner.enabled {
            return Ok(());
        }
        if state_dict.entries.is_empty() {
            return refuse(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler.",
            );
        }
        let number = |name: &str| match state_dict.get(name).map(OptionValue::as_f64) {
            Some(Some(number)) => Ok(number),
            Some(None) => Err(Error::Type(format!("the scaler's {name} must be a number"))),
            None => Err(Error::Key(name.to_owned())),
        };
        let numbers = [SCALE, GROWTH_FACTOR, BACKOFF_FACTOR, GROWTH_INTERVAL, GROWTH_TRACKER].map(number);
        let [scale, growth, backoff, interval, tracker] = numbers;
        let scale = scale?;
        (inner.growth_factor, inner.backoff_factor) = (growth?, backoff?);
        (inner.growth_interval, inner.growth_tracker) = (interval? as i64, tracker? as i64);
        inner.set_scale(scale);
        Ok(())
    }
}

const SCALE: &str = "scale";
const GROWTH_FACTOR: &str = "growth_factor";
const BACKOFF_FACTOR: &str = "backoff_factor";
const GROWTH_INTERVAL: &str = "growth_interval";
const GROWTH_TRACKER: &str = "_growth_tracker";

/// What a [`GradScaler`] remembers, under PyTorch's names and in their order.
///
/// ```
/// let state = flambeau_optim::GradScaler::new("cpu").state_dict();
/// assert_eq!(state.get("scale").unwrap().as_f64(), Some(65536.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScalerState {
    /// Names and numbers.
    pub entries: Vec<(String, OptionValue)>,
}

impl ScalerState {
    /// The entry of that name.
    pub fn get(&self, name: &str) -> Option<OptionValue> {
        self.entries.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }
}

impl Inner {
    /// The scale as a tensor on a device.
    fn on_device(&mut self, device: Device) -> Result<Tensor> {
        if let Some(scale) = self.on_devices.iter().find(|t| t.device() == device) {
            return Ok(scale.shallow_clone());
        }
        let scale = flambeau_autograd::from_scalars(&[self.scale.into()], &[], DType::F32)?;
        let scale = ops::to_device(&scale, device)?;
        self.on_devices.push(scale.shallow_clone());
        Ok(scale)
    }

    /// Something is scaled: PyTorch makes its tensor now.
    fn start(&mut self) {
        if !self.started {
            self.started = true;
            self.set_scale(self.scale);
        }
    }

    fn set_scale(&mut self, scale: f64) {
        let scale = if self.started { f64::from(scale as f32) } else { scale };
        if self.scale.to_bits() != scale.to_bits() {
            self.scale = scale;
            self.on_devices.clear();
        }
    }

    fn check_started(&self, function: &str) -> Result<()> {
        match self.started {
            true => Ok(()),
            false => refuse(format!(
                "Attempted {function} but _scale is None.  This may indicate your script did not use scaler.scale(loss or \
                 outputs) earlier in the iteration."
            )),
        }
    }

    fn of(&mut self, optimizer: &Optimizer) -> &mut PerOptimizer {
        let known = self.optimizers.iter().position(|known| known.optimizer.is_same(optimizer));
        let at = known.unwrap_or_else(|| {
            let (optimizer, stage, found_inf) = (optimizer.clone(), Stage::Ready, Vec::new());
            self.optimizers.push(PerOptimizer { optimizer, stage, found_inf });
            self.optimizers.len() - 1
        });
        &mut self.optimizers[at]
    }

    fn unscale(&mut self, optimizer: &Optimizer, caller: &'static Location<'static>) -> Result<()> {
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
    fn before_step(&mut self, optimizer: &Optimizer, caller: &'static Location<'static>) -> Result<bool> {
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
    fn next_scale(&mut self) -> Result<f64> {
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

    fn new_scale(&self, scale: &Tensor) -> Result<f64> {
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

/// What [`GradScaler::scale`] takes: a tensor, or a list or tuple of what it takes.
pub trait Scalable {
    /// The same of scaled tensors.
    type Scaled;

    /// Scales each tensor.
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled;
}

impl Scalable for &Tensor {
    type Scaled = Tensor;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Tensor {
        scale(self)
    }
}

impl Scalable for Tensor {
    type Scaled = Tensor;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Tensor {
        scale(&self)
    }
}

impl<S: Scalable> Scalable for Vec<S> {
    type Scaled = Vec<S::Scaled>;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        self.into_iter().map(|x| x.scaled(scale)).collect()
    }
}

impl<S: Scalable, const N: usize> Scalable for [S; N] {
    type Scaled = [S::Scaled; N];
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        self.map(|x| x.scaled(scale))
    }
}

impl<'a> Scalable for &'a [Tensor] {
    type Scaled = Vec<Tensor>;
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Vec<Tensor> {
        self.iter().map(scale).collect()
    }
}

impl<A: Scalable, B: Scalable> Scalable for (A, B) {
    type Scaled = (A::Scaled, B::Scaled);
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        (self.0.scaled(scale), self.1.scaled(scale))
    }
}

impl<A: Scalable, B: Scalable, C: Scalable> Scalable for (A, B, C) {
    type Scaled = (A::Scaled, B::Scaled, C::Scaled);
    fn scaled(self, scale: &mut dyn FnMut(&Tensor) -> Tensor) -> Self::Scaled {
        (self.0.scaled(scale), self.1.scaled(scale), self.2.scaled(scale))
    }
}
