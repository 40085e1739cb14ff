//! Products of f16 and bf16: the operands widen to f32, the sum over the whole of k is one in f32, rounded once.

use half::{bf16, f16};

use super::scratch::Scratch;
use super::{Epilogue, Gemm, GemmElement, Shared, gemm};
use crate::simd::{Kernel, Simd, dispatch};
use crate::threads::parallel_for;

/// A 16-bit floating-point type.
pub(crate) trait Half: Copy + Send + Sync + 'static {
    fn widen(self) -> f32;
    fn round(x: f32) -> Self;
}
impl Half for f16 {
    /// In integer arithmetic that the compiler vectorises: shifted into place, the exponent rebiased by a multiplication
    /// that also normalises subnormal numbers.
    #[inline(always)]
    fn widen(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
        let infinite_or_nan = if bits & 0x7c00 == 0x7c00 { 0x7f80_0000 } else { 0 };
        f32::from_bits(magnitude.to_bits() | infinite_or_nan | (bits & 0x8000) << 16)
    }
    #[inline(always)]
    fn round(x: f32) -> f16 {
        f16::from_f32(x)
    }
}
impl Half for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    #[inline(always)]
    fn round(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
}

impl GemmElement for f16 {
    unsafe fn multiply(args: Gemm<f16>) {
        // SAFETY: the caller's contract.
        unsafe { multiply(args) }
    }
}
impl GemmElement for bf16 {
    unsafe fn multiply(args: Gemm<bf16>) {
        // SAFETY: the caller's contract.
        unsafe { multiply(args) }
    }
}

/// Numbers per thread below which a conversion is not split.
const GRAIN: usize = 1 << 15;
/// Numbers that [`widen_slice`] treats as a line.
const CHUNK: usize = 1 << 12;

unsafe fn multiply<H: Half>(args: Gemm<H>) {
    let Gemm { m, n, k, .. } = args;
    let scratch = Scratch::<f32>::new(m * k + k * n + m * n);
    let a = scratch.ptr();
    let b = a.wrapping_add(m * k);
    let c = b.wrapping_add(k * n);
    // SAFETY: the caller's contract; the three matrices fill the work memory.
    unsafe {
        let product = Gemm {
            m,
            n,
            k,
            a: a.cast_const(),
            a_strides: widen_matrix(args.a, args.a_strides, (m, k), a),
            b: b.cast_const(),
            b_strides: widen_matrix(args.b, args.b_strides, (k, n), b),
            c,
            c_strides: (n as isize, 1),
            alpha: 1.0,
            beta: 0.0,
            epilogue: Epilogue::NONE,
        };
        gemm(product);
    }
    let shared = (Shared(args), Shared(c));
    parallel_for(m, GRAIN.div_ceil(n), &|rows| {
        for i in rows {
            dispatch(RoundRow { args: shared.0.get(), row: i, sums: shared.1.get().wrapping_add(i * n) });
        }
    });
}

/// Widens a matrix into dense memory, in the order in which it lies, and returns the new strides.
unsafe fn widen_matrix<H: Half>(
    source: *const H,
    (row, col): (isize, isize),
    (rows, cols): (usize, usize),
    target: *mut f32,
) -> (isize, isize) {
    let by_columns = row == 1 && col != 1;
    let (outer, inner, step, stride) = if by_columns { (cols, rows, col, row) } else { (rows, cols, row, col) };
    let shared = (Shared(source), Shared(target));
    parallel_for(outer, GRAIN.div_ceil(inner.max(1)), &|lines| {
        for line in lines {
            let source = shared.0.get().wrapping_offset(line as isize * step);
            dispatch(WidenLine { source, stride, len: inner, target: shared.1.get().wrapping_add(line * inner) });
        }
    });
    if by_columns { (1, rows as isize) } else { (cols as isize, 1) }
}

/// Widens `len` contiguous numbers.
///
/// # Safety
/// `source` has `len` elements, `target` room for them.
pub(crate) unsafe fn widen_slice<H: Half>(source: *const H, len: usize, target: *mut f32) {
    // SAFETY: the caller's contract.
    unsafe {
        widen_matrix(source, (CHUNK as isize, 1), (len / CHUNK, CHUNK), target);
        let done = len / CHUNK * CHUNK;
        widen_matrix(source.wrapping_add(done), (0, 1), (1, len - done), target.wrapping_add(done));
    }
}

/// Rounds `len` contiguous numbers.
///
/// # Safety
/// `source` has `len` elements, `target` room for them.
pub(crate) unsafe fn round_slice<H: Half>(source: *const f32, len: usize, target: *mut H) {
    let shared = (Shared(source), Shared(target));
    parallel_for(len, GRAIN, &|range| {
        dispatch(RoundLine {
            source: shared.0.get().wrapping_add(range.start),
            len: range.len(),
            target: shared.1.get().wrapping_add(range.start),
        });
    });
}

struct RoundLine<H> {
    source: *const f32,
    len: usize,
    target: *mut H,
}

impl<H: Half> Kernel for RoundLine<H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for j in 0..self.len {
            // SAFETY: `round_slice` passes a range of both.
            unsafe { *self.target.add(j) = H::round(*self.source.add(j)) }
        }
    }
}

struct WidenLine<H> {
    source: *const H,
    stride: isize,
    len: usize,
    target: *mut f32,
}

impl<H: Half> Kernel for WidenLine<H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        // SAFETY: `widen_matrix` passes a line of the source and its room in the target.
        unsafe {
            if self.stride == 1 {
                for p in 0..self.len {
                    *self.target.add(p) = (*self.source.add(p)).widen();
                }
            } else {
                for p in 0..self.len {
                    *self.target.add(p) = (*self.source.wrapping_offset(p as isize * self.stride)).widen();
                }
            }
        }
    }
}

/// Writes a row of C from its sums.
struct RoundRow<H> {
    args: Gemm<H>,
    row: usize,
    sums: *const f32,
}

impl<H: Half> Kernel for RoundRow<H> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let args = self.args;
        let (alpha, beta) = (args.alpha.widen(), args.beta.widen());
        let c = args.c.wrapping_offset(self.row as isize * args.c_strides.0);
        for j in 0..args.n {
            // SAFETY: `multiply` passes a row that exists, with its sums.
            unsafe {
                let c = c.wrapping_offset(j as isize * args.c_strides.1);
                let mut value = alpha * *self.sums.add(j);
                if beta != 0.0 {
                    value = S::mul_add_f32(beta, (*c).widen(), value);
                }
                if let Some(bias) = args.epilogue.bias {
                    let index = if bias.per_column { j } else { self.row };
                    value += (*bias.ptr.wrapping_offset(index as isize * bias.stride)).widen();
                }
                *c = H::round(if args.epilogue.relu && value < 0.0 { 0.0 } else { value });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widening_is_exact_for_every_f16() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16::from_bits(bits).widen(), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{bits:#x}");
        }
    }
}
