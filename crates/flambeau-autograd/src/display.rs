//! Printing, as PyTorch prints.

use crate::Tensor;
use flambeau_tensor::print::{Suffixes, format_number, format_tensor, printoptions};
use flambeau_tensor::{default_dtype, scalar_from_bytes};
use std::fmt;

impl fmt::Display for Tensor {
    /// What Python's `print(x)` shows. With a width, a precision or a sign, a 0-dim tensor is its number, as in Python's
    /// `f"{x:.4f}"`.
    ///
    /// ```
    /// let x = flambeau_autograd::tensor(2.0 / 3.0);
    /// assert_eq!(format!("{x} {x:.2} {x:>8.3}"), "tensor(0.6667) 0.67    0.667");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_uninitialized() {
            return write!(f, "<{}>", self.uninitialized_class());
        }
        let array = self.array().clone();
        if array.ndim() == 0 && (f.width().is_some() || f.precision().is_some() || f.sign_plus()) {
            return match array.item() {
                Ok(number) => format_number(number, f),
                Err(error) => write!(f, "<tensor: {error}>"),
            };
        }
        let grad_fn = self.grad_fn().map(|node| node.name().to_owned());
        let suffixes = Suffixes {
            device: (!array.device().is_cpu()).then(|| array.device().to_string()),
            default_dtype: default_dtype(),
            requires_grad: grad_fn.is_none() && self.requires_grad(),
            grad_fn,
            is_parameter: self.is_parameter(),
        };
        // A small tensor is read once; of a large one only the elements that are shown, each by itself.
        let options = printoptions();
        let size = array.dtype().size();
        let text = if array.numel() <= options.threshold.max(1) {
            let read = || -> flambeau_tensor::Result<_> {
                let dense = array.contiguous()?;
                let mut bytes = vec![0; dense.numel() * size];
                dense.backend().download(&dense, &mut bytes)?;
                Ok((dense, bytes))
            };
            // A text that says why is better than a panic of the formatter.
            let (dense, bytes) = match read() {
                Ok(read) => read,
                Err(error) => return write!(f, "<tensor: {error}>"),
            };
            let strides = flambeau_tensor::dims::contiguous_strides(dense.shape());
            let get = |index: &[usize]| {
                let at = index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>() * size;
                scalar_from_bytes(dense.dtype(), &bytes[at..at + size])
            };
            format_tensor(array.shape(), array.dtype(), &get, &suffixes, &options)
        } else {
            let get = |index: &[usize]| array.get(index).expect("the printer asks for elements that exist");
            format_tensor(array.shape(), array.dtype(), &get, &suffixes, &options)
        };
        f.write_str(&text)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use crate::{tensor, zeros};
    use flambeau_tensor::{DType, Scalar};

    #[test]
    fn memory_that_is_in_use_is_told() {
        let x = tensor([1.0, 2.0]);
        let _guard = x.as_slice_mut::<f32>();
        assert!(x.to_string().starts_with("<tensor: "), "{x}");
    }

    /// Beside Python's `format(torch.tensor(…), spec)`.
    #[test]
    fn a_number_honours_width_and_precision() {
        let x = tensor(0.1);
        assert_eq!(format!("{x:.4}"), "0.1000"); // .4f
        assert_eq!(format!("{x:.0}"), "0"); // .0f
        assert_eq!(format!("{x:10.3}|{x:<10.3}|{x:^10.3}|{x:*>10.3}"), "     0.100|0.100     |  0.100   |*****0.100");
        assert_eq!(format!("{x:+.2} {:+.2} {:08.3}", tensor(-2.5), tensor(-2.5)), "+0.10 -2.50 -002.500");
        assert_eq!(format!("{x:25}"), "      0.10000000149011612"); // 25
        assert_eq!(format!("{:5}|{:<5}|{:.2}", tensor(7), tensor(-7), tensor(3)), "    7|-7   |3.00");
        assert_eq!(format!("{:3}|{:.1}", tensor(true), tensor(false)), "  1|0.0");
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e20].map(|x| format!("{:9.1}", tensor(x)));
        assert_eq!(special, ["      nan", "      inf", "     -inf", "     -0.0", "100000002004087734272.0"]);
        assert_eq!(format!("{:.3}", x.to(DType::BF16)), "0.100");
        assert_eq!(format!("{:.1?}", tensor(Scalar::Int(2))), "2.0");
        assert_eq!(format!("{:.1}", tensor(2.0).requires_grad_(true)), "2.0");
        // Without a specification, and with dimensions, nothing changes.
        assert_eq!(format!("{x}"), "tensor(0.1000)");
        assert_eq!(format!("{:.9}", zeros([1])), "tensor([0.])");
    }
}
