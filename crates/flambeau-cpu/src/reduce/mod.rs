//! Reductions with a program as their map stage.
//!
//! Two walks cover every layout. Where the innermost dimension in memory is reduced, each result combines *rows* across 64
//! lanes; where it is kept, rows are combined *down* into accumulators for a stretch of neighbouring results. Both cut
//! long sums in blocks of a few hundred additions per lane, so that rounding errors stay small, and split a reduction of
//! few results in parts whose number depends on the shape alone: a result never depends on the number of threads.

pub(crate) mod fold;

use crate::cast::cast_raw;
use crate::pointwise::code::{Arg, Code};
use crate::pointwise::lane::{ForLane, Lane, Src, ZeroDivision, for_lane};
use crate::pointwise::tile::{Job, RawArray, Runner, TILE, lane_dtype, step, store};
use crate::threads::parallel_for;
use flambeau_tensor::access::Access;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::calls::Reduce;
use flambeau_tensor::dims::Dims;
use flambeau_tensor::plan::{Cursor, Plan};
use flambeau_tensor::{DType, Result};
use fold::{Fold, LANES, finish, fold_across, fold_down, fold_short_rows};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Elements that one thread should have at least, divided by the cost of an element.
const GRAIN: usize = 64 << 10;
/// Elements of one part of a split reduction, at least.
const PART: usize = 32 << 10;
/// A reduction is split in at most so many parts.
const MAX_PARTS: usize = 64;
/// Results that are accumulated together when rows are combined down.
const WIDTH: usize = 1024;
/// Rows that are combined before the accumulators are emptied.
const BLOCK_ROWS: usize = 256;
/// Elements that are combined across the lanes before those are emptied.
const BLOCK: usize = 64 * LANES;
/// Rows shorter than this are combined one by one.
const SHORT: usize = 64;

/// Reduces; see [`flambeau_tensor::Backend::reduce`].
pub fn reduce(call: &Reduce<'_>) -> Result<()> {
    for_lane(call.compute, call)
}

impl ForLane for &Reduce<'_> {
    type Output = Result<()>;
    fn run<T: Lane>(self) -> Result<()> {
        let code = Code::<T>::new(self.program, self.compute, self.scalars)?;
        let walk = Walk::new(self);
        let _access = Access::acquire(self.inputs, &[self.out])?;
        let inputs: SmallVec<[RawArray; 8]> = self.inputs.iter().map(|a| RawArray::of(a)).collect();
        let job = Job { code: &code, plan: &walk.plan, inputs: &inputs, lane: lane_dtype(self.compute) };
        let truth = matches!(self.op, ReduceOp::Any | ReduceOp::All);
        let lane = if truth { DType::Bool } else { lane_dtype(self.out.dtype()) };
        let plain = code.steps.is_empty() && code.outputs[0] == Arg::Input(0) && inputs[0].dtype == lane;
        let source = MappedTiles { job: &job };
        let call = Combine {
            fold: Fold::of(self.op),
            lane,
            walk: &walk,
            plain: plain.then(|| inputs[0]),
            tiles: &source,
            cost: code.cost,
            out: RawArray::of(self.out),
        };
        for_lane(lane, call)?;
        Ok(())
    }
}

/// The order in which a reduction visits the elements.
struct Walk {
    /// The inputs in that order.
    plan: Plan,
    /// The results in the order of the kept dimensions.
    kept: Plan,
    /// How many results there are.
    results: usize,
    /// How many elements make one result.
    reduced: usize,
    /// How many neighbouring results lie innermost; zero where the innermost dimension is reduced.
    inner: usize,
}

