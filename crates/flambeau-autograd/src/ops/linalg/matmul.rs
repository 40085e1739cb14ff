//! Products of vectors, matrices and batches of matrices.
//!
//! Every one of them is [`product`], whose gradients are products again: a transposed operand is a flag, never a copy.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::window::cpp_name;
use crate::ops::{mul, reshape, sum_map, sum_to_size, to_i64, unsqueeze};
use crate::{Tensor, ops};
use flambeau_macros::op;
use flambeau_tensor::backend::Epilogue;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

pub(crate) const ONE: Scalar = Scalar::Int(1);

/// A matrix (or a batch of them) as the matmul primitive takes it, transposed where asked: `[batch, rows, columns]`.
fn operand(a: &Array, transposed: bool) -> Result<Array> {
    let n = a.ndim();
    let (mut rows, mut columns) = ((a.shape()[n - 2], a.strides()[n - 2]), (a.shape()[n - 1], a.strides()[n - 1]));
    if transposed {
        std::mem::swap(&mut rows, &mut columns);
    }
    let batch = if n == 3 { (a.shape()[0], a.strides()[0]) } else { (1, 0) };
    Ok(a.as_strided(&[batch.0, rows.0, columns.0], &[batch.1, rows.1, columns.1], a.offset())?)
}

/// α · a′ · b′ (+ bias per column) of matrices, or of as many in two batches; ′ transposes where the flag is set.
pub(crate) fn product_array(
    a: &Array,
    a_t: bool,
    b: &Array,
    b_t: bool,
    alpha: Scalar,
    bias: Option<&Array>,
) -> Result<Array> {
    let (lhs, rhs) = (operand(a, a_t)?, operand(b, b_t)?);
    let shape = [lhs.shape()[0], lhs.shape()[1], rhs.shape()[2]];
    let shape = if a.ndim() == 3 { &shape[..] } else { &shape[1..] };
    let out = Array::empty(a.backend(), a.device(), shape, a.dtype())?;
    let epilogue = Epilogue { bias, relu: false };
    flambeau_tensor::ops::matmul(&lhs, &rhs, alpha, Scalar::Int(0), epilogue, &operand(&out, false)?)?;
    Ok(out)
}

/// out = a′ · b′ + β · out (+ bias per column) of matrices; ′ transposes where the flag is set.
pub(crate) fn product_into(
    a: &Array,
    a_t: bool,
    b: &Array,
    b_t: bool,
    beta: Scalar,
    bias: Option<&Array>,
    out: &Array,
) -> Result<()> {
    let epilogue = Epilogue { bias, relu: false };
    let (a, b) = (operand(a, a_t)?, operand(b, b_t)?);
    Ok(flambeau_tensor::ops::matmul(&a, &b, ONE, beta, epilogue, &operand(out, false)?)?)
}

/// [`product_array`] with gradients.
pub(crate) fn product(
    name: &'static str,
    a: &Tensor,
    a_t: bool,
    b: &Tensor,
    b_t: bool,
    alpha: Scalar,
) -> Result<Tensor> {
    let out = product_array(&a.array(), a_t, &b.array(), b_t, alpha, None)?;
    let saves = saves(["self", "mat2"], a, b);
    Ok(record(name, &[a, b], &saves, out, move |c| {
        let g = c.grad(0)?;
        let da = |b: &Tensor| match a_t {
            false => product(name, &g, false, b, !b_t, alpha),
            true => product(name, b, b_t, &g, true, alpha),
        };
        let db = |a: &Tensor| match b_t {
            false => product(name, a, !a_t, &g, false, alpha),
            true => product(name, &g, true, a, a_t, alpha),
        };
        let da = c.needs(0).then(|| da(&c.saved(1)?)).transpose()?;
        Ok(smallvec![da, c.needs(1).then(|| db(&c.saved(0)?)).transpose()?])
    }))
}

