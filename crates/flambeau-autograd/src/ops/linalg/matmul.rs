//! Products of vectors, matrices and batches of matrices.
//!
//! Every one of them is [`product`], whose gradients are products again: a transposed operand is a flag, never a copy.

use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::window::cpp_name;
use crate::ops::{mul, reshape, sum_map, sum_to_size, to_i64, unsqueeze};
use crate::{OrPanic, Tensor, ops};
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
    let saves = saves(a, b);
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
pub(crate) fn saves<'a>(a: &'a Tensor, b: &'a Tensor) -> [Save<'a>; 2] {
    // A constant's partner is never read: what the constant needs stands in its slot too.
    match (a.requires_grad(), b.requires_grad()) {
        (true, false) => [Save::Tensor(b), Save::Tensor(b)],
        (false, true) => [Save::Tensor(a), Save::Tensor(a)],
        _ => [Save::Tensor(a), Save::Tensor(b)],
    }
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

/// The product of two matrices: `torch.mm`.
pub fn mm(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check_mm("mm", "self", a, b)?;
    check_dtypes(a, b)?;
    product("MmBackward0", a, false, b, false, ONE)
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

/// Products of the matrices of two batches, `[b, n, k] · [b, k, m]`: `torch.bmm`.
pub fn bmm(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check_bmm(a, b)?;
    check_scalar_types(a, b)?;
    product("BmmBackward0", a, false, b, false, ONE)
}

static SCALE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0)));

/// x times a number, x itself for one.
pub(crate) fn scale(x: &Tensor, by: Scalar) -> Result<Tensor> {
    if by.to_f64() == 1.0 { Ok(x.clone()) } else { ops::map("MulBackward0", &SCALE, &[x], &[by]) }
}

/// α and β as numbers that the product's dtype holds; f16 and bf16 compute in f32.
fn coefficient(value: Scalar, dtype: DType) -> Result<Scalar> {
    Ok(value.checked(dtype.compute())?)
}

/// β · x + α · a · b, where `x` broadcasts to the product's shape and is not read if β is 0.
fn add_product(name: &'static str, x: &Tensor, a: &Tensor, b: &Tensor, beta: Scalar, alpha: Scalar) -> Result<Tensor> {
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
    let saves = saves(a, b);
    Ok(record(name, &[x, a, b], &saves, out, move |c| {
        let g = c.grad(0)?;
        let dx = c.needs(0).then(|| scale(&sum_to_size(&g, &x_shape)?, beta)).transpose()?;
        let da = c.needs(1).then(|| product("MmBackward0", &g, false, &c.saved(1)?, true, alpha)).transpose()?;
        let db = c.needs(2).then(|| product("MmBackward0", &c.saved(0)?, true, &g, false, alpha)).transpose()?;
        Ok(smallvec![dx, da, db])
    }))
}

/// β · x + α · a · b of matrices, where `x` broadcasts and is not read if β is 0: `torch.addmm`.
pub fn addmm(x: &Tensor, a: &Tensor, b: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    check_addmm(x, a, b)?;
    check_mm("addmm", "self", a, b)?;
    add_product("AddmmBackward0", x, a, b, beta.into(), alpha.into())
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

/// β · x + α · a · b of batches of matrices: `torch.baddbmm`.
pub fn baddbmm(
    x: &Tensor,
    a: &Tensor,
    b: &Tensor,
    beta: impl Into<Scalar>,
    alpha: impl Into<Scalar>,
) -> Result<Tensor> {
    check_bmm(a, b)?;
    if x.dtype() != a.dtype() || a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}",
            cpp_name(x.dtype()),
            cpp_name(a.dtype()),
            cpp_name(b.dtype())
        )));
    }
    refuse_bool_in("baddbmm", a.dtype())?;
    add_product("BaddbmmBackward0", x, a, b, beta.into(), alpha.into())
}

