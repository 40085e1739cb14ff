//! Random fills: the generator of [`flambeau_tensor::random`] over a dense output.

use crate::cast::Truth;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::random::{
    Generator, RandomElement, RandomError, RandomFloat, bernoulli_, exponential_, normal_, normal_serial_, random_,
    random_from_to_, uniform_,
};
use flambeau_tensor::{Array, DType, Error, Result};
use half::{bf16, f16};

/// See [`flambeau_tensor::Backend::random`]. The output's access is taken first, the generator's lock inside each fill;
/// nothing takes them the other way round.
pub fn random(distribution: Distribution, generator: &Generator, out: &Array) -> Result<()> {
    let call = Call { distribution, generator, out };
    match out.dtype() {
        DType::F32 => call.float::<f32>(),
        DType::F64 => call.float::<f64>(),
        DType::F16 => call.float::<f16>(),
        DType::BF16 => call.float::<bf16>(),
        DType::I64 => call.element::<i64>(),
        DType::I32 => call.element::<i32>(),
        DType::I16 => call.element::<i16>(),
        DType::I8 => call.element::<i8>(),
        DType::U8 => call.element::<u8>(),
        DType::Bool => {
            // A `bool` in Rust has the size and the values of a stored truth value.
            const { assert!(size_of::<bool>() == size_of::<Truth>()) };
            call.element::<bool>()
        }
    }
}

struct Call<'a> {
    distribution: Distribution,
    generator: &'a Generator,
    out: &'a Array,
}

impl Call<'_> {
    fn float<T: RandomFloat>(&self) -> Result<()> {
        let g = self.generator;
        match self.distribution {
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
        let g = self.generator;
        let lacks = |op: &'static str| Err(Error::NotImplementedFor { op, dtype: T::DTYPE });
        match self.distribution {
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
        let _access = Access::acquire(&[], &[self.out])?;
        let (ptr, n) = (self.out.host_ptr().cast::<T>(), self.out.numel());
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
