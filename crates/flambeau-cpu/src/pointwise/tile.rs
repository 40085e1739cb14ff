//! Runs a prepared program over tiles that stay in the innermost cache.

use super::code::{Arg, Code, Step};
use super::lane::{Lane, Src, ZeroDivision, binary, choose, round, unary};
use crate::cast::{cast_raw, copy_strided};
use crate::gemm::scratch::Scratch;
use flambeau_tensor::plan::{Cursor, Plan};
use flambeau_tensor::{Array, DType};
use smallvec::SmallVec;

/// Elements per tile.
pub const TILE: usize = 512;
/// Rows shorter than this are gathered, several to a tile.
const SHORT_ROW: usize = 64;

/// An array as a kernel sees it: where its first element is, and of which type it is. Valid under an `Access`.
#[derive(Clone, Copy, Debug)]
pub struct RawArray {
    /// The first element.
    pub ptr: *mut u8,
    /// The elements' type.
    pub dtype: DType,
}

// SAFETY: a view is only an address; whoever dereferences it holds the arrays' access and writes disjoint parts.
unsafe impl Send for RawArray {}
// SAFETY: as above.
unsafe impl Sync for RawArray {}

impl RawArray {
    /// The view of an array whose access is held.
    pub fn of(array: &Array) -> RawArray {
        RawArray { ptr: array.host_ptr(), dtype: array.dtype() }
    }

    /// The address of the element `offset` elements on.
    #[inline(always)]
    pub fn at(self, offset: usize) -> *mut u8 {
        self.ptr.wrapping_add(offset * self.dtype.size())
    }
}

/// The dtype whose representation programs of dtype `compute` work in.
#[inline]
pub fn lane_dtype(compute: DType) -> DType {
    compute.compute()
}

/// What the threads of one call share.
pub struct Job<'a, T> {
    /// The program.
    pub code: &'a Code<T>,
    /// How the inputs, then the outputs, are walked.
    pub plan: &'a Plan,
    /// The inputs.
    pub inputs: &'a [RawArray],
    /// The dtype of `T`'s values: tells bool from u8.
    pub lane: DType,
}

/// One thread's registers.
pub struct Runner<'a, T> {
    job: &'a Job<'a, T>,
    tile: usize,
    /// Converted inputs, then registers; `tile` elements each.
    memory: Scratch<T>,
    /// Raw elements of an input that is not dense or not of the lane's type.
    raw: Vec<u64>,
    sources: SmallVec<[Source<T>; 8]>,
}

/// An input's elements in the current tile.
#[derive(Clone, Copy)]
enum Source<T> {
    Dense(*const T),
    Splat(T),
}

impl<'a, T: Lane> Runner<'a, T> {
    /// Registers for tiles of at most `tile` elements.
    pub fn new(job: &'a Job<'a, T>, tile: usize) -> Self {
        let buffers = job.inputs.len() + job.code.registers;
        let memory = Scratch::new(buffers * tile);
        Runner { job, tile, memory, raw: Vec::new(), sources: SmallVec::new() }
    }

    /// The dtype of the registers' values.
    pub fn lane(&self) -> DType {
        self.job.lane
    }

    /// How many elements the next tile takes, given how many are left in all.
    pub fn next_len(&self, cursor: &Cursor, left: usize) -> usize {
        let plan = self.job.plan;
        let n = left.min(self.tile);
        if plan.row() >= SHORT_ROW { n.min(cursor.left_in_row(plan)) } else { n }
    }

