//! Switches and identities that scripts write out of habit.

use flambeau_autograd::ops::{TensorOptions, ToDevice};
use flambeau_autograd::{GradModeGuard, Tensor, from_scalars, no_grad};
use flambeau_autograd::{Literal, OrPanic};
use flambeau_tensor::{DType, Device};

/// The device of a name: `torch.device("cuda:0")`. `"cuda"`, `"gpu"` and `"wgpu"` are whatever GPU there is.
///
/// # Panics
/// When the name is none of a device.
///
/// ```
/// assert_eq!(torch::device("cuda:1").to_string(), "wgpu:1");
/// ```
#[track_caller]
pub fn device(name: impl ToDevice) -> Device {
    name.to_device().unwrap_or_else(flambeau_device::default_device)
}

/// No graph is recorded until the guard is dropped: `with torch.inference_mode():`. The same as
/// [`no_grad`]: tensors made within can be used in recorded operations later, where PyTorch raises.
///
/// ```
/// let w = torch::ones(1).requires_grad_(true);
/// let y = {
///     let _guard = torch::inference_mode();
///     &w * 2
/// };
/// assert!(!y.requires_grad());
/// ```
pub fn inference_mode() -> GradModeGuard {
    no_grad()
}

/// What it is given: `torch.compile(model)`. Everything is compiled here already.
///
/// ```
/// let f = torch::compile(|x: torch::Tensor| x.relu());
/// assert_eq!(f(torch::tensor([-1.0])).item(), 0.0);
/// ```
pub fn compile<T>(model: T) -> T {
    model
}

/// Accepted, and changes nothing: what computes in float32 here always does.
pub fn set_float32_matmul_precision(_precision: &str) {}

/// Accepted: kernels are deterministic. `torch.use_deterministic_algorithms`.
pub fn use_deterministic_algorithms(_mode: bool) {}

/// What has data of its own: a tensor as it is, numbers as [`torch::tensor`](crate::tensor) makes them: `torch.as_tensor`.
///
/// ```
/// let x = torch::zeros(2);
/// assert!(torch::as_tensor(&x).is_same(&x));
/// assert_eq!(torch::as_tensor([1, 2]).to_vec::<i64>(), [1, 2]);
/// ```
#[track_caller]
pub fn as_tensor(data: impl IntoTensor) -> Tensor {
    data.into_tensor(&AsTensorOptions::default())
}

flambeau_autograd::options! {
    /// The keywords of [`as_tensor`], for [`as_tensor_with`].
    #[derive(Clone, Debug)]
    AsTensorOptions {
        /// The dtype of the result; the data's by default.
        dtype: Option<DType> = None,
        /// The device of the result; a tensor's own by default, else the default device.
        device: Option<Device> = None,
    }
}

/// [`as_tensor`] with a dtype or a device, which a tensor is converted to where it is of another one, and which numbers are
/// made in: `torch.as_tensor(data, dtype=…, device=…)`.
///
/// ```
/// let x = torch::zeros(2);
/// assert!(torch::as_tensor_with(&x, |o| o.dtype(torch::float32)).is_same(&x));
/// assert_eq!(torch::as_tensor_with([0.1], |o| o.dtype(torch::float64)).item(), 0.1);
/// ```
#[track_caller]
pub fn as_tensor_with(data: impl IntoTensor, options: impl FnOnce(AsTensorOptions) -> AsTensorOptions) -> Tensor {
    data.into_tensor(&options(AsTensorOptions::default()))
}

/// What [`as_tensor`] takes: a tensor, or numbers in lists of any depth.
pub trait IntoTensor {
    /// The tensor, in the dtype and on the device that are asked for.
    #[track_caller]
    fn into_tensor(self, options: &AsTensorOptions) -> Tensor;
}

impl IntoTensor for Tensor {
    fn into_tensor(self, options: &AsTensorOptions) -> Tensor {
        (&self).into_tensor(options)
    }
}

impl IntoTensor for &Tensor {
    fn into_tensor(self, options: &AsTensorOptions) -> Tensor {
        self.to((options.device.unwrap_or(self.device()), options.dtype.unwrap_or(self.dtype())))
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> IntoTensor for $t {
            #[track_caller]
            fn into_tensor(self, options: &AsTensorOptions) -> Tensor {
                flambeau_autograd::tensor_with(self, |o| TensorOptions { dtype: options.dtype, device: options.device, ..o })
            }
        }
    )*};
}
lists!(
    [T: Literal, const N: usize] [T; N], [T: Literal] Vec<T>, [T: Literal] &[T], [] bool, [] u8, [] i8, [] i16, [] i32, [] u32, [] i64,
    [] usize, [] f32, [] f64
);

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident $dtype:ident;)*) => {$(
        $(#[$doc])*
        #[allow(non_snake_case, reason = "PyTorch's name")]
        #[track_caller]
        pub fn $name(data: impl Literal) -> Tensor {
            typed(data, DType::$dtype)
        }
    )*};
}

/// Numbers cut to a dtype, as PyTorch's old constructors do.
#[track_caller]
fn typed(data: impl Literal, dtype: DType) -> Tensor {
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    data.shape(0, &mut shape);
    data.values(&mut values);
    let values: Vec<_> = values.iter().map(|v| v.cast(dtype)).collect();
    from_scalars(&values, &shape, dtype).or_panic()
}

typed! {
    /// A float32 tensor of numbers: `torch.FloatTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::FloatTensor([1, 2]).to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    FloatTensor F32;
    /// A float64 tensor of numbers: `torch.DoubleTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::DoubleTensor([1]).dtype(), torch::float64);
    /// ```
    DoubleTensor F64;
    /// A float16 tensor of numbers: `torch.HalfTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::HalfTensor([1]).dtype(), torch::float16);
    /// ```
    HalfTensor F16;
    /// An int64 tensor of numbers, cut towards zero: `torch.LongTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::LongTensor([1.5, 2.0]).to_vec::<i64>(), [1, 2]);
    /// ```
    LongTensor I64;
    /// An int32 tensor of numbers: `torch.IntTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::IntTensor([1]).dtype(), torch::int32);
    /// ```
    IntTensor I32;
    /// A uint8 tensor of numbers: `torch.ByteTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::ByteTensor([1]).dtype(), torch::uint8);
    /// ```
    ByteTensor U8;
    /// A tensor of truth values: `torch.BoolTensor([…])`.
    ///
    /// ```
    /// assert_eq!(torch::BoolTensor([true, false]).to_vec::<bool>(), [true, false]);
    /// ```
    BoolTensor Bool;
}

/// Another handle of the tensor: `torch.autograd.Variable(x)`, which is the tensor itself.
///
/// ```
/// let x = torch::zeros(1);
/// assert!(torch::autograd::Variable(&x).is_same(&x));
/// ```
#[allow(non_snake_case, reason = "PyTorch's name")]
pub fn Variable(data: impl IntoTensor) -> Tensor {
    as_tensor(data)
}
