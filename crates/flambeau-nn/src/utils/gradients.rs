//! `torch.nn.utils`: gradients kept within bounds, and parameters as one vector.

use crate::Parameter;
use flambeau_autograd::arguments::{Number, OneOrMore, TensorList, TensorRefs};
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, no_grad, ops, options, warn};
use flambeau_tensor::Scalar;
use flambeau_tensor::print::py_float;

options! {
    /// Options of [`clip_grad_norm_with_`] and [`get_total_norm_with`].
    #[derive(Clone)]
    NormOptions {
        /// The norm's order; `f64::INFINITY` is the largest magnitude (2.0).
        norm_type: f64 = 2.0,
        /// Whether a total norm that is NaN or infinite is an error (false).
        error_if_nonfinite: bool = false,
        /// Accepted as PyTorch's; there is one implementation here.
        foreach: Option<bool> = None,
    }
}

options! {
    /// Options of [`clip_grad_value_with_`] and [`clip_grads_with_norm_with_`].
    #[derive(Clone)]
    ForeachOptions {
        /// Accepted as PyTorch's; there is one implementation here.
        foreach: Option<bool> = None,
    }
}

/// A parameter by itself: `clip_grad_norm_(&layer.weight, 1)`.
impl OneOrMore for &Parameter {
    fn to_list(&self) -> TensorRefs<'_> {
        [self.tensor()].into_iter().collect()
    }
}

fn gradients(parameters: &[&Tensor]) -> Vec<Tensor> {
    parameters.iter().filter_map(|p| p.grad()).collect()
}

fn total_norm(tensors: &[&Tensor], options: &NormOptions) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        return flambeau_autograd::from_scalars(&[Scalar::Float(0.0)], &[], flambeau_tensor::default_dtype());
    };
    let order = options.norm_type;
    let norm = |t: &&Tensor| ops::to_device(&ops::vector_norm(t, order, &[], false, None)?, first.device());
    let norms: Vec<Tensor> = tensors.iter().map(norm).collect::<Result<_>>()?;
    let total = ops::vector_norm(&ops::stack(&norms, 0)?, order, &[], false, None)?;
    if options.error_if_nonfinite && !total.item().is_finite() {
        return Err(flambeau_autograd::Error::runtime(format!(
            "The total norm of order {} for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this \
             error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`",
            py_float(order)
        )));
    }
    Ok(total)
}

fn clip(gradients: &[Tensor], max_norm: f64, total: &Tensor) -> Result<()> {
    if gradients.is_empty() {
        return Ok(());
    }
    // Without a look at the number: a GPU need not be waited for.
    let factor = ops::rdiv(&ops::add(total, 1e-6, 1)?, max_norm)?;
    let factor = ops::clamp_max(&factor, 1.0)?;
    for gradient in gradients {
        ops::mul_(gradient, &ops::to_device(&factor, gradient.device())?)?;
    }
    Ok(())
}

/// Scales the gradients of all parameters so that their norm, as of one vector, is at most `max_norm`, and returns the norm that it
/// was: `nn.utils.clip_grad_norm_`. Parameters without a gradient do not count.
///
/// ```
/// use flambeau_autograd::tensor;
/// let w = tensor([3.0, 4.0]).requires_grad_(true);
/// w.square().sum().backward(); // the gradient is (6, 8)
/// let norm = flambeau_nn::utils::clip_grad_norm_([&w], 5.0);
/// assert_eq!(norm.item(), 10.0);
/// assert!(w.grad().unwrap().allclose(&tensor([3.0, 4.0])));
/// ```
#[track_caller]
pub fn clip_grad_norm_(parameters: impl OneOrMore, max_norm: impl Number) -> Tensor {
    clip_grad_norm_with_(parameters, max_norm, |o| o)
}

