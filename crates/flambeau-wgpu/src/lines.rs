//! The lines of a dense array along one dimension, and how threads share them.

use crate::params::Params;
use flambeau_shaders::Kernel;
use flambeau_tensor::{Array, DType};

/// Threads of a workgroup where lines are short.
const THREADS: u32 = 64;
/// The most threads that work on one line.
const MAX_LANES: usize = 256;
/// Elements that a thread should have, at least.
const PER_LANE: usize = 4;
/// Neighbouring lines that a workgroup reads together where they lie beside each other in memory.
const BESIDE: usize = 32;
/// So many lines fill a GPU with one thread each.
const MANY: usize = 1 << 15;

/// A row-major array as `[outer, n, inner]` around a dimension.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    /// How many lines there are: outer · inner.
    pub count: usize,
    /// Elements of a line.
    pub n: usize,
    /// How far a line's elements lie apart.
    pub inner: usize,
}

impl Lines {
    /// The lines of an array along `dim`; an array without dimensions is one line of one element.
    pub fn new(array: &Array, dim: usize) -> Lines {
        let shape = array.shape();
        let n = shape.get(dim).copied().unwrap_or(1);
        let inner = shape.iter().skip(dim + 1).product();
        let outer: usize = shape.iter().take(dim).product();
        Lines { count: outer * inner, n, inner }
    }

    /// The parameters that kernels along lines begin with.
    pub fn params<'p>(&self, p: &'p mut Params) -> &'p mut Params {
        p.with([("lines", self.count), ("n", self.n), ("inner", self.inner)])
    }

    /// How threads share lines of this kind.
    pub fn place(&self) -> Place {
        Place::new(self.count, self.n, self.inner)
    }
}

/// How the threads of workgroups share lines: the settings of kernels that call `lane_of`.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    threads: u32,
    lanes: u32,
    columns: bool,
}

impl Place {
    /// For `count` lines of `n` elements that are `inner` apart.
    pub fn new(count: usize, n: usize, inner: usize) -> Place {
        let columns = inner > 1;
        let wanted = n.div_ceil(PER_LANE).clamp(1, MAX_LANES).next_power_of_two();
        let lanes = match columns {
            true if count >= MANY => 1,
            true => wanted.min(MAX_LANES / inner.min(BESIDE).next_power_of_two()),
            false => wanted,
        };
        let beside = if columns { inner.min(BESIDE).next_power_of_two() } else { 1 };
        let threads = (lanes * beside).max(THREADS as usize) as u32;
        Place { threads, lanes: lanes as u32, columns }
    }

    /// The kernel with these settings.
    pub fn of(self, kernel: Kernel) -> Kernel {
        kernel.with("THREADS", self.threads).with("LANES", self.lanes).with("COLUMNS", self.columns)
    }

    /// How many workgroups `count` lines take.
    pub fn groups(self, count: usize) -> u64 {
        (count as u64).div_ceil(u64::from(self.threads / self.lanes))
    }
}

/// The integer dtype that order keys of `dtype` have.
pub(crate) fn key_dtype(dtype: DType) -> DType {
    if matches!(dtype, DType::I64 | DType::F64) { DType::I64 } else { DType::I32 }
}
