//! Runtime choice of the instruction set.
//!
//! A kernel is a plain loop inside [`Kernel::run`], marked `#[inline(always)]`. [`dispatch`] calls it from a function that
//! was compiled with the machine's widest instructions, so the compiler vectorises the loop for them; no crate-wide
//! `target-cpu` is needed, and one binary runs on every machine.

use std::sync::LazyLock;

/// The instruction sets that kernels are compiled for, from the narrowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Whatever the target guarantees.
    Portable,
    /// AVX2 and FMA (x86-64 since 2013).
    Avx2,
    /// AVX-512 F, BW, DQ and VL (x86-64 servers since 2017).
    Avx512,
}

/// What a kernel may know at compile time about the instructions it is compiled for.
pub trait Simd: Copy + Send + Sync + 'static {
    /// The level that this type stands for.
    const LEVEL: Level;
    /// Whether `mul_add` is one instruction; without it, it is a slow library call.
    const FMA: bool;

    /// `a * b + c`, fused where that is one instruction.
    #[inline(always)]
    fn mul_add_f32(a: f32, b: f32, c: f32) -> f32 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }

    /// `a * b + c`, fused where that is one instruction.
    #[inline(always)]
    fn mul_add_f64(a: f64, b: f64, c: f64) -> f64 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// Marks code compiled for [`Level::Portable`].
#[derive(Clone, Copy)]
pub struct Portable;
/// Marks code compiled for [`Level::Avx2`].
#[derive(Clone, Copy)]
pub struct Avx2;
/// Marks code compiled for [`Level::Avx512`].
#[derive(Clone, Copy)]
pub struct Avx512;

impl Simd for Portable {
    const LEVEL: Level = Level::Portable;
    const FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
}
impl Simd for Avx2 {
    const LEVEL: Level = Level::Avx2;
    const FMA: bool = true;
}
impl Simd for Avx512 {
    const LEVEL: Level = Level::Avx512;
    const FMA: bool = true;
}

/// A computation that is compiled once per [`Level`]. Mark `run` `#[inline(always)]`, and every function that it calls in
/// its hot loop: only inlined code takes the caller's instruction set.
pub trait Kernel {
    /// What the kernel returns.
    type Output;
    /// Does the work.
    fn run<S: Simd>(self) -> Self::Output;
}

/// The level in use: the widest that the machine has, or the one that the environment variable `FLAMBEAU_SIMD`
/// (`portable`, `avx2`, `avx512`) asks for.
///
/// # Panics
/// When `FLAMBEAU_SIMD` names an unknown level or one that this machine lacks.
#[inline]
pub fn level() -> Level {
    static LEVEL: LazyLock<Level> = LazyLock::new(|| {
        let widest = detect();
        let asked = match std::env::var("FLAMBEAU_SIMD") {
            Ok(name) => match name.as_str() {
                "portable" => Level::Portable,
                "avx2" => Level::Avx2,
                "avx512" => Level::Avx512,
                other => panic!("FLAMBEAU_SIMD is '{other}'; expected portable, avx2 or avx512"),
            },
            Err(_) => return widest,
        };
        assert!(asked <= widest, "FLAMBEAU_SIMD asks for {asked:?}, but this machine has at most {widest:?}");
        asked
    });
    *LEVEL
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Portable
}

/// Runs `kernel` compiled for [`level`].
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` never exceeds what `detect` found on this machine.
        Level::Avx512 => return unsafe { run_avx512(kernel) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { run_avx2(kernel) },
        Level::Portable => {}
    }
    kernel.run::<Portable>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,f16c")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,f16c")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<Avx2>()
}
