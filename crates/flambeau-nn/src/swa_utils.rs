//! Averages of a model's weights: the parts of `torch.optim.swa_utils` that are modules and functions of tensors. The facade
//! shows them there, beside the scheduler `SWALR`.

use crate::layers::normalisations;
use crate::{Buffer, Forward, Input, Module, ModuleState, Output};
use flambeau_autograd::{Setting, Tensor, at_caller, no_grad, options, tensor};
use flambeau_tensor::Device;
use std::sync::Arc;

/// How one averaged tensor is found: from the average so far, the model's tensor, and how many were averaged (int64).
type Average = Arc<dyn Fn(&Tensor, &Tensor, &Tensor) -> Tensor + Send + Sync>;
/// How several are, in place.
type Averages = Arc<dyn Fn(&[Tensor], &[Tensor], &Tensor) + Send + Sync>;

/// PyTorch's check of a decay.
#[track_caller]
fn check_decay(decay: f64) {
    // NaN passes, as in PyTorch.
    let allowed = decay.is_nan() || (0.0..=1.0).contains(&decay);
    let decay = flambeau_tensor::print::py_float(decay);
    assert!(allowed, "Invalid decay value {decay} provided. Please provide a value in [0,1] range.");
}

/// An exponential moving average, decay · average + (1 − decay) · parameter: `get_ema_avg_fn(decay)`, where PyTorch's default of
/// `decay` is 0.999. For [`AveragedModelOptions::avg_fn`].
///
/// # Panics
/// When the decay is not between 0 and 1.
///
/// ```
/// use flambeau_autograd::tensor;
/// let ema = flambeau_nn::swa_utils::get_ema_avg_fn(0.75);
/// assert_eq!(ema(&tensor(4.0), &tensor(8.0), &tensor(1)).item(), 5.0);
/// ```
#[track_caller]
pub fn get_ema_avg_fn(decay: f64) -> impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor + Clone + Send + Sync + 'static {
    check_decay(decay);
    move |average: &Tensor, parameter: &Tensor, _: &Tensor| {
        let _guard = no_grad();
        average.mul(decay).add(parameter.mul(1.0 - decay))
    }
}

/// The mean of all, average + (parameter − average) / (n + 1): `get_swa_avg_fn()`. For [`AveragedModelOptions::avg_fn`].
///
/// ```
/// use flambeau_autograd::tensor;
/// let mean = flambeau_nn::swa_utils::get_swa_avg_fn();
/// assert_eq!(mean(&tensor(4.0), &tensor(8.0), &tensor(3)).item(), 5.0);
/// ```
pub fn get_swa_avg_fn() -> impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor + Clone + Send + Sync + 'static {
    |average: &Tensor, parameter: &Tensor, num_averaged: &Tensor| {
        let _guard = no_grad();
        average.add(parameter.sub(average).div(num_averaged.add(1)))
    }
}

/// Each average moves towards its parameter by a share of the way between them.
fn lerp(averages: &[Tensor], parameters: &[Tensor], share: f64) {
    averages.iter().zip(parameters).for_each(|(average, parameter)| drop(average.lerp_(parameter, share)));
}

/// [`get_ema_avg_fn`] for lists of tensors of one dtype, in place: `get_ema_multi_avg_fn(decay)`, where PyTorch's default of
/// `decay` is 0.999. For [`AveragedModelOptions::multi_avg_fn`].
///
/// # Panics
/// When the decay is not between 0 and 1.
///
/// ```
/// use flambeau_autograd::tensor;
/// let (averages, ema) = ([tensor(4.0)], flambeau_nn::swa_utils::get_ema_multi_avg_fn(0.75));
/// ema(&averages, &[tensor(8.0)], &tensor(1));
/// assert_eq!(averages[0].item(), 5.0);
/// ```
#[track_caller]
pub fn get_ema_multi_avg_fn(decay: f64) -> impl Fn(&[Tensor], &[Tensor], &Tensor) + Clone + Send + Sync + 'static {
    check_decay(decay);
    move |averages: &[Tensor], parameters: &[Tensor], _: &Tensor| {
        let _guard = no_grad();
        if averages[0].is_floating_point() {
            return lerp(averages, parameters, 1.0 - decay);
        }
        for (average, parameter) in averages.iter().zip(parameters) {
            average.copy_(average.mul(decay).add(parameter.mul(1.0 - decay)));
        }
    }
}

