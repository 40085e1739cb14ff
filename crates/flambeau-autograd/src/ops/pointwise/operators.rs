//! Rust's operators on tensors: Python's `+ - * / % & | ^ ~`, and the assigning ones, which write in place.

use super::binary::{add, mul, rdiv, rsub};
use crate::ops::Operand;
use crate::{OrPanic, Tensor};

/// An operator between a tensor and a tensor or number, and its assigning twin. `trait method = tensor's method, assigning
/// trait method = tensor's in-place method`.
macro_rules! operators {
    ($($trait:ident $method:ident = $of_tensor:ident, $assign:ident $assign_method:ident = $in_place:ident;)*) => {$(
        impl<'a, R: Into<Operand<'a>>> std::ops::$trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor { Tensor::$of_tensor(self, other) }
        }
        impl<'a, R: Into<Operand<'a>>> std::ops::$trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: R) -> Tensor { Tensor::$of_tensor(&self, other) }
        }
        impl<'a, R: Into<Operand<'a>>> std::ops::$assign<R> for Tensor {
            #[track_caller]
            fn $assign_method(&mut self, other: R) { Tensor::$in_place(self, other); }
        }
    )*};
}

operators! {
    Add add = add, AddAssign add_assign = add_;
    Sub sub = sub, SubAssign sub_assign = sub_;
    Mul mul = mul, MulAssign mul_assign = mul_;
    Div div = div, DivAssign div_assign = div_;
    Rem rem = remainder, RemAssign rem_assign = remainder_;
    BitAnd bitand = bitwise_and, BitAndAssign bitand_assign = bitwise_and_;
    BitOr bitor = bitwise_or, BitOrAssign bitor_assign = bitwise_or_;
    BitXor bitxor = bitwise_xor, BitXorAssign bitxor_assign = bitwise_xor_;
}

/// A number on the left. Only `f64` and `i64` stand there: with several types of integers, the compiler could not tell what the
/// `2` of `(2 * &x).sum()` is.
macro_rules! number_on_the_left {
    ($($trait:ident $method:ident $function:expr;)*) => {$(
        number_on_the_left!(@of f64 $trait $method $function);
        number_on_the_left!(@of i64 $trait $method $function);
    )*};
    (@of $number:ident $trait:ident $method:ident $function:expr) => {
        impl std::ops::$trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor { ($function)(other, self).or_panic() }
        }
        impl std::ops::$trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor { ($function)(&other, self).or_panic() }
        }
    };
}

number_on_the_left! {
    Add add |x: &Tensor, number| add(x, number, 1);
    Sub sub |x: &Tensor, number| rsub(x, number, 1);
    Mul mul mul;
    Div div rdiv;
}

/// An operator of one tensor.
macro_rules! prefixes {
    ($($trait:ident $method:ident = $of_tensor:ident;)*) => {$(
        impl std::ops::$trait for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self) -> Tensor { Tensor::$of_tensor(self) }
        }
        impl std::ops::$trait for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self) -> Tensor { Tensor::$of_tensor(&self) }
        }
    )*};
}

prefixes! {
    Neg neg = neg;
    Not not = bitwise_not;
}

impl<T: std::borrow::Borrow<Tensor>> std::iter::Sum<T> for Tensor {
    /// Python's `sum(list)`: 0 + the first + the second …; of nothing, the number 0.
    #[track_caller]
    fn sum<I: Iterator<Item = T>>(tensors: I) -> Tensor {
        tensors
            .fold(None, |sum: Option<Tensor>, x| Some(sum.map_or_else(|| 0i64 + x.borrow(), |sum| sum + x.borrow())))
            .unwrap_or_else(|| crate::tensor(0))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tensor, tensor};

    #[test]
    fn operators_are_pythons() {
        let x = || tensor([-7, 7]);
        assert_eq!((x() % 3).to_vec::<i64>(), [2, 1]);
        assert_eq!((&x() % &tensor([-3, -3])).to_vec::<i64>(), [-1, -2]);
        assert_eq!((x() & 6).to_vec::<i64>(), [0, 6]);
        assert_eq!((x() | &tensor(8)).to_vec::<i64>(), [-7, 15]);
        assert_eq!((&x() ^ 1).to_vec::<i64>(), [-8, 6]);
        assert_eq!((!x()).to_vec::<i64>(), [6, -8]);
        let mask = x().gt(0);
        assert_eq!((!&mask | &mask).to_vec::<bool>(), [true, true]);
        let mut y = x();
        y %= 4;
        y |= 8;
        y &= 9;
        y ^= 1;
        assert_eq!(y.to_vec::<i64>(), [8, 8]);
        assert_eq!([x(), x()].iter().sum::<Tensor>().to_vec::<i64>(), [-14, 14]);
        assert_eq!(Vec::<Tensor>::new().into_iter().sum::<Tensor>().item(), 0.0);
    }
}
