//! Layer norm, group norm and RMS norm.

use crate::error::{Error, Result};
use crate::mode::cast_for;
use crate::ops::nn::norm::statistics::{check_mixed, normalize_by, one_value};
use crate::ops::{AvgPoolOptions, IntoShape, PadOptions, map, mean_map};
use crate::registry::{Cast, Casts};
use crate::{Tensor, ops, options};
use flambeau_macros::op;
use flambeau_tensor::backend::NormLayout;
use flambeau_tensor::dims::numel;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Scalar, default_dtype};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// Checks that the last dimensions are `normalized`, and the parameters' shapes.
fn check_normalized(x: &Tensor, normalized: &[usize], params: [(&str, Option<&Tensor>); 2]) -> Result<()> {
    if normalized.is_empty() {
        return Err(Error::runtime(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got \
             normalized_shape = []",
        ));
    }
    for (name, param) in params {
        if let Some(p) = param.filter(|p| *p.size() != *normalized) {
            return Err(Error::runtime(format!(
                "Expected {name} to be of same shape as normalized_shape, but got {name} of shape {:?} and normalized_shape = \
                 {normalized:?}",
                &*p.size()
            )));
        }
    }
    let size = x.size();
    if !size.ends_with(normalized) {
        let lengths: String = normalized.iter().map(|n| format!(", {n}")).collect();
        return Err(Error::runtime(format!(
            "Given normalized_shape={normalized:?}, expected input with shape [*{lengths}], but got input of size{:?}",
            &*size
        )));
    }
    Ok(())
}

options! {
    /// Options of `F::layer_norm` and `F::group_norm`.
    NormOptions {
        /// Multiplied: in the normalised shape, or per channel of groups (1).
        weight: Option<Tensor> = None,
        /// Added, in the shape of the weight (0).
        bias: Option<Tensor> = None,
        /// Added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

/// A shape as the functions take it.
fn lengths(shape: impl IntoShape) -> Vec<usize> {
    shape.into_dims().iter().map(|&n| n as usize).collect()
}

/// (x − mean) / √(variance + ε) · weight + bias over the last dimensions, which are `normalized_shape`; weight and bias have that
/// shape (arXiv 1607.06450): `F.layer_norm`. Options: `weight`, `bias`, `eps`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0], [10.0, 30.0]]);
/// assert!(F::layer_norm(&x, 2).allclose(&torch::tensor([[-0.999995, 0.999995], [-1.0, 1.0]])));
/// let y = F::layer_norm_with(&x, 2, |o| o.weight(torch::tensor([1.0, 2.0])).eps(0.0));
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 2.0, -1.0, 2.0]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit, or of integers.
#[op(torch, functional, cast_gpu = Float32, forms(
    layer_norm(normalized_shape: impl IntoShape, options: &NormOptions) = (
        &lengths(normalized_shape), options.weight.as_ref(), options.bias.as_ref(), options.eps
    ),
),
    default(eps = 1e-5)
)]
pub fn layer_norm(
    x: &Tensor,
    normalized_shape: &[usize],
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let normalized = normalized_shape;
    check_normalized(x, normalized, [("weight", weight), ("bias", bias)])?;
    if !x.is_floating_point() {
        let dtype = x.dtype();
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "LayerNormKernelImpl", dtype }.into());
    }
    check_mixed(x, [weight, bias], |params| params)?;
    let k = numel(normalized);
    let rows = x.numel().checked_div(k).unwrap_or(0);
    let layout = NormLayout { shape: smallvec![rows, k], dims: smallvec![1], params: smallvec![1, k], eps };
    Ok(normalize_by("NativeLayerNormBackward0", x, weight, bias, layout)?.0)
}

