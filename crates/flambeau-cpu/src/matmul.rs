//! Matrix products: checks and pointers for [`crate::gemm`].

use crate::cast::Number;
use crate::gemm::{BatchStrides, Bias, Epilogue as GemmEpilogue, Gemm, GemmElement, batched_gemm, gemm};
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::Epilogue;
use flambeau_tensor::{Array, DType, Error, Result, Scalar};
use half::{bf16, f16};
use smallvec::SmallVec;

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; see [`flambeau_tensor::Backend::matmul`].
pub fn matmul(a: &Array, b: &Array, alpha: Scalar, beta: Scalar, epilogue: Epilogue<'_>, out: &Array) -> Result<()> {
    let product = Product { a, b, alpha, beta, epilogue, out };
    match out.dtype() {
        DType::F32 => product.run::<f32>(),
        DType::F64 => product.run::<f64>(),
        DType::F16 => product.run::<f16>(),
        DType::BF16 => product.run::<bf16>(),
        DType::I64 => product.run::<i64>(),
        DType::I32 => product.run::<i32>(),
        DType::I16 => product.run::<i16>(),
        DType::I8 => product.run::<i8>(),
        DType::U8 => product.run::<u8>(),
        DType::Bool => {
            let op = if out.shape()[0] == 1 { "addmm_impl_cpu_" } else { "bmm" };
            Err(Error::NotImplementedFor { op, dtype: DType::Bool })
        }
    }
}

struct Product<'a> {
    a: &'a Array,
    b: &'a Array,
    alpha: Scalar,
    beta: Scalar,
    epilogue: Epilogue<'a>,
    out: &'a Array,
}

impl Product<'_> {
    fn run<T: GemmElement + Number>(&self) -> Result<()> {
        let Product { a, b, out, .. } = *self;
        let mut reads: SmallVec<[&Array; 3]> = SmallVec::from_slice(&[a, b]);
        reads.extend(self.epilogue.bias);
        if let Some(other) = reads.iter().find(|x| x.dtype() != out.dtype()) {
            return Err(Error::runtime(format!(
                "expected scalar type {} but found {}",
                out.dtype().scalar_type_name(),
                other.dtype().scalar_type_name()
            )));
        }
        let scalar = |s: Scalar| match s {
            Scalar::Float(x) => T::from_f64(x),
            Scalar::Int(_) | Scalar::Bool(_) => T::from_i64(s.to_i64()),
        };
        let strides = |x: &Array| (x.strides()[1] as isize, x.strides()[2] as isize);
        let _access = Access::acquire(&reads, &[out])?;
        let bias = self.epilogue.bias.map(|bias| Bias {
            ptr: bias.host_ptr().cast_const().cast::<T>(),
            stride: bias.strides()[0] as isize,
            per_column: true,
        });
        let args = Gemm {
            m: out.shape()[1],
            n: out.shape()[2],
            k: a.shape()[2],
            a: a.host_ptr().cast_const().cast::<T>(),
            a_strides: strides(a),
            b: b.host_ptr().cast_const().cast::<T>(),
            b_strides: strides(b),
            c: out.host_ptr().cast::<T>(),
            c_strides: strides(out),
            alpha: scalar(self.alpha),
            beta: scalar(self.beta),
            epilogue: GemmEpilogue { bias, relu: self.epilogue.relu },
        };
        let step = |x: &Array| x.strides()[0] as isize;
        // SAFETY: the arrays' access is held, shapes and strides are theirs, and `out` overlaps no operand.
        unsafe {
            match out.shape()[0] {
                1 => gemm(args),
                batch => batched_gemm(batch, BatchStrides { a: step(a), b: step(b), c: step(out) }, args),
            }
        }
        Ok(())
    }
}