/// [`clip_grad_norm_`] with options: `norm_type`, `error_if_nonfinite`, `foreach`.
///
/// # Panics
/// With `error_if_nonfinite`, when the norm is NaN or infinite.
///
/// ```
/// use flambeau_autograd::tensor;
/// let w = tensor([3.0, 4.0]).requires_grad_(true);
/// w.square().sum().backward();
/// let norm = flambeau_nn::utils::clip_grad_norm_with_([&w], 2.0, |o| o.norm_type(f64::INFINITY));
/// assert_eq!(norm.item(), 8.0);
/// ```
#[track_caller]
pub fn clip_grad_norm_with_(
    parameters: impl OneOrMore,
    max_norm: impl Number,
    options: impl FnOnce(NormOptions) -> NormOptions,
) -> Tensor {
    let _guard = no_grad();
    let gradients = gradients(&parameters.to_list());
    let total = total_norm(&gradients.iter().collect::<Vec<_>>(), &options(NormOptions::default())).or_panic();
    clip(&gradients, max_norm.to_f64(), &total).or_panic();
    total
}

/// [`clip_grad_norm_`] under the name that PyTorch had before; it warns.
#[track_caller]
pub fn clip_grad_norm(parameters: impl OneOrMore, max_norm: impl Number) -> Tensor {
    warn("`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.");
    clip_grad_norm_(parameters, max_norm)
}

/// Keeps each element of the gradients of all parameters within ±`clip_value`: `nn.utils.clip_grad_value_`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let w = tensor([3.0, -0.1]).requires_grad_(true);
/// w.square().sum().backward();
/// flambeau_nn::utils::clip_grad_value_([&w], 1);
/// assert!(w.grad().unwrap().allclose(&tensor([1.0, -0.2])));
/// ```
#[track_caller]
pub fn clip_grad_value_(parameters: impl OneOrMore, clip_value: impl Number) {
    clip_grad_value_with_(parameters, clip_value, |o| o);
}

/// [`clip_grad_value_`] with `foreach`.
#[track_caller]
pub fn clip_grad_value_with_(
    parameters: impl OneOrMore,
    clip_value: impl Number,
    options: impl FnOnce(ForeachOptions) -> ForeachOptions,
) {
    let _ = options(ForeachOptions::default());
    let _guard = no_grad();
    let bound = clip_value.to_f64();
    for gradient in gradients(&parameters.to_list()) {
        ops::clamp_(&gradient, Some((-bound).into()), Some(bound.into())).or_panic();
    }
}

/// The norm of several tensors as of one vector: `nn.utils.get_total_norm`; 0 of none.
///
/// ```
/// use flambeau_autograd::tensor;
/// let norm = flambeau_nn::utils::get_total_norm([tensor([3.0, 4.0]), tensor([12.0])]);
/// assert_eq!(norm.item(), 13.0);
/// ```
#[track_caller]
pub fn get_total_norm(tensors: impl OneOrMore) -> Tensor {
    get_total_norm_with(tensors, |o| o)
}

/// [`get_total_norm`] with options: `norm_type`, `error_if_nonfinite`, `foreach`.
///
/// # Panics
/// With `error_if_nonfinite`, when the norm is NaN or infinite.
///
/// ```
/// use flambeau_autograd::tensor;
/// let norm = flambeau_nn::utils::get_total_norm_with([tensor([3.0, -4.0])], |o| o.norm_type(1));
/// assert_eq!(norm.item(), 7.0);
/// ```
#[track_caller]
pub fn get_total_norm_with(tensors: impl OneOrMore, options: impl FnOnce(NormOptions) -> NormOptions) -> Tensor {
    let _guard = no_grad();
    total_norm(&tensors.to_list(), &options(NormOptions::default())).or_panic()
}

/// Scales the gradients of all parameters by `max_norm / total_norm` where that is less than one: the second half of
/// [`clip_grad_norm_`], `nn.utils.clip_grads_with_norm_`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let w = tensor([3.0, 4.0]).requires_grad_(true);
/// w.square().sum().backward();
/// flambeau_nn::utils::clip_grads_with_norm_([&w], 1.0, tensor(2.0));
/// assert!(w.grad().unwrap().allclose(&tensor([3.0, 4.0])));
/// ```
#[track_caller]
pub fn clip_grads_with_norm_(parameters: impl OneOrMore, max_norm: impl Number, total_norm: impl AsTensor) {
    clip_grads_with_norm_with_(parameters, max_norm, total_norm, |o| o);
}