/// (x − mean) / √(variance + ε) · weight + bias over each of `num_groups` groups of channels of each sample of `[n, C, …]`;
/// weight and bias are per channel (arXiv 1803.08494): `F.group_norm`. Options: `weight`, `bias`, `eps`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 10.0, 30.0]]);
/// let y = F::group_norm_with(&x, 2, |o| o.eps(0.0).bias(torch::tensor([0.0, 0.0, 5.0, 5.0])));
/// assert_eq!(y.to_vec::<f32>(), [-1.0, 1.0, 4.0, 6.0]);
/// ```
///
/// # Errors
/// When `num_groups` does not divide the channels, or shapes or dtypes do not fit.
#[op(torch, functional, cast_gpu = Float32, forms(
    group_norm(num_groups: usize, options: &NormOptions) = (
        num_groups, options.weight.as_ref(), options.bias.as_ref(), options.eps
    ),
),
    default(eps = 1e-5)
)]
pub fn group_norm(
    x: &Tensor,
    num_groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let size = x.size();
    if size.len() < 2 {
        return Err(Error::runtime(format!(
            "Expected at least 2 dimensions for input tensor but received {}",
            size.len()
        )));
    }
    let (n, channels) = (size[0], size[1]);
    if num_groups == 0 {
        return Err(Error::runtime("Expected num groups to be greater than 0, got 0"));
    }
    let spatial: usize = size[2..].iter().product();
    if n * channels / num_groups * spatial == 1 {
        let mut viewed = vec![n * channels / num_groups, num_groups];
        viewed.extend(&size[2..]);
        return Err(one_value(&format!("{viewed:?}")));
    }
    for (what, length) in [("number of channels", channels), ("HxW", spatial)] {
        if length == 0 {
            return Err(Error::runtime(format!("Expected {what} to be greater than 0, got 0")));
        }
    }
    if !channels.is_multiple_of(num_groups) {
        return Err(Error::runtime(format!(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape {:?} and \
             num_groups={num_groups}",
            &*size
        )));
    }
    for (name, param) in [("weight", weight), ("bias", bias)] {
        if let Some(p) = param.filter(|p| p.dim() != 1 || p.numel() != channels) {
            return Err(Error::runtime(format!(
                "Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape \
                 {:?} and input of shape {:?}",
                &*p.size(),
                &*size
            )));
        }
    }
    check_mixed(x, [weight, bias], |params| params)?;
    let of_group = channels / num_groups;
    let layout = NormLayout {
        shape: smallvec![n, num_groups, of_group, spatial],
        dims: smallvec![2, 3],
        params: smallvec![1, num_groups, of_group, 1],
        eps,
    };
    Ok(normalize_by("NativeGroupNormBackward0", x, weight, bias, layout)?.0)
}

static SQUARE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(0)));
/// x / √(q + ε), then the weight
static RMS: LazyLock<[Pointwise; 2]> = LazyLock::new(|| {
    [false, true].map(|weighted| {
        Pointwise::new(move |b| {
            let y = b.input(0) * (b.input(1) + b.scalar(0)).rsqrt();
            if weighted { y * b.input(2) } else { y }
        })
        .with_arguments(&["input", "mean_square", "weight"])
    })
});

/// x / √(mean x² + ε) over the last dimensions, which are `normalized_shape`, times a weight of that shape (arXiv 1910.07467):
/// `F.rms_norm`. ε is float32's epsilon unless given (of float64, float64's).
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]);
/// let y = F::rms_norm(&x, 8, None, None);
/// assert!(y.i((0, ..3)).allclose(&torch::tensor([2.0, 2.0, 0.0])));
/// ```
///
/// # Errors
/// When the shapes do not fit.
#[op(torch, functional, cast_gpu = Float32, forms(
    rms_norm(normalized_shape: impl IntoShape, weight: Option<&Tensor>, eps: Option<f64>) = (
        &lengths(normalized_shape), weight, eps
    ),
))]
pub fn rms_norm(x: &Tensor, normalized_shape: &[usize], weight: Option<&Tensor>, eps: Option<f64>) -> Result<Tensor> {
    let normalized = normalized_shape;
    if x.dim() < normalized.len() {
        return Err(Error::value(format!(
            "Input tensor must have at least {} dimensions, but got {}",
            normalized.len(),
            x.dim()
        )));
    }
    check_normalized_rms(x, normalized, weight)?;
    let dtype = x.dtype();
    let eps = eps.unwrap_or(match dtype {
        DType::F64 => f64::EPSILON,
        _ => f64::from(f32::EPSILON),
    });
    let wide = &match dtype {
        DType::F16 | DType::BF16 => ops::to_dtype(x, DType::F32)?,
        _ => x.shallow_clone(),
    };
    let dims: SmallVec<[i64; 6]> = (1..=normalized.len() as i64).map(|d| -d).collect();
    let square = mean_map("MeanBackward1", Some(&SQUARE), &[wide], &[], &dims, true, None)?;
    let mut inputs: SmallVec<[&Tensor; 3]> = smallvec![wide, &square];
    inputs.extend(weight);
    let out = map("MulBackward0", &RMS[usize::from(weight.is_some())], &inputs, &[Scalar::Float(eps)])?;
    ops::contiguous(&ops::to_dtype(&out, dtype)?)
}