/// Both operands in their order, each only if the other needs a gradient, as PyTorch keeps them.
pub(crate) fn saves<'a>(names: [&'static str; 2], a: &'a Tensor, b: &'a Tensor) -> [Save<'a>; 2] {
    let save = |i: usize, x: &'a Tensor, other: &Tensor| match other.requires_grad() {
        true => Save::Tensor(names[i], x),
        false => Save::Nothing(names[i]),
    };
    [save(0, a, b), save(1, b, a)]
}

/// Checks that two matrices can be multiplied.
fn check_mm(op: &str, first: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    for (name, x) in [(first, a), ("mat2", b)] {
        if x.dim() != 2 {
            return Err(Error::runtime(format!("{op}: {name} must be a matrix, got {}-D tensor", x.dim())));
        }
    }
    let (a, b) = (a.array(), b.array());
    let ([m, k], [k2, n]) = ([a.shape()[0], a.shape()[1]], [b.shape()[0], b.shape()[1]]);
    if k != k2 {
        return Err(shapes_cannot_be_multiplied(op, m, k, k2, n));
    }
    Ok(())
}

pub(crate) fn shapes_cannot_be_multiplied(op: &str, m: usize, k: usize, k2: usize, n: usize) -> Error {
    Error::runtime(format!("{op}: mat1 and mat2 shapes cannot be multiplied ({m}x{k} and {k2}x{n})"))
}

/// Refuses operands of two dtypes, in mm's words, and bools.
pub(crate) fn check_dtypes(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "expected m1 and m2 to have the same dtype, but got: {} != {}",
            cpp_name(a.dtype()),
            cpp_name(b.dtype())
        )));
    }
    refuse_bool(a.dtype())
}

fn refuse_bool(dtype: DType) -> Result<()> {
    refuse_bool_in("addmm_impl_cpu_", dtype)
}

/// Refuses bools, in the words of a kernel.
fn refuse_bool_in(op: &'static str, dtype: DType) -> Result<()> {
    match dtype {
        DType::Bool => Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into()),
        _ => Ok(()),
    }
}

/// The product of two matrices, `[n, k]` · `[k, m]`: `torch.mm`.
///
/// # Errors
/// When they are no matrices, do not fit, or differ in dtype.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let b = torch::tensor([[0.0, 1.0], [1.0, 0.0]]);
/// assert_eq!(a.mm(&b).to_vec::<f32>(), [2.0, 1.0, 4.0, 3.0]);
/// ```
#[op(torch, method, cast = Low)]
pub fn mm(x: &Tensor, mat2: &Tensor) -> Result<Tensor> {
    check_mm("mm", "self", x, mat2)?;
    check_dtypes(x, mat2)?;
    product("MmBackward0", x, false, mat2, false, ONE)
}

fn check_bmm(a: &Tensor, b: &Tensor) -> Result<()> {
    for (name, x) in [("batch1", a), ("batch2", b)] {
        if x.dim() != 3 {
            return Err(Error::runtime(format!("{name} must be a 3D tensor")));
        }
    }
    let (sa, sb) = (a.size(), b.size());
    if sa[0] != sb[0] || sa[2] != sb[1] {
        return Err(Error::runtime(format!(
            "Expected size for first two dimensions of batch2 tensor to be: [{}, {}] but got: [{}, {}].",
            sa[0], sa[2], sb[0], sb[1]
        )));
    }
    Ok(())
}

pub(crate) fn check_scalar_types(a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            a.dtype().scalar_type_name(),
            b.dtype().scalar_type_name()
        )));
    }
    refuse_bool(a.dtype())
}

/// Products of the matrices of two batches, `[b, n, k]` · `[b, k, m]`: `torch.bmm`.
///
/// # Errors
/// When they are no batches of matrices, do not fit, or differ in dtype.
///
/// ```
/// let a = torch::tensor([[[1.0, 2.0]], [[3.0, 4.0]]]);
/// let b = torch::tensor([[[1.0], [1.0]], [[10.0], [1.0]]]);
/// assert_eq!(a.bmm(&b).to_vec::<f32>(), [3.0, 34.0]);
/// ```
#[op(torch, method, cast = Low)]
pub fn bmm(x: &Tensor, mat2: &Tensor) -> Result<Tensor> {
    check_bmm(x, mat2)?;
    check_scalar_types(x, mat2)?;
    product("BmmBackward0", x, false, mat2, false, ONE)
}

