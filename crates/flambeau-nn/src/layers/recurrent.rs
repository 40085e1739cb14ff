//! Recurrent layers over sequences.

mod call;
mod cells;
mod module;

pub use call::Sequence;
pub use cells::{CellKind, CellOptions, GRUCell, LSTMCell, RNNCell, RNNCellBase, RNNCellOptions};

use super::{Place, py_bool, py_number};
use crate::{Input, ModuleState, Output, Parameter, init};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::RnnMode;
use flambeau_autograd::{Tensor, options};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Device, Scalar};
use std::marker::PhantomData;

options! {
    /// Options of [`RNN`].
    #[derive(Clone)]
    RNNOptions {
        /// How many layers stand above each other (1).
        num_layers: i64 = 1,
        /// The function that follows the sum: `"tanh"` or `"relu"` (tanh).
        nonlinearity: String = "tanh".to_owned(),
        /// Whether the layers have biases (true).
        bias: bool = true,
        /// Whether input and output are `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
        /// With which probability outputs of all layers but the last are dropped in training (0).
        dropout: Scalar = Scalar::Float(0.0),
        /// Whether each layer also runs from the end to the start (false).
        bidirectional: bool = false,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

options! {
    /// Options of [`LSTM`].
    #[derive(Clone)]
    LSTMOptions {
        /// How many layers stand above each other (1).
        num_layers: i64 = 1,
        /// Whether the layers have biases (true).
        bias: bool = true,
        /// Whether input and output are `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
        /// With which probability outputs of all layers but the last are dropped in training (0).
        dropout: Scalar = Scalar::Float(0.0),
        /// Whether each layer also runs from the end to the start (false).
        bidirectional: bool = false,
        /// The length that hidden states are projected to; 0 for none (0).
        proj_size: i64 = 0,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

options! {
    /// Options of [`GRU`].
    #[derive(Clone)]
    GRUOptions {
        /// How many layers stand above each other (1).
        num_layers: i64 = 1,
        /// Whether the layers have biases (true).
        bias: bool = true,
        /// Whether input and output are `[batch, steps, …]` instead of `[steps, batch, …]` (false).
        batch_first: bool = false,
        /// With which probability outputs of all layers but the last are dropped in training (0).
        dropout: Scalar = Scalar::Float(0.0),
        /// Whether each layer also runs from the end to the start (false).
        bidirectional: bool = false,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

/// What recurrent layers differ in.
pub trait RecurrentKind: Send + Sync + 'static {
    /// What the constructor's closure sets.
    type Options: Default;
    /// The state between steps: h, or h and c.
    type State: Input + Output;
    /// The layer's name in prints.
    const NAME: &'static str;
    /// What the layer computes, and the options as an LSTM has them.
    ///
    /// # Panics
    /// For a nonlinearity that is not known.
    #[doc(hidden)]
    #[track_caller]
    fn settle(options: Self::Options) -> (RnnMode, LSTMOptions);
}

/// The kind of [`RNN`].
pub struct Elman;
/// The kind of [`LSTM`].
pub struct LongShortTerm;
/// The kind of [`GRU`].
pub struct Gated;

impl RecurrentKind for Elman {
    type Options = RNNOptions;
    type State = Tensor;
    const NAME: &'static str = "RNN";
    #[track_caller]
    fn settle(o: RNNOptions) -> (RnnMode, LSTMOptions) {
        let mode = match o.nonlinearity.as_str() {
            "tanh" => RnnMode::Tanh,
            "relu" => RnnMode::Relu,
            other => panic!("Unknown nonlinearity '{other}'. Select from 'tanh' or 'relu'."),
        };
        let RNNOptions { num_layers, bias, batch_first, dropout, bidirectional, device, dtype, .. } = o;
        (mode, LSTMOptions { num_layers, bias, batch_first, dropout, bidirectional, proj_size: 0, device, dtype })
    }
}

impl RecurrentKind for LongShortTerm {
    type Options = LSTMOptions;
    type State = (Tensor, Tensor);
    const NAME: &'static str = "LSTM";
    fn settle(options: LSTMOptions) -> (RnnMode, LSTMOptions) {
        (RnnMode::Lstm, options)
    }
}

impl RecurrentKind for Gated {
    type Options = GRUOptions;
    type State = Tensor;
    const NAME: &'static str = "GRU";
    fn settle(o: GRUOptions) -> (RnnMode, LSTMOptions) {
        let GRUOptions { num_layers, bias, batch_first, dropout, bidirectional, device, dtype } = o;
        let options =
            LSTMOptions { num_layers, bias, batch_first, dropout, bidirectional, proj_size: 0, device, dtype };
        (RnnMode::Gru, options)
    }
}

/// Layers that go through a sequence step by step and hand a state on: `nn.RNNBase`.
///
/// `call` takes a tensor `[steps, batch, features]` (with `batch_first` `[batch, steps, features]`, without a batch `[steps,
/// features]`) or a [`PackedSequence`](crate::utils::rnn::PackedSequence), alone or in a tuple with the first state; without one the
/// states begin as zeros. It gives the last layer's hidden state at each step, both directions side by side, and the last state of
/// each layer and direction, `[layers · directions, batch, hidden_size]`.
///
/// The parameters are those of PyTorch, by PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, with
/// `_reverse` for the second direction, and `weight_hr_l0` for a projection. They start uniform over ±1/√hidden_size.
pub struct RNNBase<K: RecurrentKind> {
    /// The length of each step's input.
    pub input_size: usize,
    /// The length of a hidden state.
    pub hidden_size: usize,
    /// How many layers.
    pub num_layers: usize,
    /// Whether there are biases.
    pub bias: bool,
    /// Whether the batch comes first.
    pub batch_first: bool,
    /// With which probability outputs between layers are dropped in training.
    pub dropout: f64,
    /// Whether each layer also runs from the end to the start.
    pub bidirectional: bool,
    /// The length that hidden states are projected to; 0 for none.
    pub proj_size: usize,
    mode: RnnMode,
    names: Vec<String>,
    weights: Vec<Parameter>,
    state: ModuleState,
    kind: PhantomData<K>,
}

/// h′ = tanh(W x + b + U h + c), or with relu: `nn.RNN(input_size, hidden_size)`, an Elman network.
///
/// ```
/// use flambeau_autograd::{randn, zeros};
/// use flambeau_nn as nn;
/// let rnn = nn::RNN::with(10, 20, |o| o.num_layers(2));
/// let (output, hn) = rnn.call((randn([5, 3, 10]), zeros([2, 3, 20])));
/// assert_eq!((output.size().to_vec(), hn.size().to_vec()), (vec![5, 3, 20], vec![2, 3, 20]));
/// ```
pub type RNN = RNNBase<Elman>;

/// Long short-term memory: `nn.LSTM(input_size, hidden_size)`. Its state is a pair: `let (output, (hn, cn)) = lstm.call(&x)`.
///
/// i, f, o = σ(W x + b + U h + c), g = tanh(W x + b + U h + c), each with weights of its own; c′ = f · c + i · g and
/// h′ = o · tanh(c′).
///
/// ```
/// use flambeau_autograd::{randn, zeros};
/// use flambeau_nn as nn;
/// let lstm = nn::LSTM::with(10, 20, |o| o.num_layers(2).batch_first(true));
/// assert_eq!(lstm.to_string(), "LSTM(10, 20, num_layers=2, batch_first=True)");
///
/// let x = randn([3, 5, 10]);
/// let (output, (hn, cn)) = lstm.call(&x);
/// assert_eq!((output.size().to_vec(), hn.size().to_vec()), (vec![3, 5, 20], vec![2, 3, 20]));
///
/// // With the state of a call before.
/// let (_, (hn, _)) = lstm.call((&x, (&hn, &cn)));
/// assert_eq!(hn.size(), [2, 3, 20]);
///
/// // A state that may be there.
/// let mut state = None;
/// for _ in 0..2 {
///     let (_, last) = lstm.call((&x, &state));
///     state = Some(last);
/// }
/// ```
pub type LSTM = RNNBase<LongShortTerm>;

/// Gated recurrent units: `nn.GRU(input_size, hidden_size)`.
///
/// r, z = σ(W x + b + U h + c), n = tanh(W x + b + r · (U h + c)), each with weights of its own; h′ = (1 − z) · n + z · h.
///
/// ```
/// use flambeau_autograd::{randn, zeros};
/// use flambeau_nn as nn;
/// let gru = nn::GRU::with(10, 20, |o| o.bidirectional(true));
/// let (output, hn) = gru.call(randn([5, 3, 10]));
/// assert_eq!((output.size().to_vec(), hn.size().to_vec()), (vec![5, 3, 40], vec![2, 3, 20]));
/// let (_, hn) = gru.call((randn([5, 3, 10]), &hn));
/// assert_eq!(hn.size(), [2, 3, 20]);
/// ```
pub type GRU = RNNBase<Gated>;

impl<K: RecurrentKind> RNNBase<K> {
    /// One layer in one direction, with PyTorch's defaults.
    ///
    /// # Panics
    /// When a size is not positive.
    #[track_caller]
    pub fn new(input_size: impl Int, hidden_size: impl Int) -> Self {
        Self::with(input_size, hidden_size, |o| o)
    }

    /// With options: `num_layers`, `bias`, `batch_first`, `dropout`, `bidirectional`, `device`, `dtype`, of an RNN also `nonlinearity`,
    /// of an LSTM also `proj_size`.
    ///
    /// # Panics
    /// When a size is not positive, or an option out of its range, with PyTorch's words.
    #[track_caller]
    pub fn with(input_size: impl Int, hidden_size: impl Int, options: impl FnOnce(K::Options) -> K::Options) -> Self {
        let (mode, o) = K::settle(options(K::Options::default()));
        Self::made(input_size.to_i64(), hidden_size.to_i64(), mode, &o)
    }

    #[track_caller]
    fn made(input_size: i64, hidden_size: i64, mode: RnnMode, o: &LSTMOptions) -> Self {
        let dropout = o.dropout.to_f64();
        assert!(
            (0.0..=1.0).contains(&dropout) && (o.dropout.is_int() || o.dropout.is_float()),
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        );
        if dropout > 0.0 && o.num_layers == 1 {
            flambeau_autograd::warn(&format!(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater \
                 than 1, but got dropout={} and num_layers=1",
                py_number(o.dropout)
            ));
        }
        assert!(input_size > 0, "input_size must be greater than zero");
        assert!(hidden_size > 0, "hidden_size must be greater than zero");
        assert!(o.num_layers > 0, "num_layers must be greater than zero");
        assert!(o.proj_size >= 0, "proj_size should be a positive integer or zero to disable projections");
        assert!(o.proj_size < hidden_size, "proj_size has to be smaller than hidden_size");
        let [input_size, hidden_size, proj_size] = [input_size, hidden_size, o.proj_size].map(|n| n as usize);
        let num_layers = o.num_layers as usize;
        let (directions, gates) = (1 + usize::from(o.bidirectional), mode.gates() * hidden_size);
        let width = if proj_size > 0 { proj_size } else { hidden_size };
        let (place, bound) = (Place::new(o.dtype, o.device), 1.0 / (hidden_size as f64).sqrt());
        let (mut names, mut weights) = (Vec::new(), Vec::new());
        let mut add = |name: String, shape: &[usize]| {
            names.push(name);
            weights.push(Parameter::new(init::uniform_(place.zeros(shape), -bound, bound)));
        };
        for layer in 0..num_layers {
            for suffix in &["", "_reverse"][..directions] {
                let features = if layer == 0 { input_size } else { width * directions };
                add(format!("weight_ih_l{layer}{suffix}"), &[gates, features]);
                add(format!("weight_hh_l{layer}{suffix}"), &[gates, width]);
                if o.bias {
                    add(format!("bias_ih_l{layer}{suffix}"), &[gates]);
                    add(format!("bias_hh_l{layer}{suffix}"), &[gates]);
                }
                if proj_size > 0 {
                    add(format!("weight_hr_l{layer}{suffix}"), &[proj_size, hidden_size]);
                }
            }
        }
        RNNBase {
            input_size,
            hidden_size,
            num_layers,
            bias: o.bias,
            batch_first: o.batch_first,
            dropout,
            bidirectional: o.bidirectional,
            proj_size,
            mode,
            names,
            weights,
            state: ModuleState::new(),
            kind: PhantomData,
        }
    }

    /// What the layer computes: `"RNN_TANH"`, `"RNN_RELU"`, `"LSTM"` or `"GRU"`.
    pub fn mode(&self) -> &'static str {
        match self.mode {
            RnnMode::Tanh => "RNN_TANH",
            RnnMode::Relu => "RNN_RELU",
            RnnMode::Lstm => "LSTM",
            RnnMode::Gru => "GRU",
        }
    }

    /// The parameters of each layer and direction: `all_weights`. By name
    /// [`get_parameter`](crate::Module::get_parameter) finds them.
    ///
    /// ```
    /// let lstm = flambeau_nn::LSTM::with(2, 3, |o| o.num_layers(2));
    /// assert_eq!(lstm.all_weights()[1][0].size(), [12, 3]);
    /// ```
    pub fn all_weights(&self) -> Vec<Vec<&Parameter>> {
        let each = self.weights.len() / (self.num_layers * self.directions());
        self.weights.chunks(each).map(|chunk| chunk.iter().collect()).collect()
    }

    /// Does nothing: there is no faster path for weights in one block of memory. `flatten_parameters()`.
    pub fn flatten_parameters(&self) {}

    /// Draws all parameters anew: `reset_parameters()`.
    #[track_caller]
    pub fn reset_parameters(&self) {
        let bound = 1.0 / (self.hidden_size as f64).sqrt();
        for weight in &self.weights {
            init::uniform_(weight, -bound, bound);
        }
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    fn extra(&self) -> String {
        let mut s = format!("{}, {}", self.input_size, self.hidden_size);
        let mut add = |shown: bool, name: &str, value: String| {
            if shown {
                s += &format!(", {name}={value}");
            }
        };
        add(self.proj_size != 0, "proj_size", self.proj_size.to_string());
        add(self.num_layers != 1, "num_layers", self.num_layers.to_string());
        add(!self.bias, "bias", py_bool(false).to_owned());
        add(self.batch_first, "batch_first", py_bool(true).to_owned());
        add(self.dropout != 0.0, "dropout", py_float(self.dropout));
        add(self.bidirectional, "bidirectional", py_bool(true).to_owned());
        s
    }
}
