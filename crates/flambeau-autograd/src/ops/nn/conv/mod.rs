//! Convolutions and transposed convolutions over one to three spatial dimensions.
//!
//! Three linear maps are each other's gradients: the convolution in its input and weight, its gradient for the input (which
//! is also the transposed convolution), and its gradient for the weight. So every order of derivative is at hand.

mod check;
mod integer;
mod options;
pub(crate) mod tbc;

pub use options::{ConvOptions, ConvTransposeOptions};
pub use tbc::conv_tbc;

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Context, Grads, Save, record};
use crate::ops::nn::window::{Padding, Sizes, per_dim};
use crate::ops::{constant_pad, reshape, squeeze, sum, unsqueeze};
use check::{ConvNumbers, list_message, text, too_small, wrong_dims};
use flambeau_macros::op;
use flambeau_tensor::backend::ConvGeometry;
use flambeau_tensor::calls::{Conv, ConvInputGrad, ConvWeightGrad, PrimitiveCall as _};
use flambeau_tensor::ops::{fill, pointwise_into, same_device};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Dims, Scalar};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// The convolution (as in PyTorch, a cross-correlation) of `[n, c, l]` or `[c, l]` with a weight of `[o, c/groups, k]`, plus a
/// bias of `[o]`: `F.conv1d`. Options: `stride`, `padding` (numbers, `"same"`, `"valid"`), `dilation`, `groups`.
///
/// out\[n, o, p\] = bias\[o\] + Σ_c Σ_κ weight\[o, c, κ\] · x\[n, c, p·stride + κ·dilation − padding\]
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 2.0, 3.0, 4.0]]]);
/// let w = torch::tensor([[[1.0, 10.0]]]);
/// assert_eq!(F::conv1d(&x, &w, None).to_vec::<f32>(), [21.0, 32.0, 43.0]);
/// let y = F::conv1d_with(&x, &w, None, |o| o.stride(2).padding(1));
/// assert_eq!(y.to_vec::<f32>(), [10.0, 32.0, 4.0]);
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit.
#[op(torch, functional, cast = Low)]
pub fn conv1d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions) -> Result<Tensor> {
    conv(x, weight, bias, options, 1)
}

/// [`conv1d`] over height and width, of `[n, c, h, w]` or `[c, h, w]` with a weight of `[o, c/groups, kh, kw]`: `F.conv2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, w) = (torch::ones([1, 3, 8, 8]), torch::ones([6, 3, 3, 3]));
/// let b = torch::ones([6]);
/// let y = F::conv2d_with(&x, &w, Some(&b), |o| o.padding("same"));
/// assert_eq!(y.size(), [1, 6, 8, 8]);
/// assert_eq!((y.i((0, 0, 0, 0)).item(), y.i((0, 0, 4, 4)).item()), (13.0, 28.0));
/// ```
#[op(torch, functional, cast = Low)]
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions) -> Result<Tensor> {
    conv(x, weight, bias, options, 2)
}

/// [`conv1d`] over depth, height and width, of `[n, c, d, h, w]` or `[c, d, h, w]` with a weight of `[o, c/groups, kd, kh, kw]`:
/// `F.conv3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::conv3d(&torch::ones([2, 4, 5, 6, 7]), &torch::ones([8, 4, 2, 3, 3]), None);
/// assert_eq!(y.size(), [2, 8, 4, 4, 5]);
/// ```
#[op(torch, functional, cast = Low)]
pub fn conv3d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions) -> Result<Tensor> {
    conv(x, weight, bias, options, 3)
}

/// The transpose of [`conv1d`]'s linear map, of `[n, c, l]` or `[c, l]` with a weight of `[c, o/groups, k]`, plus a bias of
/// `[o]`: `F.conv_transpose1d`. Options: `stride`, `padding`, `output_padding`, `groups`, `dilation`.
///
/// The output's length is (l − 1)·stride − 2·padding + dilation·(k − 1) + output_padding + 1.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, w) = (torch::tensor([[[1.0, 2.0]]]), torch::tensor([[[1.0, 10.0]]]));
/// assert_eq!(F::conv_transpose1d(&x, &w, None).to_vec::<f32>(), [1.0, 12.0, 20.0]);
/// let y = F::conv_transpose1d_with(&x, &w, None, |o| o.stride(2));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 10.0, 2.0, 20.0]);
/// ```
///
/// # Errors
/// When shapes, dtypes or options do not fit.
#[op(torch, functional, cast = Low)]
pub fn conv_transpose1d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions,
) -> Result<Tensor> {
    conv_transpose(x, weight, bias, options, 1)
}

/// [`conv_transpose1d`] over height and width, with a weight of `[c, o/groups, kh, kw]`: `F.conv_transpose2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, w) = (torch::ones([1, 8, 4, 4]), torch::ones([8, 2, 3, 3]));
/// let y = F::conv_transpose2d_with(&x, &w, None, |o| o.stride(2).padding(1).output_padding(1));
/// assert_eq!(y.size(), [1, 2, 8, 8]);
/// ```
#[op(torch, functional, cast = Low)]
pub fn conv_transpose2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions,
) -> Result<Tensor> {
    conv_transpose(x, weight, bias, options, 2)
}