static SCALE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0)));

/// x times a number, x itself for one.
pub(crate) fn scale(x: &Tensor, by: Scalar) -> Result<Tensor> {
    if by.to_f64() == 1.0 { Ok(x.shallow_clone()) } else { ops::map("MulBackward0", &SCALE, &[x], &[by]) }
}

/// α and β as numbers that the product's dtype holds; f16 and bf16 compute in f32.
fn coefficient(value: Scalar, dtype: DType) -> Result<Scalar> {
    Ok(value.checked(dtype.compute())?)
}

/// What PyTorch calls the factors of [`baddbmm`] and [`addbmm`].
const BATCHES: [&str; 2] = ["batch1", "batch2"];

/// β · x + α · a · b, where `x` broadcasts to the product's shape and is not read if β is 0.
fn add_product(
    (name, operands): (&'static str, [&'static str; 2]),
    x: &Tensor,
    a: &Tensor,
    b: &Tensor,
    beta: Scalar,
    alpha: Scalar,
) -> Result<Tensor> {
    let (beta, alpha) = (coefficient(beta, a.dtype())?, coefficient(alpha, a.dtype())?);
    let (xa, aa, ba) = (x.array(), a.array(), b.array());
    let (lhs, rhs) = (operand(&aa, false)?, operand(&ba, false)?);
    let shape = [lhs.shape()[0], lhs.shape()[1], rhs.shape()[2]];
    let shape = if aa.ndim() == 3 { &shape[..] } else { &shape[1..] };
    let full = xa.expand(&to_i64(shape))?;
    // A row that every row of the result gets is added as the product is stored.
    let is_row = beta.to_f64() == 1.0 && full.strides()[..shape.len() - 1].iter().all(|&s| s == 0);
    let out = if is_row && !full.shape().contains(&0) {
        let row = full.as_strided(&shape[shape.len() - 1..], &full.strides()[shape.len() - 1..], full.offset())?;
        product_array(&aa, false, &ba, false, alpha, Some(&row))?
    } else {
        let out = Array::empty(aa.backend(), aa.device(), shape, aa.dtype())?;
        if beta.to_bool() {
            flambeau_tensor::ops::copy_into(&full, &out)?;
        }
        flambeau_tensor::ops::matmul(&lhs, &rhs, alpha, beta, Epilogue::default(), &operand(&out, false)?)?;
        out
    };
    let x_shape = x.size();
    let saves = saves(operands, a, b);
    Ok(record(name, &[x, a, b], &saves, out, move |c| {
        let g = c.grad(0)?;
        let dx = c.needs(0).then(|| scale(&sum_to_size(&g, &x_shape)?, beta)).transpose()?;
        let da = c.needs(1).then(|| product("MmBackward0", &g, false, &c.saved(1)?, true, alpha)).transpose()?;
        let db = c.needs(2).then(|| product("MmBackward0", &c.saved(0)?, true, &g, false, alpha)).transpose()?;
        Ok(smallvec![dx, da, db])
    }))
}