    /// Computes the `n` elements at `cursor`; the results are then at [`Runner::output`]. Where `direct` names an address,
    /// the last step writes its result there instead of into its register.
    ///
    /// # Safety
    /// The inputs' access is held and their plan fits them; `direct` is valid for `n` elements that no input overlaps.
    pub unsafe fn run(&mut self, cursor: &Cursor, n: usize, direct: Option<*mut T>) -> Result<(), ZeroDivision> {
        self.sources.clear();
        for k in 0..self.job.inputs.len() {
            // SAFETY: the caller's contract.
            let source = unsafe { self.load(k, cursor, n) };
            self.sources.push(source);
        }
        let first_register = self.job.inputs.len();
        let memory = self.memory.ptr();
        let last = self.job.code.steps.len().wrapping_sub(1);
        for (i, &(ref step, register)) in self.job.code.steps.iter().enumerate() {
            // SAFETY: registers are inside `memory`; a step's own register is none of its operands'.
            unsafe {
                let own = memory.add((first_register + register as usize) * self.tile);
                let out = direct.filter(|_| i == last).unwrap_or(own);
                let out = std::slice::from_raw_parts_mut(out, n);
                match *step {
                    Step::Unary(op, a) => unary(op, self.src(a, memory, n), out),
                    Step::Binary(op, a, b) => binary(op, self.src(a, memory, n), self.src(b, memory, n), out)?,
                    Step::Select(c, a, b) => {
                        choose(self.src(c, memory, n), self.src(a, memory, n), self.src(b, memory, n), out);
                    }
                    Step::Round(dtype, a) => round(dtype, self.src(a, memory, n), out),
                }
            }
        }
        Ok(())
    }

    /// # Safety
    /// `memory` is this runner's, and the operand was computed for at least `n` elements.
    #[inline(always)]
    unsafe fn src<'s>(&self, arg: Arg<T>, memory: *const T, n: usize) -> Src<'s, T> {
        let ptr = match arg {
            Arg::Value(x) => return Src::Splat(x),
            Arg::Input(k) => match self.sources[k as usize] {
                Source::Splat(x) => return Src::Splat(x),
                Source::Dense(ptr) => ptr,
            },
            Arg::Register(r) => memory.wrapping_add((self.job.inputs.len() + r as usize) * self.tile),
        };
        // SAFETY: the caller's contract.
        Src::Slice(unsafe { std::slice::from_raw_parts(ptr, n) })
    }

    /// The `k`th output of the last tile.
    pub fn output(&self, k: usize, n: usize) -> Src<'_, T> {
        // SAFETY: `run` has computed the tile; the slice borrows the runner, so no other tile replaces it meanwhile.
        unsafe { self.src(self.job.code.outputs[k], self.memory.ptr(), n) }
    }

    /// Brings input `k`'s elements into the lane's type; dense ones of that type stay where they are.
    ///
    /// # Safety
    /// As [`Runner::run`].
    unsafe fn load(&mut self, k: usize, cursor: &Cursor, n: usize) -> Source<T> {
        let (view, plan) = (self.job.inputs[k], self.job.plan);
        let src = view.at(cursor.offsets[k]);
        let buffer = self.memory.ptr().wrapping_add(k * self.tile).cast::<u8>();
        let one_row = n <= cursor.left_in_row(plan);
        let stride = plan.inner_stride(k);
        // SAFETY: the plan keeps every address inside the array; buffers hold `tile >= n` elements of at most 8 bytes.
        unsafe {
            if one_row && stride == 0 || plan.strides[k].iter().all(|&s| s == 0) {
                let mut value = T::default();
                cast_raw(view.dtype, src, self.job.lane, (&raw mut value).cast(), 1);
                return Source::Splat(value);
            }
            if plan.is_dense(k, cursor, n) {
                if view.dtype == self.job.lane {
                    return Source::Dense(src.cast());
                }
                cast_raw(view.dtype, src, self.job.lane, buffer, n);
                return Source::Dense(buffer.cast());
            }
            let same = view.dtype == self.job.lane;
            if !same && self.raw.is_empty() {
                self.raw.resize(self.tile, 0);
            }
            let target = if same { buffer } else { self.raw.as_mut_ptr().cast() };
            gather(plan, k, view, cursor, n, target);
            if !same {
                cast_raw(view.dtype, target, self.job.lane, buffer, n);
            }
        }
        Source::Dense(buffer.cast())
    }
}

