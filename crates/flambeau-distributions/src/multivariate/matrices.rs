//! A positive-definite matrix by its covariance, its precision or its Cholesky factor, and what is computed of it.

use crate::constraints;
use crate::distribution::{Argument, Held};
use crate::fail;
use crate::value::{Shared, expanded};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, enable_grad, ops};
use flambeau_tensor::dims::broadcast_shapes;
use std::sync::OnceLock;

/// Options of distributions with a positive-definite matrix: one of its three forms.
///
/// ```
/// use torch::distributions::MultivariateNormal;
/// let (loc, l) = (torch::zeros(2), torch::tensor([[2.0, 0.0], [1.0, 2.0]]));
/// let d = MultivariateNormal::with(&loc, |o| o.scale_tril(&l));
/// assert_eq!(d.covariance_matrix().to_vec::<f32>(), [4.0, 2.0, 2.0, 5.0]);
/// ```
#[derive(Clone, Default)]
pub struct MatrixOptions {
    covariance_matrix: Option<Shared>,
    precision_matrix: Option<Shared>,
    scale_tril: Option<Shared>,
    pub(crate) validate: Option<bool>,
}

impl MatrixOptions {
    /// The covariance matrix Σ.
    #[must_use]
    pub fn covariance_matrix(mut self, covariance_matrix: impl AsTensor) -> Self {
        self.covariance_matrix = Some(covariance_matrix.as_tensor().shallow_clone().into());
        self
    }

    /// The precision matrix Σ⁻¹.
    #[must_use]
    pub fn precision_matrix(mut self, precision_matrix: impl AsTensor) -> Self {
        self.precision_matrix = Some(precision_matrix.as_tensor().shallow_clone().into());
        self
    }

    /// The lower triangular factor L of Σ = L Lᵀ, of positive diagonal.
    #[must_use]
    pub fn scale_tril(mut self, scale_tril: impl AsTensor) -> Self {
        self.scale_tril = Some(scale_tril.as_tensor().shallow_clone().into());
        self
    }

    /// Whether arguments and values are checked.
    #[must_use]
    pub fn validate_args(mut self, validate_args: impl Into<Option<bool>>) -> Self {
        self.validate = validate_args.into();
        self
    }

    /// Which one was given, and the tensor.
    pub(crate) fn given(&self) -> Option<(Form, &Tensor)> {
        let all = [
            (Form::Covariance, &self.covariance_matrix),
            (Form::Precision, &self.precision_matrix),
            (Form::ScaleTril, &self.scale_tril),
        ];
        let mut given = all.into_iter().filter_map(|(form, m)| m.as_ref().map(|m| (form, &**m)));
        let first = given.next();
        if given.next().is_some() { None } else { first }
    }
}

/// The forms of a positive-definite matrix.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Form {
    Covariance,
    Precision,
    ScaleTril,
}

impl Form {
    pub fn name(self) -> &'static str {
        match self {
            Form::Covariance => "covariance_matrix",
            Form::Precision => "precision_matrix",
            Form::ScaleTril => "scale_tril",
        }
    }
}

/// A batch of positive-definite matrices in up to three forms, each computed when it is first asked for.
#[derive(Clone)]
pub(crate) struct Matrix {
    covariance: OnceLock<Shared>,
    precision: OnceLock<Shared>,
    scale_tril: OnceLock<Shared>,
    /// The factor, not expanded to the batch.
    factor: OnceLock<Shared>,
    form: Form,
    given: Shared,
    /// The shape of batch and matrix.
    shape: Vec<usize>,
}

/// The shape of a batch and square matrices of the given matrix's sides.
pub(crate) fn batch_with(matrix: &Tensor, batch: &[usize]) -> Vec<usize> {
    let size = matrix.size();
    [batch, &size[size.len() - 2..]].concat()
}

impl Matrix {
    /// The given matrix expanded to a batch.
    pub fn new(form: Form, given: &Tensor, batch: &[usize]) -> Self {
        let shape = batch_with(given, batch);
        let made = Matrix {
            covariance: OnceLock::new(),
            precision: OnceLock::new(),
            scale_tril: OnceLock::new(),
            factor: OnceLock::new(),
            form,
            given: given.shallow_clone().into(),
            shape,
        };
        let whole: Shared = expanded(given, &made.shape).into();
        let _ = made.cell(form).set(whole);
        made
    }

