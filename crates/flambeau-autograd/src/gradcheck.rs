//! Analytic gradients held against finite differences: `torch.autograd.gradcheck`.

use crate::engine::grad;
use crate::error::{Error, Result};
use crate::{Tensor, no_grad, ops};
use flambeau_tensor::DType;

/// Step and tolerances, with PyTorch's defaults.
#[derive(Clone, Copy, Debug)]
pub struct GradCheckOptions {
    /// Half the distance between the two points of a difference.
    pub eps: f64,
    /// Absolute tolerance.
    pub atol: f64,
    /// Relative tolerance.
    pub rtol: f64,
}

impl Default for GradCheckOptions {
    fn default() -> Self {
        GradCheckOptions { eps: 1e-6, atol: 1e-5, rtol: 1e-3 }
    }
}

/// Compares the gradients of `f` at `inputs` (f64 leaves that require grad; others are constants) with central finite
/// differences: `torch.autograd.gradcheck(f, inputs)`.
///
/// # Errors
/// When an element differs by more than the tolerances, or an operation fails.
pub fn gradcheck(
    f: &dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>,
    inputs: &[Tensor],
    options: GradCheckOptions,
) -> Result<()> {
    let outputs = f(inputs)?;
    for (o, output) in outputs.iter().enumerate().filter(|(_, t)| t.requires_grad()) {
        for (i, input) in inputs.iter().enumerate().filter(|(_, t)| t.requires_grad()) {
            expect_double(input)?;
            let analytic = analytic_jacobian(output, input)?;
            let numeric = numeric_jacobian(f, inputs, o, i, options.eps)?;
            for (e, (a, n)) in analytic.iter().zip(&numeric).enumerate() {
                let close = (a - n).abs() <= options.atol + options.rtol * n.abs();
                // NaN is not close to anything, and two NaN prove nothing.
                if !close {
                    return Err(Error::GradCheck(format!(
                        "Jacobian mismatch for output {o} with respect to input {i}, at element {e}: numerical {n}, analytical \
                         {a}"
                    )));
                }
            }
        }
    }
    Ok(())
}

/// [`gradcheck`] of the gradients themselves: `torch.autograd.gradgradcheck(f, inputs)`.
///
/// # Errors
/// As [`gradcheck`].
pub fn gradgradcheck(
    f: &dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>,
    inputs: &[Tensor],
    options: GradCheckOptions,
) -> Result<()> {
    let outputs = f(inputs)?;
    let cotangents: Vec<Tensor> = outputs
        .iter()
        .map(|t| {
            let values = (0..t.numel()).map(|i| ((i * 7 + 3) % 13) as f64 / 6.5 - 0.9).collect::<Vec<_>>();
            crate::from_vec(values, t.size()).to(t.device()).requires_grad_(true)
        })
        .collect();
    let count = inputs.len();
    let all: Vec<Tensor> = inputs.iter().map(Tensor::shallow_clone).chain(cotangents).collect();
    let first = move |all: &[Tensor]| -> Result<Vec<Tensor>> {
        let (inputs, cotangents) = all.split_at(count);
        let outputs = f(inputs)?;
        let (mut used, mut grads) = (Vec::new(), Vec::new());
        for (output, cotangent) in outputs.iter().zip(cotangents).filter(|(t, _)| t.requires_grad()) {
            used.push(output);
            grads.push(Some(cotangent));
        }
        let wanted: Vec<&Tensor> = inputs.iter().filter(|t| t.requires_grad()).collect();
        Ok(grad(&used, &wanted, &grads, true, true, true)?.into_iter().flatten().collect())
    };
    gradcheck(&first, &all, options)
}

fn expect_double(input: &Tensor) -> Result<()> {
    if input.dtype() == DType::F64 {
        return Ok(());
    }
    Err(Error::value(
        "gradcheck expects its differentiable inputs in float64: finite differences of float32 prove little",
    ))
}

/// ∂output\[r\]/∂input\[c\], row by row.
fn analytic_jacobian(output: &Tensor, input: &Tensor) -> Result<Vec<f64>> {
    let mut rows = Vec::with_capacity(output.numel() * input.numel());
    for r in 0..output.numel() {
        let mut one_hot = vec![0.0; output.numel()];
        one_hot[r] = 1.0;
        let seed = crate::from_vec(one_hot, output.size()).to(output.device());
        let gradients = grad(&[output], &[input], &[Some(&seed)], true, false, true)?;
        match &gradients[0] {
            Some(g) => rows.extend(g.array().to_vec::<f64>()?),
            None => rows.extend(std::iter::repeat_n(0.0, input.numel())),
        }
    }
    Ok(rows)
}

fn numeric_jacobian(
    f: &dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>,
    inputs: &[Tensor],
    output: usize,
    input: usize,
    eps: f64,
) -> Result<Vec<f64>> {
    let values = inputs[input].array().to_vec::<f64>()?;
    let at = |c: usize, delta: f64| -> Result<Vec<f64>> {
        let mut moved = values.clone();
        moved[c] += delta;
        let mut inputs: Vec<_> = inputs.iter().map(Tensor::shallow_clone).collect();
        // The copy keeps the input's strides, so that kernels for views are checked on views.
        let leaf = ops::clone(&inputs[input].detach())?;
        {
            let _guard = no_grad();
            ops::copy_(&leaf, &crate::from_vec(moved, leaf.size()))?;
        }
        // The function may look at `requires_grad` or call the engine itself.
        inputs[input] = leaf.requires_grad_(true);
        f(&inputs)?[output].array().to_vec::<f64>().map_err(Into::into)
    };
    let rows = f(inputs)?[output].numel();
    let mut jacobian = vec![0.0; rows * values.len()];
    for c in 0..values.len() {
        for (r, (above, below)) in at(c, eps)?.iter().zip(at(c, -eps)?).enumerate() {
            jacobian[r * values.len() + c] = (above - below) / (2.0 * eps);
        }
    }
    Ok(jacobian)
}
