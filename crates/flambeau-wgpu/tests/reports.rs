//! What kernels find wrong with their elements and report at the next wait: integers divided by zero, inputs that are no
//! probabilities. One test at a time, since whoever waits for a device first gets its report.

mod support;

use flambeau_autograd::ops::{self, BCELossOptions, MultiMarginOptions, RoundingMode};
use flambeau_autograd::{Result, Tensor, from_vec};
use flambeau_tensor::{Backend, DType, Device};
use flambeau_wgpu::WGPU;
use support::{Draw, GPU, alone};

/// The words of an error, at once or at the next wait; none where all went well.
fn words(device: Device, run: impl FnOnce() -> Result<Tensor>) -> Option<String> {
    let result = run();
    let late = if device.is_cpu() { Ok(()) } else { WGPU.synchronize(device) };
    match (result, late) {
        (Err(error), _) => Some(format!("{}: {error}", error.python_type())),
        (_, Err(error)) => Some(format!("{}: {error}", error.python_type())),
        (Ok(_), Ok(())) => None,
    }
}

type Divide = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// Every operation that divides integers, fresh and in place.
static DIVISIONS: [(&str, Divide); 8] = [
    ("floor_divide", |a, b| ops::floor_divide(a, b)),
    ("remainder", |a, b| ops::remainder(a, b)),
    ("fmod", |a, b| ops::fmod(a, b)),
    ("div floor", |a, b| ops::div_rounded(a, b, RoundingMode::Floor)),
    ("div trunc", |a, b| ops::div_rounded(a, b, RoundingMode::Trunc)),
    ("floor_divide_", |a, b| ops::floor_divide_(a, b)),
    ("remainder_", |a, b| ops::remainder_(a, b)),
    ("fmod_", |a, b| ops::fmod_(a, b)),
];

#[test]
fn an_integer_divided_by_zero_is_an_error() {
    let _one = alone();
    let draw = &mut Draw::new(3);
    let (mut cases, mut wrong) = (0, 0);
    for (name, divide) in DIVISIONS {
        for dtype in [DType::U8, DType::I8, DType::I16, DType::I32, DType::I64] {
            // Lengths that take one element at a time and four, and a divisor for all.
            for n in [1usize, 3, 8, 300] {
                for one in [false, true] {
                    let m = if one { 1 } else { n };
                    let mut numbers: Vec<i64> = (0..m).map(|_| 1 + draw.below(9) as i64).collect();
                    let zero = draw.below(2) == 0;
                    if zero {
                        numbers[draw.below(m)] = 0;
                    }
                    let left: Vec<i64> = (0..n).map(|_| draw.below(90) as i64).collect();
                    for device in [Device::Cpu, GPU] {
                        let make = |v: &[i64]| from_vec(v.to_vec(), [v.len()]).to(dtype).to(device);
                        let (a, b) = (make(&left), make(&numbers));
                        let expected = zero.then(|| "RuntimeError: ZeroDivisionError".to_owned());
                        assert_eq!(words(device, || divide(&a, &b)), expected, "{name} in {dtype} on {device}");
                    }
                    cases += 1;
                    wrong += usize::from(zero);
                }
            }
            // A number as the divisor.
            for device in [Device::Cpu, GPU] {
                let x = from_vec(vec![4i64, 0, 7], [3]).to(dtype).to(device);
                let by_number = words(device, || ops::remainder(&x, 0));
                assert_eq!(by_number.as_deref(), Some("RuntimeError: ZeroDivisionError"), "{dtype} on {device}");
                assert_eq!(words(device, || ops::floor_divide(&x, 2)), None);
            }
        }
        // A float has infinities, and a true division gives floats.
        let (x, zero) = (from_vec(vec![1f32, -1.0], [2]).to(GPU), from_vec(vec![0f32; 2], [2]).to(GPU));
        assert_eq!(words(GPU, || divide(&x, &zero)), None, "{name}");
    }
    let (x, zero) = (from_vec(vec![1i64, -1], [2]).to(GPU), from_vec(vec![0i64; 2], [2]).to(GPU));
    assert_eq!(words(GPU, || ops::div(&x, &zero)), None);
    assert_eq!(ops::div(&x, &zero).unwrap().to(Device::Cpu).to_vec::<f32>(), [f32::INFINITY, f32::NEG_INFINITY]);
    println!("divisions: {cases} pairs of integers on two devices, {wrong} with a zero");
    assert!(wrong > 100);
}