/// [`check_normalized`] in rms_norm's words.
fn check_normalized_rms(x: &Tensor, normalized: &[usize], weight: Option<&Tensor>) -> Result<()> {
    check_normalized(x, normalized, [("weight", weight), ("bias", None)]).map_err(|e| {
        let lengths: Vec<String> = normalized.iter().map(usize::to_string).collect();
        let (theirs, ours) = (format!("[*{}]", lengths.join(", ")), format!("[*, {}]", lengths.join(", ")));
        Error::runtime(e.to_string().replace(&ours, &theirs))
    })
}

/// x / (k + α · m)^β of x and the windows' means m
static RESPONSE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) / (b.input(1) * b.scalar(0) + b.scalar(2)).pow(b.scalar(1))));

/// x / (k + α · mean x²)^β, with the mean over `size` neighbouring channels of `[n, C, …]`, zeros beyond the ends:
/// `F.local_response_norm`. PyTorch's defaults for α, β and k are 1e-4, 0.75 and 1.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[2.0], [2.0], [0.0]]]);
/// assert_eq!(F::local_response_norm_with(&x, 1, |o| o.alpha(0.25).beta(1)).to_vec::<f32>(), [1.0, 1.0, 0.0]);
/// ```
///
/// # Errors
/// Of less than three dimensions.
#[op(functional, default(alpha = 1e-4, beta = 0.75, k = 1.0))]
pub fn local_response_norm(x: &Tensor, size: i64, alpha: f64, beta: f64, k: f64) -> Result<Tensor> {
    let n = x.dim();
    if n < 3 {
        return Err(Error::value(format!(
            "Expected 3D or higher dimensionality                          input (got {n} dimensions)"
        )));
    }
    if x.numel() == 0 {
        return Ok(x.shallow_clone());
    }
    let casts = Casts { cpu: Cast::None, gpu: Cast::Float32 };
    cast_for(casts, x, |x| responses(x, size, [alpha, beta, k]))
}

fn responses(x: &Tensor, size: i64, numbers: [f64; 3]) -> Result<Tensor> {
    let (n, shape) = (x.dim(), x.size());
    // The channels as a spatial dimension, whose neighbours a pooling averages.
    let square = ops::mul(x, x)?;
    let around = [size / 2, (size - 1).div_euclid(2)];
    let mean = if n == 3 {
        let padded = ops::pad(&ops::unsqueeze(&square, 1)?, &[&[0, 0], &around[..]].concat(), &PadOptions::default())?;
        ops::avg_pool2d(&padded, &[size, 1], &AvgPoolOptions::default().stride(1))?
    } else {
        let volume = [shape[0] as i64, 1, shape[1] as i64, shape[2] as i64, -1];
        let volume = ops::reshape(&square, &volume)?;
        let padded = ops::pad(&volume, &[&[0; 4], &around[..]].concat(), &PadOptions::default())?;
        ops::avg_pool3d(&padded, &[size, 1, 1], &AvgPoolOptions::default().stride(1))?
    };
    let mean = ops::reshape(&ops::squeeze(&mean, Some(&[1]))?, &ops::to_i64(&shape))?;
    let scalars = numbers.map(Scalar::Float);
    // Quotients of integers are floats.
    let floats =
        |x: &Tensor| if x.is_floating_point() { Ok(x.shallow_clone()) } else { ops::to_dtype(x, default_dtype()) };
    map("DivBackward0", &RESPONSE, &[&floats(x)?, &floats(&mean)?], &scalars)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_vec, gradcheck};

    #[test]
    fn local_response_norm_is_pytorchs() {
        // F.local_response_norm(torch.arange(12, dtype=torch.float64).reshape(1, 4, 3) - 5, 3, 0.5, 0.75, 1)
        let x = from_vec((0..12).map(|i| f64::from(i) - 5.0).collect(), [1, 4, 3]);
        let y = local_response_norm(&x, 3, 0.5, 0.75, 1.0).unwrap();
        let expected = [
            -1.3320864444366094,
            -1.4600830258064081,
            -1.5089201156195227,
            -0.5216948600244291,
            -0.3236611811382156,
            0.0,
            0.3236611811382156,
            0.5216948600244291,
            0.6026387594732274,
            1.4600830258064081,
            1.3320864444366094,
            1.2052775189464549,
        ];
        for (a, b) in y.to_vec::<f64>().iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{y}");
        }
        x.requires_grad_(true);
        gradcheck(&|x| Ok(vec![local_response_norm(&x[0], 3, 0.5, 0.75, 1.0)?]), &[x], Default::default()).unwrap();
    }
}
