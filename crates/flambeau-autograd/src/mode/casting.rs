//! What a region of [`autocast`](super::autocast()) does with an operation: it casts what goes in, as the operation declares.

use super::Input;
use super::autocast::{Excluded, Kind, cached, exclude, low_precision};
use crate::error::{Error, Result};
use crate::ops::Operand;
use crate::registry::{Cast, Casts};
use crate::{Tensor, ops};
use flambeau_tensor::DType;
use std::borrow::Borrow;
use std::cell::Cell;
use std::ops::Deref;

thread_local! {
    /// The kind of device whose lists hold for all, in tests.
    static LISTS: Cell<Option<Kind>> = const { Cell::new(None) };
    /// What the operation that runs casts its inputs to.
    static WITHIN: Cell<Within> = const { Cell::new(Within::NOWHERE) };
}

/// Runs `call` with the lists of operations that GPUs have, or the CPU has, for every device: tests compare them on the CPU.
#[doc(hidden)]
pub fn with_lists_of<R>(gpu: bool, call: impl FnOnce() -> R) -> R {
    struct Reset(Option<Kind>);
    impl Drop for Reset {
        fn drop(&mut self) {
            LISTS.set(self.0);
        }
    }
    let _reset = Reset(LISTS.replace(Some(if gpu { Kind::Gpu } else { Kind::Cpu })));
    call()
}

/// A dtype that tensors of a kind of device are cast to.
#[derive(Clone, Copy)]
struct Within {
    kind: Kind,
    to: Option<DType>,
    low: Option<DType>,
}

impl Within {
    const NOWHERE: Within = Within { kind: Kind::Cpu, to: None, low: None };

    /// The tensor in the dtype; itself where it has it, or autocast leaves it alone.
    #[track_caller]
    fn cast<'a>(self, x: &'a Tensor) -> Result<Held<'a>> {
        let Some(to) = self.to.filter(|&to| x.dtype() != to && is_eligible(x, self.kind)) else {
            return Ok(Held::Borrowed(x));
        };
        let is_parameter = || x.dtype() == DType::F32 && x.requires_grad() && x.is_leaf() && !x.is_view();
        let cast = || ops::to(x, to);
        let copy = if Some(to) == self.low && is_parameter() { cached(x, to, cast) } else { cast() };
        copy.map(Held::Owned)
    }
}

/// A tensor as an operation gets it.
pub enum Held<'a> {
    /// As it was given.
    Borrowed(&'a Tensor),
    /// Cast.
    Owned(Tensor),
}

impl Deref for Held<'_> {
    type Target = Tensor;
    fn deref(&self) -> &Tensor {
        match self {
            Held::Borrowed(x) => x,
            Held::Owned(x) => x,
        }
    }
}

impl Borrow<Tensor> for Held<'_> {
    fn borrow(&self) -> &Tensor {
        self
    }
}

impl Input for Held<'_> {
    fn each(&self, f: &mut dyn FnMut(&Tensor)) {
        f(self);
    }
}

/// Whether autocast touches the tensor at all.
fn is_eligible(x: &Tensor, kind: Kind) -> bool {
    x.dtype().is_floating_point() && x.dtype() != DType::F64 && Kind::of(x.device()) == kind
}

/// What is done with the inputs of an operation that runs, until it is dropped.
pub struct Casting {
    within: Within,
    /// Whether the result is to be float32.
    result: bool,
    former: Within,
    _excluded: Option<Excluded>,
}

impl Drop for Casting {
    fn drop(&mut self) {
        WITHIN.set(self.former);
    }
}

impl Casting {
    fn new(within: Within, result: bool, excluded: Option<Excluded>) -> Self {
        Casting { within, result, former: WITHIN.replace(within), _excluded: excluded }
    }

    /// Begins an operation with these inputs.
    ///
    /// # Errors
    /// When autocast refuses the operation, or a dtype among its inputs.
    pub fn begin(casts: Casts, inputs: &[&dyn Input]) -> Result<Self> {
        let here = [Kind::Gpu, Kind::Cpu].into_iter().find_map(|kind| {
            let low = low_precision(kind)?;
            let mut is_here = false;
            inputs.iter().for_each(|input| input.each(&mut |x| is_here |= Kind::of(x.device()) == kind));
            is_here.then_some((kind, low))
        });
        let Some((kind, low)) = here else { return Ok(Casting::new(Within::NOWHERE, false, None)) };
        let cast = match LISTS.get().unwrap_or(kind) {
            Kind::Cpu => casts.cpu,
            Kind::Gpu => casts.gpu,
        };
        let (to, result) = match cast {
            Cast::None => return Ok(Casting::new(Within::NOWHERE, false, None)),
            Cast::Opaque => (None, false),
            Cast::Low => (Some(low), false),
            Cast::Float32 => (Some(DType::F32), false),
            Cast::Widest => (Some(widest(kind, low, inputs)?), false),
            Cast::Float32Result => {
                let (mut first, mut eligible) = (true, false);
                inputs.iter().for_each(|input| {
                    input.each(&mut |x| eligible |= std::mem::take(&mut first) && is_eligible(x, kind));
                });
                (None, eligible)
            }
            Cast::Banned => {
                return Err(Error::runtime(
                    "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\nMany models use a sigmoid \
                     layer right before the binary cross entropy layer.\nIn this case, combine the two layers using \
                     torch.nn.functional.binary_cross_entropy_with_logits\nor torch.nn.BCEWithLogitsLoss.  \
                     binary_cross_entropy_with_logits and BCEWithLogits are\nsafe to autocast.",
                ));
            }
        };
        Ok(Casting::new(Within { kind, to, low: Some(low) }, result, Some(exclude(kind))))
    }