/// [`get_swa_avg_fn`] for lists of tensors of one dtype, in place: `get_swa_multi_avg_fn()`. For
/// [`AveragedModelOptions::multi_avg_fn`]. Integers fail, as in PyTorch: it divides them with `addcdiv`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let (averages, mean) = ([tensor(4.0)], flambeau_nn::swa_utils::get_swa_multi_avg_fn());
/// mean(&averages, &[tensor(8.0)], &tensor(3));
/// assert_eq!(averages[0].item(), 5.0);
/// ```
pub fn get_swa_multi_avg_fn() -> impl Fn(&[Tensor], &[Tensor], &Tensor) + Clone + Send + Sync + 'static {
    |averages: &[Tensor], parameters: &[Tensor], num_averaged: &Tensor| {
        let _guard = no_grad();
        let count = num_averaged.add(1);
        if averages[0].is_floating_point() {
            // PyTorch divides in the default dtype.
            return lerp(averages, parameters, count.reciprocal().item());
        }
        for (average, parameter) in averages.iter().zip(parameters) {
            average.addcdiv_(parameter.sub(average), &count);
        }
    }
}

/// How an [`AveragedModel`] averages.
#[derive(Clone, Default)]
struct Averaging {
    single: Option<Average>,
    several: Option<Averages>,
    use_buffers: bool,
}

/// Options of [`AveragedModel`].
#[derive(Clone, Default)]
pub struct AveragedModelOptions {
    averaging: Averaging,
    device: Option<Device>,
}

impl AveragedModelOptions {
    /// How one averaged tensor is found: from the average so far, the model's tensor, and how many were averaged, an int64 tensor
    /// without dimensions (the mean of all).
    #[must_use]
    pub fn avg_fn(mut self, avg_fn: impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        self.averaging.single = Some(Arc::new(avg_fn));
        self
    }

    /// How all averaged tensors of one dtype are found at once; it writes them in place (`None`).
    #[must_use]
    pub fn multi_avg_fn(
        mut self,
        multi_avg_fn: impl Fn(&[Tensor], &[Tensor], &Tensor) + Send + Sync + 'static,
    ) -> Self {
        self.averaging.several = Some(Arc::new(multi_avg_fn));
        self
    }

    /// Whether buffers are averaged as parameters are; else the model's are copied (false).
    #[must_use]
    pub fn use_buffers(mut self, use_buffers: bool) -> Self {
        self.averaging.use_buffers = use_buffers;
        self
    }

    /// Where the averages are kept (the model's device).
    #[track_caller]
    #[must_use]
    pub fn device(mut self, device: impl Setting<Option<Device>>) -> Self {
        self.device = device.setting();
        self
    }
}

/// A copy of a model whose weights are averages of the model's: `torch.optim.swa_utils.AveragedModel`. It is called as the model
/// is. State dicts have PyTorch's names: `n_averaged`, and the model's after `module.`.
///
/// ```
/// use flambeau_nn::{self as nn, Call, Module, swa_utils::AveragedModel};
///
/// let model = nn::Linear::new(2, 1);
/// let averaged = AveragedModel::new(&model);
/// for value in [1.0, 2.0, 6.0] {
///     model.weight.data().fill_(value);
///     averaged.update_parameters(&model);
/// }
/// assert_eq!(averaged.module.weight.to_vec::<f32>(), [3.0, 3.0]);
/// assert_eq!(averaged.state_dict().keys().collect::<Vec<_>>(), ["n_averaged", "module.weight", "module.bias"]);
/// assert_eq!(averaged.call(flambeau_autograd::ones([4, 2])).size(), [4, 1]);
/// ```
#[derive(Module)]
pub struct AveragedModel<M: Module> {
    /// The copy.
    pub module: M,
    /// How many models were averaged; int64, without dimensions.
    pub n_averaged: Buffer,
    #[module(skip)]
    averaging: Averaging,
    state: ModuleState,
}

