//! Pointwise programs on the CPU.
//!
//! Programs of one step on dense operands of the compute dtype run as one straight loop. All others run tile by tile:
//! [`code`] prepares the program, [`tile`] loads, computes and stores a tile of 512 elements at a time, so that every
//! intermediate value stays in the innermost cache, and each step is a vectorised loop of [`lane`].

pub mod code;
mod float;
mod int;
pub mod lane;
pub mod tile;

pub use float::{Float, Function, maximum, minimum};

use crate::threads::parallel_for;
use code::{Code, binary_in, unary_in};
use flambeau_tensor::access::Access;
use flambeau_tensor::calls::{Map, MapLists};
use flambeau_tensor::plan::Plan;
use flambeau_tensor::pointwise::Node;
use flambeau_tensor::{Array, DType, Error, Result};
use lane::{ForLane, Lane, Src, ZeroDivision, binary, for_lane, unary};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, Ordering};
use tile::{Job, RawArray, Runner, TILE, lane_dtype, step, store};

/// Elements that one thread should have at least, divided by the cost of an element.
const GRAIN: usize = 64 << 10;

impl From<ZeroDivision> for Error {
    fn from(_: ZeroDivision) -> Self {
        Error::runtime("ZeroDivisionError")
    }
}

/// Runs a program; see [`flambeau_tensor::Backend::pointwise`].
pub fn pointwise(call: &Map<'_>) -> Result<()> {
    for_lane(call.compute, call)
}

/// Runs a program for each list; see [`flambeau_tensor::Backend::pointwise_lists`].
pub fn pointwise_lists(call: &MapLists<'_>) -> Result<()> {
    let MapLists { program, compute, lists, scalars } = *call;
    lists.iter().filter(|list| list.outs[0].numel() > 0).try_for_each(|list| {
        let inputs: SmallVec<[&Array; 4]> = list.inputs.iter().collect();
        let outs: SmallVec<[&Array; 4]> = list.outs.iter().collect();
        pointwise(&Map { program, compute, inputs: &inputs, scalars, outs: &outs })
    })
}

impl ForLane for &Map<'_> {
    type Output = Result<()>;
    #[inline]
    fn run<T: Lane>(self) -> Result<()> {
        if let Some(single) = Single::<T>::of(self) {
            return single.run(self);
        }
        interpret::<T>(self)
    }
}

/// An operand of a program of one step.
#[derive(Clone, Copy)]
enum Operand<T> {
    Array(u8),
    Value(T),
}

/// A program of one step whose arrays are all dense and of the compute dtype.
struct Single<T> {
    node: Node,
    a: Operand<T>,
    b: Operand<T>,
    in_place: bool,
}

impl<T: Lane> Single<T> {
    #[inline]
    fn of(call: &Map<'_>) -> Option<Self> {
        let (nodes, outputs) = call.program.steps(call.compute);
        let (&node, leaves) = nodes.split_last()?;
        let [out] = call.outs else { return None };
        if leaves.len() > 2 || outputs[0] as usize != leaves.len() {
            return None;
        }
        let operand = |id: u16| match *leaves.get(id as usize)? {
            Node::Input(k) => Some(Operand::Array(k)),
            _ if call.compute == DType::Bool => None,
            Node::Scalar(k) => Some(Operand::Value(T::from_scalar(call.scalars[k as usize]))),
            Node::Const(s) => Some(Operand::Value(T::from_scalar(s))),
            _ => None,
        };
        let (a, b) = match node {
            Node::Unary(_, a) => (operand(a)?, operand(a)?),
            Node::Binary(_, a, b) => (operand(a)?, operand(b)?),
            _ => return None,
        };
        let fits = |array: &Array| array.dtype() == call.compute && array.is_contiguous();
        let lane = lane_dtype(call.compute) == call.compute;
        if !lane || !fits(out) || !call.inputs.iter().all(|a| fits(a)) {
            return None;
        }
        let in_place = call.inputs.iter().any(|a| a.storage().ptr_eq(out.storage()));
        Some(Single { node, a, b, in_place })
    }

    #[inline]
    fn run(&self, call: &Map<'_>) -> Result<()> {
        let out = call.outs[0];
        let n = out.numel();
        let _access = Access::acquire(call.inputs, call.outs)?;
        let cost = match self.node {
            Node::Unary(op, _) => op.cost(),
            Node::Binary(op, ..) => op.cost(),
            _ => 1,
        };
        let target = RawArray::of(out);
        let views: SmallVec<[RawArray; 2]> = call.inputs.iter().map(|a| RawArray::of(a)).collect();
        if n < GRAIN / cost {
            // SAFETY: the arrays are dense, of type `T` and length `n`, and their access is held.
            return Ok(unsafe { self.part(call.compute, &views, target, 0, n) }?);
        }
        let divided_by_zero = AtomicBool::new(false);
        parallel_for(n, GRAIN / 2 / cost, &|range| {
            // SAFETY: as above; the ranges are disjoint.
            if unsafe { self.part(call.compute, &views, target, range.start, range.len()) }.is_err() {
                divided_by_zero.store(true, Ordering::Relaxed);
            }
        });
        if divided_by_zero.into_inner() { Err(ZeroDivision.into()) } else { Ok(()) }
    }

