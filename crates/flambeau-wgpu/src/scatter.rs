//! Writing at indices.

use crate::gather::{THREADS, fitted, index_params, move_params};
use crate::gpu::{Arg, Gpu};
use crate::lines::Lines;
use crate::params::Params;
use flambeau_shaders::{Kernel, stored_size};
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::calls;
use flambeau_tensor::{Array, DType, Error, Finding, Result};

/// From so many columns on, one thread for each fills the GPU.
const MANY_COLUMNS: usize = 4096;
/// Up to so many elements, one thread does a column in no time.
const SHORT_COLUMN: usize = 64;

/// [`flambeau_tensor::Backend::scatter`] on this device. Values that meet at one place are combined in the order of the index, except
/// sums and products of f32 in few long columns.
///
/// # Errors
/// Where the dtypes differ or memory runs out. An index outside the dimension is reported at the next readback.
pub(crate) fn scatter(call: &calls::Scatter<'_>) -> Result<()> {
    let calls::Scatter { op, dim, index, src, out } = *call;
    if src.dtype() != out.dtype() {
        return Err(Error::runtime(format!(
            "scatter(): Expected self.dtype to be equal to src.dtype, but got {} and {}",
            out.dtype(),
            src.dtype()
        )));
    }
    let reached = fitted(out, index.shape(), dim)?;
    let dense = reached.contiguous()?;
    Scatter { op, index: &index.contiguous()?, src: &src.contiguous()?, out: &dense, dim }.run()?;
    if dense.same_view(&reached) { Ok(()) } else { crate::copy::between(&dense, &reached) }
}

/// A scatter between dense arrays whose shapes agree but for `dim`.
struct Scatter<'a> {
    op: ScatterOp,
    index: &'a Array,
    src: &'a Array,
    out: &'a Array,
    dim: usize,
}

impl Scatter<'_> {
    fn run(&self) -> Result<()> {
        let columns = Lines::new(self.index, self.dim);
        let parallel = columns.n > SHORT_COLUMN && columns.count < MANY_COLUMNS;
        // Compare-and-exchange works on 32 bits.
        let atomic = parallel && stored_size(self.out.dtype()) == 4;
        let kernel = |name| Kernel::new(name, self.out.dtype());
        let op = match self.op {
            ScatterOp::Set if parallel => return self.set_by_winners(),
            ScatterOp::Set => return self.launch(&kernel("scatter/set"), columns.count),
            ScatterOp::Add => 0u32,
            ScatterOp::Mul => 1,
            ScatterOp::Max => 2,
            ScatterOp::Min => 3,
        };
        match atomic {
            true => self.launch(&kernel("scatter/combine_atomic").with("OP", op), self.index.numel()),
            false => self.launch(&kernel("scatter/combine").with("OP", op), columns.count),
        }
    }

    /// The parameters that all kernels begin with.
    fn params<'p>(&self, p: &'p mut Params, threads: usize) -> &'p mut Params {
        let (out, index) = (Lines::new(self.out, self.dim), Lines::new(self.index, self.dim));
        index_params(p, threads, out, index.n, self.index)
    }

    fn launch(&self, kernel: &Kernel, threads: usize) -> Result<()> {
        let Scatter { index, src, out, .. } = self;
        let args = [Arg::In(src), Arg::In(index), Arg::Out(out), Arg::Status];
        let params = |p: &mut Params| {
            move_params(self.params(p, threads), src, out, Finding::Place, self.dim);
        };
        Gpu::of(out)?.dispatch(kernel, &args, &params, (threads as u64).div_ceil(THREADS))?;
        Ok(())
    }

    /// All elements at once: those that name one place first find out which of them comes last.
    fn set_by_winners(&self) -> Result<()> {
        let Scatter { index, src, out, .. } = self;
        let gpu = Gpu::of(out)?;
        let count = index.numel();
        let groups = (count as u64).div_ceil(THREADS);
        let winners = Array::empty(out.backend(), out.device(), &[out.numel()], DType::I32)?;
        for vote in [false, true] {
            let kernel = Kernel::new("scatter/winners", DType::I32).with("VOTE", vote);
            let params = |p: &mut Params| {
                self.params(p, count).offsets([("winners", &winners)]);
            };
            gpu.dispatch(&kernel, &[Arg::In(index), Arg::Out(&winners)], &params, groups)?;
        }
        let kernel = Kernel::new("scatter/set_winners", out.dtype());
        let args = [Arg::In(src), Arg::In(index), Arg::In(&winners), Arg::Out(out), Arg::Status];
        let params = |p: &mut Params| {
            let p = move_params(self.params(p, count), src, out, Finding::Place, self.dim);
            p.offsets([("winners", &winners)]);
        };
        gpu.dispatch(&kernel, &args, &params, groups)?;
        Ok(())
    }
}
