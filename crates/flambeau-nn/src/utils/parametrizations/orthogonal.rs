//! Matrices whose rows or columns are orthonormal.

use super::super::ModuleRef;
use super::super::parametrize::{self, RegisterOptions, RightInverse, register_parametrization_with};
use super::matrices::{eye_like, geqrf, householder_product, inverse, matrix_exp};
use super::tensor_of;
use crate::{Buffer, Forward, Module, ModuleState};
use flambeau_autograd::{OrPanic, Result, Tensor, finfo, no_grad, ops, options};

options! {
    /// Options of [`orthogonal_with`].
    #[derive(Clone)]
    OrthogonalOptions {
        /// The tensor's name (`"weight"`).
        name: String = "weight".to_owned(),
        /// `"matrix_exp"`, `"cayley"` or `"householder"` (the first for square matrices, else the last).
        orthogonal_map: Option<String> = None,
        /// Whether the map starts at the given matrix, which is kept beside the parameter (true).
        use_trivialization: bool = true,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Map {
    MatrixExp,
    Cayley,
    Householder,
}

#[derive(Module)]
#[module(type_name, right_inverse)]
struct Orthogonal {
    shape: Vec<usize>,
    map: Map,
    /// Empty until it is known, from the first `right_inverse` on.
    base: Option<Buffer>,
    state: ModuleState,
}

/// Whether the columns are orthonormal, to rounding.
fn is_orthogonal(q: &Tensor) -> Result<bool> {
    let product = ops::matmul(&ops::transpose(q, -2, -1)?, q)?;
    let eps = 10.0 * q.size()[q.dim() - 2] as f64 * finfo(q.dtype()).eps;
    let eye = ops::expand_as(&eye_like(&product)?, &product)?;
    ops::allclose(&product, &eye, 1e-5, eps, false)
}

/// The Q of A = QR where R has no negative diagonal.
fn make_orthogonal(a: &Tensor) -> Result<Tensor> {
    let (x, tau) = geqrf(a)?;
    let q = householder_product(&ops::tril(&x, -1)?, &tau)?;
    let signs = ops::sign(&ops::diagonal(&x, 0, -2, -1)?)?;
    ops::mul(&q, &ops::unsqueeze(&signs, -2)?)
}

impl Orthogonal {
    fn type_name(&self) -> &'static str {
        "_Orthogonal"
    }

    fn mapped(&self, x: &Tensor) -> Result<Tensor> {
        let size = x.size();
        let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
        let is_wide = rows < columns;
        let x = if is_wide { ops::transpose(x, -2, -1)? } else { x.shallow_clone() };
        let (n, k) = (rows.max(columns), rows.min(columns));
        let mut q = if self.map == Map::Householder {
            let a = ops::tril(&x, -1)?;
            let squares = ops::sum(&ops::mul(&a, &a)?, &[-2], false, None)?;
            let q = householder_product(&a, &ops::rdiv(&ops::add(&squares, 1, 1)?, 2.0)?)?;
            // ±1, which is no parameter.
            let signs = ops::trunc(&ops::diagonal(&x, 0, -2, -1)?.detach())?;
            ops::mul(&q, &ops::unsqueeze(&signs, -2)?)?
        } else {
            let mut lower = ops::tril(&x, 0)?;
            if n != k {
                let mut shape = lower.size().to_vec();
                let last = shape.len() - 1;
                shape[last] = n - k;
                let zeros = ops::zeros(&shape, lower.dtype(), lower.device())?;
                lower = ops::cat(&[lower, zeros], -1)?;
            }
            let a = ops::sub(&lower, &ops::transpose(&lower, -2, -1)?, 1)?;
            let q = match self.map {
                Map::MatrixExp => matrix_exp(&a)?,
                _ => {
                    let eye = eye_like(&a)?;
                    ops::matmul(&inverse(&ops::add(&eye, &a, -0.5)?)?, &ops::add(&eye, &a, 0.5)?)?
                }
            };
            ops::narrow(&q, -1, 0, k as i64)?
        };
        if let Some(base) = &self.base {
            q = ops::matmul(base, &q)?;
        }
        if is_wide { ops::transpose(&q, -2, -1) } else { Ok(q) }
    }

    fn right_inverse(&self, q: &Tensor) -> RightInverse {
        self.started(q).or_panic()
    }

    fn started(&self, given: &Tensor) -> Result<RightInverse> {
        let _guard = no_grad();
        let size = given.size();
        assert!(
            size[..] == self.shape[..],
            "Expected a matrix or batch of matrices of shape torch.Size({:?}). Got a tensor of shape {size}.",
            self.shape
        );
        let (rows, columns) = (size[size.len() - 2], size[size.len() - 1]);
        let is_wide = rows < columns;
        let q = if is_wide { ops::transpose(given, -2, -1)? } else { given.detach() };
        let (n, k) = (rows.max(columns), rows.min(columns));
        let Some(base) = &self.base else {
            if self.map != Map::Householder {
                return Ok(RightInverse::NotImplemented(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when \
                     use_trivialization=False."
                        .to_owned(),
                ));
            }
            let (a, tau) = geqrf(&q)?;
            // A diagonal of R that is positive; where no reflection was made, the sign of the identity is the other one.
            let diagonal = ops::diagonal(&a, 0, -2, -1)?;
            let signs = ops::sign(&diagonal)?;
            let unused = ops::eq(&tau, 0.0)?;
            ops::copy_(&diagonal, &ops::where_(&unused, &ops::neg(&signs)?, &signs)?)?;
            return Ok(RightInverse::One(if is_wide { ops::transpose(&a, -2, -1)? } else { a }));
        };
        let q = if n != k {
            let mut shape = q.size().to_vec();
            let last = shape.len() - 1;
            shape[last] = n - k;
            let more = q.new_empty(&shape[..]).normal_(0.0, 1.0);
            make_orthogonal(&ops::cat(&[q, more], -1)?)?
        } else if is_orthogonal(&q)? {
            ops::clone(&q)?
        } else {
            make_orthogonal(&q)?
        };
        base.set_data(&q);
        // The identity: householder's map has the diagonal −1 there.
        let start = ops::zeros(&size, given.dtype(), given.device())?;
        ops::diagonal(&start, 0, -2, -1)?.fill_(-1.0);
        Ok(RightInverse::One(start))
    }
}

impl Forward for Orthogonal {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.mapped(x).or_panic()
    }
}

