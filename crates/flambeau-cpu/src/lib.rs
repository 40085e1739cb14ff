//! The CPU backend of flambeau: SIMD kernels, threads, allocator; and one line per primitive, which leads to its kernel.

pub mod alloc;
mod arg_reduce;
mod cast;
pub mod conv;
mod copy;
mod ctc;
mod gather;
pub mod gemm;
mod lines;
pub mod math;
mod matmul;
mod memory;
mod nll;
mod normalize;
mod pointwise;
pub mod pool;
mod random;
mod reduce;
mod resample;
mod rows;
mod scan;
mod scatter;
mod search;
pub mod simd;
mod softmax;
mod sort;
#[cfg(test)]
mod tests;
pub mod threads;
mod windows;

use flambeau_tensor::calls::*;
use flambeau_tensor::{Array, Backend, DType, Device, Error, Result, Storage};
use std::cell::Cell;

/// The backend that computes on the host's processors and memory, which hold every dtype.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

/// The backend of all storages in host memory.
pub static CPU: CpuBackend = CpuBackend;

thread_local! {
    static KERNELS: Cell<u64> = const { Cell::new(0) };
}

/// How many operations this thread has started on the CPU: a test sees by it that work on a GPU stays there.
pub fn kernels_run() -> u64 {
    KERNELS.get()
}

#[inline]
fn expect_cpu(device: Device) -> Result<()> {
    #[cold]
    fn refuse(device: Device) -> Result<()> {
        Err(Error::Device(format!("the CPU backend has no device {device}")))
    }
    if device.is_cpu() { Ok(()) } else { refuse(device) }
}

/// Runs a kernel on a call whose arrays lie in host memory, unless there is nothing to compute.
#[inline]
fn run<C: PrimitiveCall>(call: &Checked<C>, kernel: impl FnOnce(&C) -> Result<C::Output>) -> Result<C::Output> {
    expect_cpu(call.device())?;
    KERNELS.set(KERNELS.get() + 1);
    match call.trivial() {
        Some(out) => Ok(out),
        None => kernel(call),
    }
}

/// The methods of [`Backend`] that are primitives: each call goes to its kernel.
macro_rules! primitives {
    ($($method:ident($call:ident) => $kernel:path;)*) => {$(
        fn $method(&self, call: &Checked<$call<'_>>) -> Result<<$call<'_> as PrimitiveCall>::Output> {
            run(call, $kernel)
        }
    )*};
}

impl Backend for CpuBackend {
    fn supports(&self, device: Device, _dtype: DType) -> Result<()> {
        expect_cpu(device)
    }

    fn alloc(&'static self, device: Device, nbytes: usize, _dtype: DType) -> Result<Storage> {
        expect_cpu(device)?;
        memory::allocate(self, nbytes)
    }

    fn grow(&'static self, storage: &Storage, nbytes: usize) -> Result<()> {
        expect_cpu(storage.device_name())?;
        memory::grow(storage, nbytes)
    }

    fn upload(&self, bytes: &[u8], out: &Array) -> Result<()> {
        expect_cpu(out.device())?;
        check_transfer(out, bytes.len())?;
        memory::upload(bytes, out)
    }

    fn download(&self, src: &Array, bytes: &mut [u8]) -> Result<()> {
        expect_cpu(src.device())?;
        check_transfer(src, bytes.len())?;
        memory::download(src, bytes)
    }

    fn synchronize(&self, device: Device) -> Result<()> {
        // Every operation is complete when it returns.
        expect_cpu(device)
    }

    primitives! {
        copy(CopyTo) => copy::copy;
        pointwise(Map) => pointwise::pointwise;
        pointwise_lists(MapLists) => pointwise::pointwise_lists;
        reduce(Reduce) => reduce::reduce;
        arg_reduce(ArgReduce) => arg_reduce::arg_reduce;
        scan(Scan) => scan::scan;
        sort(Sort) => sort::sort;
        search_sorted(SearchSorted) => search::search_sorted;
        matmul(Matmul) => matmul::matmul;
        conv(Conv) => windows::conv;
        conv_input_grad(ConvInputGrad) => windows::conv_input_grad;
        conv_weight_grad(ConvWeightGrad) => windows::conv_weight_grad;
        max_pool(MaxPool) => windows::max_pool;
        max_pool_backward(MaxPoolBackward) => windows::max_pool_backward;
        avg_pool(AvgPool) => windows::avg_pool;
        avg_pool_backward(AvgPoolBackward) => windows::avg_pool_backward;
        adaptive_avg_pool(AdaptiveAvgPool) => windows::adaptive_avg_pool;
        adaptive_avg_pool_backward(AdaptiveAvgPoolBackward) => windows::adaptive_avg_pool_backward;
        resample(Resample) => resample::resample;
        resample_backward(ResampleBackward) => resample::resample_backward;
        gather(Gather) => gather::gather;
        scatter(Scatter) => scatter::scatter;
        index_select(IndexSelect) => gather::index_select;
        check_index(CheckIndex) => gather::check_index;
        refuse_where(RefuseWhere) => gather::refuse_where;
        nonzero(Nonzero) => gather::nonzero;
        softmax(Softmax) => softmax::softmax;
        softmax_backward(SoftmaxBackward) => softmax::softmax_backward;
        nll(Nll) => nll::nll;
        nll_backward(NllBackward) => nll::nll_backward;
        ctc(Ctc) => ctc::ctc;
        ctc_backward(CtcBackward) => ctc::ctc_backward;
        normalize(Normalize) => normalize::normalize;
        normalize_backward(NormalizeBackward) => normalize::normalize_backward;
        random(Random) => random::random;
    }
}
