//! Deep learning in pure Rust with the API of PyTorch.
//!
//! The package is `flambeau`, the library that it brings is `torch`: add it and port line by line.
//!
//! ```toml
//! flambeau = { git = "https://github.com/flambeau-rs/flambeau" }
//! ```
//!
//! ```
//! use torch::prelude::*;
//!
//! torch::manual_seed(0);
//! let model = nn::Linear::new(4, 2);
//! let optimizer = optim::SGD::new(model.parameters(), 0.1);
//! let x = torch::randn([8, 4]);
//! let loss = model.call(&x).square().mean();
//! optimizer.zero_grad();
//! loss.backward();
//! optimizer.step();
//! assert!(model.call(&x).square().mean().item() < loss.item());
//! ```
//!
//! This crate only re-exports the crates below it, laid out as `torch` is; `docs/porting.md` shows each rule, Python beside
//! Rust.

// The derive names the library by its name, also in its own documentation tests.
extern crate self as torch;

pub use flambeau_autograd::ops::indexing::{Ellipsis, IntoIndex, NewAxis, slice};
pub use flambeau_autograd::ops::paths::torch::*;
pub use flambeau_autograd::ops::{self, IntoDims, IntoShape, Operand};
pub use flambeau_autograd::{
    Error, GradModeGuard, Node, OrPanic, Result, Size, Tensor, enable_grad, from_slice, from_vec, is_grad_enabled,
    no_grad, pointwise, registry, set_grad_enabled, tensor, tensor_with, unpack,
};
pub use flambeau_device::{
    check_device, default_device as get_default_device, default_generator, get_num_threads, manual_seed,
    set_default_device, set_num_threads,
};
pub use flambeau_serialize::numpy::from_numpy;
pub use flambeau_serialize::{LoadOptions, dict, load, load_with, save};
pub use flambeau_tensor::default_dtype as get_default_dtype;
pub use flambeau_tensor::print::{PrintOptions, Profile, printoptions, set_printoptions};
pub use flambeau_tensor::random::Generator;
pub use flambeau_tensor::{DType, Device, Element, Scalar, set_default_dtype};

pub use flambeau_autograd::mode::{
    AutocastGuard, autocast, autocast_decrement_nesting, autocast_increment_nesting, autocast_with,
    clear_autocast_cache, get_autocast_cpu_dtype, get_autocast_dtype, get_autocast_gpu_dtype,
    is_autocast_cache_enabled, is_autocast_cpu_enabled, is_autocast_enabled, set_autocast_cache_enabled,
    set_autocast_cpu_dtype, set_autocast_cpu_enabled, set_autocast_dtype, set_autocast_enabled, set_autocast_gpu_dtype,
};

mod dtypes;
mod python;
mod settings;
pub use dtypes::*;
pub use flambeau_autograd::ops::{MemoryFormat, TensorOptions, ToDevice};
pub use flambeau_autograd::{AsState, AsTensor, FInfo, FromSizes, IInfo, arguments, finfo, iinfo};
pub use flambeau_tensor::promotion::{can_cast, promote_types};
pub use python::{get_rng_state, initial_seed, is_complex, is_floating_point, numel, py, result_type, set_rng_state};
pub use random::seed;
pub use settings::{
    BoolTensor, ByteTensor, DoubleTensor, FloatTensor, HalfTensor, IntTensor, IntoTensor, LongTensor, as_tensor,
    as_tensor_with, compile, device, inference_mode, set_float32_matmul_precision, use_deterministic_algorithms,
};

pub mod accelerator;
pub mod amp;
pub mod cuda;
pub mod random;

/// `torch.jit`: what it is given, for everything is compiled here already.
///
/// ```
/// assert_eq!(torch::jit::script(3), 3);
/// ```
pub mod jit {
    pub use crate::settings::compile as script;
}

/// `torch.backends`: switches of PyTorch's libraries, which change nothing here.
///
/// ```
/// torch::backends::cudnn::set_benchmark(true);
/// torch::backends::cudnn::set_deterministic(true);
/// ```
pub mod backends {
    /// `torch.backends.mha`: whether attention in evaluation and without gradients is as PyTorch's fused implementation, whose
    /// masks mean something else ([`nn::MultiheadAttention`](crate::nn::MultiheadAttention)).
    ///
    /// ```
    /// use torch::backends::mha;
    /// mha::set_fastpath_enabled(false);
    /// assert!(!mha::get_fastpath_enabled());
    /// # mha::set_fastpath_enabled(true);
    /// ```
    pub mod mha {
        pub use flambeau_nn::mha::{get_fastpath_enabled, set_fastpath_enabled};
    }
    /// `torch.backends.cudnn`.
    pub mod cudnn {
        /// `torch.backends.cudnn.benchmark = …`: accepted.
        pub fn set_benchmark(_enabled: bool) {}
        /// `torch.backends.cudnn.deterministic = …`: accepted; kernels are deterministic.
        pub fn set_deterministic(_enabled: bool) {}
    }
}