/// A matrix whose columns are orthonormal, or its rows where it has fewer of them: `parametrizations.orthogonal(module)`. It starts at
/// the weight made orthogonal, and stays orthogonal while the original learns. Returns the module.
///
/// Its maps are computed in the weight's dtype, with numbers that agree with PyTorch's to rounding.
///
/// ```
/// use flambeau_autograd::eye;
/// use flambeau_nn::utils::parametrizations::orthogonal;
/// use flambeau_nn as nn;
/// let layer = orthogonal(nn::Linear::new(3, 5));
/// let q = layer.weight.shallow_clone();
/// assert!(q.t().matmul(&q).dist(eye(3)).item() < 1e-5);
/// ```
///
/// # Panics
/// When the module has no parameter `weight`, or it is no matrix.
#[track_caller]
pub fn orthogonal<K, M: ModuleRef<K>>(module: M) -> M {
    orthogonal_with(module, |o| o)
}

/// [`orthogonal`] with options: `name`, `orthogonal_map`, `use_trivialization`.
///
/// # Panics
/// When the module has no such tensor, it is no matrix, or there is no such map.
#[track_caller]
pub fn orthogonal_with<K, M: ModuleRef<K>>(
    module: M,
    options: impl FnOnce(OrthogonalOptions) -> OrthogonalOptions,
) -> M {
    let o = options(OrthogonalOptions::default());
    let weight = tensor_of(module.as_dyn(), &o.name);
    let size = weight.size();
    assert!(size.len() >= 2, "Expected a matrix or batch of matrices. Got a tensor of {} dimensions.", size.len());
    let is_square = size[size.len() - 2] == size[size.len() - 1];
    let map = match o.orthogonal_map.as_deref() {
        None if is_square => Map::MatrixExp,
        None | Some("householder") => Map::Householder,
        Some("matrix_exp") => Map::MatrixExp,
        Some("cayley") => Map::Cayley,
        Some(other) => {
            panic!("orthogonal_map has to be one of \"matrix_exp\", \"cayley\", \"householder\". Got: {other}")
        }
    };
    assert!(
        !o.use_trivialization || !parametrize::is_parametrized(module.as_dyn(), o.name.as_str()),
        "a tensor that is parametrized already has no matrix to start at: use_trivialization=False"
    );
    let base = o.use_trivialization.then(|| Buffer::new(weight.detach().new_empty([0])));
    let map = Orthogonal { shape: size.to_vec(), map, base, state: ModuleState::new() };
    register_parametrization_with(module, &o.name, map, |o: RegisterOptions| o.r#unsafe(true))
}