/// Copies the `n` elements of operand `k` at `cursor` side by side into `target`.
///
/// # Safety
/// The operand's access is held and the plan fits it; `target` is aligned and has room.
unsafe fn gather(plan: &Plan, k: usize, view: RawArray, cursor: &Cursor, n: usize, target: *mut u8) {
    let size = view.dtype.size();
    let stride = plan.inner_stride(k);
    if plan.repeats_a_row(k) {
        let (mut from, mut done) = (cursor.offsets[k], 0);
        while done < n {
            let part = (plan.row() - from).min(n - done);
            // SAFETY: the caller's contract.
            unsafe { copy_strided(size, view.at(from), 1, target.add(done * size), 1, part) };
            done += part;
            from = 0;
        }
        return;
    }
    for_rows(plan, cursor, n, |done, row, cursor| {
        // SAFETY: the caller's contract.
        unsafe { copy_strided(size, view.at(cursor.offsets[k]), stride, target.add(done * size), 1, row) }
    });
}

/// Copies `n` elements that lie side by side to operand `k` at `cursor`.
///
/// # Safety
/// As [`gather`], for writing.
unsafe fn scatter(plan: &Plan, k: usize, view: RawArray, cursor: &Cursor, n: usize, source: *const u8) {
    let size = view.dtype.size();
    let stride = plan.inner_stride(k);
    for_rows(plan, cursor, n, |done, row, cursor| {
        // SAFETY: the caller's contract.
        unsafe { copy_strided(size, source.add(done * size), 1, view.at(cursor.offsets[k]), stride, row) }
    });
}

/// Calls `f(elements before, elements, position)` for each part of a row in the `n` elements at `cursor`.
fn for_rows(plan: &Plan, cursor: &Cursor, n: usize, mut f: impl FnMut(usize, usize, &Cursor)) {
    if n <= cursor.left_in_row(plan) {
        return f(0, n, cursor);
    }
    let mut cursor = cursor.clone();
    let mut done = 0;
    while done < n {
        let row = cursor.left_in_row(plan).min(n - done);
        f(done, row, &cursor);
        cursor.advance(plan, row);
        done += row;
    }
}

/// Writes a tile's result to output operand `k` of the plan, converting it.
///
/// # Safety
/// The output's access is held and the plan fits it; no other thread writes these elements.
pub unsafe fn store<T: Lane>(
    plan: &Plan,
    k: usize,
    view: RawArray,
    lane: DType,
    cursor: &Cursor,
    value: Src<'_, T>,
    n: usize,
) {
    // SAFETY: the caller's contract.
    unsafe {
        match value {
            Src::Slice(x) if plan.is_dense(k, cursor, n) => {
                cast_raw(lane, x.as_ptr().cast(), view.dtype, view.at(cursor.offsets[k]), n);
            }
            Src::Slice(x) => store_strided(plan, k, view, lane, cursor, x),
            Src::Splat(x) => store_splat(plan, k, view, lane, cursor, x, n),
        }
    }
}

/// # Safety
/// As [`store`].
#[cold]
unsafe fn store_splat<T: Lane>(
    plan: &Plan,
    k: usize,
    view: RawArray,
    lane: DType,
    cursor: &Cursor,
    value: T,
    n: usize,
) {
    // SAFETY: the caller's contract.
    unsafe { store_strided(plan, k, view, lane, cursor, &[value; TILE][..n]) }
}

/// # Safety
/// As [`store`].
#[inline(never)]
unsafe fn store_strided<T: Lane>(plan: &Plan, k: usize, view: RawArray, lane: DType, cursor: &Cursor, values: &[T]) {
    let (src, n) = (values.as_ptr().cast::<u8>(), values.len());
    // SAFETY: the plan keeps every address inside the array; a tile has at most TILE elements of at most 8 bytes.
    unsafe {
        if view.dtype == lane {
            return scatter(plan, k, view, cursor, n, src);
        }
        let mut buffer = [0u64; TILE];
        let buffer = buffer.as_mut_ptr().cast::<u8>();
        cast_raw(lane, src, view.dtype, buffer, n);
        scatter(plan, k, view, cursor, n, buffer);
    }
}

/// Moves a cursor by a tile.
pub fn step(cursor: &mut Cursor, plan: &Plan, n: usize) {
    let mut left = n;
    while left > 0 {
        let row = cursor.left_in_row(plan).min(left);
        cursor.advance(plan, row);
        left -= row;
    }
}
