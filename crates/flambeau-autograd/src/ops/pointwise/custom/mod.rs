//! Pointwise functions that users write: `torch::pointwise(|[x, y]| …)`.

mod value;

pub use value::{Term, Value};

use super::{binary, unary};
use crate::error::{Error, Result};
use crate::graph::recording;
use crate::ops::map;
use crate::saved_hooks::catch_fault;
use crate::{AsTensor, OrPanic, Tensor};
use flambeau_tensor::ops::common_dtype;
use flambeau_tensor::pointwise::{BinaryOp, Node, Pointwise, UnaryOp};
use flambeau_tensor::{DType, Scalar};
use std::sync::Arc;

/// A pointwise function of N tensors; see [`pointwise`]. Clones are cheap and are the same function.
#[derive(Clone)]
pub struct PointwiseFunction<const N: usize> {
    program: &'static Pointwise,
    numbers: Arc<[Scalar]>,
}

impl<const N: usize> std::fmt::Debug for PointwiseFunction<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PointwiseFunction({N} inputs, {} steps)", self.program.nodes().len())
    }
}

/// Makes one operation of a formula, which says what becomes of one element of each of its inputs. The formula is a closure over
/// an array of [`Value`]s; it is run once, here. The operation is one kernel on every device.
///
/// ```
/// // x · e^(−y), and 0 where y is negative
/// let f = torch::pointwise(|[x, y]| y.ge(0.0).where_(x * (-y).exp(), 0.0));
///
/// let x = torch::tensor([[1.0, 2.0], [3.0, 4.0]]).requires_grad_(true);
/// let y = torch::tensor([0.0, -1.0]);
/// let out = f.call((&x, &y));
/// assert_eq!(out.to_vec::<f32>(), [1.0, 0.0, 3.0, 0.0]);
///
/// out.sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0, 0.0, 1.0, 0.0]);
/// ```
///
/// The inputs' shapes broadcast, and their dtypes and the formula's numbers promote to one common dtype, in which the whole
/// formula is computed. Each step gives the digits of PyTorch's operation of that name: in float16 and bfloat16 it is rounded.
///
/// The operation is differentiable to any order. Its gradient is a kernel as well, and has the digits of the operations' gradients
/// in turn, except that no gradient goes into a branch of [`Value::where_`] that was not taken. `grad_fn` is
/// `PointwiseBackward0`.
///
/// A formula may use numbers from around it. Functions whose formulas differ in their numbers alone share their kernels and
/// derivatives, so a function may be made anew wherever it is used; but each other formula is kept for the program's life.
///
/// # Panics
/// When the formula has more than 65,536 steps or 256 numbers, or negates or subtracts truth values. A function of no inputs or of
/// more than 32 does not compile:
///
/// ```compile_fail
/// let f = torch::pointwise(|x: [torch::pointwise::Value; 33]| x[0] + x[32]);
/// ```
#[track_caller]
pub fn pointwise<const N: usize>(formula: impl for<'f> FnOnce([Value<'f>; N]) -> Value<'f>) -> PointwiseFunction<N> {
    const { assert!(N >= 1 && N <= Pointwise::MAX_INPUTS, "a pointwise function has between 1 and 32 inputs") };
    let (program, numbers) = Pointwise::composed_once(|composer| {
        let inputs = std::array::from_fn(|i| Value::new(composer.input(i)));
        vec![formula(inputs).inner()]
    });
    program.check().map_err(Error::from).or_panic();
    PointwiseFunction { program, numbers: numbers.into() }
}

impl<const N: usize> PointwiseFunction<N> {
    /// The function of tensors: a tuple or an array of them, or the tensor itself where it is one. The result is a new tensor in
    /// the shape that the inputs broadcast to.
    ///
    /// ```
    /// let swish = torch::pointwise(|[x]| x * x.sigmoid());
    /// assert_eq!(swish.call(torch::tensor([0.0])).item(), 0.0);
    ///
    /// let norm = torch::pointwise(|[x, y, z]| (x * x + y * y + z * z).sqrt());
    /// let t = torch::tensor([2.0, 1.0, 2.0]).unbind();
    /// assert_eq!(norm.call((&t[0], &t[1], &t[2])).item(), 3.0);
    /// ```
    ///
    /// # Panics
    /// When the shapes do not broadcast, the tensors lie on several devices, or a step does not exist for their common dtype.
    #[track_caller]
    pub fn call(&self, inputs: impl Inputs<N>) -> Tensor {
        self.try_call(inputs).or_panic()
    }

