//! One SIMD register as a type, so that the microkernel, the packing and the vector products are written once.

use crate::simd::Level;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A register of `LANES` numbers and the block sizes that suit it.
///
/// # Safety
/// Every method may use the instructions of the level that the type belongs to: the caller runs only inside
/// [`crate::simd::dispatch`] of that level. All methods are inlined, so that they are compiled for it.
pub(crate) trait Register: Copy {
    /// The number type.
    type Elem: Number;
    /// The level that the type belongs to.
    const LEVEL: Level;
    /// Numbers per register.
    const LANES: usize;
    /// Rows of C that one microkernel call computes at most.
    const ROWS: usize;
    /// Steps along k per packed block.
    const KC: usize;
    /// Columns of B per packed block; a multiple of `2 * LANES`.
    const NC: usize;
    /// Distance between the rows of a packed panel of A: a constant, so that the microkernel's broadcasts have
    /// immediate offsets, and no power of two, so that rows fall into different cache sets.
    const A_STRIDE: usize = Self::KC + 16;

    /// The number zero.
    const ZERO: Self::Elem = <Self::Elem as Number>::ZERO;

    /// A register of zeros.
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's contract.
        unsafe { Self::splat(Self::ZERO) }
    }
    unsafe fn splat(x: Self::Elem) -> Self;
    unsafe fn load(p: *const Self::Elem) -> Self;
    unsafe fn store(self, p: *mut Self::Elem);
    /// Loads the first `n < LANES` lanes and zeroes the others.
    unsafe fn load_first(p: *const Self::Elem, n: usize) -> Self;
    /// Stores the first `n < LANES` lanes.
    unsafe fn store_first(self, p: *mut Self::Elem, n: usize);
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    /// `self * b + c`.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// `max(self, 0)`, NaN stays NaN.
    unsafe fn relu(self) -> Self;
    /// Transposes the square of the first `LANES` registers.
    unsafe fn transpose(square: &mut [Self; MOST_LANES]);

    /// Asks for the cache line at `p`, which may lie anywhere.
    #[inline(always)]
    fn prefetch(p: *const Self::Elem) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing and never faults; SSE is part of every x86-64.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(p.cast())
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = p;
    }
}

/// The lanes of the widest register.
pub(crate) const MOST_LANES: usize = 16;

/// Four numbers in code for any processor, left to the compiler's vectoriser.
#[derive(Clone, Copy)]
pub(crate) struct Lanes4<T>([T; 4]);

/// The arithmetic that [`Lanes4`] needs.
pub(crate) trait Number:
    Copy + PartialOrd + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> + 'static
{
    const ZERO: Self;
    const ONE: Self;
    fn fused(self, b: Self, c: Self) -> Self;
}
impl Number for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    #[inline(always)]
    fn fused(self, b: f32, c: f32) -> f32 {
        <crate::simd::Portable as crate::simd::Simd>::mul_add_f32(self, b, c)
    }
}
impl Number for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    #[inline(always)]
    fn fused(self, b: f64, c: f64) -> f64 {
        <crate::simd::Portable as crate::simd::Simd>::mul_add_f64(self, b, c)
    }
}

