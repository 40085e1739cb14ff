//! Sequences through several recurrent layers: `torch.rnn_tanh`, `rnn_relu`, `lstm`, `gru`.

use super::cell::same_dtype;
use super::{Form, Forms, Parts, RnnMode, Steps, layer, stacked};
use crate::error::{Error, Result};
use crate::mode::autocast::{Kind, low_precision};
use crate::registry::{Cast, Casts};
use crate::{Tensor, mode, ops};
use flambeau_tensor::DType;

/// The arguments of [`rnn`].
pub struct RnnCall<'a> {
    /// What each step computes.
    pub mode: RnnMode,
    /// `[steps, batch, features]`, with `batch_first` `[batch, steps, features]`, of a packed sequence `[rows, features]`.
    pub input: &'a Tensor,
    /// Of a packed sequence, the rows of each step; none has more than the one before.
    pub batch_sizes: Option<&'a [usize]>,
    /// The first hidden states, `[layers · directions, batch, hidden]`.
    pub h0: &'a Tensor,
    /// The first cell states of an LSTM.
    pub c0: Option<&'a Tensor>,
    /// The weights of each layer and direction, in PyTorch's order: input, state, both biases, projection.
    pub params: &'a [&'a Tensor],
    /// Whether there are biases.
    pub has_biases: bool,
    /// How many layers.
    pub num_layers: usize,
    /// With which probability outputs between layers are dropped in training.
    pub dropout: f64,
    /// Whether this is training.
    pub train: bool,
    /// Whether each layer also runs from the end to the start.
    pub bidirectional: bool,
    /// Whether the batch comes first in input and output.
    pub batch_first: bool,
}

/// The results of [`rnn`].
pub struct RnnOutput {
    /// The last layer's hidden states at all steps, both directions side by side, in the form of the input.
    pub output: Tensor,
    /// The last hidden states of each layer and direction.
    pub h: Tensor,
    /// The last cell states of an LSTM.
    pub c: Option<Tensor>,
}

/// Runs recurrent layers over a sequence.
///
/// # Errors
/// When the sequence is empty, or dtypes or devices differ.
#[track_caller]
pub fn rnn(call: &RnnCall<'_>) -> Result<RnnOutput> {
    let shown = match call.mode {
        RnnMode::Tanh => "rnn_tanh",
        RnnMode::Relu => "rnn_relu",
        RnnMode::Lstm => "lstm",
        RnnMode::Gru => "gru",
    };
    let mut inputs = vec![call.input, call.h0];
    inputs.extend(call.c0);
    inputs.extend(call.params);
    let all = watched(shown, &inputs, |region| match region {
        None => layers(call, false),
        Some(region) => in_region(call, region),
    })?;
    let mut all = all.into_iter();
    let mut next = || all.next().expect("an output and states");
    let (output, h) = (next(), next());
    Ok(RnnOutput { output, h, c: all.next() })
}

/// Runs an operation through the boundary where modes stand, as `#[op]` does. `run` is told the region of autocast for the inputs.
#[track_caller]
pub(super) fn watched(
    name: &'static str,
    inputs: &[&Tensor],
    run: impl FnOnce(Option<Kind>) -> Result<Vec<Tensor>>,
) -> Result<Vec<Tensor>> {
    if !mode::watched() {
        return run(None);
    }
    let watched = mode::begin(name, mode::look(name, false, &[&mode::List(inputs)])?);
    let kind = Kind::of(inputs[0].device());
    watched.end(run(low_precision(kind).map(|_| kind)))
}

/// What the recurrent kernels of PyTorch that autocast knows are given: all in low precision.
pub(super) const LOW: Casts = Casts { cpu: Cast::Low, gpu: Cast::Low };

/// Layers in a region of autocast. On a GPU, and where the CPU has a kernel for whole layers, all inputs are cast; else the
/// operations are PyTorch's in turn, which cast what they take.
fn in_region(call: &RnnCall<'_>, region: Kind) -> Result<Vec<Tensor>> {
    let uneven = call.batch_sizes.is_some() || call.params.len() > params_without_projection(call);
    if region == Kind::Cpu && (call.mode != RnnMode::Lstm || uneven || !is_one_dnn(call.input)) {
        return layers(call, true);
    }
    let casting = mode::Casting::begin(LOW, &[&call.input])?;
    let cast = |x: &Tensor| casting.tensor(x).map(|held| held.shallow_clone());
    let (input, h0, c0) = (cast(call.input)?, cast(call.h0)?, call.c0.map(cast).transpose()?);
    let params: Vec<Tensor> = call.params.iter().map(|x| cast(x)).collect::<Result<_>>()?;
    let params: Vec<&Tensor> = params.iter().collect();
    layers(&RnnCall { input: &input, h0: &h0, c0: c0.as_ref(), params: &params, ..*call }, false)
}

