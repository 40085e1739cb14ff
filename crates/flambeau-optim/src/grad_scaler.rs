//! Scaled gradients: `torch.amp.GradScaler`.

mod inner;
mod scalable;

pub use scalable::Scalable;

use crate::error::{Error, Result};
use crate::optimizer::Optimizer;
use crate::options::OptionValue;
use flambeau_autograd::mode::DeviceType;
use flambeau_autograd::{AsState, OrPanic, Tensor, ops, warn};
use flambeau_tensor::{Device, Scalar};
use inner::{Inner, Stage, refuse};
use std::borrow::Cow;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        let mut failed = Ok(());
        let outputs = outputs.scaled(&mut |x| match if enabled { self.scaled(x) } else { Ok(x.shallow_clone()) } {
            Ok(scaled) => scaled,
            Err(error) => {
                failed = Err(error);
                x.shallow_clone()
            }
        });
        failed.or_panic();
        outputs
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
        self.update_with(|options| options);
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
    /// it is. A file's value may also stand there: `scaler.load_state_dict(&checkpoint["scaler"])`.
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
    pub fn load_state_dict(&self, state_dict: impl AsState<ScalerState>) -> Result<()> {
        let state_dict = state_dict.as_state()?;
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

impl AsState<ScalerState> for ScalerState {
    fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, ScalerState>> {
        Ok(Cow::Borrowed(self))
    }
}
