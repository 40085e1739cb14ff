//! Matrix products: checks and pointers for [`crate::gemm`].

use crate::cast::Number;
use crate::gemm::{BatchStrides, Bias, Epilogue as GemmEpilogue, Gemm, GemmElement, batched_gemm, gemm};
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::Matmul;
use flambeau_tensor::{Array, DType, Error, Result, Scalar};
use half::{bf16, f16};
use smallvec::SmallVec;

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; see [`flambeau_tensor::Backend::matmul`].
pub fn matmul(call: &Matmul<'_>) -> Result<()> {
    match call.out.dtype() {
        DType::F32 => run::<f32>(call),
        DType::F64 => run::<f64>(call),
        DType::F16 => run::<f16>(call),
        DType::BF16 => run::<bf16>(call),
        DType::I64 => run::<i64>(call),
        DType::I32 => run::<i32>(call),
        DType::I16 => run::<i16>(call),
        DType::I8 => run::<i8>(call),
        DType::U8 => run::<u8>(call),
        DType::Bool => {
            let op = if call.out.shape()[0] == 1 { "addmm_impl_cpu_" } else { "bmm" };
            Err(Error::NotImplementedFor { op, dtype: DType::Bool })
        }
    }
}

fn run<T: GemmElement + Number>(call: &Matmul<'_>) -> Result<()> {
    let Matmul { a, b, alpha, beta, epilogue, out } = *call;
    let mut reads: SmallVec<[&Array; 3]> = SmallVec::from_slice(&[a, b]);
    reads.extend(epilogue.bias);
    if let Some(other) = reads.iter().find(|x| x.dtype() != out.dtype()) {
        return Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            out.dtype().scalar_type_name(),
            other.dtype().scalar_type_name()
        )));
    }
    let scalar = |s: Scalar| if s.is_float() { T::from_f64(s.to_f64()) } else { T::from_i64(s.to_i64()) };
    let strides = |x: &Array| (x.strides()[1] as isize, x.strides()[2] as isize);
    let _access = Access::acquire(&reads, &[out])?;
    let bias = epilogue.bias.map(|bias| Bias {
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
        alpha: scalar(alpha),
        beta: scalar(beta),
        epilogue: GemmEpilogue { bias, relu: epilogue.relu },
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
