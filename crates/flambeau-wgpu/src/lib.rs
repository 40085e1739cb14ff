//! The GPU backend of flambeau: WGSL kernels through wgpu, on any Vulkan, Metal or DX12 adapter.
//!
//! Every operation is recorded into one compute pass; the batch is submitted when somebody reads a result, when it is full, or
//! on [`synchronize`]. Memory comes from a pool of size classes, and a dropped tensor's buffer is reused by the next operation
//! of its size. No wgpu type appears in this crate's interface. One line per primitive leads to the file that launches it.

mod adapter;
mod arg_reduce;
mod cache;
mod conv;
mod copy;
mod ctc;
mod error;
mod failure;
mod gather;
mod gpu;
mod lines;
mod matmul;
mod memory;
mod nll;
mod nonzero;
mod normalize;
mod params;
mod pointwise;
mod pointwise_lists;
mod pool;
mod random;
mod recorder;
mod reduce;
mod resample;
mod scan;
mod scatter;
mod search;
mod self_test;
mod softmax;
mod sort;
mod timing;
mod transfer;

pub use adapter::{Adapter, adapters};
pub use error::{Error, Result};
pub use gpu::Counters;
pub use timing::{start_timing, stop_timing};
pub use transfer::download_async;

use flambeau_tensor::calls::*;
use flambeau_tensor::{Array, Backend, DType, Device, Result as Outcome, Storage};

/// The backend that computes on the machine's GPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct WgpuBackend;

/// The backend of all storages on GPUs.
pub static WGPU: WgpuBackend = WgpuBackend;

/// Runs a launcher on a call whose arrays are as long as a shader counts, unless there is nothing to compute.
fn run<C: PrimitiveCall>(call: &Checked<C>, launch: impl FnOnce(&C) -> Outcome<C::Output>) -> Outcome<C::Output> {
    let gpu = adapter::gpu(call.device())?;
    for array in call.arrays() {
        pointwise::count(gpu, array.shape())?;
    }
    match call.trivial() {
        Some(out) => Ok(out),
        None => launch(call),
    }
}

