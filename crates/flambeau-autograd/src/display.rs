//! Printing, as PyTorch prints.

use crate::Tensor;
use flambeau_tensor::print::{Suffixes, format_tensor, printoptions};
use flambeau_tensor::{default_dtype, scalar_from_bytes};
use std::fmt;

impl fmt::Display for Tensor {
    /// What Python's `print(x)` shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let array = self.array().clone();
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
            let dense = array.contiguous().map_err(|_| fmt::Error)?;
            let mut bytes = vec![0; dense.numel() * size];
            dense.backend().download(&dense, &mut bytes).map_err(|_| fmt::Error)?;
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
