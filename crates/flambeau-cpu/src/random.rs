//! Random fills: the generator of [`flambeau_tensor::random`] over a dense output.

use crate::cast::Truth;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::calls::Random;
use flambeau_tensor::random::{
    RandomElement, RandomError, RandomFloat, bernoulli_, exponential_, normal_, normal_serial_, random_,
    random_from_to_, uniform_,
};
use flambeau_tensor::{DType, Error, Result};
use half::{bf16, f16};

/// [`flambeau_tensor::Backend::random`] on this device. The output's access is taken first, the generator's lock inside each fill;
/// nothing takes them the other way round.
pub fn random(call: &Random<'_>) -> Result<()> {
    let fill = Fill(call);
    match call.out.dtype() {
        DType::F32 => fill.float::<f32>(),
        DType::F64 => fill.float::<f64>(),
        DType::F16 => fill.float::<f16>(),
        DType::BF16 => fill.float::<bf16>(),
        DType::I64 => fill.element::<i64>(),
        DType::I32 => fill.element::<i32>(),
        DType::I16 => fill.element::<i16>(),
        DType::I8 => fill.element::<i8>(),
        DType::U8 => fill.element::<u8>(),
        DType::Bool => {
            // A `bool` in Rust has the size and the values of a stored truth value.
            const { assert!(size_of::<bool>() == size_of::<Truth>()) };
            fill.element::<bool>()
        }
    }
}

/// A call, in the type of its result.
struct Fill<'a>(&'a Random<'a>);

impl Fill<'_> {
    fn float<T: RandomFloat>(&self) -> Result<()> {
        let g = self.0.generator;
        match self.0.distribution {
            Distribution::Uniform { from, to } => self.fill::<T>(|out| uniform_(g, out, from, to)),
            Distribution::Normal { mean, std } => self.fill::<T>(|out| normal_(g, out, mean, std)),
            Distribution::SerialNormal { mean, std } => self.fill::<T>(|out| normal_serial_(g, out, mean, std)),
            Distribution::Exponential { rate } => self.fill::<T>(|out| exponential_(g, out, rate)),
            Distribution::Bernoulli { .. } | Distribution::Integers { .. } | Distribution::FullRange => {
                self.element::<T>()
            }
        }
    }

    fn element<T: RandomElement>(&self) -> Result<()> {
        let g = self.0.generator;
        let lacks = |op: &'static str| Err(Error::NotImplementedFor { op, dtype: T::DTYPE });
        match self.0.distribution {
            Distribution::Bernoulli { p } => self.fill::<T>(|out| bernoulli_(g, out, p)),
            Distribution::Integers { from, to } => self.fill::<T>(|out| random_from_to_(g, out, from, Some(to))),
            Distribution::FullRange => self.fill::<T>(|out| {
                random_(g, out);
                Ok(())
            }),
            Distribution::Uniform { .. } => lacks("check_uniform_bounds"),
            Distribution::Normal { .. } | Distribution::SerialNormal { .. } => lacks("normal_kernel_cpu"),
            Distribution::Exponential { .. } => Err(Error::runtime(format!(
                "Exponential distribution is a continuous probability distribution. dtype must be a floating point but \
                 you specified {}",
                T::DTYPE.scalar_type_name()
            ))),
        }
    }

    fn fill<T: RandomElement>(&self, fill: impl FnOnce(&mut [T]) -> Result<(), RandomError>) -> Result<()> {
        let _access = Access::acquire(&[], &[self.0.out])?;
        let (ptr, n) = (self.0.out.host_ptr().cast::<T>(), self.0.out.numel());
        // SAFETY: the output is dense, of type `T`, and its access is held. A reused block may hold bytes that are no `bool`.
        let out = unsafe {
            if T::DTYPE == DType::Bool {
                ptr.write_bytes(0, n);
            }
            std::slice::from_raw_parts_mut(ptr, n)
        };
        fill(out).map_err(|e| Error::runtime(e.to_string()))
    }
}