/// β · x + α · mat1 · mat2 of matrices, where `x` broadcasts to the product's shape and is not read if β is 0: `torch.addmm`.
/// Both factors are 1 unless given.
///
/// # Errors
/// When the matrices do not fit or differ in dtype.
///
/// ```
/// let (x, a) = (torch::tensor([10.0, 20.0]), torch::eye(2));
/// assert_eq!(x.addmm(&a, &a).to_vec::<f32>(), [11.0, 20.0, 10.0, 21.0]);
/// assert_eq!(x.addmm_with(&a, &a, |o| o.beta(0).alpha(5)).to_vec::<f32>(), [5.0, 0.0, 0.0, 5.0]);
/// ```
#[op(torch, method, cast = Low, default(beta = 1, alpha = 1))]
pub fn addmm(
    x: &Tensor,
    mat1: &Tensor,
    mat2: &Tensor,
    beta: impl Into<Scalar>,
    alpha: impl Into<Scalar>,
) -> Result<Tensor> {
    check_addmm(x, mat1, mat2)?;
    check_mm("addmm", "self", mat1, mat2)?;
    add_product(("AddmmBackward0", ["mat1", "mat2"]), x, mat1, mat2, beta.into(), alpha.into())
}

/// Refuses operands of several dtypes, in addmm's words.
pub(crate) fn check_addmm(x: &Tensor, a: &Tensor, b: &Tensor) -> Result<()> {
    let differ = |first: &str, x: &Tensor, y: &Tensor| {
        Err(Error::runtime(format!(
            "{first} and mat2 must have the same dtype, but got {} and {}",
            x.dtype().scalar_type_name(),
            y.dtype().scalar_type_name()
        )))
    };
    match b.dtype() {
        dtype if x.dtype() != dtype => differ("self", x, b),
        dtype if a.dtype() != dtype => differ("mat1", a, b),
        dtype => refuse_bool(dtype),
    }
}

/// β · x + α · batch1 · batch2 of batches of matrices, where `x` broadcasts and is not read if β is 0: `torch.baddbmm`.
///
/// # Errors
/// When the batches do not fit or differ in dtype.
///
/// ```
/// let (a, b) = (torch::ones([2, 1, 3]), torch::ones([2, 3, 1]));
/// assert_eq!(torch::tensor([0.5]).baddbmm(&a, &b).to_vec::<f32>(), [3.5, 3.5]);
/// ```
#[op(torch, method, cast = Low, default(beta = 1, alpha = 1))]
pub fn baddbmm(
    x: &Tensor,
    batch1: &Tensor,
    batch2: &Tensor,
    beta: impl Into<Scalar>,
    alpha: impl Into<Scalar>,
) -> Result<Tensor> {
    check_bmm(batch1, batch2)?;
    if x.dtype() != batch1.dtype() || batch1.dtype() != batch2.dtype() {
        return Err(Error::runtime(format!(
            "Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}",
            cpp_name(x.dtype()),
            cpp_name(batch1.dtype()),
            cpp_name(batch2.dtype())
        )));
    }
    refuse_bool_in("baddbmm", batch1.dtype())?;
    add_product(("BaddbmmBackward0", BATCHES), x, batch1, batch2, beta.into(), alpha.into())
}

/// β · x + α · Σᵢ batch1ᵢ · batch2ᵢ, the sum of the products of two batches of matrices, where `x` broadcasts and is not read if
/// β is 0: `torch.addbmm`.
///
/// # Errors
/// When the batches do not fit or differ in dtype.
///
/// ```
/// let (a, b) = (torch::ones([2, 1, 3]), torch::ones([2, 3, 1]));
/// assert_eq!(torch::tensor([0.5]).addbmm(&a, &b).to_vec::<f32>(), [6.5]);
/// ```
#[op(torch, method, cast = Low, default(beta = 1, alpha = 1))]
pub fn addbmm(
    x: &Tensor,
    batch1: &Tensor,
    batch2: &Tensor,
    beta: impl Into<Scalar>,
    alpha: impl Into<Scalar>,
) -> Result<Tensor> {
    for (name, t) in [("batch1", batch1), ("batch2", batch2)] {
        if t.dim() != 3 {
            return Err(Error::runtime(format!("{name} must be a 3D tensor")));
        }
    }
    let (sa, sb) = (batch1.size(), batch2.size());
    if sa[0] != sb[0] {
        return Err(Error::runtime(format!(
            "batch1 and batch2 must have same number of batches, got {} and {}",
            sa[0], sb[0]
        )));
    }
    if sa[2] != sb[1] {
        return Err(Error::runtime(format!(
            "Incompatible matrix sizes for bmm ({}x{} and {}x{})",
            sa[1], sa[2], sb[1], sb[2]
        )));
    }
    check_addmm(x, batch1, batch2)?;
    // Σᵢ aᵢ · bᵢ is one product over the batches laid side by side.
    let wide = reshape(&ops::permute(batch1, &[1, 0, 2])?, &[sa[1] as i64, (sa[0] * sa[2]) as i64])?;
    let tall = reshape(batch2, &[(sb[0] * sb[1]) as i64, sb[2] as i64])?;
    add_product(("AddbmmBackward0", BATCHES), x, &wide, &tall, beta.into(), alpha.into())
}

