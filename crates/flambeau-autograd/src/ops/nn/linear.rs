//! The general matrix product and the linear maps of layers.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::linalg::matmul::{
    ONE, check_addmm, check_dtypes, check_scalar_types, product, product_array, saves, shapes_cannot_be_multiplied,
};
use crate::ops::nn::window::cpp_name;
use crate::ops::{dot, mm, mv, reshape, sum_to_size, to_i64};
use crate::{Tensor, ops};
use flambeau_macros::op;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, Dims};
use smallvec::smallvec;
use std::sync::LazyLock;

static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));

/// All dimensions but the last as one: `[…, k]` to `[n, k]`.
fn rows(x: &Tensor) -> Result<Tensor> {
    if x.dim() == 2 { Ok(x.shallow_clone()) } else { reshape(x, &[count(&x.size()), last(x)]) }
}

/// [`rows`] of an array.
fn row_array(x: &Array) -> Result<Array> {
    let k = x.shape()[x.ndim() - 1] as i64;
    if x.ndim() == 2 { Ok(x.clone()) } else { Ok(x.reshape(&[count(x.shape()), k])?) }
}

fn count(shape: &[usize]) -> i64 {
    shape[..shape.len() - 1].iter().product::<usize>() as i64
}

fn last(x: &Tensor) -> i64 {
    x.size()[x.dim() - 1] as i64
}

/// x · w′ (+ bias) along the last dimension of `x`, as one product and one node; ′ transposes where the flag is set. `x` has
/// one or more dimensions, `w` two, and `bias` broadcasts to `[rows, columns]`.
fn linear_map(name: &'static str, x: &Tensor, w: &Tensor, w_t: bool, bias: Option<&Tensor>) -> Result<Tensor> {
    let (xa, wa) = (x.array(), w.array());
    let columns = wa.shape()[usize::from(!w_t)];
    let x2 = row_array(&xa)?;
    let row = bias.map(|b| b.array()).filter(|b| b.shape() == [columns]);
    let mut out = product_array(&x2, false, &wa, w_t, ONE, row.as_deref())?;
    if let (Some(bias), None) = (bias, &row) {
        let full = bias.array().expand(&to_i64(out.shape()))?;
        flambeau_tensor::ops::pointwise_into(&ADD, &[&out, &full], &[], &[&out])?;
    }
    if xa.ndim() != 2 {
        let mut shape = to_i64(xa.shape());
        *shape.last_mut().expect("x has a dimension") = columns as i64;
        out = out.view(&shape)?;
    }
    let names = match (bias, name) {
        (Some(_), _) => ["mat1", "mat2"],
        (None, "MvBackward0") => ["self", "vec"],
        (None, _) => ["self", "mat2"],
    };
    let saves = saves(names, x, w);
    let bias_shape = bias.map(|b| b.size());
    let inputs = [x, w, bias.unwrap_or(x)];
    let inputs = if bias.is_some() { &inputs[..] } else { &inputs[..2] };
    let x_shape: Dims = xa.shape().into();
    Ok(record(name, inputs, &saves, out, move |c| {
        let g = rows(&c.grad(0)?)?;
        let mut grads = smallvec![None, None];
        if c.needs(0) {
            let dx = product("MmBackward0", &g, false, &c.saved(1)?, !w_t, ONE)?;
            grads[0] = Some(if x_shape.len() == 2 { dx } else { reshape(&dx, &to_i64(&x_shape))? });
        }
        if c.needs(1) {
            let x = rows(&c.saved(0)?)?;
            grads[1] = Some(match w_t {
                true => product("MmBackward0", &g, true, &x, false, ONE)?,
                false => product("MmBackward0", &x, true, &g, false, ONE)?,
            });
        }
        if let Some(shape) = &bias_shape {
            grads.push(c.needs(2).then(|| sum_to_size(&g, shape)).transpose()?);
        }
        Ok(grads)
    }))
}

