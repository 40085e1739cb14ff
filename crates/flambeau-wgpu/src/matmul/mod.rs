//! Matrix products.

#[cfg(test)]
mod banks;
mod plan;

use crate::gpu::{Arg, Gpu};
use crate::params::{Matrices, Params};
use crate::pointwise::count;
use flambeau_shaders::Kernel;
use flambeau_shaders::map::number_words;
use flambeau_tensor::backend::Epilogue;
use flambeau_tensor::calls::Matmul;
use flambeau_tensor::{Array, DType, Error, Result, Scalar};
use plan::{FastTile, Parts, Tile};

/// out\[i\] = alpha · a\[i\] · b\[i\] + beta · out\[i\], then the epilogue; see [`flambeau_tensor::Backend::matmul`].
pub(crate) fn matmul(call: &Matmul<'_>) -> Result<()> {
    let Matmul { a, b, epilogue, out, .. } = *call;
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
    let product = Product::new(call)?;
    let vector = (product.m == 1 || product.n == 1) && product.k >= 32;
    if vector { product.vector() } else { product.tiles() }
}

/// out\[i\] = a\[i\] · b\[i\] by the fast kernel; whether these operands and this adapter have it.
pub(crate) fn matmul_in_fours(a: &Array, b: &Array, out: &Array) -> Result<bool> {
    let (alpha, beta, epilogue) = (Scalar::Int(1), Scalar::Int(0), Epilogue::default());
    let product = Product::new(&Matmul { a, b, alpha, beta, epilogue, out })?;
    let (parts, fast, _) = product.plan();
    fast.map_or(Ok(false), |tile| product.run_fast(tile, parts).map(|()| true))
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

/// Whether the lines along a dimension are dense and begin at multiples of four elements, as many as a multiple of four. The
/// stride alone does not tell: a dimension of one element may have any.
fn lines_of_four(x: &Array, along: usize) -> bool {
    let four = |d: usize| x.shape()[d] == 1 || x.strides()[d].is_multiple_of(4);
    x.offset().is_multiple_of(4)
        && x.strides()[along] == 1
        && x.shape()[along].is_multiple_of(4)
        && (0..3).all(|d| d == along || four(d))
}

impl<'a> Product<'a> {
    fn new(call: &Matmul<'a>) -> Result<Self> {
        let Matmul { a, b, alpha, beta, epilogue, out } = *call;
        let gpu = Gpu::of(out)?;
        let [batch, m, n] = [0, 1, 2].map(|d| out.shape()[d] as u32);
        let k = a.shape()[2] as u32;
        let results = count(gpu, out.shape())?;
        Ok(Product { gpu, a, b, alpha, beta, epilogue, out, batch, m, n, k, results })
    }

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
        match self.plan() {
            (parts, Some(tile), _) => self.run_fast(tile, parts),
            (parts, None, tile) => self.run_tiles(tile, parts),
        }
    }

    /// The parts of k, the tile of `matmul/fast` where it can be, and that of `matmul/tile`.
    fn plan(&self) -> (Parts, Option<FastTile>, Tile) {
        let shape = plan::Shape { batch: self.batch, m: self.m, n: self.n, k: self.k };
        let parts = shape.parts();
        let info = &self.gpu.info;
        let adapter = plan::Adapter {
            vendor: info.vendor,
            software: info.device_type == wgpu::DeviceType::Cpu,
            workgroup_bytes: self.gpu.workgroup_bytes,
        };
        let fast = if self.in_fours() { shape.fast_tile(parts, adapter) } else { None };
        (parts, fast, shape.tile(parts, self.out.dtype(), adapter))
    }

    /// Whether the operands can be read and the result written four elements at a time.
    fn in_fours(&self) -> bool {
        let operand = |x: &Array| lines_of_four(x, 1) || lines_of_four(x, 2);
        self.out.dtype() == DType::F32 && operand(self.a) && operand(self.b) && lines_of_four(self.out, 2)
    }

    /// One launch of `matmul/fast`, a workgroup to each part of a tile, and a second one where there are several.
    fn run_fast(&self, tile: FastTile, parts: Parts) -> Result<()> {
        let kernel = |target: DType| {
            Kernel::new("matmul/fast", DType::F32)
                .with_type("O", target)
                .with("BM", tile.m)
                .with("BN", tile.n)
                .with("BK", tile.k)
                .with("RM", tile.down)
                .with("CN", tile.across)
                .with("A_ALONG_K", lines_of_four(self.a, 2))
                .with("B_ALONG_K", !lines_of_four(self.b, 2))
        };
        self.run([tile.m, tile.n], parts, &kernel)
    }

    /// As [`Product::run_fast`], of `matmul/tile`.
    fn run_tiles(&self, tile: Tile, parts: Parts) -> Result<()> {
        let kernel = |target: DType| {
            Kernel::new("matmul/tile", self.out.dtype())
                .with_type("O", target)
                .with("BM", tile.m)
                .with("BN", tile.n)
                .with("BK", tile.k)
                .with("RM", tile.down)
                .with("CN", tile.across)
                .with("A_ALONG_K", self.a.strides()[2] <= self.a.strides()[1])
                .with("B_ALONG_K", self.b.strides()[1] < self.b.strides()[2])
        };
        self.run([tile.m, tile.n], parts, &kernel)
    }

    fn run(&self, [tile_m, tile_n]: [u32; 2], parts: Parts, kernel: &dyn Fn(DType) -> Kernel) -> Result<()> {
        let Parts { splits, chunk } = parts;
        let scratch = match splits {
            1 => None,
            _ => {
                let shape = [self.batch, splits, self.m, self.n].map(|n| n as usize);
                Some(Array::empty(self.out.backend(), self.out.device(), &shape, self.out.dtype().compute())?)
            }
        };
        let (tiles_m, tiles_n) = (self.m.div_ceil(tile_m), self.n.div_ceil(tile_n));
        let jobs = u64::from(tiles_m) * u64::from(tiles_n) * u64::from(self.batch) * u64::from(splits);
        let scaled = self.alpha.to_f64() != 1.0;
        let flags = self.flags() | u32::from(scratch.is_some()) << 3 | u32::from(scaled) << 4;
        let results = match &scratch {
            None => matrices(self.out),
            Some(s) => Matrices([s.offset(), (self.m * self.n) as usize, self.n as usize, 1]),
        };
        let params = |p: &mut Params| {
            self.results(self.factors(p), flags, results).with([("tiles_m", tiles_m), ("tiles_n", tiles_n)]);
            p.with([("jobs", jobs as u32), ("chunk", chunk), ("splits", splits)]);
        };
        let target = scratch.as_ref().unwrap_or(self.out);
        let bias = self.epilogue.bias.unwrap_or(self.a);
        let args = [Arg::In(self.a), Arg::In(self.b), Arg::In(bias), Arg::Out(target)];
        self.gpu.dispatch(&kernel(target.dtype()), &args, &params, jobs)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WGPU;
    use flambeau_tensor::Device;

    /// Small whole numbers, which every order of summation adds exactly.
    fn numbers(n: usize, step: usize) -> Vec<f32> {
        (0..n).map(|i| (i * step % 7) as f32 - 3.0).collect()
    }

    fn array(data: &[f32], shape: &[usize]) -> Array {
        Array::from_slice(&WGPU, Device::Wgpu(0), data, shape).unwrap()
    }

    /// A product of a case, with epilogue.
    fn product<'a>(a: &'a Array, b: &'a Array, bias: &'a Array, out: &'a Array) -> Product<'a> {
        let epilogue = Epilogue { bias: Some(bias), relu: true };
        Product::new(&Matmul { a, b, alpha: Scalar::Int(2), beta: Scalar::Int(3), epilogue, out }).unwrap()
    }

    /// Every tile shape, whole and split among several workgroups, with epilogue: a real GPU chooses what software Vulkan
    /// does not.
    #[test]
    fn every_tile_and_split() {
        let (batch, m, k, n) = (2, 70, 300, 45);
        let (a, b, bias) = (numbers(batch * m * k, 3), numbers(batch * k * n, 5), numbers(n, 2));
        for dtype in [DType::F32, DType::F16, DType::I32, DType::F64] {
            let [ga, gb, gbias] = [array(&a, &[batch, m, k]), array(&b, &[batch, k, n]), array(&bias, &[n])]
                .map(|x| x.to_dtype(dtype).unwrap());
            for tile in plan::TILES.into_iter().filter(|t| dtype != DType::F64 || t.m < 128) {
                for splits in [1, 2, 5] {
                    let out = Array::full(&WGPU, Device::Wgpu(0), &[batch, m, n], dtype, Scalar::Int(1)).unwrap();
                    product(&ga, &gb, &gbias, &out).run_tiles(tile, Parts::of(k as u32, splits)).unwrap();
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

    /// Which tile makes a result changes no digit, the tiles of `matmul/tile` included: each adds k in the same order. The
    /// numbers of parts may.
    #[test]
    fn every_tile_gives_the_same_digits() {
        let odd =
            |n: usize, step: usize| -> Vec<f32> { (0..n).map(|i| ((i * step % 1009) as f32 - 504.0) / 73.0).collect() };
        for (m, k, n) in [(4, 4, 4), (4, 1, 4), (16, 52, 132), (132, 300, 196), (72, 20, 140), (260, 44, 8)] {
            let bias = array(&odd(n, 5), &[n]);
            // Either operand along either dimension; rows of k beyond the last step only where k is not the fast one.
            for along in 0..4 {
                // A single element of k leaves lines of four only across it.
                if k == 1 && along != 1 {
                    continue;
                }
                let operand = |rows: usize, columns: usize, turned: bool, step: usize| match turned {
                    false => array(&odd(2 * rows * columns, step), &[2, rows, columns]),
                    true => array(&odd(2 * rows * columns, step), &[2, columns, rows]).transpose(1, 2).unwrap(),
                };
                let k = if along == 1 && k > 1 { k + 3 } else { k };
                let (a, b) = (operand(m, k, along & 1 == 1, 31), operand(k, n, along & 2 == 2, 17));
                for splits in [1, 3] {
                    let parts = Parts::of(k as u32, splits);
                    let run = |work: &dyn Fn(&Product<'_>)| {
                        let out = Array::full(&WGPU, Device::Wgpu(0), &[2, m, n], DType::F32, Scalar::Int(1)).unwrap();
                        let product = product(&a, &b, &bias, &out);
                        assert!(product.in_fours(), "{m} {k} {n} {along}");
                        work(&product);
                        out.to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>()
                    };
                    let first = run(&|p| p.run_tiles(plan::TILES[2], parts).unwrap());
                    for tile in plan::TILES {
                        assert_eq!(run(&|p| p.run_tiles(tile, parts).unwrap()), first, "{tile:?} {m} {k} {n} {along}");
                    }
                    for tile in plan::FAST_TILES {
                        assert_eq!(run(&|p| p.run_fast(tile, parts).unwrap()), first, "{tile:?} {m} {k} {n} {along}");
                    }
                }
            }
        }
    }
}
