//! Matrix products: which kernel, which tile, how many parts.

use crate::gpu::{Arg, Gpu};
use crate::params::{Matrices, Params};
use crate::pointwise::count;
use flambeau_shaders::Kernel;
use flambeau_shaders::map::number_words;
use flambeau_tensor::backend::Epilogue;
use flambeau_tensor::calls::Matmul;
use flambeau_tensor::{Array, DType, Error, Result, Scalar};

/// A tile shape of `matmul/tile.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MatmulTile {
    m: u32,
    n: u32,
    k: u32,
    /// Blocks of 4 x 4 results that a thread makes, down and across.
    down: u32,
    across: u32,
}

/// Large tiles reuse more, small ones keep more workgroups busy.
const TILES: [MatmulTile; 3] = [
    MatmulTile { m: 128, n: 128, k: 8, down: 2, across: 2 },
    MatmulTile { m: 64, n: 64, k: 16, down: 1, across: 1 },
    MatmulTile { m: 32, n: 32, k: 16, down: 1, across: 1 },
];

/// Workgroups that keep a large GPU busy.
const ENOUGH_GROUPS: u64 = 128;
/// The least k that is worth a second launch, and the least part of it that is worth a workgroup of its own.
const LEAST_SPLIT: u32 = 256;
const LEAST_CHUNK: u32 = 64;

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; see [`flambeau_tensor::Backend::matmul`].
pub(crate) fn matmul(call: &Matmul<'_>) -> Result<()> {
    let Matmul { a, b, alpha, beta, epilogue, out } = *call;
    let dtype = out.dtype();
    if dtype == DType::Bool {
        let op = if out.shape()[0] == 1 { "addmm_impl_cpu_" } else { "bmm" };
        return Err(Error::NotImplementedFor { op, dtype });
    }
    if let Some(other) = [a, b].into_iter().chain(epilogue.bias).find(|x| x.dtype() != dtype) {
        return Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            dtype.scalar_type_name(),
            other.dtype().scalar_type_name()
        )));
    }
    let gpu = Gpu::of(out)?;
    let [batch, m, n] = [0, 1, 2].map(|d| out.shape()[d] as u32);
    let k = a.shape()[2] as u32;
    let results = count(gpu, out.shape())?;
    let product = Product { gpu, a, b, alpha, beta, epilogue, out, batch, m, n, k, results };
    if (m == 1 || n == 1) && k >= 32 { product.vector() } else { product.tiles() }
}

struct Product<'a> {
    gpu: &'static Gpu,
    a: &'a Array,
    b: &'a Array,
    alpha: Scalar,
    beta: Scalar,
    epilogue: Epilogue<'a>,
    out: &'a Array,
    batch: u32,
    m: u32,
    n: u32,
    k: u32,
    results: u32,
}

fn matrices(x: &Array) -> Matrices {
    Matrices([x.offset(), x.strides()[0], x.strides()[1], x.strides()[2]])
}