/// The methods of [`Backend`] that are primitives: each call goes to its kernel.
macro_rules! primitives {
    ($($method:ident($call:ident) => $kernel:path;)*) => {$(
        fn $method(&self, call: &Checked<$call<'_>>) -> Outcome<<$call<'_> as PrimitiveCall>::Output> {
            run(call, $kernel)
        }
    )*};
}

impl Backend for WgpuBackend {
    fn supports(&self, device: Device, dtype: DType) -> Outcome<()> {
        Ok(adapter::gpu(device)?.supports(dtype)?)
    }

    fn alloc(&'static self, device: Device, nbytes: usize, dtype: DType) -> Outcome<Storage> {
        let gpu = adapter::gpu(device)?;
        if dtype == DType::F64 {
            gpu.supports(dtype)?;
        }
        Ok(gpu.alloc(self, nbytes, dtype)?)
    }

    fn grow(&'static self, storage: &Storage, nbytes: usize) -> Outcome<()> {
        Ok(adapter::gpu(storage.device_name())?.grow(storage, nbytes)?)
    }

    fn upload(&self, bytes: &[u8], out: &Array) -> Outcome<()> {
        check_transfer(out, bytes.len())?;
        transfer::upload(bytes, out)
    }

    fn download(&self, src: &Array, bytes: &mut [u8]) -> Outcome<()> {
        check_transfer(src, bytes.len())?;
        transfer::download(src, bytes)
    }

    fn synchronize(&self, device: Device) -> Outcome<()> {
        Ok(adapter::gpu(device)?.synchronize()?)
    }

    primitives! {
        copy(CopyTo) => copy::copy;
        pointwise(Map) => pointwise::pointwise;
        pointwise_lists(MapLists) => pointwise_lists::pointwise_lists;
        reduce(Reduce) => reduce::reduce;
        arg_reduce(ArgReduce) => arg_reduce::arg_reduce;
        scan(Scan) => scan::scan;
        sort(Sort) => sort::sort;
        search_sorted(SearchSorted) => search::search_sorted;
        matmul(Matmul) => matmul::matmul;
        conv(Conv) => conv::conv;
        conv_input_grad(ConvInputGrad) => conv::conv_input_grad;
        conv_weight_grad(ConvWeightGrad) => conv::conv_weight_grad;
        max_pool(MaxPool) => pool::max_pool;
        max_pool_backward(MaxPoolBackward) => pool::max_pool_backward;
        avg_pool(AvgPool) => pool::avg_pool;
        avg_pool_backward(AvgPoolBackward) => pool::avg_pool_backward;
        adaptive_avg_pool(AdaptiveAvgPool) => pool::adaptive_avg_pool;
        adaptive_avg_pool_backward(AdaptiveAvgPoolBackward) => pool::adaptive_avg_pool_backward;
        resample(Resample) => resample::resample;
        resample_backward(ResampleBackward) => resample::resample_backward;
        gather(Gather) => gather::gather;
        scatter(Scatter) => scatter::scatter;
        index_select(IndexSelect) => gather::index_select;
        check_index(CheckIndex) => gather::check_index;
        refuse_where(RefuseWhere) => pointwise::refuse_where;
        nonzero(Nonzero) => nonzero::nonzero;
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

/// How many GPUs there are: `torch.cuda.device_count`.
pub fn device_count() -> usize {
    adapters().len()
}

/// Whether there is a GPU: `torch.cuda.is_available`.
pub fn is_available() -> bool {
    device_count() > 0
}

/// Opens a GPU, once; later calls cost nothing.
///
/// # Errors
/// When there is no such GPU, or its driver refuses to open it.
pub fn open(device: Device) -> Result<()> {
    adapter::gpu(device).map(|_| ())
}

/// A GPU's name: `torch.cuda.get_device_name`.
///
/// # Errors
/// When there is no such GPU.
pub fn device_name(device: Device) -> Result<String> {
    Ok(adapter::gpu(device)?.info.name.clone())
}

/// Waits until all work on a GPU is done: `torch.cuda.synchronize`.
///
/// # Errors
/// When there is no such GPU, or something that ran on it failed.
pub fn synchronize(device: Device) -> Result<()> {
    adapter::gpu(device)?.synchronize()
}

/// Bytes that tensors on a GPU take: `torch.cuda.memory_allocated`.
///
/// # Errors
/// When there is no such GPU.
pub fn memory_allocated(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.allocated.now())
}

/// Bytes that flambeau holds of a GPU's memory, in tensors and for later ones: `torch.cuda.memory_reserved`.
///
/// # Errors
/// When there is no such GPU.
pub fn memory_reserved(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.reserved.now())
}

/// The most bytes that tensors on a GPU have taken: `torch.cuda.max_memory_allocated`.
///
/// # Errors
/// When there is no such GPU.
pub fn max_memory_allocated(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.allocated.peak())
}

/// The most bytes that flambeau has held of a GPU's memory: `torch.cuda.max_memory_reserved`.
///
/// # Errors
/// When there is no such GPU.
pub fn max_memory_reserved(device: Device) -> Result<u64> {
    Ok(adapter::gpu(device)?.pool.reserved.peak())
}

/// Begins the two maxima anew, from what is held now: `torch.cuda.reset_peak_memory_stats`.
///
/// # Errors
/// When there is no such GPU.
pub fn reset_peak_memory_stats(device: Device) -> Result<()> {
    let pool = &adapter::gpu(device)?.pool;
    pool.allocated.forget_peak();
    pool.reserved.forget_peak();
    Ok(())
}

/// Gives the memory that no tensor uses back to the driver: `torch.cuda.empty_cache`.
///
/// # Errors
/// When there is no such GPU, or something that ran on it failed.
pub fn empty_cache(device: Device) -> Result<()> {
    adapter::gpu(device)?.empty_cache()
}

/// What a GPU has done since it was opened.
///
/// # Errors
/// When there is no such GPU.
pub fn counters(device: Device) -> Result<Counters> {
    Ok(adapter::gpu(device)?.counters())
}
