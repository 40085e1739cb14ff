//! Arithmetic with parameters and buffers: `x + &self.bias`, `&self.weight * 2.0`, as with tensors.

use super::{Buffer, Parameter};
use flambeau_autograd::Tensor;
use flambeau_autograd::ops::Operand;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operators {
    ($($holder:ident: $($trait:ident $method:ident)*;)*) => {$(
        impl From<$holder> for Operand<'_> {
            fn from(x: $holder) -> Self {
                Operand::Owned(x.shallow_clone())
            }
        }
        impl Neg for &$holder {
            type Output = Tensor;
            #[track_caller]
            fn neg(self) -> Tensor {
                Tensor::neg(self)
            }
        }
        $(
            impl<'a, R: Into<Operand<'a>>> $trait<R> for &$holder {
                type Output = Tensor;
                #[track_caller]
                fn $method(self, other: R) -> Tensor {
                    Tensor::$method(self, other)
                }
            }
            operators!(@left $holder $trait $method f64);
            operators!(@left $holder $trait $method i64);
        )*
    )*};
    (@left $holder:ident $trait:ident $method:ident $number:ty) => {
        impl $trait<&$holder> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &$holder) -> Tensor {
                $trait::$method(self, &**other)
            }
        }
    };
}

operators! {
    Parameter: Add add Sub sub Mul mul Div div;
    Buffer: Add add Sub sub Mul mul Div div;
}

#[cfg(test)]
mod tests {
    use super::*;
    use flambeau_autograd::tensor;

    #[test]
    fn parameters_compute_as_tensors_do() {
        let (x, w) = (tensor([2.0, 3.0]), Parameter::new(tensor([4.0, 6.0])));
        let all = [&x + &w, &w + &x, &w - 1, 1 - &w, &w * &w, 2.0 * &w, &w / 2.0, 12.0 / &w, -&w, x.mul(&w)];
        let values: Vec<Vec<f32>> = all.iter().map(|y| y.to_vec::<f32>()).collect();
        let expected: [[f32; 2]; 10] = [
            [6., 9.],
            [6., 9.],
            [3., 5.],
            [-3., -5.],
            [16., 36.],
            [8., 12.],
            [2., 3.],
            [3., 2.],
            [-4., -6.],
            [8., 18.],
        ];
        assert_eq!(values, expected);
        assert!(all.iter().all(Tensor::requires_grad));
    }
}