#[cfg(feature = "wgpu")]
pub mod wgpu;

#[cfg(feature = "ndarray")]
pub use flambeau_autograd::{NdarrayGuard, NdarrayGuardMut, from_ndarray};

/// `torch.nn`: modules, layers, losses, initialisation.
///
/// ```
/// use torch::nn::{self, Module};
/// let model = nn::sequential![nn::Linear::new(4, 3), nn::ReLU::new(), nn::Linear::new(3, 2)];
/// assert_eq!(model.call(torch::zeros([5, 4])).size(), [5, 2]);
/// assert_eq!(model.parameters().len(), 4);
/// ```
pub mod nn {
    pub use flambeau_macros::{Module, forward};
    pub use flambeau_nn::*;
}

pub use flambeau_macros::forward;
pub use flambeau_nn::{Summary, SummaryOptions, deepcopy, summary, summary_with};

/// What a file of `torch.save` holds: Python's plain data with tensors as leaves. [`load`] returns it, [`dict!`] makes one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let checkpoint: torch::Value = torch::dict! { "epoch": 3, "weights": torch::ones(2) };
/// let weights: torch::Tensor = checkpoint["weights"].extract()?;
/// assert_eq!((checkpoint["epoch"].as_i64(), weights.size()), (Some(3), torch::ones(2).size()));
/// # Ok(())
/// # }
/// ```
pub type Value = flambeau_serialize::Value<Tensor>;

/// `torch.serialization`: what [`save`] takes, and what [`load`] gives.
///
/// ```
/// use torch::serialization::Save;
/// assert_eq!([1, 2].to_value().to_string(), "[1, 2]");
/// ```
pub mod serialization {
    pub use crate::Value;
    pub use flambeau_serialize::{
        Dict, DictKind, Error, FromValue, Key, LoadOptions, Result, Save, load, load_with, save,
    };
}

/// Python's package `safetensors`: tensors by name in files that hold nothing else, read one by one where that is enough.
///
/// ```
/// use torch::safetensors::{load_file, safe_open, save_file};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("flambeau-facade-{}.safetensors", std::process::id()));
/// save_file([("w", torch::ones([2, 3])), ("b", torch::zeros(2))], &path)?;
/// assert_eq!(load_file(&path)?["w"].sum().item(), 6.0);
/// assert_eq!(safe_open(&path)?.get_slice("w")?.i((.., ..2))?.size(), [2, 2]);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
pub mod safetensors {
    pub use flambeau_serialize::safetensors::*;
}

/// NumPy's files: `np.load`, `np.save`, `np.savez`, `np.savez_compressed`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("flambeau-facade-{}.npz", std::process::id()));
/// torch::numpy::savez(&path, [("x", torch::arange(3)), ("y", torch::arange(4))])?;
/// let npz = torch::numpy::load(&path)?;
/// assert_eq!((npz.files().len(), npz["y"].numel()), (2, 4));
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
pub mod numpy {
    pub use flambeau_serialize::numpy::*;
}

/// What nearly every program needs: `Tensor`, the traits of modules and datasets, `nn`, `optim`, and `torch.nn.functional` as `F`.
///
/// ```
/// use torch::prelude::*;
/// let x: Tensor = nn::Linear::new(2, 3).call(F::relu(&torch::ones([1, 2])));
/// assert_eq!(x.size(), [1, 3]);
/// ```
pub mod prelude {
    pub use crate::nn::{self, Call, Forward, Module, Share, StateDictHooks, functional as F};
    pub use crate::utils::data::Dataset;
    pub use crate::{Tensor, optim};
}

/// The keywords of operations: what the closures of their `_with` forms set.
///
/// ```
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(x.sum_with(|o| o.dim(1).keepdim(true)).size(), [2, 1]);
/// ```
pub mod options {
    pub use crate::settings::AsTensorOptions;
    pub use flambeau_autograd::gradients::{BackwardOptions, GradOptions, GradTensorsOptions, ZeroGradOptions};
    pub use flambeau_autograd::mode::AutocastOptions;
    pub use flambeau_autograd::ops::paths::options::*;
}

/// `torch.linalg`: norms and products of matrices.
///
/// ```
/// let x = torch::tensor([[3.0, 0.0], [0.0, 4.0]]);
/// assert_eq!(torch::linalg::norm(&x).item(), 5.0);
/// ```
pub mod linalg {
    pub use flambeau_autograd::ops::paths::linalg::*;
}

