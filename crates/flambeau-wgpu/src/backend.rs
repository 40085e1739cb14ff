//! The GPU as a [`Backend`]: one line per primitive, which leads to the file that launches it.

use crate::error::Error;
use crate::{
    adapter, arg_reduce, conv, copy, gather, matmul, nll, nonzero, normalize, pointwise, pointwise_lists, pool, random,
    reduce, resample, scan, scatter, softmax, sort, transfer,
};
use flambeau_tensor::backend::{
    AvgPoolDivisor, ClassTargets, ConvGeometry, Distribution, Epilogue, Extremum, NormBackward, NormLayout, Normalized,
    PointwiseList, PoolGeometry, ReduceOp, ResampleMode, ScanOp, ScatterOp,
};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{Array, Backend, DType, Device, Result, Scalar, Storage};

/// The backend that computes on the machine's GPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct WgpuBackend;

/// The backend of all storages on GPUs.
pub static WGPU: WgpuBackend = WgpuBackend;

impl Backend for WgpuBackend {
    fn supports(&self, device: Device, dtype: DType) -> Result<()> {
        let gpu = adapter::gpu(device)?;
        Ok(gpu.target.check_storage(dtype).map_err(|missing| Error::Missing { device, missing })?)
    }

    fn alloc(&'static self, device: Device, nbytes: usize, dtype: DType) -> Result<Storage> {
        Ok(adapter::gpu(device)?.alloc(self, nbytes, dtype)?)
    }

    fn grow(&'static self, storage: &Storage, nbytes: usize) -> Result<()> {
        Ok(adapter::gpu(storage.device_name())?.grow(storage, nbytes)?)
    }

    fn upload(&self, bytes: &[u8], out: &Array) -> Result<()> {
        transfer::upload(bytes, out)
    }

    fn download(&self, src: &Array, bytes: &mut [u8]) -> Result<()> {
        transfer::download(src, bytes)
    }

    fn synchronize(&self, device: Device) -> Result<()> {
        Ok(adapter::gpu(device)?.synchronize()?)
    }

    fn copy(&self, src: &Array, out: &Array) -> Result<()> {
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
        pointwise::pointwise(program, compute, inputs, scalars, outs)
    }

    fn pointwise_lists(
        &self,
        program: &Pointwise,
        compute: DType,
        lists: &[PointwiseList],
        scalars: &[Scalar],
    ) -> Result<()> {
        pointwise_lists::pointwise_lists(program, compute, lists, scalars)
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
        arg_reduce::arg_reduce(which, src, dim, values, indices)
    }

    fn scan(&self, op: ScanOp, src: &Array, dim: usize, out: &Array) -> Result<()> {
        scan::scan(op, src, dim, out)
    }

    fn sort(&self, first: Extremum, src: &Array, dim: usize, values: &Array, indices: &Array) -> Result<()> {
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
        matmul::matmul(a, b, alpha, beta, epilogue, out)
    }

    fn conv(&self, x: &Array, weight: &Array, bias: Option<&Array>, g: &ConvGeometry, out: &Array) -> Result<()> {
        conv::conv(x, weight, bias, g, out)
    }

    fn conv_input_grad(&self, grad: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
        conv::conv_input_grad(grad, weight, g, out)
    }

    fn conv_weight_grad(&self, x: &Array, grad: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
        conv::conv_weight_grad(x, grad, g, out)
    }

    fn max_pool(&self, src: &Array, g: &PoolGeometry, out: &Array, indices: &Array) -> Result<()> {
        pool::max_pool(src, g, out, indices)
    }

    fn max_pool_backward(&self, grad: &Array, indices: &Array, g: Option<&PoolGeometry>, out: &Array) -> Result<()> {
        pool::max_pool_backward(grad, indices, g, out)
    }

    fn avg_pool(&self, src: &Array, g: &PoolGeometry, divisor: AvgPoolDivisor, out: &Array) -> Result<()> {
        pool::avg_pool(src, g, divisor, out)
    }

    fn avg_pool_backward(&self, grad: &Array, g: &PoolGeometry, divisor: AvgPoolDivisor, out: &Array) -> Result<()> {
        pool::avg_pool_backward(grad, g, divisor, out)
    }

    fn adaptive_avg_pool(&self, src: &Array, out: &Array) -> Result<()> {
        pool::adaptive_avg_pool(src, out)
    }

    fn adaptive_avg_pool_backward(&self, grad: &Array, out: &Array) -> Result<()> {
        pool::adaptive_avg_pool_backward(grad, out)
    }

    fn resample(&self, mode: ResampleMode, scales: [f64; 3], src: &Array, out: &Array) -> Result<()> {
        resample::resample(mode, scales, src, out)
    }

    fn resample_backward(&self, mode: ResampleMode, scales: [f64; 3], grad: &Array, out: &Array) -> Result<()> {
        resample::resample_backward(mode, scales, grad, out)
    }

    fn gather(&self, src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
        gather::gather(src, dim, index, out)
    }

    fn scatter(&self, op: ScatterOp, dim: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
        scatter::scatter(op, dim, index, src, out)
    }

    fn index_select(&self, src: &Array, dim: usize, index: &Array, out: &Array) -> Result<()> {
        gather::index_select(src, dim, index, out)
    }

    fn nonzero(&self, src: &Array) -> Result<Array> {
        nonzero::nonzero(src)
    }

    fn softmax(&self, src: &Array, dim: usize, log: bool, out: &Array) -> Result<()> {
        softmax::softmax(src, dim, log, out)
    }

    fn softmax_backward(&self, grad: &Array, y: &Array, dim: usize, log: bool) -> Result<Array> {
        softmax::softmax_backward(grad, y, dim, log)
    }

    fn nll(&self, x: &Array, dim: usize, targets: &ClassTargets<'_>) -> Result<(Array, Option<Array>)> {
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
        nll::nll_backward(grad, shape, log_probabilities, dim, targets, total)
    }

    fn normalize(
        &self,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        layout: &NormLayout,
    ) -> Result<Normalized> {
        normalize::normalize(x, weight, bias, layout)
    }

    fn normalize_backward(&self, call: &NormBackward<'_>, needs: [bool; 3]) -> Result<[Option<Array>; 3]> {
        normalize::normalize_backward(call, needs)
    }

    fn random(&self, distribution: Distribution, generator: &Generator, out: &Array) -> Result<()> {
        random::random(distribution, generator, out)
    }
}