    /// # Safety
    /// All views are dense arrays of `T` with `start + n` elements or more; nobody else writes these elements.
    #[inline]
    unsafe fn part(
        &self,
        compute: DType,
        views: &[RawArray],
        out: RawArray,
        start: usize,
        n: usize,
    ) -> Result<(), ZeroDivision> {
        let out = out.ptr.cast::<T>().wrapping_add(start);
        // SAFETY: the caller's contract. A result that is also an operand goes through a buffer, so that slices never
        // overlap.
        unsafe {
            let src = |operand: Operand<T>, at: usize, n: usize| match operand {
                Operand::Value(x) => Src::Splat(x),
                Operand::Array(k) => {
                    let ptr = views[k as usize].ptr.cast::<T>().wrapping_add(start + at);
                    Src::Slice(std::slice::from_raw_parts(ptr, n))
                }
            };
            let apply = |at: usize, n: usize, out: &mut [T]| match self.node {
                Node::Unary(op, _) => {
                    unary(unary_in(op, compute), src(self.a, at, n), out);
                    Ok(())
                }
                Node::Binary(op, ..) => binary(binary_in(op, compute), src(self.a, at, n), src(self.b, at, n), out),
                _ => Ok(()),
            };
            if !self.in_place {
                return apply(0, n, std::slice::from_raw_parts_mut(out, n));
            }
            let mut buffer = [T::default(); TILE];
            for at in (0..n).step_by(buffer.len()) {
                let m = (n - at).min(buffer.len());
                apply(at, m, &mut buffer[..m])?;
                std::ptr::copy_nonoverlapping(buffer.as_ptr(), out.add(at), m);
            }
        }
        Ok(())
    }
}

fn interpret<T: Lane>(call: &Map<'_>) -> Result<()> {
    let code = Code::<T>::new(call.program, call.compute, call.scalars)?;
    let arrays: SmallVec<[&Array; 8]> = call.outs.iter().chain(call.inputs).copied().collect();
    let strides: SmallVec<[&[usize]; 8]> = arrays.iter().map(|a| a.strides()).collect();
    // Outputs first, so that their order decides; the runner wants the inputs first.
    let mut plan = Plan::unordered(call.outs[0].shape(), &strides);
    plan.rotate_left(call.outs.len());
    let lane = lane_dtype(call.compute);
    let _access = Access::acquire(call.inputs, call.outs)?;
    let inputs: SmallVec<[RawArray; 8]> = call.inputs.iter().map(|a| RawArray::of(a)).collect();
    let outs: SmallVec<[RawArray; 4]> = call.outs.iter().map(|a| RawArray::of(a)).collect();
    let job = Job { code: &code, plan: &plan, inputs: &inputs, lane };
    let direct = is_direct(call, &code, lane);
    // A result that is an input as it stands would be read where another result has just been written, or copied onto itself.
    let passes = code.outputs.iter().any(|arg| matches!(arg, code::Arg::Input(_)))
        && call.outs.iter().any(|out| call.inputs.iter().any(|a| a.storage().ptr_eq(out.storage())));
    let divided_by_zero = AtomicBool::new(false);
    let n = plan.numel();
    parallel_for(n, GRAIN / 2 / code.cost + 1, &|range| {
        let mut runner = Runner::new(&job, TILE.min(range.len()));
        let mut cursor = plan.seek(range.start);
        let mut left = range.len();
        while left > 0 {
            let n = runner.next_len(&cursor, left);
            let first_out = call.inputs.len();
            let target = (direct && plan.is_dense(first_out, &cursor, n))
                .then(|| outs[0].at(cursor.offsets[first_out]).cast::<T>());
            // SAFETY: the access is held, the plan was made from these arrays, the ranges are disjoint; a direct target
            // shares no storage with an input.
            unsafe {
                if runner.run(&cursor, n, target).is_err() {
                    return divided_by_zero.store(true, Ordering::Relaxed);
                }
                if passes {
                    let value = |k: usize| match runner.output(k, n) {
                        Src::Slice(x) => x.to_vec(),
                        Src::Splat(x) => vec![x; n],
                    };
                    let values: SmallVec<[Vec<T>; 2]> = (0..outs.len()).map(value).collect();
                    for (k, (out, value)) in outs.iter().zip(&values).enumerate() {
                        store(&plan, first_out + k, *out, lane, &cursor, Src::Slice(value), n);
                    }
                } else if target.is_none() {
                    for (k, out) in outs.iter().enumerate() {
                        store(&plan, first_out + k, *out, lane, &cursor, runner.output(k, n), n);
                    }
                }
            }
            step(&mut cursor, &plan, n);
            left -= n;
        }
    });
    if divided_by_zero.into_inner() { Err(ZeroDivision.into()) } else { Ok(()) }
}

/// Whether the last step may write the only output itself.
fn is_direct<T: Lane>(call: &Map<'_>, code: &Code<T>, lane: DType) -> bool {
    let [out] = call.outs else { return false };
    let Some(&(_, register)) = code.steps.last() else { return false };
    out.dtype() == lane
        && code.outputs[0] == code::Arg::Register(register)
        && !call.inputs.iter().any(|a| a.storage().ptr_eq(out.storage()))
}