/// `torch.special`: special functions.
///
/// ```
/// let x = torch::tensor([0.0, 0.5]);
/// assert!(torch::special::erf(&x).allclose(&torch::tensor([0.0, 0.5204999])));
/// ```
pub mod special {
    pub use flambeau_autograd::ops::paths::special::*;
}

/// `torch.optim`: optimizers and learning-rate schedulers.
///
/// ```
/// let w = torch::tensor([2.0]).requires_grad_(true);
/// let optimizer = torch::optim::SGD::new([&w], 0.25);
/// w.square().sum().backward();
/// optimizer.step();
/// assert_eq!(w.item(), 1.0);
/// ```
pub mod optim {
    pub use flambeau_optim::*;

    /// `torch.optim.swa_utils`: averages of a model's weights, and the learning rate for them.
    ///
    /// ```
    /// use torch::optim::swa_utils::{AveragedModel, SWALR, update_bn};
    /// use torch::prelude::*;
    ///
    /// let model = nn::Linear::new(2, 1);
    /// let optimizer = optim::SGD::new(model.parameters(), 0.1);
    /// let swa_model = AveragedModel::new(&model);
    /// let swa_scheduler = SWALR::new(&optimizer, 0.05);
    /// let loader = vec![(torch::ones((4, 2)), torch::zeros((4, 1)))];
    /// for (x, y) in &loader {
    ///     F::mse_loss(model.call(x), y).backward();
    ///     optimizer.step();
    ///     swa_model.update_parameters(&model);
    ///     swa_scheduler.step();
    /// }
    /// update_bn(loader, &swa_model);
    /// assert_eq!(swa_model.n_averaged.item(), 1.0);
    /// ```
    pub mod swa_utils {
        pub use flambeau_nn::swa_utils::{
            AveragedModel, AveragedModelOptions, get_ema_avg_fn, get_ema_multi_avg_fn, get_swa_avg_fn,
            get_swa_multi_avg_fn, update_bn, update_bn_with,
        };
        pub use flambeau_optim::swa_utils::{SWALR, SWALROptions};
    }
}

/// `torch.distributions`: probability distributions, transforms, constraints, divergences.
///
/// ```
/// use torch::distributions::{Normal, kl_divergence};
/// torch::manual_seed(0);
/// let (p, q) = (Normal::new(0.0, 1.0), Normal::new(1.0, 2.0));
/// let x = p.rsample();
/// assert!((p.log_prob(&x) - q.log_prob(&x)).item().is_finite());
/// assert!((kl_divergence(&p, &q).item() - 0.4431472).abs() < 1e-6);
/// ```
pub mod distributions {
    pub use flambeau_distributions::*;
}

/// `torch.autograd`: the engine, and checks of gradients.
///
/// ```
/// let x = torch::tensor([3.0]).requires_grad_(true);
/// let y = x.square();
/// let grads = torch::autograd::grad(&y, &x);
/// assert_eq!(grads[0].item(), 6.0);
/// ```
pub mod autograd {
    pub use crate::settings::Variable;
    pub use flambeau_autograd::gradients::{backward, backward_with, grad, grad_allow_unused, grad_with};
    pub use flambeau_autograd::mode::{AnomalyGuard, detect_anomaly, set_detect_anomaly};
    pub use flambeau_autograd::{Argument, FromGrads, Function, FunctionCtx, IntoArguments, IntoGrads};
    pub use flambeau_autograd::{GradCheckOptions, gradcheck, gradgradcheck};

    /// `torch.autograd.graph`: what the graph saves, and hooks on it.
    ///
    /// ```
    /// let x = torch::tensor([2.0]).requires_grad_(true);
    /// let y = {
    ///     // Saved tensors are kept as strings.
    ///     let pack = |saved: &torch::Tensor| saved.item().to_string();
    ///     let unpack = |packed: &String| torch::tensor([packed.parse::<f64>().unwrap()]);
    ///     let _hooks = torch::autograd::graph::saved_tensors_hooks(pack, unpack);
    ///     x.square()
    /// };
    /// y.backward();
    /// assert_eq!(x.grad().unwrap().item(), 4.0);
    /// ```
    pub mod graph {
        pub use flambeau_autograd::{
            DisableSavedTensorsHooksGuard, Node, SavedTensorsHooksGuard, disable_saved_tensors_hooks,
            register_multi_grad_hook, register_multi_grad_hook_any, save_on_cpu, saved_tensors_hooks,
        };
    }
}

