//! A batch norm in evaluation folded into the layer before it.

use crate::{BatchNorm, Conv, ConvTranspose, Linear, Module, Parameter, deepcopy};
use flambeau_autograd::arguments::{Number, OptTensor};
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, ops, options};

options! {
    /// Options of [`fuse_conv_bn_eval_with`] and [`fuse_conv_bn_weights_with`].
    #[derive(Clone)]
    FuseOptions {
        /// Whether the convolution is a transposed one, whose outputs are the weight's second dimension (false).
        transpose: bool = false,
    }
}

/// A layer that a batch norm can be folded into.
pub trait Fusible: Module {
    /// Its weight and bias.
    fn weight_and_bias(&mut self) -> (&mut Parameter, &mut Option<Parameter>);
}

impl<const D: usize> Fusible for Conv<D> {
    fn weight_and_bias(&mut self) -> (&mut Parameter, &mut Option<Parameter>) {
        (&mut self.weight, &mut self.bias)
    }
}

impl<const D: usize> Fusible for ConvTranspose<D> {
    fn weight_and_bias(&mut self) -> (&mut Parameter, &mut Option<Parameter>) {
        (&mut self.weight, &mut self.bias)
    }
}

impl Fusible for Linear {
    fn weight_and_bias(&mut self) -> (&mut Parameter, &mut Option<Parameter>) {
        (&mut self.weight, &mut self.bias)
    }
}

/// The numbers of a layer and of the batch norm behind it.
struct Numbers<'a> {
    weight: &'a Tensor,
    bias: Option<&'a Tensor>,
    mean: &'a Tensor,
    var: &'a Tensor,
    eps: f64,
    bn_weight: Option<&'a Tensor>,
    bn_bias: Option<&'a Tensor>,
}

impl Numbers<'_> {
    /// Weight and bias of the layer that does both, the weight's scale in dimension `dim`.
    fn fused(&self, dim: usize) -> Result<(Parameter, Parameter)> {
        let zeros = || ops::zeros(&self.mean.size(), self.mean.dtype(), self.mean.device());
        let bias = self.bias.map_or_else(zeros, |b| Ok(b.shallow_clone()))?;
        let ones = || ops::ones(&self.mean.size(), self.mean.dtype(), self.mean.device());
        let bn_weight = self.bn_weight.map_or_else(ones, |w| Ok(w.shallow_clone()))?;
        let bn_bias = self.bn_bias.map_or_else(zeros, |b| Ok(b.shallow_clone()))?;
        let weight_dtype = self.weight.dtype();
        let bias_dtype = self.bias.map_or(weight_dtype, Tensor::dtype);
        let scale = ops::rsqrt(&ops::add(self.var, self.eps, 1)?)?;
        let mut shape = vec![1; self.weight.dim()];
        shape[dim] = -1;
        let both = ops::reshape(&ops::mul(&bn_weight, &scale)?, &shape)?;
        let weight = ops::to_dtype(&ops::mul(self.weight, &both)?, weight_dtype)?;
        let moved = ops::mul(&ops::mul(&ops::sub(&bias, self.mean, 1)?, &scale)?, &bn_weight)?;
        let fused_bias = ops::to_dtype(&ops::add(&moved, &bn_bias, 1)?, bias_dtype)?;
        let parameter = |x: &Tensor, like: &Tensor| Parameter::with_requires_grad(x, like.requires_grad());
        Ok((parameter(&weight, self.weight), parameter(&fused_bias, &bias)))
    }
}

#[track_caller]
fn fuse<L: Fusible, const D: usize>(layer: &L, bn: &BatchNorm<D>, dim: usize) -> L {
    assert!(!layer.training() && !bn.training(), "Fusion only for eval!");
    let (Some(mean), Some(var)) = (bn.running_mean.as_deref(), bn.running_var.as_deref()) else {
        panic!("bn.running_mean and bn.running_var must not be None")
    };
    let mut fused = deepcopy(layer);
    let (weight, bias) = fused.weight_and_bias();
    let numbers = Numbers {
        weight,
        bias: bias.as_deref(),
        mean,
        var,
        eps: bn.eps(),
        bn_weight: bn.weight.as_deref(),
        bn_bias: bn.bias.as_deref(),
    };
    let (fused_weight, fused_bias) = numbers.fused(dim).or_panic();
    (*weight, *bias) = (fused_weight, Some(fused_bias));
    fused
}