impl Product<'_> {
    /// The parameters of the operands.
    fn factors<'p>(&self, p: &'p mut Params) -> &'p mut Params {
        p.with([("m", self.m), ("n", self.n), ("k", self.k)]).with([("a", matrices(self.a)), ("b", matrices(self.b))])
    }

    /// The parameters of the results and their last step.
    fn results<'p>(&self, p: &'p mut Params, flags: u32, out: Matrices) -> &'p mut Params {
        let (offset, stride) = self.epilogue.bias.map_or((0, 0), |b| (b.offset(), b.strides()[0]));
        let [alpha, beta] = [self.alpha, self.beta].map(|s| number_words(self.out.dtype(), s));
        p.with([("flags", flags)]).with([("out", out)]);
        p.with([("bias_offset", offset), ("bias_stride", stride)]).with([("alpha", alpha), ("beta", beta)])
    }

    /// The bits that say what the results' last step does; see `matmul_result` in the shader library.
    fn flags(&self) -> u32 {
        let beta = u32::from(self.beta.to_f64() != 0.0);
        beta | u32::from(self.epilogue.bias.is_some()) << 1 | u32::from(self.epilogue.relu) << 2
    }

    fn vector(&self) -> Result<()> {
        let params = |p: &mut Params| {
            self.results(self.factors(p), self.flags(), matrices(self.out)).with([("results", self.results)]);
        };
        // The matrix decides: the strides of the operand that is no vector.
        let matrix_along_k = match self.m {
            1 => self.b.strides()[1] <= self.b.strides()[2],
            _ => self.a.strides()[2] <= self.a.strides()[1],
        };
        let (threads, lanes) = if matrix_along_k { (64, 64) } else { (256, 8) };
        let kernel = Kernel::new("matmul/vector", self.out.dtype())
            .with_type("O", self.out.dtype())
            .with("THREADS", threads)
            .with("LANES", lanes);
        let bias = self.epilogue.bias.unwrap_or(self.a);
        let args = [Arg::In(self.a), Arg::In(self.b), Arg::In(bias), Arg::Out(self.out)];
        Ok(self.gpu.dispatch(&kernel, &args, &params, u64::from(self.results.div_ceil(threads / lanes)))?)
    }

    fn tiles(&self) -> Result<()> {
        let software = self.gpu.info.device_type == wgpu::DeviceType::Cpu;
        let tile = choose(self.batch, self.m, self.n, self.out.dtype(), software, self.gpu.workgroup_bytes);
        let splits = if software { 1 } else { splits(self.tiles_of(tile), self.k) };
        self.run_tiles(tile, splits)
    }

    fn tiles_of(&self, tile: MatmulTile) -> u64 {
        u64::from(self.m.div_ceil(tile.m)) * u64::from(self.n.div_ceil(tile.n)) * u64::from(self.batch)
    }

    /// One launch of a tile shape, `splits` workgroups to a tile, and a second one where they are several.
    fn run_tiles(&self, tile: MatmulTile, splits: u32) -> Result<()> {
        let dtype = self.out.dtype();
        let (tiles_m, tiles_n) = (self.m.div_ceil(tile.m), self.n.div_ceil(tile.n));
        let tiles = self.tiles_of(tile);
        let chunk = self.k.div_ceil(splits).next_multiple_of(tile.k).max(tile.k);
        let splits = self.k.div_ceil(chunk).max(1);
        let acc = dtype.compute();
        let (device, backend) = (self.out.device(), self.out.backend());
        let scratch = match splits {
            1 => None,
            _ => {
                let shape = [self.batch, splits, self.m, self.n].map(|n| n as usize);
                Some(Array::empty(backend, device, &shape, acc)?)
            }
        };
        let jobs = tiles * u64::from(splits);
        let flags = self.flags() | u32::from(scratch.is_some()) << 3;
        let results = match &scratch {
            None => matrices(self.out),
            Some(s) => Matrices([s.offset(), (self.m * self.n) as usize, self.n as usize, 1]),
        };
        let params = |p: &mut Params| {
            self.results(self.factors(p), flags, results).with([("tiles_m", tiles_m), ("tiles_n", tiles_n)]);
            p.with([("jobs", jobs as u32), ("chunk", chunk), ("splits", splits)]);
        };
        let target = scratch.as_ref().unwrap_or(self.out);
        let kernel = Kernel::new("matmul/tile", dtype)
            .with_type("O", target.dtype())
            .with("BM", tile.m)
            .with("BN", tile.n)
            .with("BK", tile.k)
            .with("RM", tile.down)
            .with("CN", tile.across)
            .with("A_ALONG_K", self.a.strides()[2] <= self.a.strides()[1])
            .with("B_ALONG_K", self.b.strides()[1] < self.b.strides()[2]);
        let bias = self.epilogue.bias.unwrap_or(self.a);
        let args = [Arg::In(self.a), Arg::In(self.b), Arg::In(bias), Arg::Out(target)];
        self.gpu.dispatch(&kernel, &args, &params, jobs)?;
        scratch.map_or(Ok(()), |scratch| self.finish(&scratch, splits))
    }

    /// Adds the parts of a split product.
    fn finish(&self, partial: &Array, splits: u32) -> Result<()> {
        let params = |p: &mut Params| {
            self.results(p, self.flags(), matrices(self.out));
            p.with([("results", self.results), ("mn", self.m * self.n), ("n", self.n), ("splits", splits)]);
            p.offsets([("partial", partial)]);
        };
        let kernel = Kernel::new("matmul/finish", self.out.dtype())
            .with_type("O", self.out.dtype())
            .with_type("S", partial.dtype());
        let bias = self.epilogue.bias.unwrap_or(self.out);
        let args = [Arg::In(partial), Arg::In(bias), Arg::Out(self.out)];
        Ok(self.gpu.dispatch(&kernel, &args, &params, u64::from(self.results).div_ceil(64))?)
    }
}

