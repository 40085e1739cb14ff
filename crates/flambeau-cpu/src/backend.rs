//! The CPU as a [`Backend`]: one line per primitive, which leads to the file that computes it.

use crate::{
    arg_reduce, copy, gather, matmul, memory, nll, normalize, pointwise, random, reduce, resample, scan, scatter,
    softmax, sort, windows,
};
use flambeau_tensor::backend::Normalized;
use flambeau_tensor::calls::{
    AdaptiveAvgPool, AdaptiveAvgPoolBackward, ArgReduce, AvgPool, AvgPoolBackward, Call, CheckIndex, Checked, Conv,
    ConvInputGrad, ConvWeightGrad, CopyTo, Gather, IndexSelect, Map, MapLists, Matmul, MaxPool, MaxPoolBackward, Nll,
    NllBackward, Nonzero, Normalize, NormalizeBackward, Random, Reduce, RefuseWhere, Resample, ResampleBackward, Scan,
    Scatter, Softmax, SoftmaxBackward, Sort, check_transfer,
};
use flambeau_tensor::{Array, Backend, DType, Device, Error, Result, Storage};
use smallvec::SmallVec;
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

/// Runs a kernel on a call whose arrays lie in host memory.
#[inline]
fn run<C: Call>(call: &Checked<C>, kernel: impl FnOnce(&C) -> Result<C::Output>) -> Result<C::Output> {
    expect_cpu(call.device())?;
    KERNELS.set(KERNELS.get() + 1);
    kernel(call)
}