impl<T: Number> Register for Lanes4<T> {
    type Elem = T;
    const LEVEL: Level = Level::Portable;
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const KC: usize = 1024 / size_of::<T>();
    const NC: usize = 512;

    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Lanes4([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller passes four readable numbers.
        Lanes4(unsafe { p.cast::<[T; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller passes room for four numbers.
        unsafe { p.cast::<[T; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const T, n: usize) -> Self {
        let mut lanes = [T::ZERO; 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(n) {
            // SAFETY: the caller passes `n` readable numbers.
            *lane = unsafe { *p.add(i) };
        }
        Lanes4(lanes)
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut T, n: usize) {
        for (i, lane) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller passes room for `n` numbers.
            unsafe { *p.add(i) = *lane }
        }
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        let (a, b) = (self.0, b.0);
        Lanes4([a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]])
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        let (a, b) = (self.0, b.0);
        Lanes4([a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]])
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        let (a, b, c) = (self.0, b.0, c.0);
        Lanes4([a[0].fused(b[0], c[0]), a[1].fused(b[1], c[1]), a[2].fused(b[2], c[2]), a[3].fused(b[3], c[3])])
    }
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        let zero = T::ZERO;
        let relu = |x: T| if x < zero { zero } else { x };
        Lanes4([relu(self.0[0]), relu(self.0[1]), relu(self.0[2]), relu(self.0[3])])
    }
    #[inline(always)]
    unsafe fn transpose(square: &mut [Self; MOST_LANES]) {
        interleave(&mut square[..4], |Lanes4(a), Lanes4(b)| {
            (Lanes4([a[0], b[0], a[1], b[1]]), Lanes4([a[2], b[2], a[3], b[3]]))
        });
    }
}

/// Transposes a square of registers in `log₂` rounds of `zip`, which interleaves the lanes of two:
/// `(a0 b0 a1 b1 …, … aL bL)`.
#[inline(always)]
fn interleave<V: Copy>(square: &mut [V], zip: impl Fn(V, V) -> (V, V)) {
    let half = square.len() / 2;
    for _ in 0..square.len().ilog2() {
        let mut before = [square[0]; MOST_LANES];
        before[..2 * half].copy_from_slice(square);
        for i in 0..half {
            (square[2 * i], square[2 * i + 1]) = zip(before[i], before[i + half]);
        }
    }
}

/// Transposes a square of registers of two halves: `zip` interleaves within the halves, `join` makes a register of the first
/// halves of two and one of the second. Crossing the halves costs AVX2 most, so it happens once.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn interleave_halves<V: Copy>(square: &mut [V], zip: impl Fn(V, V) -> (V, V), join: impl Fn(V, V) -> (V, V)) {
    let (low, high) = square.split_at_mut(square.len() / 2);
    interleave(low, &zip);
    interleave(high, &zip);
    for (a, b) in low.iter_mut().zip(high) {
        (*a, *b) = join(*a, *b);
    }
}

/// Implements [`Register`] for a vector type of `core::arch`: the intrinsics differ in name only, and a generic function
/// cannot name them.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_register {
    ($vector:ty, $level:ident, $elem:ty, lanes $lanes:literal, rows $rows:literal, kc $kc:literal, nc $nc:literal,
     $splat:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fma:ident, $max:ident,
     load_first $load_first:expr, store_first $store_first:expr, transpose $transpose:expr) => {
        impl Register for $vector {
            type Elem = $elem;
            const LEVEL: Level = Level::$level;
            const LANES: usize = $lanes;
            const ROWS: usize = $rows;
            const KC: usize = $kc;
            const NC: usize = $nc;

            #[inline(always)]
            unsafe fn splat(x: $elem) -> Self {
                // SAFETY: the trait's contract: the level's instructions are there.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(p: *const $elem) -> Self {
                // SAFETY: as above, and the caller passes `LANES` readable numbers.
                unsafe { $load(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $elem) {
                // SAFETY: as above, and the caller passes room for `LANES` numbers.
                unsafe { $store(p, self) }
            }
            #[inline(always)]
            unsafe fn load_first(p: *const $elem, n: usize) -> Self {
                // SAFETY: as above; the mask covers the `n` numbers that the caller vouches for.
                unsafe { $load_first(p, n) }
            }
            #[inline(always)]
            unsafe fn store_first(self, p: *mut $elem, n: usize) {
                // SAFETY: as above; the mask covers the `n` numbers that the caller vouches for.
                unsafe { $store_first(p, n, self) }
            }
            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, b) }
            }
            #[inline(always)]
            unsafe fn mul(self, b: Self) -> Self {
                // SAFETY: as above.
                unsafe { $mul(self, b) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: as above.
                unsafe { $fma(self, b, c) }
            }
            #[inline(always)]
            unsafe fn relu(self) -> Self {
                // SAFETY: as above. `max` returns its second operand when either is NaN.
                unsafe { $max($splat(0.0), self) }
            }
            #[inline(always)]
            unsafe fn transpose(square: &mut [Self; MOST_LANES]) {
                // SAFETY: as above.
                unsafe { $transpose(&mut square[..$lanes]) }
            }
        }
    };
}

/// `MASK[8 - n..]` starts with `n` set lanes: the masks of AVX2's partial loads.
#[cfg(target_arch = "x86_64")]
static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
#[cfg(target_arch = "x86_64")]
static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

#[cfg(target_arch = "x86_64")]
x86_register!(
    __m512, Avx512, f32, lanes 16, rows 12, kc 400, nc 1024,
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_max_ps,
    load_first |p, n: usize| _mm512_maskz_loadu_ps((1u32 << n).wrapping_sub(1) as u16, p),
    store_first |p, n: usize, v| _mm512_mask_storeu_ps(p, (1u32 << n).wrapping_sub(1) as u16, v),
    transpose |square| interleave(square, |a, b| {
        let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        (_mm512_permutex2var_ps(a, low, b), _mm512_permutex2var_ps(a, high, b))
    })
);
#[cfg(target_arch = "x86_64")]
x86_register!(
    __m512d, Avx512, f64, lanes 8, rows 12, kc 256, nc 512,
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_mul_pd, _mm512_fmadd_pd, _mm512_max_pd,
    load_first |p, n: usize| _mm512_maskz_loadu_pd((1u32 << n).wrapping_sub(1) as u8, p),
    store_first |p, n: usize, v| _mm512_mask_storeu_pd(p, (1u32 << n).wrapping_sub(1) as u8, v),
    transpose |square| interleave(square, |a, b| {
        let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
        let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
        (_mm512_permutex2var_pd(a, low, b), _mm512_permutex2var_pd(a, high, b))
    })
);
#[cfg(target_arch = "x86_64")]
x86_register!(
    __m256, Avx2, f32, lanes 8, rows 6, kc 400, nc 1024,
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_max_ps,
    load_first |p, n: usize| _mm256_maskload_ps(p, _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast())),
    store_first |p, n: usize, v| _mm256_maskstore_ps(p, _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast()), v),
    transpose |square| interleave_halves(
        square,
        |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)),
        |a, b| (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b))
    )
);
#[cfg(target_arch = "x86_64")]
x86_register!(
    __m256d, Avx2, f64, lanes 4, rows 6, kc 256, nc 512,
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_mul_pd, _mm256_fmadd_pd, _mm256_max_pd,
    load_first |p, n: usize| _mm256_maskload_pd(p, _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast())),
    store_first |p, n: usize, v| _mm256_maskstore_pd(p, _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast()), v),
    transpose |square| interleave_halves(
        square,
        |a, b| (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
        |a, b| (_mm256_permute2f128_pd::<0x20>(a, b), _mm256_permute2f128_pd::<0x31>(a, b))
    )
);

/// A number type with one register type per level.
pub(crate) trait Float: Number {
    type Avx512: Register<Elem = Self>;
    type Avx2: Register<Elem = Self>;
}
#[cfg(target_arch = "x86_64")]
impl Float for f32 {
    type Avx512 = __m512;
    type Avx2 = __m256;
}
#[cfg(target_arch = "x86_64")]
impl Float for f64 {
    type Avx512 = __m512d;
    type Avx2 = __m256d;
}
#[cfg(not(target_arch = "x86_64"))]
impl Float for f32 {
    type Avx512 = Lanes4<f32>;
    type Avx2 = Lanes4<f32>;
}
#[cfg(not(target_arch = "x86_64"))]
impl Float for f64 {
    type Avx512 = Lanes4<f64>;
    type Avx2 = Lanes4<f64>;
}
