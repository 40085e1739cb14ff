//! The same arrays on both devices, and comparisons.
#![allow(dead_code, reason = "each test file uses a part")]

use flambeau_cpu::CPU;
use flambeau_tensor::{Array, Backend, DType, Device, Scalar, scalar_from_bytes};
use flambeau_wgpu::WGPU;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The GPU under test. A machine without one fails the suite.
pub const GPU: Device = Device::Wgpu(0);

/// Held by each test of a file whose tests take turns: those whose kernels report errors, since whoever waits for a device
/// first gets its reports, and those that count what the device does.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A small generator of numbers, so that a test case is one seed.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

/// The same array on the CPU and on the GPU.
#[derive(Clone, Debug)]
pub struct Pair {
    pub cpu: Array,
    pub gpu: Array,
}

impl Pair {
    /// A dense CPU array and its copy on the GPU.
    pub fn new(cpu: Array) -> Pair {
        let gpu = to_gpu(&cpu);
        Pair { cpu, gpu }
    }

    /// The same view of both.
    pub fn view(&self, f: impl Fn(&Array) -> Array) -> Pair {
        Pair { cpu: f(&self.cpu), gpu: f(&self.gpu) }
    }

    /// Checks that both hold the same, every byte of their storages, within a relative tolerance for floats.
    #[track_caller]
    pub fn agree(&self, tolerance: f64) {
        agree(&whole(&self.cpu), &whole(&self.gpu), tolerance);
    }
}

static COMPARISONS: AtomicU64 = AtomicU64::new(0);

/// Has the test program say at its end how much it did, in the form that `cargo xtask test` adds up.
fn count_at_exit() {
    extern "C" fn print() {
        let pipelines = flambeau_wgpu::counters(GPU).map_or(0, |c| c.pipelines);
        println!("count: {} results of the GPU compared with the CPU's", COMPARISONS.load(Ordering::Relaxed));
        println!("count: {pipelines} pipelines made by GPU tests");
    }
    static ONCE: Once = Once::new();
    // SAFETY: the function may run at exit: it reads counters and prints.
    ONCE.call_once(|| assert_eq!(unsafe { libc::atexit(print) }, 0));
}

/// A dense CPU array's copy on the GPU.
pub fn to_gpu(cpu: &Array) -> Array {
    count_at_exit();
    let mut bytes = vec![0; cpu.numel() * cpu.dtype().size()];
    CPU.download(cpu, &mut bytes).unwrap();
    let gpu = Array::empty(&WGPU, GPU, cpu.shape(), cpu.dtype()).unwrap();
    WGPU.upload(&bytes, &gpu).unwrap();
    gpu
}

/// All of an array's storage.
pub fn whole(a: &Array) -> Array {
    let n = a.storage().nbytes() / a.dtype().size();
    Array::from_parts(a.storage().clone(), a.dtype(), [n].as_slice().into(), [1].as_slice().into(), 0).unwrap()
}

/// Every element of an array, read without a kernel.
pub fn scalars(a: &Array) -> Vec<Scalar> {
    COMPARISONS.fetch_add(u64::from(!a.device().is_cpu()), Ordering::Relaxed);
    let size = a.dtype().size();
    let all = whole(a);
    let mut bytes = vec![0; all.numel() * size];
    a.backend().download(&all, &mut bytes).unwrap();
    let element = |flat: usize| {
        let (mut rest, mut at) = (flat, a.offset());
        for (&n, &stride) in a.shape().iter().zip(a.strides()).rev() {
            at += rest % n * stride;
            rest /= n;
        }
        scalar_from_bytes(a.dtype(), &bytes[at * size..(at + 1) * size])
    };
    (0..a.numel()).map(element).collect()
}

/// [`scalars`] as floats.
pub fn elements(a: &Array) -> Vec<f64> {
    scalars(a).into_iter().map(Scalar::to_f64).collect()
}

/// Checks that two arrays hold the same: integers exactly, floats within a relative tolerance (and NaN is NaN).
#[track_caller]
pub fn agree(cpu: &Array, gpu: &Array, tolerance: f64) {
    assert_eq!((cpu.shape(), cpu.dtype()), (gpu.shape(), gpu.dtype()));
    for (i, (a, b)) in scalars(cpu).into_iter().zip(scalars(gpu)).enumerate() {
        let same = match (a, b) {
            (Scalar::Float(a), Scalar::Float(b)) => close(a, b, tolerance),
            (a, b) => a == b,
        };
        assert!(same, "element {i} of {:?} {}: {a:?} on the CPU, {b:?} on the GPU", cpu.shape(), cpu.dtype());
    }
}

/// Whether two numbers are the same within a relative tolerance (absolute below one), NaN being the same as NaN.
pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

/// What results in a dtype may differ by, relative, after a handful of roundings.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::BF16 => 1.6e-2,
        DType::F16 => 2e-3,
        DType::F32 => 2e-6,
        DType::F64 => 1e-13,
        _ => 0.0,
    }
}

/// Numbers as a dense CPU array of any dtype.
pub fn from_f64(numbers: &[f64], shape: &[usize], dtype: DType) -> Array {
    let wide = Array::from_slice(&CPU, Device::Cpu, numbers, shape).unwrap();
    wide.to_dtype(dtype).unwrap()
}

