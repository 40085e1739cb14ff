//! Arrays that fit a call, and what spoils them.
#![allow(dead_code, reason = "each test of this folder uses a part")]

use flambeau_cpu::CPU;
use flambeau_tensor::{Array, DType, Device, Dims, Result, Scalar, Storage};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;

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

    /// Once in `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn dtype(&mut self) -> DType {
        self.pick(&DType::ALL)
    }

    pub fn float(&mut self) -> DType {
        self.pick(&[DType::F32, DType::F64, DType::F16, DType::BF16])
    }

    /// A length from one below what a program counts with to one beyond.
    pub fn huge(&mut self) -> usize {
        let edge = self.pick(&[1 << 31, 1 << 32, 1 << 45, 1 << 61, 1 << 62, isize::MAX as usize, usize::MAX]);
        edge.saturating_add(self.below(3)).saturating_sub(1)
    }

    /// An integer that a shape, a dimension or an index may be, or may not.
    pub fn integer(&mut self) -> i64 {
        if self.once_in(3) {
            return self.pick(&[
                i64::MAX,
                i64::MIN,
                i64::MAX - 1,
                i64::MIN + 1,
                1 << 40,
                -(1 << 40),
                1 << 62,
                -(1 << 62),
            ]);
        }
        self.below(12) as i64 - 4
    }

    /// A length, sometimes one that no memory has.
    pub fn length(&mut self) -> usize {
        if self.once_in(4) { self.huge().max(1 << 45) } else { self.below(6) }
    }

    pub fn shape(&mut self, least: usize, most: usize) -> Vec<usize> {
        let ndim = least + self.below(most + 1 - least);
        (0..ndim).map(|_| if self.once_in(12) { 0 } else { 1 + self.below(5) }).collect()
    }

    /// A dimension of a shape, or sometimes one that it has not.
    pub fn dim(&mut self, ndim: usize) -> usize {
        match self.below(12) {
            0 => ndim,
            1 => self.huge(),
            _ => self.below(ndim.max(1)),
        }
    }

    /// A dense array of exactly as many bytes as it needs, of numbers from -4 to 4 (0 to 8 without a sign).
    pub fn dense(&mut self, shape: &[usize], dtype: DType) -> Array {
        let signed = if dtype.is_signed() { 4.0 } else { 0.0 };
        let n: usize = shape.iter().product();
        let numbers: Vec<f64> = (0..n).map(|_| self.below(9) as f64 - signed).collect();
        Array::from_slice(&CPU, Device::Cpu, &numbers, shape).unwrap().to_dtype(dtype).unwrap()
    }

    /// An array of a shape whose memory is in an order and with gaps that are drawn, and ends with its last element; some
    /// dimensions may repeat one line.
    pub fn array(&mut self, shape: &[usize], dtype: DType) -> Array {
        if self.once_in(3) {
            return self.dense(shape, dtype);
        }
        let mut order: Vec<usize> = (0..shape.len()).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, self.below(i + 1));
        }
        let (mut strides, mut step) = (vec![0; shape.len()], 1);
        for &d in order.iter().rev() {
            step *= 1 + usize::from(self.once_in(3));
            if !self.once_in(6) {
                strides[d] = step;
                step *= shape[d].max(1);
            }
        }
        let offset = self.below(3);
        let reach: usize = shape.iter().zip(&strides).map(|(&n, &s)| n.saturating_sub(1) * s).sum();
        let base = self.dense(&[offset + reach + 1], dtype);
        base.as_strided(shape, &strides, offset).unwrap()
    }

    /// Indices below `n`, or sometimes beyond.
    pub fn indices(&mut self, shape: &[usize], n: usize) -> Array {
        let wild = self.once_in(6);
        let numbers: Vec<i64> = (0..shape.iter().product())
            .map(|_| if wild && self.once_in(3) { self.integer() } else { self.below(n.max(1)) as i64 })
            .collect();
        Array::from_slice(&CPU, Device::Cpu, &numbers, shape).unwrap()
    }

    /// Makes one of the arrays another one, in half of all cases: of another dtype, shape, layout or device, or one that shares
    /// memory with another.
    pub fn spoil(&mut self, arrays: &mut [Array]) {
        if self.once_in(2) {
            return;
        }
        if self.once_in(16) {
            arrays.iter_mut().for_each(|a| *a = elsewhere(a));
            return;
        }
        let k = self.below(arrays.len());
        let a = arrays[k].clone();
        let other = arrays[self.below(arrays.len())].clone();
        let (n, ndim) = (a.shape().first().copied().unwrap_or(0), a.ndim() as i64);
        let spoilt = match self.below(11) {
            0 => a.to_dtype(self.dtype()),
            1 if n > 0 => a.narrow(0, 0, n as i64 - 1),
            2 => a.unsqueeze(0),
            3 if n > 0 => a.select(0, 0),
            4 if ndim > 1 => a.transpose(0, ndim - 1),
            5 => Ok(other),
            // All of its elements are one of another array's.
            6 if other.numel() > 0 => other.as_strided(a.shape(), &vec![0; a.ndim()], other.offset()),
            7 => a.unsqueeze(0).and_then(|a| {
                let mut sizes: Vec<i64> = a.shape().iter().map(|&n| n as i64).collect();
                sizes[0] = (self.huge() >> 16) as i64;
                a.expand(&sizes)
            }),
            8 => Ok(elsewhere(&a)),
            9 => Ok(self.dense(&[], a.dtype())),
            _ => {
                let shape = self.shape(0, 5);
                Ok(self.array(&shape, a.dtype()))
            }
        };
        arrays[k] = spoilt.unwrap_or(a);
    }
}

/// An array like another, on a device that the CPU is not.
pub fn elsewhere(a: &Array) -> Array {
    let storage = Storage::device(&CPU, Device::Wgpu(0), isize::MAX as usize, Box::new(())).unwrap();
    let (shape, strides) = (Dims::from_slice(a.shape()), Dims::from_slice(a.strides()));
    Array::from_parts(storage, a.dtype(), shape, strides, a.offset()).unwrap()
}

/// Runs a call with many seeds. Each ends well or with an error; a panic fails the test, and a sanitizer sees what is read
/// outside. There must be some of both, or the test would show nothing.
#[track_caller]
pub fn hold(call: impl Fn(&mut Draw) -> Result<()>) {
    let (well, refused) = (Cell::new(0), Cell::new(0));
    let cases = Config::default().cases.max(64);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&any::<u64>(), |seed| {
        let counter = if call(&mut Draw::new(seed)).is_ok() { &well } else { &refused };
        counter.set(counter.get() + 1);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(well.get() > 0 && refused.get() > 0, "{} calls ended well, {} with an error", well.get(), refused.get());
}

/// Numbers that a program or a fill may get.
pub fn scalars(draw: &mut Draw, n: usize) -> Vec<Scalar> {
    (0..n)
        .map(|_| draw.pick(&[Scalar::Float(0.5), Scalar::Int(3), Scalar::Bool(true), Scalar::Float(f64::NAN)]))
        .collect()
}
