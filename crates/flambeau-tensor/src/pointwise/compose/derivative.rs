//! Derivatives of composed programs: their parts' own, one after the other.

use super::super::derivative::Leaves;
use super::{ADD, Calls, Composer, NOT, OR, Part, SELECT, Source, Value, ValueId};
use crate::pointwise::{Gradient, Leaf, Pointwise, TangentForm};
use smallvec::{SmallVec, smallvec};

/// A gradient on its way to a value.
#[derive(Clone, Copy)]
struct Adjoint<'c> {
    /// Where it is zero whatever `value` is: the value went to a branch that was not taken.
    zero: Option<Value<'c>>,
    value: Value<'c>,
}

impl<'c> Adjoint<'c> {
    fn whole(self, composer: &'c Composer) -> Value<'c> {
        match self.zero {
            None => self.value,
            Some(zero) => composer.select(zero, composer.value(Source::Zero), self.value),
        }
    }

    fn zero_where_also(self, composer: &'c Composer, condition: Value<'c>) -> Self {
        let zero = self.zero.map_or(condition, |zero| composer.apply(&OR, &[zero, condition]));
        Adjoint { zero: Some(zero), ..self }
    }
}

/// Adds a gradient to what has already come to a value, as the engine does.
fn accumulate<'c>(composer: &'c Composer, sum: &mut Option<Adjoint<'c>>, part: Adjoint<'c>) {
    *sum = Some(match *sum {
        None => part,
        Some(sum) if sum.zero.map(|v| v.id) == part.zero.map(|v| v.id) => {
            Adjoint { value: composer.apply(&ADD, &[sum.value, part.value]), ..sum }
        }
        Some(sum) => {
            let value = composer.apply(&ADD, &[sum.whole(composer), part.whole(composer)]);
            Adjoint { zero: None, value }
        }
    });
}

/// Which values depend on inputs that `of` picks.
fn depending(calls: &Calls, of: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut depends: Vec<bool> = Vec::with_capacity(calls.sources.len());
    for source in &calls.sources {
        depends.push(match *source {
            Source::Input(i) => of(i as usize),
            Source::Scalar(_) | Source::Zero => false,
            Source::Result { part, .. } => calls.parts[part as usize].inputs.iter().any(|&id| depends[id as usize]),
        });
    }
    depends
}

/// The values of a composed program while its derivative is made: its results are there already.
fn forward<'c>(program: &Pointwise, calls: &Calls, composer: &'c Composer, leaves: &Leaves<'_>) -> Vec<Value<'c>> {
    let saved = |id: ValueId, value: Value<'c>| {
        let output = calls.outputs.iter().position(|&out| out == id);
        output.map_or(value, |j| composer.input(leaves.output(j)))
    };
    debug_assert_eq!(program.outputs().len(), calls.outputs.len());
    calls.values(composer, &|i| composer.input(leaves.input(i)), &|k| composer.scalar(k), &saved)
}

