//! Every path against a triple loop in f64 (in i64 for integers).

use std::fmt::Debug;

use half::{bf16, f16};
use proptest::prelude::*;

use super::*;

/// A number type and its exact image, in which the expected product is computed.
trait Sample: GemmElement + Debug + PartialEq {
    /// Relative error allowed per element, of the sum of magnitudes.
    const TOLERANCE: f64;
    fn of(x: i64) -> Self;
    fn f64(self) -> f64;
    /// The value that arithmetic in this type gives for an exact integer result.
    fn wrap(x: i128) -> Option<Self>;
}

macro_rules! sample_float {
    ($($t:ty, $tolerance:expr, $from:expr, $to:expr;)*) => {$(
        impl Sample for $t {
            const TOLERANCE: f64 = $tolerance;
            fn of(x: i64) -> $t { $from(x as f64 / 8.0) }
            fn f64(self) -> f64 { $to(self) }
            fn wrap(_: i128) -> Option<$t> { None }
        }
    )*};
}
sample_float! {
    f32, 1e-6, |x| x as f32, f64::from;
    f64, 1e-14, |x| x, |x| x;
    f16, 6e-4, f16::from_f64, f64::from;
    bf16, 5e-3, bf16::from_f64, f64::from;
}
macro_rules! sample_integer {
    ($($t:ty)*) => {$(
        impl Sample for $t {
            const TOLERANCE: f64 = 0.0;
            fn of(x: i64) -> $t { x as $t }
            fn f64(self) -> f64 { self as f64 }
            fn wrap(x: i128) -> Option<$t> { Some(x as $t) }
        }
    )*};
}
sample_integer!(i8 u8 i16 i32 i64);

/// How a test matrix lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    RowMajor,
    ColumnMajor,
    /// Both strides above 1.
    Spread,
    /// Row-major with a gap between rows.
    Padded,
    /// Rows in reverse order.
    Reversed,
}

struct Matrix<T> {
    data: Vec<T>,
    origin: usize,
    strides: (isize, isize),
}

impl<T: Sample> Matrix<T> {
    fn new(rows: usize, cols: usize, layout: Layout, seed: u64, range: i64) -> Matrix<T> {
        let (r, c) = (rows as isize, cols as isize);
        let strides = match layout {
            Layout::RowMajor => (c, 1),
            Layout::ColumnMajor => (1, r),
            Layout::Spread => (2 * c + 1, 2),
            Layout::Padded => (c + 3, 1),
            Layout::Reversed => (-c, 1),
        };
        let origin = if strides.0 < 0 { (rows.max(1) - 1) * cols } else { 0 };
        let len = ((r * strides.0.abs()) + c * strides.1.abs() + 8) as usize;
        let mut state = seed | 1;
        let data = (0..len)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                T::of((state >> 33) as i64 % (2 * range + 1) - range)
            })
            .collect();
        Matrix { data, origin, strides }
    }
    fn index(&self, i: usize, j: usize) -> usize {
        (self.origin as isize + i as isize * self.strides.0 + j as isize * self.strides.1) as usize
    }
    fn at(&self, i: usize, j: usize) -> T {
        self.data[self.index(i, j)]
    }
}

#[derive(Clone, Debug)]
struct Case {
    shape: (usize, usize, usize),
    layouts: (Layout, Layout, Layout),
    alpha: i64,
    beta: i64,
    bias: Option<bool>,
    relu: bool,
    seed: u64,
}

