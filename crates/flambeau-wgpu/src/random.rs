//! Random fills from the counter-based stream of a generator.

use crate::gpu::{Arg, Gpu};
use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_shaders::map::number_words;
use flambeau_tensor::backend::Distribution;
use flambeau_tensor::calls::Random;
use flambeau_tensor::random::{
    Generator, RandomElement, RandomError, RandomFloat, bernoulli_, exponential_, full_range, integer_bounds, normal_,
    uniform_,
};
use flambeau_tensor::{Array, DType, Error, Result};
use half::{bf16, f16};

/// Threads of a workgroup of the kernels.
const THREADS: u64 = 64;
/// From so many integers on, 32 random bits for one would make some likelier than others by more than 2⁻¹².
const WIDE_RANGE: u64 = 1 << 20;

/// [`flambeau_tensor::Backend::random`] on this device. The same requests are refused as on the CPU, in the same words.
///
/// # Errors
/// A distribution that the dtype has not, or parameters outside its range.
pub(crate) fn random(call: &Random<'_>) -> Result<()> {
    let Random { distribution, generator, out } = *call;
    let draw = match out.dtype() {
        DType::F32 => float::<f32>(distribution, generator),
        DType::F64 => float::<f64>(distribution, generator),
        DType::F16 => float::<f16>(distribution, generator),
        DType::BF16 => float::<bf16>(distribution, generator),
        DType::I64 => integer::<i64>(distribution, generator),
        DType::I32 => integer::<i32>(distribution, generator),
        DType::I16 => integer::<i16>(distribution, generator),
        DType::I8 => integer::<i8>(distribution, generator),
        DType::U8 => integer::<u8>(distribution, generator),
        DType::Bool => integer::<bool>(distribution, generator),
    };
    draw?.fill(generator, out)
}

/// What a kernel is told to draw.
enum Draw {
    /// A kind of `random/float`, and its two numbers.
    Float(u32, [f64; 2]),
    /// The first integer, and how many there are; for truth values 0, and how many of 2³² draws are true.
    Integer { bernoulli: bool, start: i64, range: u64 },
}

fn float<T: RandomFloat>(distribution: Distribution, generator: &Generator) -> Result<Draw> {
    // A fill of no elements draws nothing, but checks its parameters.
    let none: &mut [T] = &mut [];
    match distribution {
        Distribution::Uniform { from, to } => {
            uniform_(generator, none, from, to).map_err(refused)?;
            Ok(Draw::Float(0, [from, to]))
        }
        Distribution::Normal { mean, std } | Distribution::SerialNormal { mean, std } => {
            normal_(generator, none, mean, std).map_err(refused)?;
            Ok(Draw::Float(1, [mean, std]))
        }
        Distribution::Exponential { rate } => {
            exponential_(generator, none, rate).map_err(refused)?;
            Ok(Draw::Float(2, [rate.recip(), 0.0]))
        }
        Distribution::Bernoulli { .. } | Distribution::Integers { .. } | Distribution::FullRange => {
            integer::<T>(distribution, generator)
        }
    }
}

fn integer<T: RandomElement>(distribution: Distribution, generator: &Generator) -> Result<Draw> {
    let lacks = |op: &'static str| Err(Error::NotImplementedFor { op, dtype: T::DTYPE });
    match distribution {
        Distribution::Bernoulli { p } => {
            bernoulli_::<T>(generator, &mut [], p).map_err(refused)?;
            let range = (p * 4_294_967_296.0).round() as u64;
            Ok(Draw::Integer { bernoulli: true, start: 0, range })
        }
        Distribution::Integers { from, to } => {
            let (start, last) = integer_bounds::<T>(from, Some(to)).map_err(refused)?;
            Ok(Draw::Integer { bernoulli: false, start, range: last.abs_diff(start) + 1 })
        }
        Distribution::FullRange => Ok(Draw::Integer { bernoulli: false, start: 0, range: full_range(T::DTYPE) }),
        Distribution::Uniform { .. } => lacks("check_uniform_bounds"),
        Distribution::Normal { .. } | Distribution::SerialNormal { .. } => lacks("normal_kernel_cpu"),
        Distribution::Exponential { .. } => Err(Error::runtime(format!(
            "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you \
             specified {}",
            T::DTYPE.scalar_type_name()
        ))),
    }
}

fn refused(error: RandomError) -> Error {
    Error::runtime(error.to_string())
}

impl Draw {
    fn fill(&self, generator: &Generator, out: &Array) -> Result<()> {
        let n = out.numel() as u64;
        let (dtype, mut y_offset) = (out.dtype(), out.offset());
        let (kernel, per_block, numbers) = match *self {
            Draw::Float(kind, numbers) => {
                let pairs: u32 = if dtype == DType::F64 { 1 } else { 2 };
                let kernel = Kernel::new("random/float", dtype).with("KIND", kind).with("PAIRS", pairs);
                let [a, b] = numbers.map(|x| number_words(dtype, x.into()));
                (kernel, 2 * u64::from(pairs), [("a", a), ("b", b)])
            }
            Draw::Integer { bernoulli, start, range } => {
                let wide = !bernoulli && range > WIDE_RANGE;
                // An i64 is written as two words, for adapters without 64-bit integers.
                let (stored, words) = if dtype == DType::I64 { (DType::I32, 2) } else { (dtype, 1) };
                y_offset *= words;
                let kernel = Kernel::new("random/integer", stored).with("BERNOULLI", bernoulli);
                let kernel = kernel.with("WIDE", wide).with("WORDS", words as u32);
                let [first, count] = [start as u64, range].map(|x| [x as u32, (x >> 32) as u32]);
                (kernel, if wide { 2 } else { 4 }, [("start", first), ("range", count)])
            }
        };
        let blocks = n.div_ceil(per_block);
        let (seed, offset) = generator.philox(blocks);
        let params = |p: &mut Params| {
            p.with([("n", out.numel())]).with([("key", seed), ("offset", offset)]);
            p.with([("y_offset", y_offset)]).with(numbers);
        };
        Gpu::of(out)?.dispatch(&kernel, &[Arg::Out(out)], &params, blocks.div_ceil(THREADS))?;
        Ok(())
    }
}
