//! Activations: one function each.

use super::{Activation, ActivationFunction, WithoutArguments, py_number};
use flambeau_autograd::{OrPanic, Setting, Tensor, ops, options, warn};
use flambeau_tensor::Scalar;

/// Declares, for each line `Layer(Options { … }) = |options, x| result, printed;`, the layer and its options. Options that stand
/// behind the braces, `Layer(Options { … } dim: Option<i64>)`, are `new`'s arguments.
macro_rules! activations {
    ($($(#[$doc:meta])* $layer:ident($options:ident $fields:tt $($argument:ident: $t:ty),*) = |$o:tt, $x:ident| $apply:expr $(, $repr:expr)?;)*) => {$(
        options! {
            #[doc = concat!("Options of [`", stringify!($layer), "`].")]
            #[derive(Clone)]
            $options $fields
        }

        $(#[$doc])*
        pub type $layer = Activation<$options>;

        impl ActivationFunction for $options {
            const NAME: &'static str = stringify!($layer);
            #[track_caller]
            fn apply(&self, $x: &Tensor) -> Tensor {
                let $o = self;
                OrPanic::or_panic($apply)
            }
            $(fn extra_repr(&self) -> String {
                let $o = self;
                $repr
            })?
        }

        constructor!($options $($argument: $t),*);
    )*};
}

/// `new`, with arguments where there are some.
macro_rules! constructor {
    ($options:ident) => {
        impl WithoutArguments for $options {}
    };
    ($options:ident $($argument:ident: $t:ty),+) => {
        impl Activation<$options> {
            /// With what public code nearly always gives, and PyTorch's defaults for the rest.
            #[track_caller]
            pub fn new($($argument: impl Setting<$t>),+) -> Self {
                Self::with(|o| o$(.$argument($argument))+)
            }
        }
    };
}

/// The dimension, or the one that PyTorch chose before one had to be given, which it warns of.
#[track_caller]
fn implicit(dim: Option<i64>, x: &Tensor, name: &str) -> i64 {
    if let Some(dim) = dim {
        return dim;
    }
    warn(&format!(
        "Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument."
    ));
    i64::from(!matches!(x.dim(), 0 | 1 | 3))
}

fn repr(dim: Option<i64>) -> String {
    dim.map_or("dim=None".to_owned(), |d| format!("dim={d}"))
}

/// What a layer prints that writes to its input, where it prints nothing else.
fn in_place(inplace: bool) -> String {
    if inplace { "inplace=True".to_owned() } else { String::new() }
}

/// What it prints behind other options.
fn and_in_place(inplace: bool) -> &'static str {
    if inplace { ", inplace=True" } else { "" }
}

/// How [`GELU`] is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approximate {
    /// `"none"`: with erf.
    None,
    /// `"tanh"`: with tanh.
    Tanh,
}

impl From<&str> for Approximate {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "none" => Approximate::None,
            "tanh" => Approximate::Tanh,
            _ => panic!("approximate argument must be either none or tanh."),
        }
    }
}

impl Setting<Approximate> for &str {
    #[track_caller]
    fn setting(self) -> Approximate {
        self.into()
    }
}

impl Setting<Approximate> for Approximate {
    fn setting(self) -> Approximate {
        self
    }
}