/// Runs a case and compares every element of C's memory, so that writes outside C are seen too.
fn check<T: Sample>(case: &Case) {
    let (m, n, k) = case.shape;
    let a = Matrix::<T>::new(m, k, case.layouts.0, case.seed, 40);
    let b = Matrix::<T>::new(k, n, case.layouts.1, case.seed ^ 0xabcdef, 40);
    let mut c = Matrix::<T>::new(m, n, case.layouts.2, case.seed ^ 0x123456, 40);
    let bias = Matrix::<T>::new(1, m.max(n), Layout::Spread, case.seed ^ 0x777777, 40);
    let (alpha, beta) = (T::of(case.alpha), T::of(case.beta));
    let before = c.data.clone();
    let bias_arg = case.bias.map(|per_column| Bias { ptr: bias.data.as_ptr(), stride: bias.strides.1, per_column });
    // SAFETY: the matrices own what the arguments describe.
    unsafe {
        gemm(Gemm {
            m,
            n,
            k,
            a: a.data.as_ptr().wrapping_add(a.origin),
            a_strides: a.strides,
            b: b.data.as_ptr().wrapping_add(b.origin),
            b_strides: b.strides,
            c: c.data.as_mut_ptr().wrapping_add(c.origin),
            c_strides: c.strides,
            alpha,
            beta,
            epilogue: Epilogue { bias: bias_arg, relu: case.relu },
        });
    }
    let mut untouched = vec![true; before.len()];
    for i in 0..m {
        for j in 0..n {
            let at = c.index(i, j);
            untouched[at] = false;
            let got = c.data[at];
            let bias = case.bias.map(|per_column| bias.at(0, if per_column { j } else { i }));
            if T::wrap(0).is_some() {
                let int = |x: T| x.f64() as i128;
                let sum: i128 = (0..k).map(|p| int(a.at(i, p)) * int(b.at(p, j))).sum();
                let exact = int(alpha) * sum + int(beta) * int(before[at]) + bias.map_or(0, int);
                let mut expected = T::wrap(exact).unwrap();
                if case.relu && expected.f64() < 0.0 {
                    expected = T::of(0);
                }
                assert_eq!(got, expected, "element ({i}, {j}) of {case:?}");
            } else {
                let products = (0..k).map(|p| a.at(i, p).f64() * b.at(p, j).f64());
                let (sum, size) = products.fold((0.0, 0.0), |(s, t), x| (s + x, t + x.abs()));
                let rest = beta.f64() * before[at].f64() + bias.map_or(0.0, |x| x.f64());
                let exact = alpha.f64() * sum + rest;
                let expected = if case.relu { exact.max(0.0) } else { exact };
                let allowed = T::TOLERANCE * (alpha.f64().abs() * size + rest.abs() + 1.0);
                assert!((got.f64() - expected).abs() <= allowed, "({i}, {j}): {got:?} for {expected}, {case:?}");
            }
        }
    }
    for (at, untouched) in untouched.iter().enumerate() {
        assert!(!untouched || c.data[at] == before[at], "element {at} outside C was written, {case:?}");
    }
}

