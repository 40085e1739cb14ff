//! Matrix products: `C = α·A·B + β·C`, then a bias and relu.
//!
//! [`gemm`] picks the path: floating-point products run through packed blocks (`blocked`) split over the threads
//! (`parallel`), a single row or column streams through the matrix (`vector`), half-precision types widen to f32
//! (`half_types`), integers take plain loops that wrap (`integer`).
//!
//! Every element of C is summed in the same order whatever the number of threads.

mod blocked;
pub(crate) mod half_types;
mod integer;
mod kernel;
mod pack;
mod parallel;
pub(crate) mod register;
pub(crate) mod scratch;
#[cfg(test)]
mod tests;
mod vector;

use crate::threads::{num_threads, parallel_for};

/// One number per row or per column of C, added after the product.
#[derive(Clone, Copy, Debug)]
pub struct Bias<T> {
    /// The first number.
    pub ptr: *const T,
    /// Elements from one number to the next; 0 repeats the first.
    pub stride: isize,
    /// Whether number `j` belongs to column `j` (as the bias of a linear layer does) or number `i` to row `i` (as that of
    /// a convolution does).
    pub per_column: bool,
}

/// What happens to a finished element of C before it is stored: `relu(c + bias)`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<T> {
    /// Added to C.
    pub bias: Option<Bias<T>>,
    /// Whether negative elements become 0; NaN stays NaN.
    pub relu: bool,
}

impl<T> Epilogue<T> {
    /// Stores C as it is.
    pub const NONE: Epilogue<T> = Epilogue { bias: None, relu: false };
}

/// The operands of a product `C[m, n] = α · A[m, k] · B[k, n] + β · C`. Strides are in elements, `(row, column)`: any
/// strides will do, zero and negative ones included (zero not in C).
#[derive(Clone, Copy, Debug)]
pub struct Gemm<T> {
    /// Rows of A and C.
    pub m: usize,
    /// Columns of B and C.
    pub n: usize,
    /// Columns of A, rows of B.
    pub k: usize,
    /// A, `m × k`.
    pub a: *const T,
    /// Strides of A.
    pub a_strides: (isize, isize),
    /// B, `k × n`.
    pub b: *const T,
    /// Strides of B.
    pub b_strides: (isize, isize),
    /// C, `m × n`.
    pub c: *mut T,
    /// Strides of C; distinct elements have distinct addresses.
    pub c_strides: (isize, isize),
    /// α
    pub alpha: T,
    /// β; where it is zero, C is never read.
    pub beta: T,
    /// Applied to the finished elements.
    pub epilogue: Epilogue<T>,
}

impl<T> Gemm<T> {
    /// The same product, transposed: `Cᵀ = α · Bᵀ · Aᵀ + β · Cᵀ`.
    fn transposed(self) -> Gemm<T> {
        let swap = |(row, col)| (col, row);
        let bias = self.epilogue.bias.map(|bias| Bias { per_column: !bias.per_column, ..bias });
        Gemm {
            m: self.n,
            n: self.m,
            a: self.b,
            a_strides: swap(self.b_strides),
            b: self.a,
            b_strides: swap(self.a_strides),
            c_strides: swap(self.c_strides),
            epilogue: Epilogue { bias, ..self.epilogue },
            ..self
        }
    }

    /// The part of the product that computes `rows × columns` of C.
    fn part(self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Gemm<T> {
        let (i, j) = (rows.start as isize, columns.start as isize);
        let bias = self.epilogue.bias.map(|bias| Bias {
            ptr: bias.ptr.wrapping_offset(bias.stride * if bias.per_column { j } else { i }),
            ..bias
        });
        Gemm {
            m: rows.len(),
            n: columns.len(),
            a: self.a.wrapping_offset(i * self.a_strides.0),
            b: self.b.wrapping_offset(j * self.b_strides.1),
            c: self.c.wrapping_offset(i * self.c_strides.0 + j * self.c_strides.1),
            epilogue: Epilogue { bias, ..self.epilogue },
            ..self
        }
    }

    /// The product with rows of C as contiguous as they can be.
    fn oriented(self) -> Gemm<T> {
        let row_major = self.c_strides.1 == 1 || self.n == 1;
        let column_major = self.c_strides.0 == 1 || self.m == 1;
        if column_major && !row_major { self.transposed() } else { self }
    }
}

/// Lets worker threads share a product.
pub(crate) struct Shared<T>(pub(crate) T);
// SAFETY: workers read A and B and write disjoint parts of C; the caller of `gemm` vouches for the memory until it returns.
unsafe impl<T> Sync for Shared<T> {}

impl<T: Copy> Shared<T> {
    /// The product (through a method, so that closures capture the wrapper).
    pub(crate) fn get(&self) -> T {
        self.0
    }
}

/// A number type that [`gemm`] multiplies: f32, f64 (fused multiply-add where the machine has it), f16 and bf16 (summed in
/// f32 over the whole of k, rounded once), i8, u8, i16, i32, i64 (wrapping).
pub trait GemmElement: Copy + Send + Sync + 'static {
    /// Runs one product; [`gemm`] is its public form.
    ///
    /// # Safety
    /// As [`gemm`].
    #[doc(hidden)]
    unsafe fn multiply(args: Gemm<Self>);
}

/// Computes `C = α·A·B + β·C`, then the epilogue. Large products are split over the threads. Where β is 0, C is never
/// read; where k is 0, the product is 0.
///
/// # Safety
/// All elements that the shapes and strides reach are readable (C writable); C overlaps neither A, B nor the bias; no other
/// thread writes any of them during the call.
pub unsafe fn gemm<T: GemmElement>(args: Gemm<T>) {
    if args.m > 0 && args.n > 0 {
        // SAFETY: the caller's contract.
        unsafe { T::multiply(args) }
    }
}

/// Distances, in elements, from one product of a batch to the next; 0 repeats an operand (not C).
#[derive(Clone, Copy, Debug)]
pub struct BatchStrides {
    /// Of A.
    pub a: isize,
    /// Of B.
    pub b: isize,
    /// Of C.
    pub c: isize,
}

/// Runs `batch` products of one shape; they share the bias. Many products are split over the threads as wholes, few large
/// ones each within.
///
/// # Safety
/// As [`gemm`], for each product; the Cs do not overlap.
pub unsafe fn batched_gemm<T: GemmElement>(batch: usize, strides: BatchStrides, args: Gemm<T>) {
    let shared = Shared(args);
    let product = |index: usize| {
        let (args, index) = (shared.get(), index as isize);
        let args = Gemm {
            a: args.a.wrapping_offset(index * strides.a),
            b: args.b.wrapping_offset(index * strides.b),
            c: args.c.wrapping_offset(index * strides.c),
            ..args
        };
        // SAFETY: the caller's contract.
        unsafe { gemm(args) }
    };
    let work = args.m.saturating_mul(args.n).saturating_mul(args.k.max(1));
    if batch >= 2 * num_threads() || work < parallel::MIN_WORK {
        parallel_for(batch, (parallel::MIN_WORK / 2).div_ceil(work.max(1)), &|range| range.for_each(product));
    } else {
        (0..batch).for_each(product);
    }
}