/// A convolution that also does what the batch norm behind it does in evaluation: `fuse_conv_bn_eval(conv, bn)`. Both must be in
/// evaluation mode.
///
/// ```
/// use flambeau_autograd::randn;
/// use flambeau_nn::{self as nn, Module, utils};
/// let (conv, bn) = (nn::Conv2d::new(1, 2, 3), nn::BatchNorm2d::new(2));
/// let x = randn([4, 1, 5, 5]);
/// bn.call(conv.call(&x)); // the statistics move
/// (conv.eval(), bn.eval());
/// let fused = utils::fuse_conv_bn_eval(&conv, &bn);
/// assert!(fused.call(&x).sub(bn.call(conv.call(&x))).abs().max().item() < 1e-5);
/// ```
///
/// # Panics
/// In training mode, and where the batch norm keeps no statistics.
#[track_caller]
pub fn fuse_conv_bn_eval<C: Fusible, const D: usize>(conv: &C, bn: &BatchNorm<D>) -> C {
    fuse_conv_bn_eval_with(conv, bn, |o| o)
}

/// [`fuse_conv_bn_eval`] with `transpose`, for transposed convolutions.
///
/// # Panics
/// As [`fuse_conv_bn_eval`].
#[track_caller]
pub fn fuse_conv_bn_eval_with<C: Fusible, const D: usize>(
    conv: &C,
    bn: &BatchNorm<D>,
    options: impl FnOnce(FuseOptions) -> FuseOptions,
) -> C {
    fuse(conv, bn, usize::from(options(FuseOptions::default()).transpose))
}

/// A linear layer that also does what the batch norm behind it does in evaluation: `fuse_linear_bn_eval(linear, bn)`.
///
/// # Panics
/// As [`fuse_conv_bn_eval`], and where the numbers of features differ.
#[track_caller]
pub fn fuse_linear_bn_eval<const D: usize>(linear: &Linear, bn: &BatchNorm<D>) -> Linear {
    assert!(!linear.training() && !bn.training(), "Fusion only for eval!");
    let (out, features) = (linear.out_features, bn.num_features());
    assert!(
        out == features || features == 1,
        "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features={out} and \
         bn.num_features={features}"
    );
    fuse(linear, bn, 0)
}

/// Weight and bias of [`fuse_conv_bn_eval`], from those of both layers: `fuse_conv_bn_weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps,
/// bn_w, bn_b)`.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// let (w, b) = flambeau_nn::utils::fuse_conv_bn_weights(
///     ones([1, 1, 2]), None, ones([1]), zeros([1]), 0.25, None, None,
/// );
/// assert_eq!((w.to_vec::<f32>(), b.item()), (vec![2.0, 2.0], -2.0));
/// ```
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn fuse_conv_bn_weights(
    conv_w: impl AsTensor,
    conv_b: impl OptTensor,
    bn_rm: impl AsTensor,
    bn_rv: impl AsTensor,
    bn_eps: impl Number,
    bn_w: impl OptTensor,
    bn_b: impl OptTensor,
) -> (Parameter, Parameter) {
    fuse_conv_bn_weights_with(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, |o| o)
}

/// [`fuse_conv_bn_weights`] with `transpose`, for transposed convolutions.
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
#[expect(clippy::too_many_arguments, reason = "they are PyTorch's")]
pub fn fuse_conv_bn_weights_with(
    conv_w: impl AsTensor,
    conv_b: impl OptTensor,
    bn_rm: impl AsTensor,
    bn_rv: impl AsTensor,
    bn_eps: impl Number,
    bn_w: impl OptTensor,
    bn_b: impl OptTensor,
    options: impl FnOnce(FuseOptions) -> FuseOptions,
) -> (Parameter, Parameter) {
    let numbers = Numbers {
        weight: conv_w.as_tensor(),
        bias: conv_b.to_option(),
        mean: bn_rm.as_tensor(),
        var: bn_rv.as_tensor(),
        eps: bn_eps.to_f64(),
        bn_weight: bn_w.to_option(),
        bn_bias: bn_b.to_option(),
    };
    numbers.fused(usize::from(options(FuseOptions::default()).transpose)).or_panic()
}

/// Weight and bias of [`fuse_linear_bn_eval`], from those of both layers: `fuse_linear_bn_weights(linear_w, linear_b, bn_rm, bn_rv,
/// bn_eps, bn_w, bn_b)`.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// let (w, b) = flambeau_nn::utils::fuse_linear_bn_weights(
///     ones([1, 2]), None, ones([1]), zeros([1]), 0.25, ones([1]), zeros([1]),
/// );
/// assert_eq!((w.to_vec::<f32>(), b.item()), (vec![2.0, 2.0], -2.0));
/// ```
///
/// # Panics
/// When the shapes do not fit.
#[track_caller]
pub fn fuse_linear_bn_weights(
    linear_w: impl AsTensor,
    linear_b: impl OptTensor,
    bn_rm: impl AsTensor,
    bn_rv: impl AsTensor,
    bn_eps: impl Number,
    bn_w: impl AsTensor,
    bn_b: impl AsTensor,
) -> (Parameter, Parameter) {
    fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
}