/// [`conv_transpose1d`] over depth, height and width, with a weight of `[c, o/groups, kd, kh, kw]`: `F.conv_transpose3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let y = F::conv_transpose3d(&torch::ones([1, 2, 3, 3, 3]), &torch::ones([2, 4, 2, 2, 2]), None);
/// assert_eq!(y.size(), [1, 4, 4, 4, 4]);
/// ```
#[op(torch, functional, cast = Low)]
pub fn conv_transpose3d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions,
) -> Result<Tensor> {
    conv_transpose(x, weight, bias, options, 3)
}

/// Runs `f` on a batch: an input without one gets a batch of one, which goes away again.
fn batched(x: &Tensor, ndim: usize, name: &str, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    match x.dim() {
        d if d == ndim + 2 => f(x),
        d if d == ndim + 1 => squeeze(&f(&unsqueeze(x, 0)?)?, Some(&[0])),
        _ => Err(Error::runtime(format!(
            "Expected {}D (unbatched) or {}D (batched) input to {name}{ndim}d, but got input of size: {}",
            ndim + 1,
            ndim + 2,
            text(&x.size())
        ))),
    }
}

fn conv(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, options: &ConvOptions, ndim: usize) -> Result<Tensor> {
    batched(x, ndim, "conv", |x| {
        let (x, padding) = resolve_padding(x, weight, options, ndim)?;
        let output_padding: Sizes = smallvec![0];
        let call = ConvNumbers {
            ndim,
            stride: &options.stride,
            padding: &padding,
            dilation: &options.dilation,
            groups: options.groups,
        };
        let (geometry, _) = call.check(&x, weight, bias, &output_padding, false)?;
        let (from, kernel) = (x.size(), weight.size());
        let mut shape: Dims = smallvec![from[0], kernel[0]];
        for (i, d) in (3 - ndim..3).enumerate() {
            let span = geometry.dilation[d] * (kernel[i + 2].max(1) - 1) + 1;
            shape.push((from[i + 2] + 2 * geometry.padding[d] - span) / geometry.stride[d] + 1);
        }
        convolution(&x, weight, bias, geometry, Direction::Forward, &shape)
    })
}

/// The input and the padding in numbers. Where `"same"` needs one more zero at the end than at the front, the input gets
/// it, as in PyTorch.
fn resolve_padding(x: &Tensor, weight: &Tensor, options: &ConvOptions, ndim: usize) -> Result<(Tensor, Sizes)> {
    let name = match &options.padding {
        Padding::Sizes(sizes) => return Ok((x.shallow_clone(), sizes.clone())),
        Padding::Named(name) => name.as_str(),
    };
    match name {
        "valid" => return Ok((x.shallow_clone(), smallvec![0])),
        "same" => {}
        other => return Err(Error::runtime(format!("Invalid padding string: '{other}'"))),
    }
    let kernel = weight.size();
    if kernel.len() != x.dim() {
        return Err(wrong_dims(x, weight));
    }
    if options.stride.iter().any(|&s| s != 1) {
        return Err(Error::runtime("padding='same' is not supported for strided convolutions"));
    }
    let dilation = per_dim(&options.dilation, ndim, || list_message("dilation", ndim, &options.dilation))?;
    let total: Sizes = kernel[2..].iter().zip(&dilation).map(|(&k, &d)| d * (k as i64 - 1)).collect();
    // The last dimension's pair comes first.
    let extra: Sizes = total.iter().rev().flat_map(|&t| [0, t % 2]).collect();
    let x = if extra.iter().any(|&n| n > 0) { constant_pad(x, &extra, 0)? } else { x.shallow_clone() };
    Ok((x, total.iter().map(|&t| t / 2).collect()))
}

fn conv_transpose(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: &ConvTransposeOptions,
    ndim: usize,
) -> Result<Tensor> {
    batched(x, ndim, "conv_transpose", |x| {
        let call = ConvNumbers {
            ndim,
            stride: &options.stride,
            padding: &options.padding,
            dilation: &options.dilation,
            groups: options.groups,
        };
        let (geometry, extra) = call.check(x, weight, bias, &options.output_padding, true)?;
        let (from, kernel) = (x.size(), weight.size());
        let lengths: Sizes = (0..ndim)
            .map(|d| {
                let i = 3 - ndim + d;
                let reach = geometry.dilation[i] * (kernel[d + 2].max(1) - 1);
                (from[d + 2] as i64 - 1) * geometry.stride[i] as i64 - 2 * geometry.padding[i] as i64
                    + reach as i64
                    + extra[d]
                    + 1
            })
            .collect();
        if from[0] == 0 && lengths.iter().any(|&n| n < 0) {
            // Of an empty batch PyTorch only makes the shape, and says of it what `reshape` does.
            let fill: &[i64] = if ndim == 1 { &[1] } else { &[] };
            let shape = [&[0, (kernel[1] * geometry.groups) as i64], fill, &lengths].concat();
            return reshape(&x.detach(), &shape);
        }
        if from[0] > 0 && lengths.iter().any(|&n| n < 1) {
            return Err(too_small(&from[2..], &lengths));
        }
        let mut shape: Dims = smallvec![from[0], kernel[1] * geometry.groups];
        shape.extend(lengths.iter().map(|&n| n as usize));
        // Outputs beyond the next step of the last input belong to further inputs, which are zero.
        let further: Sizes =
            (0..ndim).rev().flat_map(|d| [0, extra[d] / geometry.stride[3 - ndim + d] as i64]).collect();
        let x = if further.iter().any(|&n| n > 0) { constant_pad(x, &further, 0)? } else { x.shallow_clone() };
        convolution(&x, weight, bias, geometry, Direction::Transposed, &shape)
    })
}