/// A dense array of small numbers that every dtype holds: -4 to 4 (0 to 8 without a sign), quarters in floats.
pub fn dense(draw: &mut Draw, shape: &[usize], dtype: DType) -> Pair {
    let n: usize = shape.iter().product();
    let numbers: Vec<f64> = (0..n)
        .map(|_| match dtype {
            DType::Bool => draw.below(2) as f64,
            DType::U8 => draw.below(9) as f64,
            d if d.is_floating_point() => draw.below(33) as f64 / 4.0 - 4.0,
            _ => draw.below(9) as f64 - 4.0,
        })
        .collect();
    Pair::new(from_f64(&numbers, shape, dtype))
}

/// As [`dense`], floats with NaN and infinities among them.
pub fn wild(draw: &mut Draw, shape: &[usize], dtype: DType) -> Pair {
    let pair = dense(draw, shape, dtype);
    if !dtype.is_floating_point() {
        return pair;
    }
    let mut numbers = elements(&pair.cpu);
    for x in &mut numbers {
        match draw.below(12) {
            0 => *x = f64::NAN,
            1 => *x = f64::INFINITY,
            2 => *x = f64::NEG_INFINITY,
            3 => *x = -0.0,
            _ => {}
        }
    }
    Pair::new(from_f64(&numbers, shape, dtype))
}

/// A view of `shape` whose memory order, steps and offset are drawn; with `expand`, some dimensions may repeat one line.
pub fn strided(draw: &mut Draw, shape: &[usize], dtype: DType, expand: bool) -> Pair {
    strided_of(draw, shape, dtype, expand, dense)
}

/// [`strided`] with the numbers of `fill`.
pub fn strided_of(
    draw: &mut Draw,
    shape: &[usize],
    dtype: DType,
    expand: bool,
    fill: fn(&mut Draw, &[usize], DType) -> Pair,
) -> Pair {
    let mut order: Vec<usize> = (0..shape.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, draw.below(i + 1));
    }
    let repeated: Vec<bool> = shape.iter().map(|_| expand && draw.below(4) == 0).collect();
    let steps: Vec<usize> = shape.iter().map(|_| 1 + usize::from(draw.below(3) == 0)).collect();
    let base_shape: Vec<usize> = order.iter().map(|&d| if repeated[d] { 1 } else { shape[d] * steps[d] + 1 }).collect();
    let mut pair = fill(draw, &base_shape, dtype);
    for (i, &d) in order.iter().enumerate() {
        if !repeated[d] {
            let start = draw.below(2) as i64;
            let (end, step) = (start + (shape[d] * steps[d]) as i64, steps[d] as i64);
            pair = pair.view(|a| a.slice(i as i64, Some(start), Some(end), step).unwrap());
        }
    }
    let back: Vec<i64> = (0..shape.len()).map(|d| order.iter().position(|&o| o == d).unwrap() as i64).collect();
    pair.view(|a| a.permute(&back).unwrap().broadcast_to(shape).unwrap())
}

/// Zeros on both devices.
pub fn zeros(shape: &[usize], dtype: DType) -> Pair {
    Pair::new(Array::full(&CPU, Device::Cpu, shape, dtype, Scalar::Int(0)).unwrap())
}

/// Shapes of up to four dimensions, zero lengths and longer rows among them.
pub fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        4 => prop::collection::vec(0usize..6, 0..5),
        1 => (1usize..4, 60usize..400).prop_map(|(a, b)| vec![a, b]),
        1 => (60usize..300, 1usize..70).prop_map(|(a, b)| vec![a, b]),
    ]
}

/// Any dtype.
pub fn dtypes() -> impl Strategy<Value = DType> {
    (0..DType::ALL.len()).prop_map(|i| DType::ALL[i])
}

/// Runs a call and checks that the GPU launched a kernel for it.
#[track_caller]
pub fn launches<R>(call: impl FnOnce() -> R) -> R {
    let before = flambeau_wgpu::counters(GPU).unwrap().dispatches;
    let result = call();
    assert!(flambeau_wgpu::counters(GPU).unwrap().dispatches > before, "no kernel was launched");
    result
}

/// Both calls' results, which must be the same or fail in the same words; `None` where they failed.
#[track_caller]
pub fn both<R>(cpu: flambeau_tensor::Result<R>, gpu: flambeau_tensor::Result<R>) -> Option<(R, R)> {
    match (cpu, gpu) {
        (Ok(a), Ok(b)) => Some((a, b)),
        (Err(a), Err(b)) => {
            assert_eq!(a.to_string(), b.to_string());
            None
        }
        (Ok(_), Err(b)) => panic!("the GPU refuses what the CPU computes: {b}"),
        (Err(a), Ok(_)) => panic!("the GPU computes what the CPU refuses: {a}"),
    }
}

/// Runs tests of this program once more for each way in which software Vulkan can be made to generate other code: lanes of other
/// widths, and a processor without the newest instructions, where it splits what it computes in float64. A GPU's driver reads
/// none of these variables. Mesa's cache of compiled shaders does not tell the ways apart, so it is left out.
pub fn under_other_code_generation(ways: &[(&str, &str)], tests: &[&str]) {
    for (name, value) in ways {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.arg("--exact").args(tests).env(name, value).env("MESA_SHADER_CACHE_DISABLE", "true");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let passed = format!("{} passed", tests.len());
        assert!(output.status.success() && text.contains(&passed), "{name}={value}: {text}");
    }
}