impl<M: Module> AveragedModel<M> {
    /// The mean of all models that [`AveragedModel::update_parameters`] gets: `AveragedModel(model)`.
    ///
    /// # Panics
    /// When the model cannot be copied: see [`crate::deepcopy`].
    #[track_caller]
    pub fn new(model: &M) -> Self {
        Self::with(model, |o| o)
    }

    /// With options: `device`, `avg_fn`, `multi_avg_fn`, `use_buffers`.
    ///
    /// # Panics
    /// As [`AveragedModel::new`]; with both functions, in PyTorch's words.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, swa_utils::{AveragedModel, get_ema_multi_avg_fn}};
    ///
    /// let model = nn::Linear::new(2, 1);
    /// let ema = AveragedModel::with(&model, |o| o.multi_avg_fn(get_ema_multi_avg_fn(0.75)));
    /// for value in [4.0, 8.0] {
    ///     model.weight.data().fill_(value);
    ///     ema.update_parameters(&model);
    /// }
    /// assert_eq!(ema.module.weight.to_vec::<f32>(), [5.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn with(model: &M, options: impl FnOnce(AveragedModelOptions) -> AveragedModelOptions) -> Self {
        let AveragedModelOptions { averaging, device } = options(AveragedModelOptions::default());
        let both = averaging.single.is_some() && averaging.several.is_some();
        assert!(!both, "Only one of avg_fn and multi_avg_fn should be provided");
        let mut module = model.deepcopy();
        let mut count = tensor(0_i64);
        if let Some(device) = device {
            (module, count) = (module.to(device), count.to(device));
        }
        AveragedModel { module, n_averaged: Buffer::new(count), averaging, state: ModuleState::new() }
    }

    /// Averages the model's weights into the copy's; the first time it copies them: `update_parameters(model)`.
    ///
    /// # Panics
    /// When the model's shapes are not the copy's.
    #[track_caller]
    pub fn update_parameters(&self, model: &dyn Module) {
        let all = |module: &dyn Module| {
            let buffers = if self.averaging.use_buffers { module.buffers() } else { Vec::new() };
            let tensors = module.parameters().into_iter().chain(buffers);
            tensors.map(|x| x.detach()).collect::<Vec<_>>()
        };
        let mut pairs: Vec<(Tensor, Tensor)> = all(self.module.as_module()).into_iter().zip(all(model)).collect();
        pairs.iter_mut().for_each(|(average, x)| *x = x.to(average.device()));
        if self.n_averaged.item() == 0.0 {
            for (average, x) in &pairs {
                average.copy_(x);
            }
        } else {
            at_caller(|| self.average(&pairs));
        }
        if !self.averaging.use_buffers {
            let (averages, others) = (self.module.buffers(), model.buffers());
            for (average, x) in averages.iter().zip(&others) {
                let average = average.detach();
                average.copy_(x.detach().to(average.device()));
            }
            let relation = if others.len() < averages.len() { "shorter" } else { "longer" };
            assert!(averages.len() == others.len(), "zip() argument 2 is {relation} than argument 1");
        }
        let _guard = no_grad();
        self.n_averaged.add_(1);
    }

    #[track_caller]
    fn average(&self, pairs: &[(Tensor, Tensor)]) {
        if let Some(average) = &self.averaging.single {
            for (old, x) in pairs {
                old.copy_(average(old, x, &self.n_averaged.to(old.device())));
            }
            return;
        }
        // Tensors of one device and dtype go together.
        let mut groups: Vec<(Vec<Tensor>, Vec<Tensor>)> = Vec::new();
        for (old, x) in pairs {
            let same =
                |(olds, _): &(Vec<Tensor>, _)| (olds[0].device(), olds[0].dtype()) == (old.device(), old.dtype());
            let at = groups.iter().position(same).unwrap_or_else(|| {
                groups.push(Default::default());
                groups.len() - 1
            });
            groups[at].0.push(old.shallow_clone());
            groups[at].1.push(x.shallow_clone());
        }
        for (olds, xs) in &groups {
            let count = self.n_averaged.to(olds[0].device());
            match &self.averaging.several {
                Some(averages) => averages(olds, xs, &count),
                // PyTorch has kernels for lists of tensors on GPUs only.
                None if !olds[0].device().is_cpu() => get_swa_multi_avg_fn()(olds, xs, &count),
                None => {
                    let average = get_swa_avg_fn();
                    for (old, x) in olds.iter().zip(xs) {
                        old.copy_(average(old, x, &count));
                    }
                }
            }
        }
    }
}