fn layout() -> impl Strategy<Value = Layout> {
    prop::sample::select(vec![Layout::RowMajor, Layout::ColumnMajor, Layout::Spread, Layout::Padded, Layout::Reversed])
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    (
        (0..=most, 0..=most, 0..=most),
        (layout(), layout(), layout()),
        prop::sample::select(vec![8i64, -3, 0, 5]),
        prop::sample::select(vec![0i64, 8, -5]),
        prop::option::of(any::<bool>()),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(|(shape, layouts, alpha, beta, bias, relu, seed)| Case {
            shape,
            layouts,
            alpha,
            beta,
            bias,
            relu,
            seed,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn small_floats(case in case(40)) {
        check::<f32>(&case);
        check::<f64>(&case);
    }

    #[test]
    fn small_halves(case in case(30)) {
        check::<f16>(&case);
        check::<bf16>(&case);
    }

    #[test]
    fn small_integers(case in case(24)) {
        check::<i8>(&case);
        check::<u8>(&case);
        check::<i16>(&case);
        check::<i32>(&case);
        check::<i64>(&case);
    }

    #[test]
    fn vectors(case in case(300), which in 0..3) {
        let (m, n, k) = case.shape;
        let shape = match which { 0 => (1, n, k), 1 => (m, 1, k), _ => (1, 1, k) };
        let case = Case { shape, ..case };
        check::<f32>(&case);
        check::<f64>(&case);
        check::<i32>(&case);
    }
}

#[test]
fn shapes_that_cross_the_blocks() {
    use Layout::*;
    let shapes = [(13, 1100, 30), (100, 70, 900), (64, 128, 784), (25, 33, 401), (150, 200, 257), (3, 2000, 500)];
    let layouts =
        [(RowMajor, RowMajor, RowMajor), (ColumnMajor, Padded, RowMajor), (RowMajor, ColumnMajor, ColumnMajor)];
    for shape in shapes {
        for layouts in layouts {
            let case = Case { shape, layouts, alpha: 8, beta: 8, bias: Some(true), relu: false, seed: 9 };
            check::<f32>(&case);
            check::<f64>(&case);
            check::<bf16>(&case);
            check::<i32>(&case);
        }
    }
}

#[test]
fn long_vectors_split_over_threads() {
    use Layout::*;
    for shape in [(1, 64, 5000), (1, 3000, 100), (700, 1, 300), (1, 5000, 7)] {
        for layouts in [(RowMajor, RowMajor, RowMajor), (Spread, ColumnMajor, RowMajor)] {
            let case = Case { shape, layouts, alpha: 8, beta: 0, bias: Some(false), relu: true, seed: 4 };
            check::<f32>(&case);
            check::<f64>(&case);
        }
    }
}

/// `C` from square operands without epilogue.
fn product(n: usize, a: &[f32], b: &[f32], c: &mut [f32], beta: f32, relu: bool) {
    let strides = (n as isize, 1);
    let epilogue = Epilogue { bias: None, relu };
    let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    let args = Gemm {
        m: n,
        n,
        k: n,
        a,
        a_strides: strides,
        b,
        b_strides: strides,
        c,
        c_strides: strides,
        alpha: 1.0,
        beta,
        epilogue,
    };
    // SAFETY: the slices hold n² numbers.
    unsafe { gemm(args) }
}

#[test]
fn beta_zero_ignores_nan_in_c_and_relu_keeps_nan() {
    for n in [1, 5, 20, 64] {
        let ones = vec![1.0; n * n];
        let mut c = vec![f32::NAN; n * n];
        product(n, &ones, &ones, &mut c, 0.0, false);
        assert!(c.iter().all(|&x| x == n as f32));
        c[0] = f32::NAN;
        product(n, &ones, &ones, &mut c, 1.0, true);
        assert!(c[0].is_nan() && c[1..].iter().all(|&x| x == 2.0 * n as f32));
    }
}

#[test]
fn infinity_and_nan_in_the_operands_propagate() {
    for n in [3, 20, 40] {
        let ones = vec![1.0; n * n];
        for special in [f32::NAN, f32::INFINITY] {
            let mut a = ones.clone();
            a[n + 1] = special;
            let mut c = vec![0.0; n * n];
            product(n, &a, &ones, &mut c, 0.0, false);
            for (i, &x) in c.iter().enumerate() {
                let expected = if i / n == 1 { special } else { n as f32 };
                assert_eq!(x.to_bits(), expected.to_bits(), "n {n}, element {i}");
            }
        }
    }
}

#[test]
fn half_sums_are_rounded_once() {
    // 4096 ones: in f16 arithmetic the sum would stop at 2048, in bf16 at 256.
    let (ones, n) = (vec![bf16::ONE; 4096], 4096isize);
    let mut c = [bf16::ZERO];
    let (a, b) = (ones.as_ptr(), ones.as_ptr());
    let (alpha, beta, epilogue) = (bf16::ONE, bf16::ZERO, Epilogue::NONE);
    let args = Gemm {
        m: 1,
        n: 1,
        k: 4096,
        a,
        a_strides: (n, 1),
        b,
        b_strides: (1, n),
        c: c.as_mut_ptr(),
        c_strides: (1, 1),
        alpha,
        beta,
        epilogue,
    };
    // SAFETY: the vectors hold 4096 numbers.
    unsafe { gemm(args) }
    assert_eq!(c[0].to_f32(), 4096.0);
}

#[test]
fn batches_match_single_products() {
    for (batch, n) in [(1, 30), (7, 5), (3, 90), (40, 20)] {
        let a: Vec<f64> = (0..batch * n * n).map(|i| (i % 17) as f64 - 8.0).collect();
        let b: Vec<f64> = (0..n * n).map(|i| (i % 13) as f64 - 6.0).collect();
        let mut c = vec![f64::NAN; batch * n * n];
        let strides = (n as isize, 1);
        let args = Gemm {
            m: n,
            n,
            k: n,
            a: a.as_ptr(),
            a_strides: strides,
            b: b.as_ptr(),
            b_strides: strides,
            c: c.as_mut_ptr(),
            c_strides: strides,
            alpha: 1.0,
            beta: 0.0,
            epilogue: Epilogue::NONE,
        };
        let step = (n * n) as isize;
        // SAFETY: the vectors hold the batch; B is shared.
        unsafe { batched_gemm(batch, BatchStrides { a: step, b: 0, c: step }, args) }
        for (i, &x) in c.iter().enumerate() {
            let (which, i, j) = (i / (n * n), i / n % n, i % n);
            let expected: f64 = (0..n).map(|p| a[which * n * n + i * n + p] * b[p * n + j]).sum();
            assert_eq!(x, expected);
        }
    }
}