/// The gradient for a bias: the sum over all dimensions but the channels.
fn bias_grad(grad: &Tensor) -> Result<Tensor> {
    let dims: Sizes = (0..grad.dim() as i64).filter(|&d| d != 1).collect();
    sum(grad, &dims, false, None)
}

static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));

/// Applies a bilinear map of two dense arrays; over nothing it is zero.
fn bilinear(
    a: &Tensor,
    b: &Tensor,
    shape: &[usize],
    map: impl FnOnce(&Array, &Array, &Array) -> Result<()>,
) -> Result<Array> {
    let (a, b) = (a.array(), b.array());
    same_device(&[&a, &b])?;
    let out = Array::empty(a.backend(), a.device(), shape, a.dtype())?;
    if out.numel() > 0 {
        match a.numel() == 0 || b.numel() == 0 {
            true => fill(&out, Scalar::Int(0))?,
            false => map(&a.contiguous()?, &b.contiguous()?, &out)?,
        }
    }
    Ok(out)
}

/// Which of the two directions a convolution's output follows from its input.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    Transposed,
}

/// The convolution of `[n, c, …]` or its transpose, to the given shape; the bias comes on top.
fn convolution(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    g: ConvGeometry,
    direction: Direction,
    shape: &[usize],
) -> Result<Tensor> {
    let mut fused = false;
    let out = bilinear(x, weight, shape, |a, w, out| match direction {
        Direction::Forward if !a.dtype().is_floating_point() => integer::forward(a, w, &g, out),
        Direction::Transposed if !a.dtype().is_floating_point() => integer::transposed(a, w, &g, out),
        Direction::Forward => {
            fused = true;
            let bias = bias.map(|b| b.array().contiguous()).transpose()?;
            Ok(Conv { x: a, weight: w, bias: bias.as_ref(), geometry: &g, out }.run()?)
        }
        Direction::Transposed => Ok(ConvInputGrad { grad: a, weight: w, geometry: &g, out }.run()?),
    })?;
    if let (false, Some(bias)) = (fused, bias) {
        let mut per_channel: Sizes = smallvec![-1];
        per_channel.extend(std::iter::repeat_n(1, g.ndim));
        pointwise_into(&ADD, &[&out, &bias.array().reshape(&per_channel)?], &[], &[&out])?;
    }
    let inputs: SmallVec<[&Tensor; 3]> = [x, weight].into_iter().chain(bias).collect();
    let has_bias = bias.is_some();
    let backward = move |c: &Context<'_>| {
        let (grad, x, weight) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let dx = || match direction {
            Direction::Forward => convolution(&grad, &weight, None, g, Direction::Transposed, &x.size()),
            Direction::Transposed => convolution(&grad, &weight, None, g, Direction::Forward, &x.size()),
        };
        let dw = || match direction {
            Direction::Forward => weight_grad(&x, &grad, g, &weight.size()),
            Direction::Transposed => weight_grad(&grad, &x, g, &weight.size()),
        };
        let mut grads: Grads = smallvec![c.needs(0).then(dx).transpose()?, c.needs(1).then(dw).transpose()?];
        if has_bias {
            grads.push(c.needs(2).then(|| bias_grad(&grad)).transpose()?);
        }
        Ok(grads)
    };
    Ok(record(
        "ConvolutionBackward0",
        &inputs,
        &[Save::Tensor("input", x), Save::Tensor("weight", weight)],
        out,
        backward,
    ))
}

/// The gradient of a forward convolution for its weight, of the given shape.
fn weight_grad(x: &Tensor, grad: &Tensor, g: ConvGeometry, shape: &[usize]) -> Result<Tensor> {
    let out = bilinear(x, grad, shape, |x, grad, out| Ok(ConvWeightGrad { x, grad, geometry: &g, out }.run()?))?;
    let saves = [Save::Tensor("input", x), Save::Tensor("grad_output", grad)];
    Ok(record("ConvolutionBackwardBackward0", &[x, grad], &saves, out, move |c| {
        let (dw, x, grad) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let dx = || convolution(&grad, &dw, None, g, Direction::Transposed, &x.size());
        let dgrad = || convolution(&x, &dw, None, g, Direction::Forward, &grad.size());
        Ok(smallvec![c.needs(0).then(dx).transpose()?, c.needs(1).then(dgrad).transpose()?])
    }))
}