/// x · Wᵀ + b over the last dimension of `x`, with W of `[out, in]` and b of `[out]`: `F.linear`. One kernel: the bias is added
/// as the product is stored.
///
/// ```
/// use torch::nn::functional as F;
/// let (x, w) = (torch::tensor([[1.0, 2.0]]), torch::tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]));
/// let b = torch::tensor([10.0, 20.0, 30.0]);
/// assert_eq!(F::linear(&x, &w, Some(&b)).to_vec::<f32>(), [11.0, 22.0, 33.0]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit.
#[op(functional, cast = Low)]
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (n, wn) = (x.dim(), weight.dim());
    if n == 0 || wn == 0 {
        return Err(at_least_1d("linear", n, wn));
    }
    if wn > 2 {
        return Err(Error::runtime(format!("t() expects a tensor with <= 2 dimensions, but self is {wn}D")));
    }
    let Some(bias) = bias else {
        if wn == 1 {
            return matmul(x, weight);
        }
        let name = match n {
            1 => "SqueezeBackward4",
            2 => "MmBackward0",
            _ => "UnsafeViewBackward0",
        };
        check_columns("mm", x, weight.size()[1], weight.size()[0])?;
        check_dtypes(x, weight)?;
        return linear_map(name, x, weight, true, None);
    };
    check_addmm(bias, x, weight)?;
    if wn == 1 {
        return Err(Error::runtime("addmm: mat2 must be a matrix, got 1-D tensor"));
    }
    let out_features = weight.size()[0];
    // PyTorch takes rows of an input with gaps apart, by a product and a sum.
    let composed = n != 2 && !x.is_contiguous();
    check_columns(if composed { "mm" } else { "addmm" }, x, weight.size()[1], out_features)?;
    if composed {
        let mut shape = x.size().to_vec();
        shape[n - 1] = out_features;
        broadcast_shapes(&shape, &bias.size())?;
    }
    let name = match n {
        2 => "AddmmBackward0",
        _ if composed => "AddBackward0",
        _ => "UnsafeViewBackward0",
    };
    linear_map(name, x, weight, true, Some(bias))
}

fn check_columns(op: &str, x: &Tensor, k: usize, columns: usize) -> Result<()> {
    let (m, have) = (count(&x.size()) as usize, last(x) as usize);
    if have == k { Ok(()) } else { Err(shapes_cannot_be_multiplied(op, m, have, k, columns)) }
}

fn at_least_1d(op: &str, a: usize, b: usize) -> Error {
    Error::runtime(format!("both arguments to {op} need to be at least 1D, but they are {a}D and {b}D"))
}

/// The product of vectors, matrices and batches of them: `torch.matmul`. Of `[…, n, k]` and `[…, k, m]` it is `[…, n, m]`, where
/// the leading dimensions broadcast; a vector is a row on the left, a column on the right, and its dimension goes away.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(a.matmul(&a).to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
/// assert_eq!(a.matmul(&torch::tensor([1.0, 1.0])).to_vec::<f32>(), [3.0, 7.0]);
/// assert_eq!(torch::ones([5, 1, 2, 3]).matmul(&torch::ones([4, 3, 6])).size(), [5, 4, 2, 6]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit, or of a tensor without dimensions.
#[op(torch, linalg, method, cast = Low)]
pub fn matmul(x: &Tensor, other: &Tensor) -> Result<Tensor> {
    let (a, b) = (x, other);
    match (a.dim(), b.dim()) {
        (0, m) => Err(at_least_1d("matmul", 0, m)),
        (n, 0) => Err(at_least_1d("matmul", n, 0)),
        (1, 1) => dot(a, b),
        (2, 1) => mv(a, b),
        (2, 2) => mm(a, b),
        (n, 2) => {
            let size = b.size();
            check_columns("mm", a, size[0], size[1])?;
            check_dtypes(a, b)?;
            linear_map(if n == 1 { "SqueezeBackward4" } else { "UnsafeViewBackward0" }, a, b, false, None)
        }
        (_, 1) => {
            let (k, size) = (b.numel(), a.size());
            let m = count(&size);
            if last(a) as usize != k {
                let have = last(a);
                return Err(Error::runtime(format!("size mismatch, got input ({m}), mat ({m}x{have}), vec ({k})")));
            }
            check_scalar_types(a, b)?;
            let out = linear_map("MvBackward0", a, &ops::unsqueeze(b, 0)?, true, None)?;
            named_view("UnsafeViewBackward0", &out, &size[..size.len() - 1])
        }
        (1, m) => matmul(&ops::transpose(b, m as i64 - 2, m as i64 - 1)?, a),
        (n, _) => batched(if n == 2 && a.requires_grad() { "CloneBackward0" } else { "UnsafeViewBackward0" }, a, b),
    }
}

/// A fresh result in another shape: not a view to the user.
pub(crate) fn named_view(name: &'static str, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
    let from = to_i64(&x.size());
    let out = x.array().reshape(&to_i64(shape))?;
    Ok(record(name, &[x], &[], out, move |c| Ok(smallvec![Some(reshape(&c.grad(0)?, &from)?)])))
}

/// The matrices of two batches in one shape of batch, as `[batch, rows, columns]`.
fn flat_batch(x: &Tensor, batch: &[usize]) -> Result<Tensor> {
    let size = x.size();
    let matrix = &size[size.len() - 2..];
    let full: Dims = batch.iter().chain(matrix).copied().collect();
    let n: usize = batch.iter().product();
    reshape(&ops::expand(x, &to_i64(&full))?, &to_i64(&[n, matrix[0], matrix[1]]))
}