/// `torch.profiler`: how often each operation and module ran, and how long it took.
///
/// ```
/// let mut prof = torch::profiler::profile();
/// {
///     let _part = torch::profiler::record_function("forward");
///     torch::ones(4).add(1).relu();
/// }
/// prof.stop();
/// println!("{}", prof.key_averages().table());
/// ```
pub mod profiler {
    pub use flambeau_autograd::mode::{
        Averages, Profile, ProfileOptions, RecordFunction, profile, profile_with, record_function,
    };
}

/// `torch.utils`.
pub mod utils {
    pub use flambeau_data::progress::{tqdm, tqdm_with, trange};

    /// Python's package `tqdm`: progress bars around any iterator.
    ///
    /// ```
    /// use torch::utils::progress::tqdm_with;
    /// let squares: Vec<i32> = tqdm_with(0..3, |o| o.desc("squares")).into_iter().map(|x| x * x).collect();
    /// assert_eq!(squares, [0, 1, 4]);
    /// ```
    pub mod progress {
        pub use flambeau_data::progress::*;
    }

    /// `torch.utils.checkpoint`: backward computes again what forward did not keep.
    ///
    /// ```
    /// use torch::utils::checkpoint::checkpoint;
    /// let x = torch::tensor([1.0]).requires_grad_(true);
    /// let y = checkpoint(|x| x.exp().log(), &x);
    /// y.backward();
    /// assert_eq!(x.grad().unwrap().item(), 1.0);
    /// ```
    pub mod checkpoint {
        pub use flambeau_autograd::{
            Args, CheckpointOptions, Contexts, EarlyStopGuard, Functions, checkpoint, checkpoint_sequential,
            checkpoint_sequential_with, checkpoint_with, set_checkpoint_early_stop,
        };
    }

    /// `torch.utils.hooks`: the handle that takes a hook away again.
    ///
    /// ```
    /// use torch::utils::hooks::RemovableHandle;
    /// let x = torch::tensor([1.0]).requires_grad_(true);
    /// let handle: RemovableHandle = x.register_hook(|_| None);
    /// handle.remove();
    /// ```
    pub mod hooks {
        pub use flambeau_autograd::RemovableHandle;
    }

    /// `torch.utils.data`: datasets, samplers, loaders.
    ///
    /// ```
    /// use torch::utils::data::{DataLoader, TensorDataset};
    /// let data = TensorDataset::new([torch::arange(6).reshape([6, 1]), torch::arange(6)]);
    /// let loader = DataLoader::with(data, |o| o.batch_size(4));
    /// let sizes: Vec<usize> = (&loader).into_iter().map(|(x, _)| x.size()[0]).collect();
    /// assert_eq!(sizes, [4, 2]);
    /// ```
    pub mod data {
        pub use flambeau_data::*;
    }

    /// `torch.utils.tensorboard`: what TensorBoard shows of a training.
    ///
    /// ```
    /// use torch::utils::tensorboard::SummaryWriter;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir().join(format!("flambeau-facade-runs-{}", std::process::id()));
    /// let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_scalar("Loss/train", 0.5, 0);
    /// writer.close()?;
    /// assert_eq!(std::fs::read_dir(&folder)?.count(), 1);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tensorboard")]
    pub mod tensorboard {
        pub use flambeau_tensorboard::*;
    }
}

/// Charts of a training as SVG and PNG, and the learning-rate range test. Of the feature `plot`, which is not on by default.
///
/// ```
/// use torch::plot::Chart;
/// let chart = Chart::curves("Loss", "step", [("train", vec![(0.0, 2.0), (1.0, 1.0)])]);
/// assert!(chart.svg().unwrap().contains("<svg"));
/// ```
#[cfg(feature = "plot")]
pub mod plot {
    pub use flambeau_plot::*;
}

/// torchmetrics: accuracy, precision, recall, ROC and others, collected over batches.
///
/// ```
/// let accuracy = torch::metrics::Accuracy::with("multiclass", |o| o.num_classes(3));
/// accuracy.update(torch::tensor([2, 1, 0, 1]), torch::tensor([2, 1, 0, 0]));
/// assert_eq!(accuracy.compute().item(), 0.75);
/// ```
#[cfg(feature = "metrics")]
pub mod metrics {
    pub use flambeau_metrics::*;
}

/// torchvision: image datasets, transforms, PNG and JPEG files, pictures of results.
///
/// ```
/// use torch::utils::data::Dataset;
/// use torch::vision::datasets::SyntheticDigits;
/// let digits = SyntheticDigits::with(true, |o| o.length(10));
/// assert_eq!(digits.len(), 10);
/// ```
#[cfg(feature = "vision")]
pub mod vision {
    pub use flambeau_vision::*;
}
