//! Convolutions of f16 and bf16: the operands widen to f32, and the result is rounded once.

use half::{bf16, f16};

use super::{ConvElement, ConvShape};
use crate::gemm::half_types::{Half, round_slice, widen_slice};
use crate::gemm::scratch::Scratch;

/// The elements of the input, the weight and the output.
fn lens(shape: &ConvShape) -> (usize, usize, usize) {
    (
        shape.batch * shape.in_channels * shape.input_len(),
        shape.out_channels * shape.group_inputs() * shape.kernel_len(),
        shape.batch * shape.out_channels * shape.output_len(),
    )
}

/// Widens the two operands, lets `compute` write a result of f32, and rounds it.
unsafe fn through_f32<H: Half, const N: usize>(
    operands: [(*const H, usize); N],
    (result, len): (*mut H, usize),
    compute: impl FnOnce([*const f32; N], *mut f32),
) {
    let total: usize = operands.iter().map(|&(_, len)| len).sum();
    let scratch = Scratch::<f32>::new(total + len);
    let mut next = scratch.ptr();
    let wide = operands.map(|(source, len)| {
        let start = next;
        // SAFETY: the caller's operand has `len` elements; the work memory has room for all.
        unsafe { widen_slice(source, len, start) }
        next = next.wrapping_add(len);
        start.cast_const()
    });
    compute(wide, next);
    // SAFETY: `compute` wrote `len` numbers; the caller's result has room for them.
    unsafe { round_slice(next, len, result) }
}

/// Implements [`ConvElement`] through f32: a blanket implementation would collide with those of f32 and f64.
macro_rules! conv_half {
    ($($t:ty)*) => {$(
        impl ConvElement for $t {
            unsafe fn forward(shape: &ConvShape, x: *const $t, w: *const $t, bias: Option<*const $t>, out: *mut $t) {
                let (inputs, weights, outputs) = lens(shape);
                let biases = if bias.is_some() { shape.out_channels } else { 0 };
                let operands = [(x, inputs), (w, weights), (bias.unwrap_or(w), biases)];
                // SAFETY: the caller's contract, on converted operands.
                unsafe {
                    through_f32(operands, (out, outputs), |[x, w, b], out| {
                        f32::forward(shape, x, w, bias.map(|_| b), out)
                    })
                }
            }
            unsafe fn input_grad(shape: &ConvShape, gy: *const $t, w: *const $t, gx: *mut $t) {
                let (inputs, weights, outputs) = lens(shape);
                // SAFETY: the caller's contract, on converted operands.
                unsafe {
                    through_f32([(gy, outputs), (w, weights)], (gx, inputs), |[gy, w], gx| {
                        f32::input_grad(shape, gy, w, gx)
                    })
                }
            }
            unsafe fn weight_grad(shape: &ConvShape, x: *const $t, gy: *const $t, gw: *mut $t) {
                let (inputs, weights, outputs) = lens(shape);
                // SAFETY: the caller's contract, on converted operands.
                unsafe {
                    through_f32([(x, inputs), (gy, outputs)], (gw, weights), |[x, gy], gw| {
                        f32::weight_grad(shape, x, gy, gw)
                    })
                }
            }
        }
    )*};
}
conv_half!(f16 bf16);