impl Walk {
    fn new(map: &Reduce<'_>) -> Walk {
        let shape = map.inputs.first().map_or(map.out.shape(), |a| a.shape());
        let strides: SmallVec<[&[usize]; 8]> = map.inputs.iter().map(|a| a.strides()).collect();
        // The larger the stride in the first input that moves along it, the further out is a dimension.
        let key = |d: usize| strides.iter().map(|s| s[d]).find(|&s| s != 0).unwrap_or(0);
        let mut order: Dims = (0..shape.len()).filter(|&d| shape[d] != 1).collect();
        order.sort_by_key(|&d| std::cmp::Reverse(key(d)));
        let reduced: Dims = order.iter().copied().filter(|d| map.dims.contains(d)).collect();
        let kept: Dims = order.iter().copied().filter(|d| !map.dims.contains(d)).collect();
        let down = order.last().is_some_and(|d| !map.dims.contains(d)) && !reduced.is_empty();
        let product = |dims: &[usize]| dims.iter().map(|&d| shape[d]).product::<usize>();
        // As many of the innermost kept dimensions as lie behind each other in memory.
        let merges = |from: usize| Plan::grouped(shape, &strides, &[&kept[from..]]).0.shape.len() == 1;
        let mut split = kept.len();
        while down && split > 0 && merges(split - 1) {
            split -= 1;
        }
        let (outer, inner) = kept.split_at(split);
        Walk {
            plan: Plan::grouped(shape, &strides, &[outer, &reduced, inner]).0,
            kept: Plan::grouped(shape, &[map.out.strides()], &[&kept]).0,
            results: product(&kept),
            reduced: product(&reduced),
            inner: if inner.is_empty() { 0 } else { product(inner) },
        }
    }
}

/// Makes tiles of mapped values, whatever type they are computed in.
trait Tiles: Sync {
    /// Calls `body` with one thread's tile maker.
    fn with(&self, body: &mut dyn FnMut(&mut dyn ReduceTile));
}

/// Makes one thread's tiles.
trait ReduceTile {
    /// How many elements a tile takes of `left` at `cursor`.
    fn len(&self, cursor: &Cursor, left: usize) -> usize;
    /// The address of the mapped elements at `cursor`, converted to `lane`; `buffer` has room for them.
    ///
    /// # Safety
    /// The inputs' access is held; `n` is no more than [`ReduceTile::len`] said.
    unsafe fn make(
        &mut self,
        cursor: &Cursor,
        n: usize,
        lane: DType,
        buffer: *mut u8,
    ) -> Result<*const u8, ZeroDivision>;
}

struct MappedTiles<'a, T> {
    job: &'a Job<'a, T>,
}

impl<T: Lane> Tiles for MappedTiles<'_, T> {
    fn with(&self, body: &mut dyn FnMut(&mut dyn ReduceTile)) {
        body(&mut Runner::new(self.job, TILE));
    }
}

impl<T: Lane> ReduceTile for Runner<'_, T> {
    fn len(&self, cursor: &Cursor, left: usize) -> usize {
        self.next_len(cursor, left)
    }

    unsafe fn make(
        &mut self,
        cursor: &Cursor,
        n: usize,
        lane: DType,
        buffer: *mut u8,
    ) -> Result<*const u8, ZeroDivision> {
        // SAFETY: the caller's contract; `buffer` has room for `n` elements of `lane`.
        unsafe {
            self.run(cursor, n, None)?;
            let from = self.lane();
            match self.output(0, n) {
                Src::Slice(x) if from == lane => Ok(x.as_ptr().cast()),
                Src::Slice(x) => {
                    cast_raw(from, x.as_ptr().cast(), lane, buffer, n);
                    Ok(buffer)
                }
                Src::Splat(x) => {
                    let tile = [x; TILE];
                    cast_raw(from, tile.as_ptr().cast(), lane, buffer, n);
                    Ok(buffer)
                }
            }
        }
    }
}

/// Reduces some of the results (or parts) with a thread's tile maker.
type Body<'a> = dyn Fn(Range<usize>, &mut dyn ReduceTile) -> Result<(), ZeroDivision> + Sync + 'a;

/// The call in its accumulator's type.
struct Combine<'a> {
    fold: Fold,
    lane: DType,
    walk: &'a Walk,
    /// The input itself, where it needs neither mapping nor conversion.
    plain: Option<RawArray>,
    tiles: &'a dyn Tiles,
    cost: usize,
    out: RawArray,
}

impl ForLane for Combine<'_> {
    type Output = Result<(), ZeroDivision>;

    fn run<T: Lane>(self) -> Self::Output {
        self.run_in::<T>()
    }
}

