//! Dtypes and memory formats under PyTorch's names: `torch::float32`, `torch::int64`, ….
#![allow(non_upper_case_globals, reason = "PyTorch's names")]

use flambeau_autograd::ops::MemoryFormat;
use flambeau_tensor::DType;

/// `torch.uint8`.
pub const uint8: DType = DType::U8;
/// `torch.int8`.
pub const int8: DType = DType::I8;
/// `torch.int16`.
pub const int16: DType = DType::I16;
/// `torch.int32`.
pub const int32: DType = DType::I32;
/// `torch.int64`.
pub const int64: DType = DType::I64;
/// `torch.long`, another name of int64.
pub const long: DType = DType::I64;
/// `torch.float16`.
pub const float16: DType = DType::F16;
/// `torch.half`, another name of float16.
pub const half: DType = DType::F16;
/// `torch.bfloat16`.
pub const bfloat16: DType = DType::BF16;
/// `torch.float32`.
pub const float32: DType = DType::F32;
/// `torch.float`, another name of float32.
pub const float: DType = DType::F32;
/// `torch.float64`.
pub const float64: DType = DType::F64;
/// `torch.double`, another name of float64.
pub const double: DType = DType::F64;
/// `torch.bool`. A constant; the type `bool` is untouched.
pub const bool: DType = DType::Bool;
/// `torch.channels_last`.
pub const channels_last: MemoryFormat = MemoryFormat::ChannelsLast;
/// `torch.channels_last_3d`.
pub const channels_last_3d: MemoryFormat = MemoryFormat::ChannelsLast3d;
/// `torch.contiguous_format`.
pub const contiguous_format: MemoryFormat = MemoryFormat::Contiguous;
/// `torch.preserve_format`.
pub const preserve_format: MemoryFormat = MemoryFormat::Preserve;