/// Products of broadcast batches of matrices.
fn batched(name: &'static str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (sa, sb) = (a.size(), b.size());
    let (ba, bb) = (&sa[..sa.len() - 2], &sb[..sb.len() - 2]);
    let batch = broadcast_shapes(ba, bb)?;
    let (m, k) = (sa[sa.len() - 2], sa[sa.len() - 1]);
    let (k2, n) = (sb[sb.len() - 2], sb[sb.len() - 1]);
    if k != k2 {
        let count: usize = batch.iter().product();
        return Err(Error::runtime(format!(
            "Expected size for first two dimensions of batch2 tensor to be: [{count}, {k}] but got: [{count}, {k2}]."
        )));
    }
    check_scalar_types(a, b)?;
    let out = product("BmmBackward0", &flat_batch(a, &batch)?, false, &flat_batch(b, &batch)?, false, ONE)?;
    // A matrix times an empty batch is PyTorch's transposed product without its copy.
    let name = if name == "CloneBackward0" && out.numel() == 0 { "TransposeBackward0" } else { name };
    let shape: Dims = batch.iter().copied().chain([m, n]).collect();
    named_view(name, &out, &shape)
}

/// yₒ = Σᵢⱼ x1ᵢ · Wₒᵢⱼ · x2ⱼ + bₒ over the last dimensions, with W of `[out, in1, in2]`: `F.bilinear`.
///
/// ```
/// use torch::nn::functional as F;
/// let (x1, x2) = (torch::tensor([[1.0, 2.0]]), torch::tensor([[3.0, 4.0]]));
/// let y = F::bilinear(&x1, &x2, &torch::ones([1, 2, 2]), None);
/// assert_eq!(y.to_vec::<f32>(), [21.0]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit.
#[op(torch, functional, cast_cpu = Opaque, cast_gpu = Widest)]
pub fn bilinear(input1: &Tensor, input2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (x1, x2) = (input1, input2);
    let (s1, s2, w) = (x1.size(), x2.size(), weight.size());
    if s1.len() != s2.len() {
        return Err(Error::runtime(format!(
            "bilinear(): input dimensions do not match: got {} and {}",
            s1.len(),
            s2.len()
        )));
    }
    for d in 0..s1.len().saturating_sub(1) {
        if s1[d] != s2[d] {
            return Err(Error::runtime(format!(
                "bilinear(): input batch dimensions do not match at dim {d}: got {} and {}",
                s1[d], s2[d]
            )));
        }
    }
    if w.len() != 3 {
        return Err(Error::runtime(format!("bilinear(): expected weight to be 3D, but got {}D", w.len())));
    }
    for (name, x, features) in [("input1", x1, w[1]), ("input2", x2, w[2])] {
        if last(x) as usize != features {
            return Err(Error::runtime(format!(
                "bilinear(): {name} size does not match weight size: got {} but expected {features}",
                last(x)
            )));
        }
    }
    if let Some(b) = bias.filter(|b| b.numel() != w[0]) {
        return Err(Error::runtime(format!(
            "bilinear(): bias size does not match weight size: got {} but expected {}",
            b.numel(),
            w[0]
        )));
    }
    let all = [("input1", Some(x1)), ("input2", Some(x2)), ("weight", Some(weight)), ("bias", bias)];
    let dtypes = all.iter().filter_map(|(name, x)| Some((name, x.as_ref()?.dtype())));
    if dtypes.clone().any(|(_, dtype)| dtype != x1.dtype()) {
        let list: Vec<String> = dtypes.map(|(name, dtype)| format!("{name}: {}", cpp_name(dtype))).collect();
        return Err(Error::runtime(format!("All tensors must have the same dtype, got {}", list.join(", "))));
    }
    // x1 · W as [n, out, in2], then the sum over in2.
    let (a, b) = (rows(x1)?, rows(x2)?);
    let n = a.size()[0] as i64;
    let [o, i, j] = [w[0] as i64, w[1] as i64, w[2] as i64];
    let flat = reshape(&ops::permute(weight, &[1, 0, 2])?, &[i, o * j])?;
    let partial = reshape(&mm(&a, &flat)?, &[n, o, j])?;
    let y = ops::bmm(&partial, &ops::unsqueeze(&b, 2)?)?;
    let mut shape = to_i64(&s1);
    *shape.last_mut().expect("checked against the weight") = o;
    let y = reshape(&y, &shape)?;
    match bias {
        Some(bias) => ops::add(&y, bias, 1),
        None => Ok(y),
    }
}
