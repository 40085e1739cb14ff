//! Convolution of sequences whose dimensions are time, batch, channel.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::as_one;
use crate::ops::{add, constant_pad, expand, matmul, narrow, stack, sum, to_i64, transpose, zeros};
use flambeau_macros::op;
use smallvec::smallvec;

/// The convolution of `x`, `[time, n, channels]`, along time with `weight`, `[k, channels, outputs]`, plus a bias of `[outputs]`:
/// `[time + 2·pad − k + 1, n, outputs]`: `torch.conv_tbc`.
///
/// ```
/// let x = torch::tensor([1.0, 2.0, 3.0]).view([3, 1, 1]);
/// let weight = torch::tensor([1.0, 10.0]).view([2, 1, 1]);
/// assert_eq!(torch::conv_tbc(&x, &weight, torch::zeros([1])).to_vec::<f32>(), [21.0, 32.0]);
/// assert_eq!(torch::conv_tbc_with(&x, &weight, torch::zeros([1]), |o| o.pad(1)).numel(), 4);
/// ```
///
/// # Errors
/// When shapes do not fit.
#[op(torch, functional, cast = Low, default(pad = 0))]
pub fn conv_tbc(x: &Tensor, weight: &Tensor, bias: &Tensor, pad: i64) -> Result<Tensor> {
    let (shape, kernel) = (x.size(), weight.size());
    let refuse = |message: &str| Err(Error::runtime(message));
    let &[time, batch, channels] = &shape[..] else {
        return refuse("Input must have 3 dims: time, batch, in_channel");
    };
    let &[width, inputs, outputs] = &kernel[..] else {
        return refuse("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.");
    };
    let &[biases] = &bias.size()[..] else { return refuse("Bias must be 1-D") };
    if channels != inputs {
        return refuse("Input dim 2 (input channels) is not == dim 1 in the weight tensor");
    }
    if biases != outputs {
        return refuse("Bias size must equal dim 2 in the weight tensor (output channels).");
    }
    let length = (time as i64).saturating_sub(width as i64).saturating_add(pad.saturating_mul(2)).saturating_add(1);
    if length < 0 {
        let shape = [length, batch as i64, outputs as i64];
        return Err(Error::runtime(format!("Trying to create tensor with negative dimension {length}: {shape:?}")));
    }
    let steps = Steps { time: time as i64, length, pad };
    let saves = [Save::Tensor("self", x), Save::Tensor("weight", weight), Save::Tensor("bias", bias)];
    let compute = || {
        let out = expand(bias, &[length, batch as i64, outputs as i64])?.array().copy()?;
        let out = Tensor::from(out);
        for k in 0..width as i64 {
            if let Some((from, to, n)) = steps.of(k) {
                let part = narrow(&out, 0, to, n)?;
                let product = matmul(&narrow(x, 0, from, n)?, &crate::ops::select(weight, 0, k)?)?;
                crate::ops::add_(&part, &product, 1)?;
            }
        }
        Ok(out)
    };
    as_one("ConvTbcBackward0", &[x, weight, bias], &saves, compute, move |c| {
        let (grad, x, weight) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
        let (mut of_x, mut of_weight) = (None, Vec::new());
        for k in 0..width as i64 {
            let Some((from, to, n)) = steps.of(k) else {
                of_weight.push(zeros(&[inputs, outputs], weight.dtype(), weight.device())?);
                continue;
            };
            let part = narrow(&grad, 0, to, n)?;
            if c.needs(0) {
                let share = matmul(&part, &transpose(&crate::ops::select(&weight, 0, k)?, 0, 1)?)?;
                let share = constant_pad(&share, &[0, 0, 0, 0, from, steps.time - from - n], 0)?;
                of_x = Some(match of_x {
                    None => share,
                    Some(sum) => add(&sum, &share, 1)?,
                });
            }
            if c.needs(1) {
                let rows = |t: &Tensor, width: usize| crate::ops::reshape(t, &[n * batch as i64, width as i64]);
                let from = rows(&narrow(&x, 0, from, n)?, inputs)?;
                of_weight.push(matmul(&transpose(&from, 0, 1)?, &rows(&part, outputs)?)?);
            }
        }
        let of_x = match (c.needs(0), of_x) {
            (true, None) => Some(zeros(&x.size(), x.dtype(), x.device())?),
            (_, of_x) => of_x,
        };
        let of_weight = match (c.needs(1), width) {
            (false, _) => None,
            (true, 0) => Some(zeros(&weight.size(), weight.dtype(), weight.device())?),
            (true, _) => Some(stack(&of_weight, 0)?),
        };
        let of_bias = c.needs(2).then(|| sum(&grad, &[0, 1], false, None)).transpose()?;
        debug_assert!(of_weight.as_ref().is_none_or(|w| to_i64(&w.size()) == to_i64(&weight.size())));
        Ok(smallvec![of_x, of_weight, of_bias])
    })
}

/// Which steps of time one tap of the kernel joins.
#[derive(Clone, Copy)]
struct Steps {
    time: i64,
    length: i64,
    pad: i64,
}

impl Steps {
    /// For the k-th tap the first steps of the input and of the output, and how many there are.
    fn of(self, k: i64) -> Option<(i64, i64, i64)> {
        let (from, to) = ((k - self.pad).max(0), (self.pad - k).max(0));
        let n = (self.time + self.pad - k).min(self.length) - to;
        (n > 0 && n <= self.time - from).then_some((from, to, n))
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::conv_tbc;
    use crate::{GradCheckOptions, Result, Tensor, arange, gradcheck, gradgradcheck};

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let numbers = |shape: [i64; 3]| {
            let n: i64 = shape.iter().product();
            (arange(n).double().mul(7).remainder(5).div(4.0) - 0.5).view(shape).requires_grad_(true)
        };
        let inputs = [numbers([4, 2, 2]), numbers([3, 2, 3]), numbers([1, 1, 3]).view([3])];
        let inputs = inputs.map(|t| t.detach().requires_grad_(true));
        for pad in 0..3 {
            let f = |x: &[Tensor]| -> Result<Vec<Tensor>> { Ok(vec![conv_tbc(&x[0], &x[1], &x[2], pad)?]) };
            gradcheck(&f, &inputs, GradCheckOptions::default()).unwrap();
            gradgradcheck(&f, &inputs, GradCheckOptions::default()).unwrap();
        }
    }
}