    fn cell(&self, form: Form) -> &OnceLock<Shared> {
        match form {
            Form::Covariance => &self.covariance,
            Form::Precision => &self.precision,
            Form::ScaleTril => &self.scale_tril,
        }
    }

    /// The lower triangular factor, of the given matrix's own batch.
    pub fn factor(&self) -> &Tensor {
        self.factor.get_or_init(|| {
            let _guard = enable_grad();
            match self.form {
                Form::ScaleTril => self.given.clone(),
                Form::Covariance => ops::linalg_cholesky(&self.given).or_panic().into(),
                Form::Precision => precision_to_scale_tril(&self.given).into(),
            }
        })
    }

    pub fn scale_tril(&self) -> &Tensor {
        self.scale_tril.get_or_init(|| expanded(self.factor(), &self.shape).into())
    }

    pub fn covariance(&self) -> &Tensor {
        self.covariance.get_or_init(|| {
            let _guard = enable_grad();
            let l = self.factor();
            expanded(&l.matmul(l.mT()), &self.shape).into()
        })
    }

    pub fn precision(&self) -> &Tensor {
        self.precision.get_or_init(|| {
            let _guard = enable_grad();
            let l = self.factor();
            let eye = ops::eye(l.size_dim(-1), None, l.dtype(), l.device()).or_panic();
            expanded(&ops::cholesky_solve(&eye, l).or_panic(), &self.shape).into()
        })
    }

    /// Expanded to another batch, whichever forms are there.
    pub fn expand(&self, batch: &[usize]) -> Self {
        let shape = batch_with(&self.given, batch);
        let cell = |x: &OnceLock<Shared>| match x.get() {
            Some(x) => OnceLock::from(Shared::from(expanded(x, &shape))),
            None => OnceLock::new(),
        };
        self.factor();
        Matrix {
            covariance: cell(&self.covariance),
            precision: cell(&self.precision),
            scale_tril: cell(&self.scale_tril),
            factor: self.factor.clone(),
            form: self.form,
            given: self.given.clone(),
            shape: shape.clone(),
        }
    }

    /// The three forms as arguments of a distribution.
    pub fn arguments(&self) -> Vec<Argument> {
        let argument = |form: Form, constraint| {
            let held = self.cell(form).get().map_or(Held::Lazy, |x| Held::Own(x.shallow_clone()));
            Argument { name: form.name(), constraint, held }
        };
        vec![
            argument(Form::Covariance, constraints::positive_definite()),
            argument(Form::Precision, constraints::positive_definite()),
            argument(Form::ScaleTril, constraints::lower_cholesky()),
        ]
    }
}

/// L with L Lᵀ = P⁻¹, by the factor of P turned around.
fn precision_to_scale_tril(p: &Tensor) -> Tensor {
    let turned = ops::linalg_cholesky(&ops::flip(p, &[-2, -1]).or_panic()).or_panic();
    let inverse = ops::flip(&turned, &[-2, -1]).or_panic().mT();
    let eye = ops::eye(p.size_dim(-1), None, p.dtype(), p.device()).or_panic();
    solve_lower(&inverse, &eye)
}

/// L⁻¹ B for a lower triangular L.
pub(crate) fn solve_lower(l: &Tensor, b: &Tensor) -> Tensor {
    ops::linalg_solve_triangular(l, b, false, true, false).or_panic()
}

/// The diagonals of matrices.
pub(crate) fn diagonal(x: &Tensor) -> Tensor {
    x.diagonal_dims(0, -2, -1)
}

/// ½ log det(L Lᵀ).
pub(crate) fn half_log_det(l: &Tensor) -> Tensor {
    diagonal(l).log().sum_dim(-1, false)
}

/// xᵀ (L Lᵀ)⁻¹ x; the batches broadcast.
pub(crate) fn mahalanobis(l: &Tensor, x: &Tensor) -> Tensor {
    solve_lower(l, &x.unsqueeze(-1)).squeeze_dim(-1).pow(2).sum_dim(-1, false)
}

/// The batch shape of parameters of these batch shapes.
pub(crate) fn common_batch(a: &[usize], b: &[usize]) -> Vec<usize> {
    match broadcast_shapes(a, b) {
        Ok(shape) => shape.to_vec(),
        Err(error) => fail::other(error.to_string()),
    }
}