/// The largest tile that is not mostly empty and leaves enough workgroups. A software adapter has few threads: there only
/// the first counts.
fn choose(batch: u32, m: u32, n: u32, dtype: DType, software: bool, workgroup_bytes: u32) -> MatmulTile {
    let wide = flambeau_shaders::stored_size(dtype) == 8;
    // Two tiles of each operand.
    let bytes = |t: &MatmulTile| 2 * t.k * (t.m + t.n) * if wide { 8 } else { 4 };
    let fits = |t: &MatmulTile| {
        let groups = u64::from(batch) * u64::from(m.div_ceil(t.m)) * u64::from(n.div_ceil(t.n));
        let full = m > t.m / 2 && n > t.n / 2;
        // 64-bit elements would take twice the workgroup memory.
        full && !(wide && t.m == 128) && bytes(t) <= workgroup_bytes && (software || groups >= ENOUGH_GROUPS)
    };
    TILES.into_iter().find(fits).unwrap_or(TILES[2])
}

/// How many workgroups share the k range of a tile.
fn splits(tiles: u64, k: u32) -> u32 {
    if k < LEAST_SPLIT {
        return 1;
    }
    let wanted = (ENOUGH_GROUPS / tiles.max(1)).min(32) as u32;
    wanted.min(k / LEAST_CHUNK).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WGPU;
    use flambeau_tensor::Device;

    #[test]
    fn shapes_choose_tiles_and_parts() {
        assert_eq!(choose(1, 4096, 4096, DType::F32, false, 32768), TILES[0]);
        assert_eq!(choose(1, 1024, 1024, DType::F32, false, 32768), TILES[1]);
        assert_eq!(choose(1, 64, 128, DType::F32, false, 32768), TILES[2]);
        assert_eq!(choose(1, 512, 512, DType::F32, true, 32768), TILES[0]);
        assert_eq!(choose(1, 4096, 4096, DType::F64, false, 32768), TILES[1]);
        assert_eq!(choose(1, 4096, 4096, DType::F64, false, 16384), TILES[2]);
        assert_eq!((splits(8, 784), splits(1, 128), splits(1000, 4096)), (12, 1, 1));
    }

    /// Small whole numbers, which every order of summation adds exactly.
    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| (i * step % 7) as f32 - 3.0).collect()
    }

    /// Every tile shape, whole and split among several workgroups, with epilogue: a real GPU chooses what software Vulkan
    /// does not.
    #[test]
    fn every_tile_and_split() {
        let device = Device::Wgpu(0);
        let (batch, m, k, n) = (2, 70, 300, 45);
        let (a, b, bias) = (numbers(batch * m * k, 3), numbers(batch * k * n, 5), numbers(n, 2));
        let array = |data: &[f32], shape: &[usize]| Array::from_slice(&WGPU, device, data, shape).unwrap();
        for dtype in [DType::F32, DType::F16, DType::I32, DType::F64] {
            let [ga, gb, gbias] = [array(&a, &[batch, m, k]), array(&b, &[batch, k, n]), array(&bias, &[n])]
                .map(|x| x.to_dtype(dtype).unwrap());
            for tile in TILES.into_iter().filter(|t| dtype != DType::F64 || t.m < 128) {
                for splits in [1, 2, 5] {
                    let out = Array::full(&WGPU, device, &[batch, m, n], dtype, Scalar::Int(1)).unwrap();
                    let product = Product {
                        gpu: Gpu::of(&out).unwrap(),
                        a: &ga,
                        b: &gb,
                        alpha: Scalar::Int(2),
                        beta: Scalar::Int(3),
                        epilogue: Epilogue { bias: Some(&gbias), relu: true },
                        out: &out,
                        batch: batch as u32,
                        m: m as u32,
                        n: n as u32,
                        k: k as u32,
                        results: (batch * m * n) as u32,
                    };
                    product.run_tiles(tile, splits).unwrap();
                    let ours = out.to_dtype(DType::F32).unwrap().to_vec::<f32>().unwrap();
                    for (i, &y) in ours.iter().enumerate() {
                        let (line, column) = (i / n, i % n);
                        let start = line / m * k * n + column;
                        let dot: f32 = (0..k).map(|j| a[line * k + j] * b[start + j * n]).sum();
                        let expected = (2.0 * dot + 3.0 + bias[column]).max(0.0);
                        // Above 2,048 an f16 has no odd numbers.
                        let slack = if dtype == DType::F16 { expected / 1024.0 } else { 0.0 };
                        assert!(
                            (y - expected).abs() <= slack,
                            "{dtype} {tile:?} in {splits}: {i}: {y}, not {expected}"
                        );
                    }
                }
            }
        }
    }
}