/// Σⱼ gradⱼ · ∂outⱼ/∂in for one input: the parts' gradients, last part first.
pub(in crate::pointwise) fn gradient(program: &Pointwise, calls: &Calls, input: usize) -> Gradient {
    let composer = Composer::default();
    let leaves = Leaves::new(program, calls.outputs.len());
    let values = forward(program, calls, &composer, &leaves);
    let depends = depending(calls, |i| i == input);
    let mut adjoints: Vec<Option<Adjoint<'_>>> = vec![None; values.len()];
    for (j, &out) in calls.outputs.iter().enumerate() {
        let seed = Adjoint { zero: None, value: composer.input(j) };
        accumulate(&composer, &mut adjoints[out as usize], seed);
    }
    for part in calls.parts.iter().rev() {
        let results = part.first as usize..part.first as usize + part.program.outputs().len();
        if !part.inputs.iter().any(|&id| depends[id as usize]) || adjoints[results.clone()].iter().all(Option::is_none)
        {
            continue;
        }
        let incoming: SmallVec<[Option<Adjoint<'_>>; 2]> = adjoints[results.clone()].iter().copied().collect();
        for (k, &id) in part.inputs.iter().enumerate().filter(|&(_, &id)| depends[id as usize]) {
            if let Some(adjoint) = through(&composer, part, k, &incoming, &values) {
                accumulate(&composer, &mut adjoints[id as usize], adjoint);
            }
        }
    }
    let own = calls.sources.iter().position(|&s| s == Source::Input(input as u8));
    let Some(adjoint) = own.and_then(|id| adjoints[id]) else { return Gradient::zero() };
    let total = adjoint.whole(&composer);
    let (program, leaves) = finish(&composer, &[total], |place| leaves.at(place, Leaf::Grad));
    Gradient { program, leaves, is_zero: false }
}

/// The gradient of input `k` of a part, given those of its results.
fn through<'c>(
    composer: &'c Composer,
    part: &Part,
    k: usize,
    incoming: &[Option<Adjoint<'c>>],
    values: &[Value<'c>],
) -> Option<Adjoint<'c>> {
    if std::ptr::eq(part.program, &*SELECT) {
        let taken = values[part.inputs[0] as usize];
        return match k {
            1 => Some(incoming[0]?.zero_where_also(composer, composer.apply(&NOT, &[taken]))),
            2 => Some(incoming[0]?.zero_where_also(composer, taken)),
            _ => None,
        };
    }
    let gradient = part.program.gradient(k);
    if gradient.is_zero {
        return None;
    }
    let whole: SmallVec<[Adjoint<'c>; 2]> = match incoming {
        &[Some(one)] => smallvec![one],
        several => {
            let zero = Adjoint { zero: None, value: composer.value(Source::Zero) };
            let whole = |a: Adjoint<'c>| Adjoint { zero: None, value: a.whole(composer) };
            several.iter().map(|a| a.map_or(zero, whole)).collect()
        }
    };
    if let (true, &[Leaf::Grad(j)]) = (gradient.passes(), &gradient.leaves[..]) {
        return Some(whole[j as usize]);
    }
    let leaf = |leaf: &Leaf| match *leaf {
        Leaf::Grad(j) => whole[j as usize].value,
        Leaf::Input(i) => values[part.inputs[i as usize] as usize],
        Leaf::Output(j) => values[part.first as usize + j as usize],
        Leaf::Tangent(_) => unreachable!("a gradient takes no tangent"),
    };
    let inputs: SmallVec<[Value<'c>; 4]> = gradient.leaves.iter().map(leaf).collect();
    let scalars: SmallVec<[Value<'c>; 4]> = part.scalars.iter().map(|&id| values[id as usize]).collect();
    Some(Adjoint { zero: whole[0].zero, value: composer.call(&gradient.program, &inputs, &scalars)[0] })
}

/// The tangents of the results for those of the inputs in `wrt`: the parts' tangents, first part first.
pub(in crate::pointwise) fn tangent(program: &Pointwise, calls: &Calls, wrt: u32) -> TangentForm {
    let composer = Composer::default();
    let leaves = Leaves::new(program, program.num_inputs);
    let values = forward(program, calls, &composer, &leaves);
    let mut tangents: Vec<Option<Value<'_>>> = Vec::with_capacity(values.len());
    let mut results: SmallVec<[Option<Value<'_>>; 2]> = SmallVec::new();
    for &source in &calls.sources {
        tangents.push(match source {
            Source::Input(i) => (wrt >> i & 1 == 1).then(|| composer.input(i as usize)),
            Source::Scalar(_) | Source::Zero => None,
            Source::Result { part, output } => {
                if output == 0 {
                    results = part_tangent(&composer, &calls.parts[part as usize], &values, &tangents);
                }
                results[output as usize]
            }
        });
    }
    let of_outputs: SmallVec<[_; 2]> = calls.outputs.iter().map(|&id| tangents[id as usize]).collect();
    let is_zero = of_outputs.iter().all(Option::is_none);
    let whole: SmallVec<[_; 2]> =
        of_outputs.iter().map(|t| t.unwrap_or_else(|| composer.value(Source::Zero))).collect();
    // Something must give the shape.
    let (program, leaves) = finish(&composer, &whole, |place| leaves.at(place, Leaf::Tangent));
    TangentForm { program, leaves, is_zero }
}

fn part_tangent<'c>(
    composer: &'c Composer,
    part: &Part,
    values: &[Value<'c>],
    tangents: &[Option<Value<'c>>],
) -> SmallVec<[Option<Value<'c>>; 2]> {
    let has = part.inputs.iter().enumerate().filter(|&(_, &id)| tangents[id as usize].is_some());
    let wrt = has.fold(0, |bits, (i, _)| bits | 1u32 << i);
    let form = (wrt != 0).then(|| part.program.tangent(wrt)).filter(|form| !form.is_zero);
    let Some(form) = form else { return smallvec![None; part.program.outputs().len()] };
    let zero = || composer.value(Source::Zero);
    let leaf = |leaf: &Leaf| match *leaf {
        Leaf::Tangent(i) => tangents[part.inputs[i as usize] as usize].unwrap_or_else(zero),
        Leaf::Input(i) => values[part.inputs[i as usize] as usize],
        Leaf::Output(j) => values[part.first as usize + j as usize],
        Leaf::Grad(_) => unreachable!("a tangent takes no gradient"),
    };
    let inputs: SmallVec<[Value<'c>; 4]> = form.leaves.iter().map(leaf).collect();
    let scalars: SmallVec<[Value<'c>; 4]> = part.scalars.iter().map(|&id| values[id as usize]).collect();
    composer.call(&form.program, &inputs, &scalars).into_iter().map(Some).collect()
}

/// The program of some values of a derivative, and its leaves.
fn finish(composer: &Composer, outputs: &[Value<'_>], leaf: impl Fn(usize) -> Leaf) -> (Pointwise, Vec<Leaf>) {
    let mut calls = composer.calls.borrow().clone();
    calls.outputs = outputs.iter().map(|v| v.id).collect();
    let mut leaves = Vec::new();
    let mut kept = calls.prune(|place| leaves.push(leaf(place)));
    if leaves.is_empty() {
        leaves.push(leaf(0));
        kept.sources.push(Source::Input(0));
    }
    (kept.program(composer.fault.get()), leaves)
}