    /// Begins an operation, or a part of one, whose inputs stay as they are, and within which nothing is cast.
    pub fn opaque(inputs: &[&dyn Input]) -> Self {
        let mut here = None;
        inputs.iter().for_each(|input| input.each(&mut |x| here = here.or(Some(Kind::of(x.device())))));
        let excluded = here.filter(|&kind| low_precision(kind).is_some()).map(exclude);
        Casting::new(Within::NOWHERE, false, excluded)
    }

    /// The operation's first tensor, where the operation has no argument for the result's dtype.
    ///
    /// # Errors
    /// That of the cast.
    #[track_caller]
    pub fn first<'a>(&self, x: &'a Tensor) -> Result<Held<'a>> {
        let to = if self.result { Some(DType::F32) } else { self.within.to };
        Within { to, ..self.within }.cast(x)
    }

    /// A tensor among the inputs.
    ///
    /// # Errors
    /// That of the cast.
    #[track_caller]
    pub fn tensor<'a>(&self, x: &'a Tensor) -> Result<Held<'a>> {
        self.within.cast(x)
    }

    /// A tensor that may be missing.
    ///
    /// # Errors
    /// That of the cast.
    #[track_caller]
    pub fn option<'a>(&self, x: Option<&'a Tensor>) -> Result<Option<Held<'a>>> {
        match x {
            Some(x) => self.tensor(x).map(Some),
            None => Ok(None),
        }
    }

    /// A tensor or a number.
    ///
    /// # Errors
    /// That of the cast.
    #[track_caller]
    pub fn operand<'a>(&self, x: Operand<'a>) -> Result<Operand<'a>> {
        Ok(match x {
            Operand::Borrowed(x) => match self.tensor(x)? {
                Held::Borrowed(x) => Operand::Borrowed(x),
                Held::Owned(x) => Operand::Owned(x),
            },
            Operand::Owned(x) => match self.tensor(&x)? {
                Held::Owned(cast) => Operand::Owned(cast),
                Held::Borrowed(_) => Operand::Owned(x),
            },
            Operand::Number(number) => Operand::Number(number),
        })
    }

    /// A list of tensors.
    ///
    /// # Errors
    /// That of the cast.
    #[track_caller]
    pub fn list<'a, T: Borrow<Tensor>>(&self, list: &'a [T]) -> Result<Vec<Held<'a>>> {
        let mut held = Vec::with_capacity(list.len());
        for x in list {
            held.push(self.tensor(x.borrow())?);
        }
        Ok(held)
    }

    /// The result's dtype: that which the caller names, or float32.
    pub fn dtype(&self, given: Option<DType>) -> Option<DType> {
        given.or(self.result.then_some(DType::F32))
    }
}

/// Runs a part of an operation that PyTorch has a function of its own for, of one tensor, as a region of autocast treats that function.
///
/// # Errors
/// That of the part, or of the cast.
#[track_caller]
pub(crate) fn cast_for(casts: Casts, x: &Tensor, part: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    if !super::is_on(super::AUTOCAST) {
        return part(x);
    }
    let casting = Casting::begin(casts, &[x])?;
    let x = casting.first(x)?;
    part(&x)
}

/// A tensor among an operation's options, cast as its inputs were.
///
/// # Errors
/// That of the cast.
#[track_caller]
pub(crate) fn among_options(x: Option<&Tensor>) -> Result<Option<Held<'_>>> {
    match x {
        Some(x) if super::is_on(super::AUTOCAST) => WITHIN.get().cast(x).map(Some),
        x => Ok(x.map(Held::Borrowed)),
    }
}

/// The widest dtype among the tensors that autocast touches, as PyTorch finds it.
fn widest(kind: Kind, low: DType, inputs: &[&dyn Input]) -> Result<DType> {
    let (mut widest, mut other) = (low, false);
    inputs.iter().for_each(|input| {
        input.each(&mut |x| {
            // Which of them come before a float32 matters to PyTorch too.
            if !is_eligible(x, kind) || other {
                return;
            }
            match x.dtype() {
                _ if widest == DType::F32 => {}
                DType::F32 => widest = DType::F32,
                dtype => other = dtype != low,
            }
        });
    });
    match other {
        true => Err(Error::runtime("Unexpected floating ScalarType in at::autocast::prioritize")),
        false => Ok(widest),
    }
}