fn check_mv(x: Option<&Tensor>, a: &Tensor, v: &Tensor) -> Result<()> {
    let dtype = v.dtype();
    let x_dtype = x.map_or(dtype, |x| x.dtype());
    if a.dim() != 2 || v.dim() != 1 {
        let x_dim = x.map_or(1, Tensor::dim);
        return Err(Error::runtime(format!(
            "vector + matrix @ vector expected, got {x_dim}, {}, {}",
            a.dim(),
            v.dim()
        )));
    }
    let (m, k) = (a.size()[0], a.size()[1]);
    let x_len = x.filter(|x| x.numel() != 1).map_or(m, Tensor::numel);
    if v.numel() != k || x_len != m {
        return Err(Error::runtime(format!("size mismatch, got input ({x_len}), mat ({m}x{k}), vec ({})", v.numel())));
    }
    if x_dtype != a.dtype() || dtype != a.dtype() {
        let [x, a, v] = [x_dtype, a.dtype(), dtype].map(DType::scalar_type_name);
        return Err(Error::runtime(format!("addmv input tensors must have the same dtype, but got {x}, {a}, and {v}")));
    }
    refuse_bool_in("addmv_impl_cpu", dtype)
}

/// A vector as a matrix of one column, without a place in the graph.
fn column(v: &Array) -> Result<Array> {
    Ok(v.unsqueeze(1)?)
}

/// The product of a matrix and a vector, `[n, m]` · `[m]`: `torch.mv`.
///
/// # Errors
/// When they are none, do not fit, or differ in dtype.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(a.mv(&torch::tensor([1.0, 10.0])).to_vec::<f32>(), [21.0, 43.0]);
/// ```
#[op(torch, method, cast_gpu = Low)]
pub fn mv(x: &Tensor, vec: &Tensor) -> Result<Tensor> {
    check_mv(None, x, vec)?;
    mv_transposed(x, false, vec)
}

/// a′ · v, where ′ transposes if the flag is set.
fn mv_transposed(a: &Tensor, a_t: bool, v: &Tensor) -> Result<Tensor> {
    let out = product_array(&a.array(), a_t, &column(&v.array())?, false, ONE, None)?.view(&[-1])?;
    let saves = saves(["self", "vec"], a, v);
    Ok(record("MvBackward0", &[a, v], &saves, out, move |c| {
        let g = c.grad(0)?;
        let da = |v: &Tensor| if a_t { outer(v, &g) } else { outer(&g, v) };
        let da = c.needs(0).then(|| da(&c.saved(1)?)).transpose()?;
        Ok(smallvec![da, c.needs(1).then(|| mv_transposed(&c.saved(0)?, !a_t, &g)).transpose()?])
    }))
}