activations! {
    /// max(0, x): `nn.ReLU(inplace)`.
    ReLU(ReLUOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::relu_(x) } else { ops::relu(x) },
        in_place(o.inplace);
    /// x kept between 0 and 6: `nn.ReLU6(inplace)`.
    ReLU6(ReLU6Options {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::relu6_(x) } else { ops::relu6(x) },
        in_place(o.inplace);
    /// x kept between two numbers; the gradient is 0 at the bounds: `nn.Hardtanh(min_val, max_val, inplace)`.
    Hardtanh(HardtanhOptions {
        /// The lower bound (−1.0).
        min_val: Scalar = Scalar::Float(-1.0),
        /// The upper bound (1.0).
        max_val: Scalar = Scalar::Float(1.0),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| {
        let (min, max) = (o.min_val.to_f64(), o.max_val.to_f64());
        if o.inplace { ops::hardtanh_(x, min, max) } else { ops::hardtanh(x, min, max) }
    }, format!("min_val={}, max_val={}{}", py_number(o.min_val), py_number(o.max_val), and_in_place(o.inplace));
    /// 1 / (1 + e⁻ˣ): `nn.Sigmoid()`.
    Sigmoid(SigmoidOptions {}) = |_, x| ops::sigmoid(x);
    /// tanh x: `nn.Tanh()`.
    Tanh(TanhOptions {}) = |_, x| ops::tanh(x);
    /// x where it is positive, else slope · x: `nn.LeakyReLU(negative_slope, inplace)`.
    LeakyReLU(LeakyReLUOptions {
        /// The slope (0.01).
        negative_slope: Scalar = Scalar::Float(0.01),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    } negative_slope: Scalar) = |o, x| {
        let slope = o.negative_slope.to_f64();
        if o.inplace { ops::leaky_relu_(x, slope) } else { ops::leaky_relu(x, slope) }
    }, format!("negative_slope={}{}", py_number(o.negative_slope), and_in_place(o.inplace));
    /// x where it is positive, else α · (eˣ − 1): `nn.ELU(alpha, inplace)`.
    ELU(ELUOptions {
        /// α (1.0).
        alpha: Scalar = Scalar::Float(1.0),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::elu_(x, o.alpha.to_f64()) } else { ops::elu(x, o.alpha.to_f64()) },
        format!("alpha={}{}", py_number(o.alpha), and_in_place(o.inplace));
    /// scaled ELU with the constants of self-normalising networks: `nn.SELU(inplace)`.
    SELU(SELUOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::selu_(x) } else { ops::selu(x) },
        in_place(o.inplace);
    /// max(0, x) + min(0, α · (exp(x/α) − 1)): `nn.CELU(alpha, inplace)`.
    CELU(CELUOptions {
        /// α (1.0).
        alpha: Scalar = Scalar::Float(1.0),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::celu_(x, o.alpha.to_f64()) } else { ops::celu(x, o.alpha.to_f64()) },
        format!("alpha={}{}", py_number(o.alpha), and_in_place(o.inplace));
    /// x · Φ(x): `nn.GELU(approximate)`.
    GELU(GELUOptions {
        /// `"none"` or `"tanh"` (`"none"`).
        approximate: Approximate = Approximate::None,
    }) = |o, x| ops::gelu(x, o.approximate == Approximate::Tanh),
        format!("approximate='{}'", if o.approximate == Approximate::Tanh { "tanh" } else { "none" });
    /// x · sigmoid(x): `nn.SiLU(inplace)`.
    SiLU(SiLUOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::silu_(x) } else { ops::silu(x) },
        in_place(o.inplace);
    /// x · tanh(softplus(x)): `nn.Mish(inplace)`.
    Mish(MishOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::mish_(x) } else { ops::mish(x) },
        in_place(o.inplace);
    /// 1/β · ln(1 + e^(βx)): `nn.Softplus(beta, threshold)`.
    Softplus(SoftplusOptions {
        /// β (1.0).
        beta: Scalar = Scalar::Float(1.0),
        /// Where βx is above this, the result is x (20.0).
        threshold: Scalar = Scalar::Float(20.0),
    }) = |o, x| ops::softplus(x, o.beta.to_f64(), o.threshold.to_f64()),
        format!("beta={}, threshold={}", py_number(o.beta), py_number(o.threshold));
    /// x / (1 + |x|): `nn.Softsign()`.
    Softsign(SoftsignOptions {}) = |_, x| ops::softsign(x);
    /// x − tanh x: `nn.Tanhshrink()`.
    Tanhshrink(TanhshrinkOptions {}) = |_, x| ops::tanhshrink(x);
    /// x moved by λ towards 0, 0 within ±λ: `nn.Softshrink(lambd)`.
    Softshrink(SoftshrinkOptions {
        /// λ (0.5).
        lambd: Scalar = Scalar::Float(0.5),
    }) = |o, x| ops::softshrink(x, o.lambd.to_f64()),
        py_number(o.lambd);
    /// x, 0 within ±λ: `nn.Hardshrink(lambd)`.
    Hardshrink(HardshrinkOptions {
        /// λ (0.5).
        lambd: Scalar = Scalar::Float(0.5),
    }) = |o, x| ops::hardshrink(x, o.lambd.to_f64()),
        py_number(o.lambd);
    /// relu6(x + 3) / 6: `nn.Hardsigmoid(inplace)`.
    Hardsigmoid(HardsigmoidOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::hardsigmoid_(x) } else { ops::hardsigmoid(x) };
    /// x · relu6(x + 3) / 6: `nn.Hardswish(inplace)`.
    Hardswish(HardswishOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }) = |o, x| if o.inplace { ops::hardswish_(x) } else { ops::hardswish(x) };
    /// ln sigmoid(x): `nn.LogSigmoid()`.
    LogSigmoid(LogSigmoidOptions {}) = |_, x| ops::logsigmoid(x);
    /// x where it is above a threshold, else a value: `nn.Threshold(threshold, value, inplace)`.
    Threshold(ThresholdOptions {
        /// The threshold; PyTorch has no default (0).
        threshold: Scalar = Scalar::Float(0.0),
        /// The value below; PyTorch has no default (0).
        value: Scalar = Scalar::Float(0.0),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    } threshold: Scalar, value: Scalar) = |o, x| {
        let (threshold, value) = (o.threshold.to_f64(), o.value.to_f64());
        if o.inplace { ops::threshold_(x, threshold, value) } else { ops::threshold(x, threshold, value) }
    }, format!("threshold={}, value={}{}", py_number(o.threshold), py_number(o.value), and_in_place(o.inplace));
    /// The first half of a dimension times the sigmoid of the second: `nn.GLU(dim)`.
    GLU(GLUOptions {
        /// The dimension that is halved (−1).
        dim: i64 = -1,
    }) = |o, x| ops::glu(x, o.dim),
        format!("dim={}", o.dim);
    /// eˣⁱ / Σⱼ eˣʲ along a dimension: `nn.Softmax(dim)`.
    Softmax(SoftmaxOptions {
        /// The dimension whose results add up to 1; if it is not given, 0 for tensors of 0, 1 and 3 dimensions, else 1.
        dim: Option<i64> = None,
    } dim: Option<i64>) = |o, x| ops::softmax(x, implicit(o.dim, x, "softmax"), None),
        repr(o.dim);
    /// ln softmax, which does not overflow: `nn.LogSoftmax(dim)`.
    LogSoftmax(LogSoftmaxOptions {
        /// The dimension whose exponentials add up to 1; if it is not given, 0 for tensors of 0, 1 and 3 dimensions, else 1.
        dim: Option<i64> = None,
    } dim: Option<i64>) = |o, x| ops::log_softmax(x, implicit(o.dim, x, "log_softmax"), None),
        repr(o.dim);
    /// The softmax of −x: `nn.Softmin(dim)`.
    Softmin(SoftminOptions {
        /// The dimension whose results add up to 1; if it is not given, 0 for tensors of 0, 1 and 3 dimensions, else 1.
        dim: Option<i64> = None,
    } dim: Option<i64>) = |o, x| ops::softmin(x, implicit(o.dim, x, "softmin"), None),
        repr(o.dim);
    /// Softmax over the channels of [n, channels, height, width]: `nn.Softmax2d()`.
    Softmax2d(Softmax2dOptions {}) = |_, x| {
        let n = x.dim();
        assert!(n == 3 || n == 4, "Softmax2d: expected input to be 3D or 4D, got {n}D instead");
        ops::softmax(x, -3, None)
    };
}