/// As [`run`], unless there is nothing to compute.
#[inline]
fn run_unless_empty<C: Call<Output = ()>>(call: &Checked<C>, kernel: impl FnOnce(&C) -> Result<()>) -> Result<()> {
    run(call, |c| if c.is_empty() { Ok(()) } else { kernel(c) })
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

    fn copy(&self, call: &Checked<CopyTo<'_>>) -> Result<()> {
        run_unless_empty(call, |c| copy::copy(c.src, c.out))
    }

    fn pointwise(&self, call: &Checked<Map<'_>>) -> Result<()> {
        run_unless_empty(call, |c| pointwise::pointwise(c.program, c.compute, c.inputs, c.scalars, c.outs))
    }

    fn pointwise_lists(&self, call: &Checked<MapLists<'_>>) -> Result<()> {
        expect_cpu(call.device())?;
        let MapLists { program, compute, lists, scalars } = **call;
        lists.iter().try_for_each(|list| {
            KERNELS.set(KERNELS.get() + 1);
            let inputs: SmallVec<[&Array; 4]> = list.inputs.iter().collect();
            let outs: SmallVec<[&Array; 4]> = list.outs.iter().collect();
            if outs[0].numel() == 0 {
                return Ok(());
            }
            pointwise::pointwise(program, compute, &inputs, scalars, &outs)
        })
    }

    fn reduce(&self, call: &Checked<Reduce<'_>>) -> Result<()> {
        run_unless_empty(call, |c| reduce::reduce(c.op, c.program, c.compute, c.inputs, c.scalars, c.dims, c.out))
    }

    fn arg_reduce(&self, call: &Checked<ArgReduce<'_>>) -> Result<()> {
        run_unless_empty(call, |c| arg_reduce::arg_reduce(c.which, c.src, c.dim, c.values, c.indices))
    }

    fn scan(&self, call: &Checked<Scan<'_>>) -> Result<()> {
        run_unless_empty(call, |c| scan::scan(c.op, c.src, c.dim, c.out))
    }

    fn sort(&self, call: &Checked<Sort<'_>>) -> Result<()> {
        run_unless_empty(call, |c| sort::sort(c.first, c.src, c.dim, c.values, c.indices))
    }

    fn matmul(&self, call: &Checked<Matmul<'_>>) -> Result<()> {
        run_unless_empty(call, |c| matmul::matmul(c.a, c.b, c.alpha, c.beta, c.epilogue, c.out))
    }

    fn conv(&self, call: &Checked<Conv<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::conv(c.x, c.weight, c.bias, c.geometry, c.out))
    }

    fn conv_input_grad(&self, call: &Checked<ConvInputGrad<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::conv_input_grad(c.grad, c.weight, c.geometry, c.out))
    }

    fn conv_weight_grad(&self, call: &Checked<ConvWeightGrad<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::conv_weight_grad(c.x, c.grad, c.geometry, c.out))
    }

    fn max_pool(&self, call: &Checked<MaxPool<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::max_pool(c.src, c.geometry, c.out, c.indices))
    }

    fn max_pool_backward(&self, call: &Checked<MaxPoolBackward<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::max_pool_backward(c.grad, c.indices, c.out))
    }

    fn avg_pool(&self, call: &Checked<AvgPool<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::avg_pool(c.src, c.geometry, c.divisor, c.out))
    }

    fn avg_pool_backward(&self, call: &Checked<AvgPoolBackward<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::avg_pool_backward(c.grad, c.geometry, c.divisor, c.out))
    }

    fn adaptive_avg_pool(&self, call: &Checked<AdaptiveAvgPool<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::adaptive_avg_pool(c.src, c.out))
    }

    fn adaptive_avg_pool_backward(&self, call: &Checked<AdaptiveAvgPoolBackward<'_>>) -> Result<()> {
        run_unless_empty(call, |c| windows::adaptive_avg_pool_backward(c.grad, c.out))
    }

    fn resample(&self, call: &Checked<Resample<'_>>) -> Result<()> {
        run_unless_empty(call, |c| resample::resample(c.mode, c.scales, c.src, c.out))
    }

    fn resample_backward(&self, call: &Checked<ResampleBackward<'_>>) -> Result<()> {
        run_unless_empty(call, |c| resample::resample_backward(c.mode, c.scales, c.grad, c.out))
    }

    fn gather(&self, call: &Checked<Gather<'_>>) -> Result<()> {
        run_unless_empty(call, |c| gather::gather(c.src, c.dim, c.index, c.out))
    }

    fn scatter(&self, call: &Checked<Scatter<'_>>) -> Result<()> {
        run_unless_empty(call, |c| scatter::scatter(c.op, c.dim, c.index, c.src, c.out))
    }

    fn index_select(&self, call: &Checked<IndexSelect<'_>>) -> Result<()> {
        run_unless_empty(call, |c| gather::index_select(c.src, c.dim, c.index, c.out))
    }

    fn check_index(&self, call: &Checked<CheckIndex<'_>>) -> Result<Array> {
        run(call, |c| gather::check_index(c.index, &c.rule))
    }

    fn refuse_where(&self, call: &Checked<RefuseWhere<'_>>) -> Result<()> {
        run_unless_empty(call, |c| gather::refuse_where(c.program, c.x, c.scalars, c.finding))
    }

    fn nonzero(&self, call: &Checked<Nonzero<'_>>) -> Result<Array> {
        run(call, |c| gather::nonzero(c.src))
    }

    fn softmax(&self, call: &Checked<Softmax<'_>>) -> Result<()> {
        run_unless_empty(call, |c| softmax::softmax(c.src, c.dim, c.log, c.out))
    }

    fn softmax_backward(&self, call: &Checked<SoftmaxBackward<'_>>) -> Result<Array> {
        run(call, |c| nll::softmax_backward(c.grad, c.y, c.dim, c.log))
    }

    fn nll(&self, call: &Checked<Nll<'_>>) -> Result<(Array, Option<Array>)> {
        run(call, |c| nll::nll(c.x, c.dim, c.targets))
    }

    fn nll_backward(&self, call: &Checked<NllBackward<'_>>) -> Result<Array> {
        run(call, |c| nll::nll_backward(c.grad, c.shape, c.log_probabilities, c.dim, c.targets, c.total))
    }

    fn normalize(&self, call: &Checked<Normalize<'_>>) -> Result<Normalized> {
        run(call, |c| normalize::normalize(c.x, c.weight, c.bias, c.layout))
    }

    fn normalize_backward(&self, call: &Checked<NormalizeBackward<'_>>) -> Result<[Option<Array>; 3]> {
        run(call, |c| normalize::normalize_backward(&c.args, c.needs))
    }

    fn random(&self, call: &Checked<Random<'_>>) -> Result<()> {
        run(call, |c| random::random(c.distribution, c.generator, c.out))
    }
}