/// The first report stands until somebody waits, and is told once.
#[test]
fn a_report_is_told_once() {
    let _one = alone();
    let x = from_vec(vec![1i64, 2], [2]).to(GPU);
    let zero = from_vec(vec![0i64, 1], [2]).to(GPU);
    ops::floor_divide(&x, &zero).unwrap();
    ops::index_select(&x, 0, &from_vec(vec![9i64], [1]).to(GPU)).unwrap();
    assert_eq!(WGPU.synchronize(GPU).unwrap_err().to_string(), "ZeroDivisionError");
    WGPU.synchronize(GPU).unwrap();
    ops::index_select(&x, 0, &from_vec(vec![9i64], [1]).to(GPU)).unwrap();
    assert_eq!(WGPU.synchronize(GPU).unwrap_err().to_string(), "index out of range in self");
    WGPU.synchronize(GPU).unwrap();
}

#[test]
fn a_loss_refuses_what_is_no_probability() {
    let _one = alone();
    let draw = &mut Draw::new(5);
    let bad = [-0.1, 1.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.000_000_1, -1e-30];
    let mut cases = 0;
    for dtype in [DType::F32, DType::F64, DType::F16] {
        for &value in bad.iter().chain(&[0.0, -0.0, 1.0, 0.5]) {
            for n in [1usize, 4, 70] {
                let mut x: Vec<f32> = (0..n).map(|_| draw.below(1001) as f32 / 1000.0).collect();
                x[draw.below(n)] = value;
                // f16 rounds the last two to zero and one.
                let inside = dtype == DType::F16 && (value.abs() < 1e-9 || (value - 1.0).abs() < 1e-3);
                let wrong = bad.iter().any(|b| b.to_bits() == value.to_bits()) && !inside;
                for device in [Device::Cpu, GPU] {
                    let make = |v: &[f32]| from_vec(v.to_vec(), [v.len()]).to(dtype).to(device);
                    let (x, target) = (make(&x), make(&vec![1.0; n]));
                    let found = words(device, || ops::binary_cross_entropy(&x, &target, &BCELossOptions::default()));
                    let expected = "RuntimeError: all elements of input should be between 0 and 1".to_owned();
                    assert_eq!(found, wrong.then_some(expected), "{value} in {dtype} on {device}");
                    let drawn = words(device, || ops::bernoulli(&x, None));
                    assert_eq!(drawn.is_some(), wrong, "a chance of {value} in {dtype} on {device}: {drawn:?}");
                    if let Some(words) = drawn {
                        assert!(words.starts_with("RuntimeError: Expected p_in >= 0 && p_in <= 1"), "{words}");
                    }
                }
                cases += 1;
            }
        }
    }
    println!("probabilities: {cases} inputs of two functions on two devices");
}

#[test]
fn a_margin_loss_refuses_a_target_that_is_no_class() {
    let _one = alone();
    for bad in [-1i64, 3, i64::MAX] {
        for device in [Device::Cpu, GPU] {
            let x = from_vec(vec![0.5f32; 6], [2, 3]).to(device);
            let target = from_vec(vec![1, bad], [2]).to(device);
            let found = words(device, || ops::multi_margin_loss(&x, &target, &MultiMarginOptions::default()));
            assert_eq!(found.as_deref(), Some("RuntimeError: target out of range"), "{bad} on {device}");
        }
    }
}
