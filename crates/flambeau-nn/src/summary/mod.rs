//! What a model is made of, layer by layer, as the Python package `torchinfo` shows it.

mod layer;
mod record;
mod table;

pub use layer::LayerInfo;
pub use table::Summary;

use crate::{Forward, Input, Module, Output, Value};
use flambeau_autograd::ops::{IntoShape, ToDevice};
use flambeau_autograd::{Setting, Tensor, no_grad, rand};
use flambeau_tensor::{DType, Device};
use record::Recording;
use table::{Columns, Layout};

/// Options of [`summary_with`]: the keywords of `torchinfo.summary`.
#[derive(Clone)]
pub struct SummaryOptions {
    input_size: Vec<Vec<usize>>,
    input_data: Vec<Tensor>,
    dtypes: Vec<DType>,
    col_names: Option<Vec<String>>,
    col_width: usize,
    depth: usize,
    device: Option<Device>,
    mode: String,
    row_settings: Vec<String>,
    verbose: i64,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        SummaryOptions {
            input_size: Vec::new(),
            input_data: Vec::new(),
            dtypes: Vec::new(),
            col_names: None,
            col_width: 25,
            depth: 3,
            device: None,
            mode: "eval".to_owned(),
            row_settings: vec!["depth".to_owned()],
            verbose: 1,
        }
    }
}

impl SummaryOptions {
    /// The shape of the input, with its batch; the model is run on random numbers of that shape. Given again, it is the next input's.
    #[must_use]
    pub fn input_size(mut self, size: impl IntoShape) -> Self {
        self.input_size.push(size.into_dims().iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect());
        self
    }

    /// The inputs themselves, one tensor or several, in the place of random numbers.
    #[must_use]
    pub fn input_data(mut self, data: impl Setting<Vec<Tensor>>) -> Self {
        self.input_data = data.setting();
        self
    }

    /// The dtypes of the inputs whose shapes are given (float32).
    #[must_use]
    pub fn dtypes(mut self, dtypes: impl IntoIterator<Item = DType>) -> Self {
        self.dtypes = dtypes.into_iter().collect();
        self
    }

    /// The columns: of `"input_size"`, `"output_size"`, `"num_params"`, `"params_percent"`, `"kernel_size"`, `"mult_adds"` and `"trainable"`
    /// (`"output_size"` and `"num_params"`).
    #[must_use]
    pub fn col_names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.col_names = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

    /// The columns' width (25).
    #[must_use]
    pub fn col_width(mut self, width: usize) -> Self {
        self.col_width = width;
        self
    }

    /// Down to which depth layers are shown (3).
    #[must_use]
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// The device that the model is moved to and run on (where the model is).
    #[must_use]
    pub fn device(mut self, device: impl ToDevice) -> Self {
        self.device = device.to_device();
        self
    }

    /// `"train"` or `"eval"`: the mode that the model is run in (`"eval"`).
    #[must_use]
    pub fn mode(mut self, mode: &str) -> Self {
        self.mode = mode.to_owned();
        self
    }

    /// What stands in a row: of `"depth"`, `"var_names"`, `"ascii_only"` and `"hide_recursive_layers"` (`"depth"`).
    #[must_use]
    pub fn row_settings<'a>(mut self, settings: impl IntoIterator<Item = &'a str>) -> Self {
        self.row_settings = settings.into_iter().map(str::to_owned).collect();
        self
    }

    /// 0 prints nothing, 1 the summary, 2 each layer's parameters too (1).
    #[must_use]
    pub fn verbose(mut self, verbose: i64) -> Self {
        self.verbose = verbose;
        self
    }
}

/// Runs a model on random numbers of a shape, prints its layers with their outputs' shapes and numbers of parameters, and returns that:
/// `torchinfo.summary(model, input_size)`. The shape has its batch.
///
/// A struct that holds neither parameters nor layers of its own and no [`ModuleState`](crate::ModuleState) carries no hooks, and has no
/// row.
///
/// ```
/// use flambeau_nn as nn;
/// let net = nn::sequential![nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 2)];
/// let summary = nn::summary(&net, (16, 4));
/// assert_eq!((summary.total_params, summary.layers[1].output_size.as_slice()), (58, &[16, 8][..]));
/// ```
///
/// # Panics
/// When the model cannot be run on such an input.
#[track_caller]
pub fn summary<In: Input, Out: Output, M: Forward<In, Out> + ?Sized>(model: &M, input_size: impl IntoShape) -> Summary {
    summary_with(model, |o| o.input_size(input_size))
}