/// β · x + α · Σᵢ aᵢ · bᵢ of two batches of matrices: `torch.addbmm`.
pub fn addbmm(x: &Tensor, a: &Tensor, b: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    for (name, t) in [("batch1", a), ("batch2", b)] {
        if t.dim() != 3 {
            return Err(Error::runtime(format!("{name} must be a 3D tensor")));
        }
    }
    let (sa, sb) = (a.size(), b.size());
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
    check_addmm(x, a, b)?;
    // Σᵢ aᵢ · bᵢ is one product over the batches laid side by side.
    let wide = reshape(&ops::permute(a, &[1, 0, 2])?, &[sa[1] as i64, (sa[0] * sa[2]) as i64])?;
    let tall = reshape(b, &[(sb[0] * sb[1]) as i64, sb[2] as i64])?;
    add_product("AddbmmBackward0", x, &wide, &tall, beta.into(), alpha.into())
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

/// The product of a matrix and a vector: `torch.mv`.
pub fn mv(a: &Tensor, v: &Tensor) -> Result<Tensor> {
    check_mv(None, a, v)?;
    mv_transposed(a, false, v)
}

/// a′ · v, where ′ transposes if the flag is set.
fn mv_transposed(a: &Tensor, a_t: bool, v: &Tensor) -> Result<Tensor> {
    let out = product_array(&a.array(), a_t, &column(&v.array())?, false, ONE, None)?.view(&[-1])?;
    let saves = saves(a, v);
    Ok(record("MvBackward0", &[a, v], &saves, out, move |c| {
        let g = c.grad(0)?;
        let da = |v: &Tensor| if a_t { outer(v, &g) } else { outer(&g, v) };
        let da = c.needs(0).then(|| da(&c.saved(1)?)).transpose()?;
        Ok(smallvec![da, c.needs(1).then(|| mv_transposed(&c.saved(0)?, !a_t, &g)).transpose()?])
    }))
}

/// β · x + α · a · v of a matrix and a vector: `torch.addmv`.
pub fn addmv(x: &Tensor, a: &Tensor, v: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>) -> Result<Tensor> {
    check_mv(Some(x), a, v)?;
    // PyTorch converts these to the elements' own type, unlike those of matrices.
    let (beta, alpha) = (beta.into().checked(a.dtype())?, alpha.into().checked(a.dtype())?);
    let product = mv_transposed(a, false, v)?;
    let out = match beta.to_bool() {
        true => ops::map("AddmvBackward0", &ADD_SCALED, &[x, &product], &[beta, alpha])?,
        false => ops::map("AddmvBackward0", &SCALE, &[&product], &[alpha])?,
    };
    Ok(out)
}

/// β · x + α · y
static ADD_SCALED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.scalar(0) + b.input(1) * b.scalar(1)));

static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));

/// Σ aᵢ · bᵢ of two vectors: `torch.dot`.
pub fn dot(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dim() != 1 || b.dim() != 1 {
        return Err(Error::runtime(format!("1D tensors expected, but got {}D and {}D tensors", a.dim(), b.dim())));
    }
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "dot : expected both vectors to have same dtype, but found {} and {}",
            a.dtype().scalar_type_name(),
            b.dtype().scalar_type_name()
        )));
    }
    let (n, m) = (a.numel(), b.numel());
    if n != m {
        return Err(Error::runtime(format!(
            "inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, but got {n} \
             and {m} elements respectively"
        )));
    }
    if a.dtype() == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "dot", dtype: DType::Bool }.into());
    }
    sum_map("DotBackward0", Some(&PRODUCT), &[a, b], &[], &[], false, Some(a.dtype()))
}

/// The matrix aᵢ · bⱼ of two vectors: `torch.outer`.
pub fn outer(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    for (name, x) in [("self", a), ("vec2", b)] {
        if x.dim() != 1 {
            return Err(Error::runtime(format!("outer: Expected 1-D argument {name}, but got {}-D", x.dim())));
        }
    }
    mul(&unsqueeze(a, 1)?, b)
}

/// Products of tensors; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`mm`].
    #[track_caller]
    pub fn mm(&self, other: &Tensor) -> Tensor {
        mm(self, other).or_panic()
    }

    /// See [`bmm`].
    #[track_caller]
    pub fn bmm(&self, other: &Tensor) -> Tensor {
        bmm(self, other).or_panic()
    }

    /// self + a · b: `x.addmm(a, b)`. See [`addmm`].
    #[track_caller]
    pub fn addmm(&self, a: &Tensor, b: &Tensor) -> Tensor {
        addmm(self, a, b, 1, 1).or_panic()
    }

    /// β · self + α · a · b: `x.addmm(a, b, beta=β, alpha=α)`. See [`addmm`].
    #[track_caller]
    pub fn addmm_scaled(&self, a: &Tensor, b: &Tensor, beta: impl Into<Scalar>, alpha: impl Into<Scalar>) -> Tensor {
        addmm(self, a, b, beta, alpha).or_panic()
    }

    /// self + a · b of batches: `x.baddbmm(a, b)`. See [`baddbmm`].
    #[track_caller]
    pub fn baddbmm(&self, a: &Tensor, b: &Tensor) -> Tensor {
        baddbmm(self, a, b, 1, 1).or_panic()
    }

    /// See [`mv`].
    #[track_caller]
    pub fn mv(&self, vector: &Tensor) -> Tensor {
        mv(self, vector).or_panic()
    }

    /// See [`dot`].
    #[track_caller]
    pub fn dot(&self, other: &Tensor) -> Tensor {
        dot(self, other).or_panic()
    }

    /// See [`outer`].
    #[track_caller]
    pub fn outer(&self, other: &Tensor) -> Tensor {
        outer(self, other).or_panic()
    }
}
