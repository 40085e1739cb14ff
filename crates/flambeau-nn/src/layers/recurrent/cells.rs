//! Recurrent cells: one step at a time.

use super::super::{Place, py_bool};
use crate::{Arg, Forward, Input, Module, ModuleState, Output, Parameter, init};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::ops::{self, RnnMode};
use flambeau_autograd::{Error, OrPanic, Result, Tensor, options};
use flambeau_tensor::{DType, Device};
use std::marker::PhantomData;

options! {
    /// Options of [`LSTMCell`] and [`GRUCell`].
    #[derive(Clone)]
    CellOptions {
        /// Whether there are biases (true).
        bias: bool = true,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

options! {
    /// Options of [`RNNCell`].
    #[derive(Clone)]
    RNNCellOptions {
        /// Whether there are biases (true).
        bias: bool = true,
        /// The function that follows the sum: `"tanh"` or `"relu"` (tanh).
        nonlinearity: String = "tanh".to_owned(),
        /// The parameters' device (the default device).
        device: Option<Device> = None,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
    }
}

/// What cells differ in.
pub trait CellKind: Send + Sync + 'static {
    /// What the constructor's closure sets.
    type Options: Default;
    /// The state between steps: h, or h and c.
    type State: Input + Output;
    /// The cell's name in prints and messages.
    const NAME: &'static str;
    /// How many times the hidden size the weights have as rows.
    const GATES: usize;
    /// The name of a state in messages.
    #[doc(hidden)]
    fn state_name(i: usize) -> String;
    /// The options, and the name of the nonlinearity.
    #[doc(hidden)]
    fn settle(options: Self::Options) -> (CellOptions, Option<String>);
}

/// The kind of [`RNNCell`].
pub struct ElmanCell;
/// The kind of [`LSTMCell`].
pub struct LongShortTermCell;
/// The kind of [`GRUCell`].
pub struct GatedCell;

impl CellKind for ElmanCell {
    type Options = RNNCellOptions;
    type State = Tensor;
    const NAME: &'static str = "RNNCell";
    const GATES: usize = 1;
    fn state_name(_: usize) -> String {
        "hidden".to_owned()
    }
    fn settle(o: RNNCellOptions) -> (CellOptions, Option<String>) {
        (CellOptions { bias: o.bias, device: o.device, dtype: o.dtype }, Some(o.nonlinearity))
    }
}

impl CellKind for LongShortTermCell {
    type Options = CellOptions;
    type State = (Tensor, Tensor);
    const NAME: &'static str = "LSTMCell";
    const GATES: usize = 4;
    fn state_name(i: usize) -> String {
        format!("hx[{i}]")
    }
    fn settle(options: CellOptions) -> (CellOptions, Option<String>) {
        (options, None)
    }
}

impl CellKind for GatedCell {
    type Options = CellOptions;
    type State = Tensor;
    const NAME: &'static str = "GRUCell";
    const GATES: usize = 3;
    fn state_name(_: usize) -> String {
        "hidden".to_owned()
    }
    fn settle(options: CellOptions) -> (CellOptions, Option<String>) {
        (options, None)
    }
}

/// One step of a recurrence: `nn.RNNCellBase`.
///
/// `call` takes the input of the step, `[batch, input_size]` or `[input_size]`, alone or in a tuple with the state before it, and gives
/// the state after it, `[batch, hidden_size]` or `[hidden_size]`. Without a state it begins as zeros. The parameters start uniform over
/// ±1/√hidden_size.
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct RNNCellBase<K: CellKind> {
    /// The length of a step's input.
    pub input_size: usize,
    /// The length of a state.
    pub hidden_size: usize,
    /// The function that follows an [`RNNCell`]'s sum.
    pub nonlinearity: Option<String>,
    /// [gates · hidden, input].
    pub weight_ih: Parameter,
    /// [gates · hidden, hidden].
    pub weight_hh: Parameter,
    /// [gates · hidden].
    pub bias_ih: Option<Parameter>,
    /// [gates · hidden].
    pub bias_hh: Option<Parameter>,
    kind: PhantomData<K>,
    state: ModuleState,
}

/// h′ = tanh(W x + b + U h + c), or with relu: `nn.RNNCell(input_size, hidden_size)`.
///
/// ```
/// use flambeau_autograd::{randn, zeros};
/// let cell = flambeau_nn::RNNCell::new(10, 20);
/// let (xs, mut h) = (randn([6, 3, 10]), zeros([3, 20]));
/// for x in &xs {
///     h = cell.call((x, &h));
/// }
/// assert_eq!(h.size(), [3, 20]);
/// ```
pub type RNNCell = RNNCellBase<ElmanCell>;

/// One step of an [`LSTM`](super::LSTM): `nn.LSTMCell(input_size, hidden_size)`.
///
/// ```
/// use flambeau_autograd::randn;
/// let cell = flambeau_nn::LSTMCell::new(10, 20);
/// let (h, c) = cell.call(randn([3, 10]));
/// let (h, c) = cell.call((randn([3, 10]), (h, c)));
/// assert_eq!((h.size().to_vec(), c.size().to_vec()), (vec![3, 20], vec![3, 20]));
/// ```
pub type LSTMCell = RNNCellBase<LongShortTermCell>;

/// One step of a [`GRU`](super::GRU): `nn.GRUCell(input_size, hidden_size)`.
///
/// ```
/// use flambeau_autograd::randn;
/// let cell = flambeau_nn::GRUCell::new(10, 20);
/// let h = cell.call(randn([3, 10]));
/// assert_eq!(cell.call((randn([3, 10]), &h)).size(), [3, 20]);
/// ```
pub type GRUCell = RNNCellBase<GatedCell>;

impl<K: CellKind> RNNCellBase<K> {
    /// With biases.
    #[track_caller]
    pub fn new(input_size: impl Int, hidden_size: impl Int) -> Self {
        Self::with(input_size, hidden_size, |o| o)
    }

    /// With options: `bias`, `device`, `dtype`, of an RNNCell also `nonlinearity`.
    #[track_caller]
    pub fn with(input_size: impl Int, hidden_size: impl Int, options: impl FnOnce(K::Options) -> K::Options) -> Self {
        let (input_size, hidden_size) = (input_size.to_usize(), hidden_size.to_usize());
        let (o, nonlinearity) = K::settle(options(K::Options::default()));
        let rows = K::GATES * hidden_size;
        let (place, bound) = (Place::new(o.dtype, o.device), 1.0 / (hidden_size.max(1) as f64).sqrt());
        let parameter = |shape: &[usize]| Parameter::new(init::uniform_(place.zeros(shape), -bound, bound));
        RNNCellBase {
            input_size,
            hidden_size,
            nonlinearity,
            weight_ih: parameter(&[rows, input_size]),
            weight_hh: parameter(&[rows, hidden_size]),
            bias_ih: o.bias.then(|| parameter(&[rows])),
            bias_hh: o.bias.then(|| parameter(&[rows])),
            kind: PhantomData,
            state: ModuleState::new(),
        }
    }

    fn type_name(&self) -> &'static str {
        K::NAME
    }

    fn extra_repr(&self) -> String {
        let mut s = format!("{}, {}", self.input_size, self.hidden_size);
        if self.bias_ih.is_none() {
            s += &format!(", bias={}", py_bool(false));
        }
        if let Some(name) = self.nonlinearity.as_ref().filter(|name| *name != "tanh") {
            s += &format!(", nonlinearity={name}");
        }
        s
    }

    /// Takes a step from `x`, with `(x, state)` from a given state: Python's `cell(x)` and `cell(x, hx)`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's words.
    #[track_caller]
    pub fn call<In: Input, Out: Output>(&self, input: impl Arg<In>) -> Out
    where
        Self: Forward<In, Out>,
    {
        self.call_ref(input.arg())
    }

    fn mode(&self) -> Result<RnnMode> {
        match (K::GATES, self.nonlinearity.as_deref()) {
            (4, _) => Ok(RnnMode::Lstm),
            (3, _) => Ok(RnnMode::Gru),
            (_, Some("tanh")) => Ok(RnnMode::Tanh),
            (_, Some("relu")) => Ok(RnnMode::Relu),
            (_, other) => Err(Error::runtime(format!("Unknown nonlinearity: {}", other.unwrap_or_default()))),
        }
    }

    #[track_caller]
    fn step(&self, x: &Tensor, states: Option<&[&Tensor]>) -> Result<Vec<Tensor>> {
        let one_or_two = |what: &str, x: &Tensor| match x.dim() {
            1 | 2 => Ok(()),
            n => Err(Error::value(format!("{}: Expected {what} to be 1D or 2D, got {n}D instead", K::NAME))),
        };
        one_or_two("input", x)?;
        for (i, state) in states.unwrap_or_default().iter().enumerate() {
            one_or_two(&K::state_name(i), state)?;
        }
        let mode = self.mode()?;
        let is_batched = x.dim() == 2;
        let wide = |x: &Tensor| if is_batched { Ok(x.shallow_clone()) } else { ops::unsqueeze(x, 0) };
        let x = wide(x)?;
        let states: Vec<Tensor> = match states {
            Some(states) => states.iter().map(|s| wide(s)).collect::<Result<_>>()?,
            None => {
                let zeros = ops::zeros(&[x.size()[0], self.hidden_size], x.dtype(), x.device())?;
                vec![zeros; if mode == RnnMode::Lstm { 2 } else { 1 }]
            }
        };
        let states: Vec<&Tensor> = states.iter().collect();
        let bias = match (&self.bias_ih, &self.bias_hh) {
            (Some(ih), Some(hh)) => Some([ih.tensor(), hh.tensor()]),
            _ => None,
        };
        let new = ops::rnn_cell(mode, &x, &states, &self.weight_ih, &self.weight_hh, bias)?;
        if is_batched { Ok(new) } else { new.iter().map(|s| ops::squeeze(s, Some(&[0]))).collect() }
    }

    #[track_caller]
    fn result(&self, x: &Tensor, states: Option<&[&Tensor]>) -> K::State {
        let states = self.step(x, states).or_panic();
        super::call::state(states)
    }
}