/// [`clip_grads_with_norm_`] with `foreach`.
#[track_caller]
pub fn clip_grads_with_norm_with_(
    parameters: impl OneOrMore,
    max_norm: impl Number,
    total_norm: impl AsTensor,
    options: impl FnOnce(ForeachOptions) -> ForeachOptions,
) {
    let _ = options(ForeachOptions::default());
    let _guard = no_grad();
    clip(&gradients(&parameters.to_list()), max_norm.to_f64(), total_norm.as_tensor()).or_panic();
}

fn same_devices(parameters: &[&Tensor]) {
    let devices = parameters.iter().map(|p| p.device());
    let same = devices.clone().zip(devices.skip(1)).all(|(a, b)| a == b);
    assert!(same, "Found two parameters on different devices, this is currently not supported.");
}

/// All parameters as one vector, one behind the other: `nn.utils.parameters_to_vector`.
///
/// ```
/// use flambeau_autograd::{ones, zeros};
/// let v = flambeau_nn::utils::parameters_to_vector([zeros([2, 2]), ones([1])]);
/// assert_eq!(v.to_vec::<f32>(), [0.0, 0.0, 0.0, 0.0, 1.0]);
/// ```
///
/// # Panics
/// Without parameters, and where they lie on several devices.
#[track_caller]
pub fn parameters_to_vector(parameters: impl TensorList) -> Tensor {
    let parameters = parameters.to_list();
    same_devices(&parameters);
    let flat: Result<Vec<Tensor>> = parameters.iter().map(|p| ops::view(p, &[-1])).collect();
    ops::cat(&flat.or_panic(), 0).or_panic()
}