/// β · x + α · mat · vec of a matrix and a vector, where `x` broadcasts and is not read if β is 0: `torch.addmv`.
///
/// # Errors
/// When they do not fit or differ in dtype.
///
/// ```
/// let a = torch::tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let v = torch::tensor([1.0, 10.0]);
/// assert_eq!(v.addmv(&a, &v).to_vec::<f32>(), [22.0, 53.0]);
/// ```
#[op(torch, method, cast_gpu = Low, default(beta = 1, alpha = 1))]
pub fn addmv(
    x: &Tensor,
    mat: &Tensor,
    vec: &Tensor,
    beta: impl Into<Scalar>,
    alpha: impl Into<Scalar>,
) -> Result<Tensor> {
    check_mv(Some(x), mat, vec)?;
    // PyTorch converts these to the elements' own type, unlike those of matrices.
    let (beta, alpha) = (beta.into().checked(mat.dtype())?, alpha.into().checked(mat.dtype())?);
    let product = mv_transposed(mat, false, vec)?;
    let out = match beta.to_bool() {
        true => ops::map("AddmvBackward0", &ADD_SCALED, &[x, &product], &[beta, alpha])?,
        false => ops::map("AddmvBackward0", &SCALE, &[&product], &[alpha])?,
    };
    Ok(out)
}

/// β · x + α · y
static ADD_SCALED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0) + b.input(1) * b.scalar(1)));

static PRODUCT: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)).with_arguments(&["self", "tensor"]));

/// Σᵢ xᵢ · tensorᵢ of two vectors: `torch.dot`.
///
/// # Errors
/// When they are no vectors, or differ in length or dtype.
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 2.0, 3.0]), torch::tensor([0.0, 2.0, 1.0]));
/// assert_eq!(a.dot(&b).item(), 7.0);
/// ```
#[op(torch, method, cast_gpu = Widest)]
pub fn dot(x: &Tensor, tensor: &Tensor) -> Result<Tensor> {
    dot_named("DotBackward0", x, tensor)
}

fn dot_named(name: &'static str, x: &Tensor, tensor: &Tensor) -> Result<Tensor> {
    if x.dim() != 1 || tensor.dim() != 1 {
        return Err(Error::runtime(format!("1D tensors expected, but got {}D and {}D tensors", x.dim(), tensor.dim())));
    }
    if x.dtype() != tensor.dtype() {
        return Err(Error::runtime(format!(
            "dot : expected both vectors to have same dtype, but found {} and {}",
            x.dtype().scalar_type_name(),
            tensor.dtype().scalar_type_name()
        )));
    }
    let (n, m) = (x.numel(), tensor.numel());
    if n != m {
        return Err(Error::runtime(format!(
            "inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, but got {n} \
             and {m} elements respectively"
        )));
    }
    if x.dtype() == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "dot", dtype: DType::Bool }.into());
    }
    sum_map(name, Some(&PRODUCT), &[x, tensor], &[], &[], false, Some(x.dtype()))
}

/// The matrix xᵢ · vec2ⱼ of two vectors: `torch.outer`.
///
/// # Errors
/// When they are no vectors.
///
/// ```
/// let (a, b) = (torch::tensor([1, 2]), torch::tensor([3, 4, 5]));
/// assert_eq!(a.outer(&b).to_vec::<i64>(), [3, 4, 5, 6, 8, 10]);
/// ```
#[op(torch, method, alias(ger))]
pub fn outer(x: &Tensor, vec2: &Tensor) -> Result<Tensor> {
    for (name, v) in [("self", x), ("vec2", vec2)] {
        if v.dim() != 1 {
            return Err(Error::runtime(format!("outer: Expected 1-D argument {name}, but got {}-D", v.dim())));
        }
    }
    mul(&unsqueeze(x, 1)?, vec2)
}

/// [`dot`], under `torch.vdot`'s name: of real numbers both are one.
///
/// # Errors
/// Those of [`dot`].
///
/// ```
/// let (a, b) = (torch::tensor([1.0, 2.0]), torch::tensor([3.0, 4.0]));
/// assert_eq!(torch::vdot(&a, &b).item(), 11.0);
/// ```
#[op(torch, method, cast_gpu = Widest)]
pub fn vdot(x: &Tensor, tensor: &Tensor) -> Result<Tensor> {
    dot_named("VdotBackward0", x, tensor)
}
