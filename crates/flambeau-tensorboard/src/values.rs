//! What can be given as numbers: numbers of any type, tensors, arrays, vectors and slices, nested or not.

use flambeau_autograd::Tensor;
use flambeau_nn::{Buffer, Parameter};
use flambeau_tensor::DType;

/// Numbers on their way into a summary: NumPy's array in `torch.utils.tensorboard`.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The numbers in row-major order.
    pub data: Vec<f64>,
    /// Their shape.
    pub shape: Vec<usize>,
    /// What they were before.
    pub dtype: DType,
}

impl Numbers {
    /// As [`Numbers::data`] rounded to 32 bits.
    pub(crate) fn floats(&self) -> impl Iterator<Item = f32> + '_ {
        self.data.iter().map(|&x| x as f32)
    }

    /// The only number, whatever the dimensions of length one.
    #[track_caller]
    pub(crate) fn only(&self) -> f64 {
        let dims = self.shape.iter().filter(|&&n| n != 1).count();
        assert!(
            dims == 0,
            "Tensor should contain one element (0 dimensions). Was given size: {} and {dims} dimensions.",
            self.data.len()
        );
        self.data[0]
    }
}

/// Whatever is a number or several: a number of any type, a truth value, a tensor or parameter, an array, a vector or a slice of numbers,
/// or of such.
///
/// ```
/// use flambeau_tensorboard::Values;
/// assert_eq!(2.5.numbers().data, [2.5]);
/// assert_eq!([[1u8, 2], [3, 4]].numbers().shape, [2, 2]);
/// assert_eq!(torch::ones((2, 3)).numbers().data, [1.0; 6]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number and holds none",
    label = "expected a number, a tensor, or an array, vector or slice of numbers"
)]
pub trait Values {
    /// The numbers.
    ///
    /// # Panics
    /// When rows differ in length.
    #[track_caller]
    fn numbers(&self) -> Numbers;
}

impl Values for Numbers {
    fn numbers(&self) -> Numbers {
        self.clone()
    }
}

impl Values for Tensor {
    #[track_caller]
    fn numbers(&self) -> Numbers {
        let x = self.detach().cpu();
        // NumPy has no bfloat16; PyTorch makes float16 of it, which has fewer large numbers.
        let x = if x.dtype() == DType::BF16 { x.half() } else { x };
        Numbers { data: x.double().to_vec(), shape: x.size().to_vec(), dtype: x.dtype() }
    }
}

macro_rules! through {
    ($($t:ty => |$x:ident| $tensor:expr;)*) => {$(
        impl Values for $t {
            #[track_caller]
            fn numbers(&self) -> Numbers {
                let $x = self;
                <Tensor as Values>::numbers($tensor)
            }
        }
    )*};
}
through! {
    &Tensor => |x| x;
    Parameter => |x| x;
    &Parameter => |x| x;
    Buffer => |x| x;
    &Buffer => |x| x;
}

/// A number, or a list of such: what arrays, vectors and slices of numbers are made of.
pub trait Nest {
    /// The dtype of the numbers in it.
    const DTYPE: DType;
    /// Appends the numbers.
    #[doc(hidden)]
    fn push(&self, out: &mut Vec<f64>);
    /// Appends the lengths from this level on; the first call decides them, later calls must agree.
    #[doc(hidden)]
    #[track_caller]
    fn lengths(&self, depth: usize, shape: &mut Vec<usize>);
}

#[track_caller]
fn of_nest<T: Nest + ?Sized>(nest: &T) -> Numbers {
    let (mut data, mut shape) = (Vec::new(), Vec::new());
    nest.lengths(0, &mut shape);
    nest.push(&mut data);
    Numbers { data, shape, dtype: T::DTYPE }
}

macro_rules! numbers {
    ($($t:ty: $dtype:ident;)*) => {$(
        impl Nest for $t {
            const DTYPE: DType = DType::$dtype;
            fn push(&self, out: &mut Vec<f64>) {
                out.push(*self as f64);
            }
            fn lengths(&self, _: usize, _: &mut Vec<usize>) {}
        }
        impl Values for $t {
            fn numbers(&self) -> Numbers {
                of_nest(self)
            }
        }
    )*};
}
numbers! {
    f32: F32; f64: F64; u8: U8; i8: I8; i16: I16; i32: I32; i64: I64; u16: I64; u32: I64; u64: I64; usize: I64; isize: I64;
}

impl Nest for bool {
    const DTYPE: DType = DType::Bool;
    fn push(&self, out: &mut Vec<f64>) {
        out.push(f64::from(u8::from(*self)));
    }
    fn lengths(&self, _: usize, _: &mut Vec<usize>) {}
}

impl Values for bool {
    fn numbers(&self) -> Numbers {
        of_nest(self)
    }
}

impl<T: Nest> Nest for [T] {
    const DTYPE: DType = T::DTYPE;
    fn push(&self, out: &mut Vec<f64>) {
        self.iter().for_each(|item| item.push(out));
    }
    #[track_caller]
    fn lengths(&self, depth: usize, shape: &mut Vec<usize>) {
        match shape.get(depth) {
            None => shape.push(self.len()),
            Some(&n) => {
                assert!(n == self.len(), "expected sequence of length {n} at dim {depth} (got {})", self.len());
            }
        }
        for item in self {
            item.lengths(depth + 1, shape);
        }
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $t:ty),*) => {$(
        impl<$($generics)*> Nest for $t {
            const DTYPE: DType = T::DTYPE;
            fn push(&self, out: &mut Vec<f64>) {
                self[..].push(out);
            }
            #[track_caller]
            fn lengths(&self, depth: usize, shape: &mut Vec<usize>) {
                self[..].lengths(depth, shape);
            }
        }
        impl<$($generics)*> Values for $t {
            #[track_caller]
            fn numbers(&self) -> Numbers {
                of_nest(&self[..])
            }
        }
    )*};
}
lists!([T: Nest, const N: usize] [T; N], [T: Nest, const N: usize] &[T; N], [T: Nest] Vec<T>, [T: Nest] &Vec<T>, [T: Nest] &[T]);