/// Gives each parameter its part of a vector, in order: `nn.utils.vector_to_parameters`. As in PyTorch the parameters then share
/// memory with the vector.
///
/// ```
/// use flambeau_autograd::{tensor, zeros};
/// let w = zeros([2, 2]);
/// flambeau_nn::utils::vector_to_parameters(tensor([1.0, 2.0, 3.0, 4.0]), [&w]);
/// assert_eq!(w.to_vec::<f32>(), [1.0, 2.0, 3.0, 4.0]);
/// ```
///
/// # Panics
/// Where the vector is too short, and where parameters lie on several devices.
#[track_caller]
pub fn vector_to_parameters(vec: impl AsTensor, parameters: impl TensorList) {
    let (vec, parameters) = (vec.as_tensor(), parameters.to_list());
    same_devices(&parameters);
    let mut start = 0;
    for parameter in parameters {
        let end = start + parameter.numel() as i64;
        let part = ops::slice(vec, 0, Some(start), Some(end), 1).or_panic();
        parameter.set_data(&ops::view_as(&part, parameter).or_panic().data());
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flambeau_autograd::{ones, tensor, zeros};

    /// Leaves with the given gradients.
    fn with_grads(gradients: &[&[f64]]) -> Vec<Tensor> {
        let leaf = |g: &&[f64]| {
            let leaf = zeros([g.len()]).requires_grad_(true);
            leaf.set_grad(Some(tensor(g.to_vec())));
            leaf
        };
        gradients.iter().map(leaf).collect()
    }

    fn grads(leaves: &[Tensor]) -> Vec<Vec<f32>> {
        leaves.iter().map(|leaf| leaf.grad().unwrap().to_vec::<f32>()).collect()
    }

    /// Beside PyTorch's `clip_grad_norm_` of gradients (3, 4) and (12).
    #[test]
    fn norms_and_clipped_gradients_are_pytorch_s() {
        let cases: [(f64, f64, f64, [f32; 3]); 5] = [
            (1.0, 2.0, 13.0, [0.2308, 0.3077, 0.9231]),
            (1.0, 1.0, 19.0, [0.1579, 0.2105, 0.6316]),
            (1.0, f64::INFINITY, 12.0, [0.25, 0.3333, 1.0]),
            (100.0, 2.0, 13.0, [3.0, 4.0, 12.0]),
            (1.0, 0.5, 51.7846, [0.0579, 0.0772, 0.2317]),
        ];
        for (max_norm, norm_type, total, expected) in cases {
            let leaves = with_grads(&[&[3.0, 4.0], &[12.0]]);
            let norm = clip_grad_norm_with_(&leaves, max_norm, |o| o.norm_type(norm_type));
            assert!((norm.item() - total).abs() < 1e-3, "{norm_type}: {norm}");
            let found = grads(&leaves).concat();
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{norm_type}: {found:?}");
        }
        let leaves = with_grads(&[&[3.0, 4.0]]);
        assert_eq!(clip_grad_norm_(&leaves, 0).item(), 5.0);
        assert_eq!(grads(&leaves), [[0.0, 0.0]]);
        assert_eq!(clip_grad_norm_([zeros([2])], 1).item(), 0.0, "without gradients");
        let one = with_grads(&[&[3.0, 4.0]]);
        assert_eq!(clip_grad_norm_(&one[0], 2.5).item(), 5.0, "one tensor");
        let parameter = Parameter::new(zeros([2]));
        parameter.set_grad(Some(tensor([3.0, -4.0])));
        clip_grad_value_with_(&parameter, 3.5, |o| o.foreach(true));
        assert_eq!(
            get_total_norm_with(parameter.grad().unwrap(), |o| o.norm_type(0)).item(),
            1.0,
            "the norm of the norms"
        );
        assert_eq!(parameter.grad().unwrap().to_vec::<f32>(), [3.0, -3.5]);
        clip_grads_with_norm_with_(&parameter, 1.0, tensor(2.0), |o| o.foreach(false));
        assert!(parameter.grad().unwrap().allclose(tensor([1.5, -1.75])));
        let none: [Tensor; 0] = [];
        assert_eq!(get_total_norm(none).item(), 0.0);
    }

    #[test]
    fn a_norm_that_is_no_number_is_an_error_where_that_was_asked_for() {
        let leaves = with_grads(&[&[3.0, f64::NAN]]);
        let clip = || drop(clip_grad_norm_with_(&leaves, 1, |o| o.error_if_nonfinite(true)));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(clip)).unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(
            text.starts_with("The total norm of order 2.0 for gradients from `parameters` is non-finite"),
            "{text}"
        );
        assert_eq!(grads(&leaves)[0][0], 3.0, "nothing was written");
        assert!(clip_grad_norm_(&leaves, 1).item().is_nan());
        assert!(grads(&leaves)[0].iter().all(|g| g.is_nan()));
    }

    #[test]
    fn values_are_clipped_one_by_one() {
        let leaves = with_grads(&[&[3.0, -4.0, 0.5]]);
        clip_grad_value_(&leaves, 2);
        assert_eq!(grads(&leaves), [[2.0, -2.0, 0.5]]);
    }

    #[test]
    fn parameters_go_to_a_vector_and_back() {
        let (a, b) = (tensor([[0.0, 1.0], [2.0, 3.0]]), ones([1]));
        assert_eq!(parameters_to_vector((&a, &b)).to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 1.0]);
        let v = tensor([5.0, 6.0, 7.0, 8.0, 9.0]);
        vector_to_parameters(&v, [&a, &b]);
        assert_eq!((a.size().to_vec(), a.to_vec::<f32>()), (vec![2, 2], vec![5.0, 6.0, 7.0, 8.0]));
        v.fill_(0);
        assert_eq!(b.item(), 0.0, "the parameters share the vector's memory");
        let short = || vector_to_parameters(zeros([1]), [zeros([2])]);
        let panic = std::panic::catch_unwind(short).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "shape '[2]' is invalid for input of size 1");
    }
}