impl<In: Input, Out: Output, M: Forward<In, Out>> Forward<In, Out> for AveragedModel<M> {
    #[track_caller]
    fn forward(&self, input: In::Ref<'_>) -> Out {
        self.module.call_ref(input)
    }
}

/// A batch whose first tensor is the model's input.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no batch with an input",
    label = "a tensor is expected here, or a tuple or list whose first is one"
)]
pub trait InputBatch {
    /// The input.
    fn input(self) -> Tensor;
}

impl InputBatch for Tensor {
    fn input(self) -> Tensor {
        self
    }
}

impl InputBatch for &Tensor {
    fn input(self) -> Tensor {
        self.shallow_clone()
    }
}

impl InputBatch for Vec<Tensor> {
    #[track_caller]
    fn input(mut self) -> Tensor {
        self.swap_remove(0)
    }
}

/// Tuples of these lengths.
macro_rules! tuples {
    ($(($($t:ident),*);)+) => {$(
        impl<$($t),*> InputBatch for (Tensor, $($t,)*) {
            fn input(self) -> Tensor {
                self.0
            }
        }
    )+};
}
tuples! {
    ();
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
}

options! {
    /// Options of [`update_bn`].
    #[derive(Clone, Debug)]
    UpdateBnOptions {
        /// Where the inputs are moved (where they are).
        device: Option<Device> = None,
    }
}

/// Sets the running statistics of a model's batch norms to the mean over a pass through a loader: `update_bn(loader, model)`. A
/// batch is a tensor, or a tuple or list whose first is the model's input.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// use flambeau_nn::{self as nn, Module, swa_utils::update_bn};
///
/// let model = nn::sequential![nn::BatchNorm1d::new(2)];
/// update_bn([zeros([4, 2]), ones([4, 2])], &model);
/// let norm = model[0].as_module().downcast_ref::<nn::BatchNorm1d>().unwrap();
/// assert_eq!(norm.running_mean.as_ref().unwrap().to_vec::<f32>(), [0.5, 0.5]);
/// ```
///
/// # Panics
/// When the model fails on an input.
#[track_caller]
pub fn update_bn<B: InputBatch, Out: Output>(
    loader: impl IntoIterator<Item = B>,
    model: &(impl Forward<Tensor, Out> + ?Sized),
) {
    update_bn_with(loader, model, |o| o);
}

/// [`update_bn`] with options: `device`.
///
/// # Panics
/// As [`update_bn`].
#[track_caller]
pub fn update_bn_with<B: InputBatch, Out: Output>(
    loader: impl IntoIterator<Item = B>,
    model: &(impl Forward<Tensor, Out> + ?Sized),
    options: impl FnOnce(UpdateBnOptions) -> UpdateBnOptions,
) {
    let _guard = no_grad();
    let UpdateBnOptions { device } = options(UpdateBnOptions::default());
    let module = model.as_module();
    let norms = module.modules().into_iter().filter(|module| normalisations::reset(*module)).collect::<Vec<_>>();
    if norms.is_empty() {
        return;
    }
    let training = module.training();
    module.train();
    norms.iter().for_each(|norm| normalisations::set_cumulative(*norm, true));
    for batch in loader {
        let input = batch.input();
        let input = device.map_or_else(|| input.shallow_clone(), |device| input.to(device));
        model.call_ref(&input);
    }
    norms.iter().for_each(|norm| normalisations::set_cumulative(*norm, false));
    module.train_mode(training);
}
