//! Whole tensors.

use super::{EventOptions, metadata, shape, tensor_value};
use crate::SummaryWriter;
use crate::wire::Message;
use flambeau_autograd::arguments::OptInt;
use flambeau_autograd::{AsTensor, Tensor};
use flambeau_tensor::DType;

/// `TensorProto` with the numbers in the field for their dtype.
fn proto(x: &Tensor) -> Message {
    let x = x.detach().cpu();
    let begin = |dtype| Message::new().int(1, dtype).message(2, shape(x.size().iter().copied()));
    let ints = || x.to(DType::I64).to_vec::<i64>();
    match x.dtype() {
        DType::F32 => begin(1).floats(5, x.to_vec()),
        DType::F64 => begin(2).doubles(6, x.to_vec()),
        DType::I32 => begin(3).ints(7, ints()),
        DType::U8 => begin(4).ints(16, ints()),
        DType::I16 => begin(5).ints(7, ints()),
        DType::I8 => begin(6).ints(7, ints()),
        DType::I64 => begin(9).ints(10, ints()),
        DType::Bool => begin(10).ints(11, ints()),
        // PyTorch stores the bits of the numbers in 32 bits here.
        half @ (DType::F16 | DType::BF16) => {
            let bits = x.float().to_vec::<f32>().into_iter().map(|x| i64::from(x.to_bits() as i32));
            begin(if half == DType::F16 { 19 } else { 14 }).ints(13, bits)
        }
    }
}

impl SummaryWriter {
    /// Adds a tensor as it is: `writer.add_tensor(tag, tensor, global_step)`. TensorBoard has no tab for it; programs read it.
    ///
    /// # Panics
    /// When it is larger than 2 GB.
    #[track_caller]
    pub fn add_tensor(&self, tag: &str, tensor: impl AsTensor, global_step: impl OptInt) {
        self.add_tensor_with(tag, tensor, global_step, |o| o);
    }

    /// [`SummaryWriter::add_tensor`] with PyTorch's keyword `walltime`.
    ///
    /// # Panics
    /// When it is larger than 2 GB.
    #[track_caller]
    pub fn add_tensor_with(
        &self,
        tag: &str,
        tensor: impl AsTensor,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let x = tensor.as_tensor();
        assert!(
            x.numel() * x.dtype().size() < 1 << 31,
            "tensor is bigger than protocol buffer's hard limit of 2GB in size"
        );
        let value = tensor_value(tag, metadata("tensor", Message::new()), proto(x));
        self.add_summary([value], global_step, options(EventOptions::default()).walltime);
    }
}
