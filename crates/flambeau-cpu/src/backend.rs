//! The CPU as a [`Backend`]: one line per primitive, which leads to the file that computes it.

use crate::{
    arg_reduce, copy, gather, matmul, memory, nll, normalize, pointwise, random, reduce, resample, scan, scatter,
    softmax, sort, windows,
};
use flambeau_tensor::backend::{
    AvgPoolDivisor, ClassTargets, ConvGeometry, Distribution, Epilogue, Extremum, NormBackward, NormLayout, Normalized,
    PointwiseList, PoolGeometry, ReduceOp, ResampleMode, ScanOp, ScatterOp,
};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{Array, Backend, DType, Device, Error, Result, Scalar, Storage};
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

fn count_kernel() {
    KERNELS.set(KERNELS.get() + 1);
}

fn expect_cpu(device: Device) -> Result<()> {
    if device.is_cpu() { Ok(()) } else { Err(Error::Device(format!("the CPU backend has no device {device}"))) }
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
        memory::grow(storage, nbytes)
    }

    fn upload(&self, bytes: &[u8], out: &Array) -> Result<()> {
        memory::upload(bytes, out)
    }

    fn download(&self, src: &Array, bytes: &mut [u8]) -> Result<()> {
        memory::download(src, bytes)
    }

    fn synchronize(&self, device: Device) -> Result<()> {
        // Every operation is complete when it returns.
        expect_cpu(device)
    }

    fn copy(&self, src: &Array, out: &Array) -> Result<()> {
        count_kernel();
        copy::copy(src, out)
    }

    fn pointwise(
        &self,
        program: &Pointwise,
        compute: DType,
        inputs: &[&Array],
        scalars: &[Scalar],
        outs: &[&Array],
    ) -> Result<()> {
        count_kernel();
        pointwise::pointwise(program, compute, inputs, scalars, outs)
    }

    fn pointwise_lists(
        &self,
        program: &Pointwise,
        compute: DType,
        lists: &[PointwiseList],
        scalars: &[Scalar],
    ) -> Result<()> {
        lists.iter().try_for_each(|list| {
            let inputs: SmallVec<[&Array; 4]> = list.inputs.iter().collect();
            let outs: SmallVec<[&Array; 4]> = list.outs.iter().collect();
            self.pointwise(program, compute, &inputs, scalars, &outs)
        })
    }

    fn reduce(
        &self,
        op: ReduceOp,
        program: &Pointwise,
        compute: DType,
        inputs: &[&Array],
        scalars: &[Scalar],
        dims: &[usize],
        out: &Array,
    ) -> Result<()> {
        count_kernel();
        reduce::reduce(op, program, compute, inputs, scalars, dims, out)
    }

    fn arg_reduce(
        &self,
        which: Extremum,
        src: &Array,
        dim: usize,
        values: Option<&Array>,
        indices: &Array,
    ) -> Result<()> {
        count_kernel();
        arg_reduce::arg_reduce(which, src, dim, values, indices)
    }

    fn scan(&self, op: ScanOp, src: &Array, dim: usize, out: &Array) -> Result<()> {
        count_kernel();
        scan::scan(op, src, dim, out)
    }

    fn sort(&self, first: Extremum, src: &Array, dim: usize, values: &Array, indices: &Array) -> Result<()> {
        count_kernel();
        sort::sort(first, src, dim, values, indices)
    }

    fn matmul(
        &self,
        a: &Array,
        b: &Array,
        alpha: Scalar,
        beta: Scalar,
        epilogue: Epilogue<'_>,
        out: &Array,
    ) -> Result<()> {
        count_kernel();
        matmul::matmul(a, b, alpha, beta, epilogue, out)
    }

    fn conv(&self, x: &Array, weight: &Array, bias: Option<&Array>, g: &ConvGeometry, out: &Array) -> Result<()> {
        count_kernel();
        windows::conv(x, weight, bias, g, out)
    }

    fn conv_input_grad(&self, grad: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
        count_kernel();
        windows::conv_input_grad(grad, weight, g, out)
    }

    fn conv_weight_grad(&self, x: &Array, grad: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
        count_kernel();
        windows::conv_weight_grad(x, grad, g, out)
    }

    fn max_pool(&self, src: &Array, g: &PoolGeometry, out: &Array, indices: &Array) -> Result<()> {
        count_kernel();
        windows::max_pool(src, g, out, indices)
    }

    fn max_pool_backward(
        &self,
        grad: &Array,
        indices: &Array,
        _windows: Option<&PoolGeometry>,
        out: &Array,
    ) -> Result<()> {
        count_kernel();
        windows::max_pool_backward(grad, indices, out)
    }

    fn avg_pool(&self, src: &Array, g: &PoolGeometry, divisor: AvgPoolDivisor, out: &Array) -> Result<()> {
        count_kernel();
        windows::avg_pool(src, g, divisor, out)
    }

    fn avg_pool_backward(&self, grad: &Array, g: &PoolGeometry, divisor: AvgPoolDivisor, out: &Array) -> Result<()> {
        count_kernel();
        windows::avg_pool_backward(grad, g, divisor, out)
    }

    fn adaptive_avg_pool(&self, src: &Array, out: &Array) -> Result<()> {
        count_kernel();
        windows::adaptive_avg_pool(src, out)
    }

    fn adaptive_avg_pool_backward(&self, grad: &Array, out: &Array) -> Result<()> {
        count_kernel();
        windows::adaptive_avg_pool_backward(grad, out)
    }

    fn resample(&self, mode: ResampleMode, scales: [f64; 3], src: &Array, out: &Array) -> Result<()> {
        count_kernel();
        resample::resample(mode, scales, src, out)
    }

    fn resample_backward(&self, mode: ResampleMode, scales: [f64; 3], grad: &Array, out: &Array) -> Result<()> {
        count_kernel();
        resample::resample_backward(mode, scales, grad, out)
    }

    fn gather(&self, src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
        count_kernel();
        gather::gather(src, dim, index, out)
    }

    fn scatter(&self, op: ScatterOp, dim: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
        count_kernel();
        scatter::scatter(op, dim, index, src, out)
    }

    fn index_select(&self, src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
        count_kernel();
        gather::index_select(src, dim, index, out)
    }

    fn nonzero(&self, src: &Array) -> Result<Array> {
        count_kernel();
        gather::nonzero(src)
    }

    fn softmax(&self, src: &Array, dim: usize, log: bool, out: &Array) -> Result<()> {
        count_kernel();
        softmax::softmax(src, dim, log, out)
    }

    fn softmax_backward(&self, grad: &Array, y: &Array, dim: usize, log: bool) -> Result<Array> {
        count_kernel();
        nll::softmax_backward(grad, y, dim, log)
    }

    fn nll(&self, x: &Array, dim: usize, targets: &ClassTargets<'_>) -> Result<(Array, Option<Array>)> {
        count_kernel();
        nll::nll(x, dim, targets)
    }

    fn nll_backward(
        &self,
        grad: &Array,
        shape: &[usize],
        log_probabilities: Option<&Array>,
        dim: usize,
        targets: &ClassTargets<'_>,
        total: Option<&Array>,
    ) -> Result<Array> {
        count_kernel();
        nll::nll_backward(grad, shape, log_probabilities, dim, targets, total)
    }

    fn normalize(
        &self,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        layout: &NormLayout,
    ) -> Result<Normalized> {
        count_kernel();
        normalize::normalize(x, weight, bias, layout)
    }

    fn normalize_backward(&self, call: &NormBackward<'_>, needs: [bool; 3]) -> Result<[Option<Array>; 3]> {
        count_kernel();
        normalize::normalize_backward(call, needs)
    }

    fn random(&self, distribution: Distribution, generator: &Generator, out: &Array) -> Result<()> {
        count_kernel();
        random::random(distribution, generator, out)
    }
}