fn params_without_projection(call: &RnnCall<'_>) -> usize {
    call.num_layers * (1 + usize::from(call.bidirectional)) * (2 + 2 * usize::from(call.has_biases))
}

/// Whether oneDNN has a kernel for such an input.
fn is_one_dnn(input: &Tensor) -> bool {
    matches!(input.dtype(), DType::F32 | DType::BF16) && input.numel() > 0
}

/// Refuses tensors on another device than the input's.
fn same_device(what: &str, input: &Tensor, others: &[&Tensor]) -> Result<()> {
    let (device, other) = (input.device(), others.iter().map(|x| x.device()));
    match other.into_iter().find(|other| *other != device) {
        None => Ok(()),
        Some(other) => Err(Error::runtime(format!(
            "Input and {what} tensors are not at the same device, found input tensor at {device} and {what} tensor at {other}"
        ))),
    }
}

/// Layers one after the other, each as one kernel, or `composed` of PyTorch's operations.
#[track_caller]
fn layers(call: &RnnCall<'_>, composed: bool) -> Result<Vec<Tensor>> {
    let RnnCall { mode, input, h0, c0, params, num_layers, .. } = *call;
    let size = input.size();
    let (form, steps) = match call.batch_sizes {
        Some(sizes) => (Form::Packed, Steps::packed(sizes)),
        None if call.batch_first => (Form::BatchFirst, Steps::uniform(size[1], size[0])),
        None => (Form::Sequence, Steps::uniform(size[0], size[1])),
    };
    if steps.len == 0 {
        return Err(Error::runtime("Expected sequence length to be larger than 0 in RNN"));
    }
    let states: Vec<&Tensor> = [Some(h0), c0].into_iter().flatten().collect();
    same_device("hidden", input, &states)?;
    same_device("parameter", input, params)?;
    if !composed {
        same_dtype(&states, params[0])?;
    }
    let directions = 1 + usize::from(call.bidirectional);
    let of_direction = params.len() / (num_layers * directions);
    let projection = of_direction > 2 + 2 * usize::from(call.has_biases);
    let parts = Parts { directions, cells: c0.is_some(), bias: call.has_biases, projection };
    // oneDNN has a layer of its own for what is not projected, and packed only where that changes nothing.
    let one_dnn = mode == RnnMode::Lstm
        && !projection
        && call.batch_sizes.is_none_or(|sizes| sizes.iter().all(|n| *n == sizes[0]))
        && is_one_dnn(input);
    let (mut x, mut last_h, mut last_c) = (input.shallow_clone(), Vec::new(), Vec::new());
    for i in 0..num_layers {
        let last = i + 1 == num_layers;
        let between = if form == Form::BatchFirst { Form::Sequence } else { form };
        let forms = Forms { x: if i == 0 { form } else { between }, out: if last { form } else { between } };
        let state = |all: &Tensor| match num_layers {
            1 => Ok(all.shallow_clone()),
            _ => ops::narrow(all, 0, (i * directions) as i64, directions as i64),
        };
        let states: Vec<Tensor> = states.iter().map(|s| state(s)).collect::<Result<_>>()?;
        let mut inputs = vec![&x];
        inputs.extend(&states);
        inputs.extend(&params[i * directions * of_direction..][..directions * of_direction]);
        let name = match forms.out {
            Form::BatchFirst if mode == RnnMode::Lstm => "TransposeBackward0",
            Form::BatchFirst => "TransposeBackward1",
            Form::Packed if one_dnn => "ViewBackward0",
            Form::Packed => "CatBackward0",
            _ if directions == 2 => "CatBackward0",
            _ if one_dnn => "MkldnnRnnLayerBackward0",
            _ => "StackBackward0",
        };
        let results = match composed {
            false => layer(name, mode, &inputs, parts, forms, steps.clone(), !last)?,
            true => {
                let inputs: Vec<Tensor> = inputs.iter().map(|x| x.shallow_clone()).collect();
                super::composed::layer(mode, &inputs, parts, forms, &steps)?
            }
        };
        let mut results = results.into_iter();
        let mut next = || results.next().expect("an output and states");
        let (out, h) = (next(), next());
        last_h.push(h);
        last_c.extend(results.next());
        if call.dropout != 0.0 && call.train && !last {
            x = ops::dropout(&out, call.dropout, true)?;
        } else {
            x = out;
        }
    }
    let mut out = vec![x, stacked(&last_h)?];
    if !last_c.is_empty() {
        out.push(stacked(&last_c)?);
    }
    Ok(out)
}
