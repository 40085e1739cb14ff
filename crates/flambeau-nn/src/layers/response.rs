//! Normalisation by the neighbouring channels.

use super::py_number;
use crate::{Module, ModuleState, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{Function as _, OrPanic, Tensor, ops, options};
use flambeau_tensor::Scalar;

options! {
    /// Options of [`LocalResponseNorm`] and [`CrossMapLRN2d`].
    #[derive(Clone)]
    ResponseNormOptions {
        /// The factor of the mean of squares (1e-4).
        alpha: Scalar = Scalar::Float(1e-4),
        /// The exponent (0.75).
        beta: Scalar = Scalar::Float(0.75),
        /// What is added to the mean (1).
        k: Scalar = Scalar::Float(1.0),
    }
}

impl ResponseNormOptions {
    fn numbers(&self) -> [f64; 3] {
        [self.alpha, self.beta, self.k].map(|s| s.to_f64())
    }

    fn repr(&self, size: i64) -> String {
        let [alpha, beta, k] = [self.alpha, self.beta, self.k].map(py_number);
        format!("{size}, alpha={alpha}, beta={beta}, k={k}")
    }
}

/// x / (k + α · mean of the squares of `size` channels around)^β: `nn.LocalResponseNorm(size, alpha, beta, k)`.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let norm = nn::LocalResponseNorm::with(1, |o| o.alpha(0.25).beta(1));
/// assert_eq!(norm.call(flambeau_autograd::tensor([[[2.0], [0.0]]])).to_vec::<f32>(), [1.0, 0.0]);
/// assert_eq!(nn::LocalResponseNorm::new(2).to_string(), "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)");
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct LocalResponseNorm {
    size: i64,
    options: ResponseNormOptions,
    state: ModuleState,
}

impl LocalResponseNorm {
    /// Over `size` channels.
    #[track_caller]
    pub fn new(size: impl Int) -> Self {
        Self::with(size, |o| o)
    }

    /// With options: `alpha`, `beta`, `k`.
    #[track_caller]
    pub fn with(size: impl Int, options: impl FnOnce(ResponseNormOptions) -> ResponseNormOptions) -> Self {
        let options = options(ResponseNormOptions::default());
        LocalResponseNorm { size: size.to_i64(), options, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        self.options.repr(self.size)
    }
}

#[forward]
impl LocalResponseNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [alpha, beta, k] = self.options.numbers();
        ops::local_response_norm(x, self.size, alpha, beta, k).or_panic()
    }
}

/// [`LocalResponseNorm`] of images as Torch 7 had it, of [n, channels, height, width]: `nn.CrossMapLRN2d(size, alpha, beta, k)`.
/// Windows and gradient are PyTorch's: the first channel stays in every later window, and the gradient's windows lie one channel
/// lower where `size` is 3.
///
/// ```
/// use flambeau_nn::{self as nn, Call};
/// let norm = nn::CrossMapLRN2d::with(3, |o| o.alpha(3).beta(1));
/// let x = flambeau_autograd::ones([1, 2, 1, 1]);
/// assert!(norm.call(&x).allclose(&(x / 3.0)));
/// assert_eq!(nn::CrossMapLRN2d::new(3).to_string(), "CrossMapLRN2d(3, alpha=0.0001, beta=0.75, k=1)");
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct CrossMapLRN2d {
    size: i64,
    options: ResponseNormOptions,
    state: ModuleState,
}

impl CrossMapLRN2d {
    /// Over `size` channels.
    #[track_caller]
    pub fn new(size: impl Int) -> Self {
        Self::with(size, |o| o)
    }

    /// With options: `alpha`, `beta`, `k`.
    #[track_caller]
    pub fn with(size: impl Int, options: impl FnOnce(ResponseNormOptions) -> ResponseNormOptions) -> Self {
        let options = options(ResponseNormOptions::default().k(1));
        CrossMapLRN2d { size: size.to_i64(), options, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        self.options.repr(self.size)
    }
}

#[forward]
impl CrossMapLRN2d {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [alpha, beta, k] = self.options.numbers();
        across_maps::CrossMapLRN2d::apply((x, self.size, alpha, beta, k))
    }
}

/// The function of the layer, under the name that PyTorch's graph shows.
mod across_maps {
    use flambeau_autograd::{Function, FunctionCtx, OrPanic, Tensor, ops};

    pub struct CrossMapLRN2d;

    /// The sum over each channel's window, from `below` channels under it to `above` over it.
    #[track_caller]
    fn window_sums(x: &Tensor, below: i64, above: i64) -> Tensor {
        let padded = ops::constant_pad(x, &[0, 0, 0, 0, below, above], 0).or_panic();
        padded.unfold(1, below + above + 1, 1).sum_dim(-1, false)
    }

    impl Function for CrossMapLRN2d {
        type Inputs = (Tensor, i64, f64, f64, f64);
        type Outputs = Tensor;
        type GradOutputs = Tensor;
        type GradInputs = (Tensor, Option<Tensor>, Option<Tensor>, Option<Tensor>, Option<Tensor>);

        fn forward(ctx: &mut FunctionCtx, (x, size, alpha, beta, k): Self::Inputs) -> Tensor {
            assert!(x.dim() == 4, "CrossMapLRN2d: Expected input to be 4D, got {}D instead.", x.dim());
            let shape = x.size();
            let channels = shape[1] as i64;
            assert!(channels > 0, "select(): index 0 out of range for tensor of size {:?} at dimension 1", &shape[..]);
            let name = x.dtype().scalar_type_name();
            assert!(x.is_floating_point(), "result type Float can't be cast to the desired output type {name}");
            let squares = x.square();
            let reach = ((size - 1) as f64 / 2.0 + 1.0) as i64;
            let mut sums = match reach {
                // Nothing is ever added.
                ..1 => squares.zeros_like(),
                _ => window_sums(&squares, (reach - 1).min(channels), (reach - 1).min(channels)),
            };
            if (1..channels).contains(&reach) {
                // The first channel is never taken out again.
                let later = ops::narrow(&sums, 1, reach, channels - reach).or_panic();
                let first = ops::narrow(&squares, 1, 0, 1).or_panic();
                let before = ops::narrow(&sums, 1, 0, reach).or_panic();
                sums = ops::cat(&[before, later + first], 1).or_panic();
            }
            let scale = sums * (alpha / size as f64) + k;
            let out = scale.pow(-beta) * &x;
            ctx.save_for_backward([&x, &out]);
            ctx.set("scale", scale);
            ctx.set("numbers", (size, alpha, beta));
            out
        }

        fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
            let [x, out] = ctx.saved_tensors();
            let scale = ctx.get::<Tensor>("scale");
            let (size, alpha, beta) = *ctx.get::<(i64, f64, f64)>("numbers");
            let below = (size as f64 - (size - 1) as f64 / 2.0) as i64;
            let channels = x.size()[1] as i64;
            let total = channels + size - 1;
            assert!(below < size, "start ({below}) + length ({channels}) exceeds dimension size ({total}).");
            let ratio = &grad * &out / scale;
            let around = window_sums(&ratio, below, size - 1 - below);
            let grad = scale.pow(-beta) * &grad - x * around * (2.0 * alpha * beta / size as f64);
            (grad, None, None, None, None)
        }
    }
}