/// [`summary`] with the keywords of torchinfo, the input's shape among them: `input_size`, `input_data`, `col_names`, `col_width`,
/// `depth`, `device`, `dtypes`, `mode`, `row_settings`, `verbose`. Without an input nothing is run, and only numbers of parameters are
/// shown.
///
/// ```
/// use flambeau_nn as nn;
/// let net = nn::sequential![nn::Conv2d::new(1, 2, 3), nn::Flatten::new()];
/// let summary = nn::summary_with(&net, |o| {
///     o.input_size((1, 1, 5, 5)).col_names(["kernel_size", "output_size", "mult_adds"]).verbose(0)
/// });
/// assert_eq!(summary.total_mult_adds, 180);
/// assert!(summary.to_string().contains("Conv2d: 1-1"));
/// ```
///
/// # Panics
/// When the model cannot be run on such an input, and for a column, row setting or mode that there is not.
#[track_caller]
pub fn summary_with<In: Input, Out: Output, M: Forward<In, Out> + ?Sized>(
    model: &M,
    options: impl FnOnce(SummaryOptions) -> SummaryOptions,
) -> Summary {
    let o = options(SummaryOptions::default());
    assert!(o.col_width > 0, "Column width must be greater than 0: col_width={}", o.col_width);
    assert!((0..=2).contains(&o.verbose), "Verbose must be either 0 (quiet), 1 (default), or 2 (verbose).");
    assert!(
        o.input_data.is_empty() || o.input_size.is_empty(),
        "Only one of (input_data, input_size) should be specified."
    );
    let has_input = !(o.input_data.is_empty() && o.input_size.is_empty());
    let columns = Columns::new(o.col_names.as_deref(), has_input);
    let layout = Layout::new(columns, &o.row_settings, o.depth, o.col_width, o.verbose);
    assert!(
        !o.input_size.iter().flatten().any(|&n| n == 0),
        "Input_data is invalid, or negative size found in input_data."
    );
    let module = model.as_module();
    let inputs = inputs(module, &o);
    let recording = Recording::new(module, has_input);
    if has_input {
        let _mode = Mode::set(module, &o.mode);
        if let Some(device) = o.device {
            module.to(device);
        }
        let _guard = no_grad();
        let mut values: Vec<Value> = inputs.iter().map(|x| Value::Tensor(x.shallow_clone())).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Tuple(values) };
        let Some(input) = In::from_value(value) else {
            panic!(
                "{} takes a {} and cannot be given {} tensor(s)",
                module.type_name(),
                std::any::type_name::<In>(),
                inputs.len()
            )
        };
        model.call_ref(In::borrow(&input));
    }
    // torchinfo counts the Python object around the memory too.
    let input_bytes = inputs.iter().map(|x| x.numel() * x.dtype().size() + 64).sum();
    let sizes = inputs.iter().map(|x| x.size().to_vec()).collect();
    let summary = Summary::new(recording.finish(), sizes, input_bytes, layout);
    if o.verbose > 0 {
        println!("{summary}");
    }
    summary
}

/// The tensors that the model is run on.
fn inputs(module: &dyn Module, o: &SummaryOptions) -> Vec<Tensor> {
    let own = module.parameters().first().map(Tensor::device);
    let device = o.device.or(own).unwrap_or_else(flambeau_device::default_device);
    if o.input_size.is_empty() {
        let moved = |x: &Tensor| o.device.map_or_else(|| x.shallow_clone(), |device| x.to(device));
        return o.input_data.iter().map(moved).collect();
    }
    let dtypes = o.dtypes.iter().copied().chain(std::iter::repeat(DType::F32));
    o.input_size.iter().zip(dtypes).map(|(size, dtype)| rand(&size[..]).to(device).to(dtype)).collect()
}

/// The mode that a model had, which it gets back when this is dropped.
struct Mode<'a> {
    module: &'a dyn Module,
    training: bool,
}

impl<'a> Mode<'a> {
    #[track_caller]
    fn set(module: &'a dyn Module, mode: &str) -> Self {
        assert!(mode == "train" || mode == "eval", "'{mode}' is not a valid Mode");
        // One without any part has no mode.
        let has_parts = module.state().is_some() || !module.parameters().is_empty() || !module.children().is_empty();
        let training = !has_parts || module.training();
        module.train_mode(mode == "train");
        Mode { module, training }
    }
}

impl Drop for Mode<'_> {
    fn drop(&mut self) {
        self.module.train_mode(self.training);
    }
}