impl<K: CellKind> Forward<Tensor, K::State> for RNNCellBase<K> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> K::State {
        self.result(x, None)
    }
}

impl<K: CellKind<State = Tensor>> Forward<(Tensor, Tensor), Tensor> for RNNCellBase<K> {
    #[track_caller]
    fn forward(&self, (x, h): (&Tensor, &Tensor)) -> Tensor {
        self.result(x, Some(&[h]))
    }
}

impl<K: CellKind<State = Tensor>> Forward<(Tensor, Option<Tensor>), Tensor> for RNNCellBase<K> {
    #[track_caller]
    fn forward(&self, (x, h): (&Tensor, Option<&Tensor>)) -> Tensor {
        self.result(x, h.as_ref().map(std::slice::from_ref))
    }
}

impl Forward<(Tensor, (Tensor, Tensor)), (Tensor, Tensor)> for LSTMCell {
    #[track_caller]
    fn forward(&self, (x, (h, c)): (&Tensor, (&Tensor, &Tensor))) -> (Tensor, Tensor) {
        self.result(x, Some(&[h, c]))
    }
}

impl Forward<(Tensor, Option<(Tensor, Tensor)>), (Tensor, Tensor)> for LSTMCell {
    #[track_caller]
    fn forward(&self, (x, states): (&Tensor, Option<(&Tensor, &Tensor)>)) -> (Tensor, Tensor) {
        let states = states.map(|(h, c)| [h, c]);
        self.result(x, states.as_ref().map(|s| &s[..]))
    }
}