    /// [`PointwiseFunction::call`], with an error instead of a panic.
    ///
    /// # Errors
    /// Where `call` panics.
    ///
    /// ```
    /// let add = torch::pointwise(|[x, y]| x + y);
    /// let error = add.try_call((torch::ones([2]), torch::ones([3]))).unwrap_err();
    /// assert!(error.to_string().contains("must match the size of tensor b (3)"));
    /// ```
    pub fn try_call(&self, inputs: impl Inputs<N>) -> Result<Tensor> {
        let inputs = inputs.tensors();
        self.check_dtype(&inputs)?;
        if recording(&inputs) {
            for i in (0..N).filter(|&i| inputs[i].requires_grad()) {
                if self.program.gradient(i).program.check().is_err() {
                    return Err(Error::runtime(format!(
                        "the gradient of this pointwise function for input {i} takes more than {} tensors: the incoming \
                         gradient, the inputs and the result that it depends on. Write the function as two",
                        Pointwise::MAX_INPUTS
                    )));
                }
            }
        }
        catch_fault(|| map("PointwiseBackward0", self.program, &inputs, &self.numbers))
    }

    /// Refuses what PyTorch refuses for a dtype, in its words.
    fn check_dtype(&self, inputs: &[&Tensor]) -> Result<()> {
        let arrays = crate::ops::Arrays::of(inputs);
        let (compute, _) = self.program.dtypes(common_dtype(self.program, &arrays.refs(), &self.numbers));
        for node in self.program.nodes() {
            match *node {
                Node::Unary(UnaryOp::BitwiseNot, _) if compute.is_floating_point() => {
                    return Err(
                        flambeau_tensor::Error::NotImplementedFor { op: "bitwise_not_cpu", dtype: compute }.into()
                    );
                }
                Node::Unary(op, _) => unary::check(compute, op)?,
                Node::Binary(BinaryOp::Sub, ..) if compute == DType::Bool => binary::difference(compute, compute)?,
                Node::Binary(op, ..) if !exists(op, compute) => {
                    return Err(
                        flambeau_tensor::Error::NotImplementedFor { op: binary::kernel(op), dtype: compute }.into()
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether PyTorch computes a function of two numbers in a dtype.
fn exists(op: BinaryOp, dtype: DType) -> bool {
    use BinaryOp::{BitwiseAnd, BitwiseOr, BitwiseXor, FloorDiv, Fmod, Pow, Remainder};
    match op {
        BitwiseAnd | BitwiseOr | BitwiseXor => !dtype.is_floating_point(),
        FloorDiv | Fmod | Pow | Remainder => dtype != DType::Bool,
        _ => true,
    }
}

/// What a pointwise function of N tensors is called with: a tensor, or a tuple or an array of them, owned or borrowed.
pub trait Inputs<const N: usize> {
    /// The tensors.
    fn tensors(&self) -> [&Tensor; N];
}

impl<T: AsTensor> Inputs<1> for T {
    fn tensors(&self) -> [&Tensor; 1] {
        [self.as_tensor()]
    }
}

impl<T: AsTensor, const N: usize> Inputs<N> for [T; N] {
    fn tensors(&self) -> [&Tensor; N] {
        std::array::from_fn(|i| self[i].as_tensor())
    }
}

macro_rules! tuples {
    ($($n:literal ($($t:ident $i:tt)*);)*) => {$(
        impl<$($t: AsTensor),*> Inputs<$n> for ($($t,)*) {
            fn tensors(&self) -> [&Tensor; $n] {
                [$(self.$i.as_tensor()),*]
            }
        }
    )*};
}

tuples! {
    1 (A 0);
    2 (A 0 B 1);
    3 (A 0 B 1 C 2);
    4 (A 0 B 1 C 2 D 3);
    5 (A 0 B 1 C 2 D 3 E 4);
    6 (A 0 B 1 C 2 D 3 E 4 F 5);
    7 (A 0 B 1 C 2 D 3 E 4 F 5 G 6);
    8 (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
}