impl Combine<'_> {
    fn run_in<T: Lane>(&self) -> Result<(), ZeroDivision> {
        let Walk { results, reduced, inner, .. } = *self.walk;
        let neutral = T::neutral(self.fold, self.lane);
        if reduced == 0 {
            self.emit(0, results, &mut |_, values: &mut [T]| values.fill(neutral));
            return Ok(());
        }
        let grain = (GRAIN / 2 / self.cost).max(1);
        let parts = self.parts();
        if parts == 1 {
            let units = results.checked_div(inner).unwrap_or(results);
            // One unit of rows that are combined down may be wide: threads then share its columns.
            let columns = if inner > 0 { inner.div_ceil(WIDTH) } else { 1 };
            let per_unit = reduced * if inner == 0 { 1 } else { inner.min(WIDTH) };
            return self.in_parallel(units * columns, (grain / per_unit).max(1), &|range, tile| {
                let mut sink = |first: usize, values: &[T]| self.store(first, values);
                if inner == 0 {
                    return self.across::<T>(range, 0..reduced, tile, &mut sink);
                }
                for unit in range {
                    self.down::<T>(unit / columns, unit % columns, 0..reduced, tile, &mut sink)?;
                }
                Ok(())
            });
        }
        let mut partial = vec![neutral; parts * results];
        let target = SharedMut(partial.as_mut_ptr());
        self.in_parallel(parts, 1, &|range, tile| {
            for part in range {
                let rows = part * reduced / parts..(part + 1) * reduced / parts;
                let mut sink = |first: usize, values: &[T]| {
                    // SAFETY: each part has its own stretch of `partial`.
                    unsafe {
                        let to = target.get().add(part * results + first);
                        std::ptr::copy_nonoverlapping(values.as_ptr(), to, values.len());
                    }
                };
                if inner == 0 {
                    self.across::<T>(0..results, rows, tile, &mut sink)?;
                    continue;
                }
                for unit in 0..results / inner {
                    for column in 0..inner.div_ceil(WIDTH) {
                        self.down::<T>(unit, column, rows.clone(), tile, &mut sink)?;
                    }
                }
            }
            Ok(())
        })?;
        self.emit(0, results, &mut |first, values: &mut [T]| {
            let n = values.len();
            values.copy_from_slice(&partial[first..first + n]);
            for part in 1..parts {
                for (value, &x) in values.iter_mut().zip(&partial[part * results + first..]) {
                    *value = T::combine(self.fold, *value, x);
                }
            }
        });
        Ok(())
    }

    /// In how many parts the reduced elements are split: more than one only where there are too few results to share out.
    fn parts(&self) -> usize {
        let Walk { results, reduced, .. } = *self.walk;
        if results * 8 > reduced || results > 4096 {
            return 1;
        }
        (results * reduced * self.cost / PART).clamp(1, MAX_PARTS).min(reduced)
    }

    /// Runs `body` on parts of `0..units`, each with a tile maker of its own.
    fn in_parallel(&self, units: usize, grain: usize, body: &Body<'_>) -> Result<(), ZeroDivision> {
        let failed = AtomicBool::new(false);
        parallel_for(units, grain, &|range| {
            self.tiles.with(&mut |tile| {
                if body(range.clone(), tile).is_err() {
                    failed.store(true, Ordering::Relaxed);
                }
            });
        });
        if failed.into_inner() { Err(ZeroDivision) } else { Ok(()) }
    }

    /// Reduces rows `rows` of each of `units` results across the lanes.
    fn across<T: Lane>(
        &self,
        units: Range<usize>,
        rows: Range<usize>,
        tile: &mut dyn ReduceTile,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Result<(), ZeroDivision> {
        let (fold, reduced, plan) = (self.fold, self.walk.reduced, &self.walk.plan);
        if rows.len() == reduced && reduced < SHORT {
            return self.short::<T>(units, tile, sink);
        }
        let mut results = [T::default(); TILE];
        let (mut pending, mut first) = (0, units.start);
        for unit in units {
            let mut cursor = plan.seek(unit * reduced + rows.start);
            let neutral = T::neutral(fold, self.lane);
            let (mut total, mut block, mut in_block) = ([neutral; LANES], [neutral; LANES], 0);
            let mut left = rows.len();
            while left > 0 {
                let limit = left.min(BLOCK);
                // SAFETY: the access is held and the plan fits the inputs.
                let n = unsafe {
                    self.with_tile(&mut cursor, limit, tile, &mut |data: &[T]| fold_across(fold, data, &mut block))
                }?;
                left -= n;
                in_block += n;
                if in_block >= BLOCK || left == 0 {
                    for (t, b) in total.iter_mut().zip(&mut block) {
                        *t = T::combine(fold, *t, std::mem::replace(b, neutral));
                    }
                    in_block = 0;
                }
            }
            results[pending] = finish(fold, total);
            pending += 1;
            if pending == TILE {
                sink(first, &results);
                first += pending;
                pending = 0;
            }
        }
        if pending > 0 {
            sink(first, &results[..pending]);
        }
        Ok(())
    }

    /// Reduces short rows, several of which fit one tile.
    fn short<T: Lane>(
        &self,
        units: Range<usize>,
        tile: &mut dyn ReduceTile,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Result<(), ZeroDivision> {
        let (fold, reduced, plan) = (self.fold, self.walk.reduced, &self.walk.plan);
        let mut cursor = plan.seek(units.start * reduced);
        let mut results = [T::default(); TILE];
        let mut unit = units.start;
        while unit < units.end {
            let rows = (TILE / reduced).min(units.end - unit);
            let mut gathered = [T::default(); TILE];
            let mut done = 0;
            while done < rows * reduced {
                let limit = rows * reduced - done;
                let mut direct = false;
                // SAFETY: as in `across`.
                let n = unsafe {
                    self.with_tile(&mut cursor, limit, tile, &mut |data: &[T]| {
                        if data.len() == rows * reduced {
                            direct = true;
                            fold_short_rows(fold, data, reduced, &mut results[..rows]);
                        } else {
                            gathered[done..done + data.len()].copy_from_slice(data);
                        }
                    })
                }?;
                done += n;
                if done == rows * reduced && !direct {
                    fold_short_rows(fold, &gathered[..done], reduced, &mut results[..rows]);
                }
            }
            sink(unit, &results[..rows]);
            unit += rows;
        }
        Ok(())
    }

    /// Combines rows `rows` of result group `unit` down into the accumulators of its `column`th stretch.
    fn down<T: Lane>(
        &self,
        unit: usize,
        column: usize,
        rows: Range<usize>,
        tile: &mut dyn ReduceTile,
        sink: &mut dyn FnMut(usize, &[T]),
    ) -> Result<(), ZeroDivision> {
        let (fold, plan) = (self.fold, &self.walk.plan);
        let (reduced, inner) = (self.walk.reduced, self.walk.inner);
        let first = column * WIDTH;
        let width = (inner - first).min(WIDTH);
        let neutral = T::neutral(fold, self.lane);
        let mut totals = [neutral; WIDTH];
        let mut block = [neutral; WIDTH];
        let (totals, block) = (&mut totals[..width], &mut block[..width]);
        let mut row = rows.start;
        let mut in_block = 0;
        while row < rows.end {
            let start = (unit * reduced + row) * inner + first;
            let taken = match self.plain {
                Some(view) => self.down_plain(view, start, rows.end - row, block),
                None => {
                    let several = if inner < SHORT { (TILE / inner).min(rows.end - row) } else { 1 };
                    let mut cursor = plan.seek(start);
                    let mut done = 0;
                    while done < several * width {
                        // SAFETY: as in `across`.
                        done += unsafe {
                            self.with_tile(&mut cursor, several * width - done, tile, &mut |data: &[T]| {
                                // A tile starts at a row's start where it holds several rows.
                                let at = done % width;
                                let part = data.len().min(width - at);
                                let count = data.len() / part;
                                fold_down(fold, data.as_ptr(), part, count, &mut block[at..at + part]);
                            })
                        }?;
                    }
                    several
                }
            };
            row += taken;
            in_block += taken;
            if in_block >= BLOCK_ROWS || row == rows.end {
                for (t, b) in totals.iter_mut().zip(block.iter_mut()) {
                    *t = T::combine(fold, *t, std::mem::replace(b, neutral));
                }
                in_block = 0;
            }
        }
        sink(unit * inner + first, totals);
        Ok(())
    }

    /// Combines rows that lie in memory as they are needed; returns how many.
    fn down_plain<T: Lane>(&self, view: RawArray, start: usize, rows: usize, block: &mut [T]) -> usize {
        let plan = &self.walk.plan;
        let cursor = plan.seek(start);
        let last = plan.shape.len() - 1;
        // Rows along the innermost reduced dimension have one stride.
        let (stride, along) =
            if last > 0 && self.walk.reduced > 1 { (plan.strides[0][last - 1], plan.shape[last - 1]) } else { (0, 1) };
        let position = start / self.walk.inner % along;
        let rows = rows.min(along - position).min(BLOCK_ROWS);
        let data = view.at(cursor.offsets[0]).cast::<T>();
        if plan.strides[0][last] == 1 {
            // SAFETY: the access is held; the rows lie in the array, which no accumulator is part of.
            unsafe { fold_down(self.fold, data, stride, rows, block) };
        } else {
            let step = plan.strides[0][last];
            for row in 0..rows {
                for (j, sum) in block.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *sum = T::combine(self.fold, *sum, unsafe { *data.add(row * stride + j * step) });
                }
            }
        }
        rows
    }

    /// Shows `body` the next at most `limit` mapped elements at the cursor, moves it, and returns how many they were.
    ///
    /// # Safety
    /// The inputs' access is held.
    unsafe fn with_tile<T: Lane>(
        &self,
        cursor: &mut Cursor,
        limit: usize,
        tile: &mut dyn ReduceTile,
        body: &mut dyn FnMut(&[T]),
    ) -> Result<usize, ZeroDivision> {
        let plan = &self.walk.plan;
        if let Some(view) = self.plain
            && plan.inner_stride(0) == 1
        {
            let n = limit.min(cursor.left_in_row(plan));
            // SAFETY: the caller's contract; the elements lie side by side.
            body(unsafe { std::slice::from_raw_parts(view.at(cursor.offsets[0]).cast(), n) });
            cursor.advance(plan, n);
            return Ok(n);
        }
        let n = tile.len(cursor, limit);
        let mut buffer = [T::default(); TILE];
        // SAFETY: the caller's contract; the buffer has room for a tile.
        unsafe {
            let data = tile.make(cursor, n, self.lane, buffer.as_mut_ptr().cast())?;
            body(std::slice::from_raw_parts(data.cast(), n));
        }
        step(cursor, plan, n);
        Ok(n)
    }

    /// Lets `fill` compute results `first..first + n` a tile at a time, and stores them.
    fn emit<T: Lane>(&self, first: usize, n: usize, fill: &mut dyn FnMut(usize, &mut [T])) {
        let mut values = [T::default(); TILE];
        for start in (first..first + n).step_by(TILE) {
            let values = &mut values[..TILE.min(first + n - start)];
            fill(start, values);
            self.store(start, values);
        }
    }

    fn store<T: Lane>(&self, first: usize, values: &[T]) {
        let mut cursor = self.walk.kept.seek(first);
        for values in values.chunks(TILE) {
            // SAFETY: the output's access is held, its plan fits it, and each result is stored by one thread.
            unsafe { store(&self.walk.kept, 0, self.out, self.lane, &cursor, Src::Slice(values), values.len()) };
            step(&mut cursor, &self.walk.kept, values.len());
        }
    }
}

/// A pointer that threads share, each for its own part.
#[derive(Clone, Copy)]
pub struct SharedMut<T>(pub *mut T);
// SAFETY: whoever dereferences it writes a part that no other thread touches.
unsafe impl<T> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    /// The pointer (through a method, so that closures capture the wrapper).
    pub fn get(&self) -> *mut T {
        self.0
    }
}
