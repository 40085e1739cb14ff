//! How each dtype is stored and computed with.
//!
//! bool, u8, i8 and i16 take one 32-bit word per element, sign- or zero-extended; i64 takes two words; f16 and bf16 take 16
//! bits. Kernels compute small integers in i32, f16 and bf16 in f32.

use crate::{Missing, Target};
use flambeau_tensor::DType;

/// Bytes of one element in device memory.
pub const fn stored_size(dtype: DType) -> usize {
    match dtype {
        DType::Bool | DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::F32 => 4,
        DType::I64 | DType::F64 => 8,
        DType::F16 | DType::BF16 => 2,
    }
}

/// The WGSL type that kernels compute in.
pub const fn compute_type(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool | DType::U8 | DType::I8 | DType::I16 | DType::I32 => "i32",
        DType::I64 => "i64",
        DType::F16 | DType::BF16 | DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// The WGSL type in storage.
pub(crate) const fn stored_type(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool | DType::U8 | DType::I8 | DType::I16 | DType::I32 => "i32",
        DType::I64 => "vec2<u32>",
        DType::F16 => "f16",
        DType::BF16 => "u16",
        DType::F32 => "f32",
        DType::F64 => "f64",
    }
}

/// The `enable` line that storing a dtype needs.
pub(crate) const fn extension(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::F16 => Some("enable f16;\n"),
        DType::BF16 => Some("enable wgpu_int16;\n"),
        _ => None,
    }
}

/// The expression that turns the stored value `x` into a computed one.
pub(crate) fn load(dtype: DType, x: &str) -> String {
    match dtype {
        DType::I64 => format!("i64_of({x})"),
        DType::F16 => format!("f32({x})"),
        DType::BF16 => format!("bitcast<f32>(u32({x}) << 16u)"),
        _ => x.to_owned(),
    }
}

/// The expression that turns the computed value `x` into a stored one; integers wrap.
pub(crate) fn store(dtype: DType, x: &str) -> String {
    match dtype {
        DType::Bool => format!("select(0i, 1i, {x} != 0i)"),
        DType::U8 => format!("{x} & 255i"),
        DType::I8 => format!("({x} << 24u) >> 24u"),
        DType::I16 => format!("({x} << 16u) >> 16u"),
        DType::I64 => format!("words_of_i64({x})"),
        DType::F16 => format!("f16_of({x})"),
        DType::BF16 => format!("bf16_of({x})"),
        DType::I32 | DType::F32 | DType::F64 => x.to_owned(),
    }
}

/// The declarations for the alias `name` of a kernel: for `T` the types `T` (stored) and `C` (computed) with `load(T) -> C`
/// and `store(C) -> T`; for another name `N` the types `N` and `CN` with `loadN` and `storeN`. A dtype that the target can
/// only store gets its stored type alone, except in a kernel around a program, which can compute with pairs of words.
pub(crate) fn declare(name: &str, dtype: DType, target: &Target, mapped: bool) -> Result<String, Missing> {
    target.check_storage(dtype)?;
    let suffix = if name == "T" { "" } else { name };
    let stored = stored_type(dtype);
    let alias = format!("alias {name} = {stored};\n");
    if target.check_compute(dtype).is_err() && !mapped {
        return Ok(alias);
    }
    let computed = compute_type(dtype);
    Ok(format!(
        "{alias}alias C{suffix} = {computed};\n\
         fn load{suffix}(x: {stored}) -> {computed} {{ return {}; }}\n\
         fn store{suffix}(x: {computed}) -> {stored} {{ return {}; }}\n",
        load(dtype, "x"),
        store(dtype, "x")
    ))
}
