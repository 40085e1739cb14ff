//! Programs of programs: operations in one kernel that give the digits that they give in turn.
//!
//! A composed program remembers which program was called on which values. Its steps are those of its parts, each result rounded
//! to the call's dtype; its gradient runs the parts' own gradients backwards, as the engine does for operations in turn, so it is
//! a composed program too and has a gradient, and so on.

mod derivative;

pub(super) use derivative::{gradient, tangent};

use super::builder::inline;
use super::{Builder, DTypeRule, Pointwise};
use crate::Scalar;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};

type ValueId = u32;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Input(u8),
    Scalar(u8),
    /// The constant zero.
    Zero,
    /// A result of a part.
    Result {
        part: u32,
        output: u8,
    },
}

/// A call of a program.
#[derive(Clone, Debug)]
struct Part {
    program: &'static Pointwise,
    inputs: SmallVec<[ValueId; 3]>,
    scalars: SmallVec<[ValueId; 2]>,
    /// The value that is the first result; the others follow.
    first: ValueId,
}

impl PartialEq for Part {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.program, other.program)
            && (&self.inputs, &self.scalars, self.first) == (&other.inputs, &other.scalars, other.first)
    }
}

impl Eq for Part {}

impl Hash for Part {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (std::ptr::from_ref(self.program) as usize, &self.inputs, &self.scalars, self.first).hash(state);
    }
}

/// The calls that a composed program consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Calls {
    sources: Vec<Source>,
    parts: Vec<Part>,
    outputs: SmallVec<[ValueId; 2]>,
}

/// Collects calls of programs on each other's results.
///
/// ```
/// use flambeau_tensor::pointwise::{Composer, Pointwise};
/// use std::sync::LazyLock;
///
/// static EXP: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).exp()));
/// static MUL: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));
///
/// // exp(x) · y
/// let program = Pointwise::composed(|c| {
///     let e = c.call(&EXP, &[c.input(0)], &[])[0];
///     vec![c.call(&MUL, &[e, c.input(1)], &[])[0]]
/// });
/// assert_eq!(program.num_inputs(), 2);
/// ```
#[derive(Default)]
pub struct Composer {
    calls: RefCell<Calls>,
    ids: RefCell<HashMap<Source, ValueId>>,
    numbers: RefCell<Vec<Scalar>>,
    fault: Cell<Option<&'static str>>,
}

/// A value of a composed program under construction.
#[derive(Clone, Copy)]
pub struct Value<'c> {
    composer: &'c Composer,
    id: ValueId,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Value").field(&self.id).finish()
    }
}

impl<'c> Value<'c> {
    /// The composer that this value belongs to.
    pub fn composer(self) -> &'c Composer {
        self.composer
    }

    /// Whether the value is a truth value: 0 or 1.
    pub fn is_truth(self) -> bool {
        let calls = self.composer.calls.borrow();
        match calls.sources[self.id as usize] {
            Source::Result { part, .. } => calls.parts[part as usize].program.rule == DTypeRule::Bool,
            _ => false,
        }
    }
}

/// mask ? a : b, whose gradient does not enter the branch that was not taken.
static SELECT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))));
static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));
static NOT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).logical_not()));
static OR: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.mask(0).or(b.mask(1))));

impl Composer {
    fn value(&self, source: Source) -> Value<'_> {
        let id = *self.ids.borrow_mut().entry(source).or_insert_with(|| {
            let mut calls = self.calls.borrow_mut();
            calls.sources.push(source);
            calls.sources.len() as ValueId - 1
        });
        Value { composer: self, id }
    }

    /// Notes why the program can never be called.
    pub fn refuse(&self, fault: &'static str) {
        self.fault.set(Some(fault));
    }

    /// The i-th input array's element. A call is refused where `i` is not below [`Pointwise::MAX_INPUTS`].
    pub fn input(&self, i: usize) -> Value<'_> {
        self.value(Source::Input(u8::try_from(i).unwrap_or(u8::MAX)))
    }

    /// The i-th runtime scalar. A call is refused where `i` is not below 256.
    pub fn scalar(&self, i: usize) -> Value<'_> {
        self.value(Source::Scalar(u8::try_from(i).unwrap_or_else(|_| {
            self.refuse("a pointwise program has at most 256 runtime scalars");
            u8::MAX
        })))
    }

    /// The next runtime scalar, which this formula gives itself: [`Pointwise::composed_once`] returns all of them, and programs
    /// that differ in them alone are one. A formula uses this or [`Composer::scalar`].
    pub fn number(&self, number: impl Into<Scalar>) -> Value<'_> {
        let mut numbers = self.numbers.borrow_mut();
        numbers.push(number.into());
        self.scalar(numbers.len() - 1)
    }

    /// The results of a program for these inputs and runtime scalars, in which no derivative is taken. A composed program is
    /// taken apart.
    pub fn call<'c>(
        &'c self,
        program: &'static Pointwise,
        inputs: &[Value<'c>],
        scalars: &[Value<'c>],
    ) -> SmallVec<[Value<'c>; 2]> {
        if let Some(fault) = program.fault {
            self.refuse(fault);
        }
        if inputs.iter().chain(scalars).any(|v| !std::ptr::eq(v.composer, self)) {
            self.refuse("a pointwise program mixes values of two builders");
        } else if inputs.len() < program.num_inputs || scalars.len() < program.num_scalars {
            self.refuse("a pointwise program was called with too few inputs or scalars in another");
        } else if let (Some(calls), None) = (&program.calls, &program.explicit) {
            return calls.replay(self, &|i| inputs[i], &|k| scalars[k]);
        }
        let ids = |values: &[Value<'_>], count: usize| values.iter().take(count).map(|v| v.id).collect();
        let (inputs, scalars) = (ids(inputs, program.num_inputs), scalars.iter().map(|v| v.id).collect());
        let mut calls = self.calls.borrow_mut();
        let (part, first) = (calls.parts.len() as u32, calls.sources.len() as ValueId);
        calls.parts.push(Part { program, inputs, scalars, first });
        let results = 0..program.outputs().len();
        results
            .map(|j| {
                calls.sources.push(Source::Result { part, output: j as u8 });
                Value { composer: self, id: first + j as ValueId }
            })
            .collect()
    }

    /// The result of a program of one result.
    fn apply<'c>(&'c self, program: &'static Pointwise, inputs: &[Value<'c>]) -> Value<'c> {
        self.call(program, inputs, &[])[0]
    }

    /// `a` where the condition is not zero, else `b`. No derivative enters the branch that was not taken: PyTorch would
    /// multiply its derivative by zero, and 0 · ∞ is NaN.
    pub fn select<'c>(&'c self, condition: Value<'c>, a: Value<'c>, b: Value<'c>) -> Value<'c> {
        self.apply(&SELECT, &[condition, a, b])
    }
}

impl Calls {
    /// Makes the same calls on other inputs and scalars. The results' values.
    fn replay<'c>(
        &self,
        composer: &'c Composer,
        input: &dyn Fn(usize) -> Value<'c>,
        scalar: &dyn Fn(usize) -> Value<'c>,
    ) -> SmallVec<[Value<'c>; 2]> {
        let values = self.values(composer, input, scalar, &|_, value| value);
        self.outputs.iter().map(|&id| values[id as usize]).collect()
    }

    /// All values of the same calls on other inputs and scalars, each as `instead` gives it back.
    fn values<'c>(
        &self,
        composer: &'c Composer,
        input: &dyn Fn(usize) -> Value<'c>,
        scalar: &dyn Fn(usize) -> Value<'c>,
        instead: &dyn Fn(ValueId, Value<'c>) -> Value<'c>,
    ) -> Vec<Value<'c>> {
        let mut values: Vec<Value<'c>> = Vec::with_capacity(self.sources.len());
        let mut results: SmallVec<[Value<'c>; 2]> = SmallVec::new();
        for (id, &source) in self.sources.iter().enumerate() {
            values.push(match source {
                Source::Input(i) => input(i as usize),
                Source::Scalar(k) => scalar(k as usize),
                Source::Zero => composer.value(source),
                Source::Result { part, output } => {
                    if output == 0 {
                        let part = &self.parts[part as usize];
                        let at = |ids: &[ValueId]| -> SmallVec<[Value<'c>; 4]> {
                            ids.iter().map(|&id| values[id as usize]).collect()
                        };
                        results = composer.call(part.program, &at(&part.inputs), &at(&part.scalars));
                    }
                    instead(id as ValueId, results[output as usize])
                }
            });
        }
        values
    }

    /// The calls that the results need, with the used inputs numbered from zero by `place`, which sees each once and in order.
    fn prune(&self, mut place: impl FnMut(usize)) -> Calls {
        let mut used = vec![false; self.sources.len()];
        for &id in &self.outputs {
            used[id as usize] = true;
        }
        let needed = |part: &Part, used: &[bool]| {
            let results = part.first as usize..part.first as usize + part.program.outputs().len();
            used[results].contains(&true)
        };
        for part in self.parts.iter().rev() {
            if needed(part, &used) {
                part.inputs.iter().chain(&part.scalars).for_each(|&id| used[id as usize] = true);
            }
        }
        let mut kept = Calls::default();
        let mut moved: Vec<ValueId> = vec![0; self.sources.len()];
        let mut inputs = 0;
        for (id, &source) in self.sources.iter().enumerate() {
            let source = match source {
                Source::Result { part, output } => {
                    let part = &self.parts[part as usize];
                    if !needed(part, &used) {
                        continue;
                    }
                    if output == 0 {
                        let at = |ids: &[ValueId]| ids.iter().map(|&id| moved[id as usize]).collect::<Vec<ValueId>>();
                        let (inputs, scalars) = (at(&part.inputs).into(), at(&part.scalars).into());
                        let first = kept.sources.len() as ValueId;
                        kept.parts.push(Part { program: part.program, inputs, scalars, first });
                    }
                    Source::Result { part: kept.parts.len() as u32 - 1, output }
                }
                _ if !used[id] => continue,
                Source::Input(i) => {
                    place(i as usize);
                    inputs += 1;
                    Source::Input(inputs - 1)
                }
                other => other,
            };
            moved[id] = kept.sources.len() as ValueId;
            kept.sources.push(source);
        }
        kept.outputs = self.outputs.iter().map(|&id| moved[id as usize]).collect();
        kept
    }

    /// The program of these calls.
    fn program(self, fault: Option<&'static str>) -> Pointwise {
        let builder = Builder::default();
        if let Some(fault) = fault {
            builder.refuse(fault);
        }
        let masks = self.masks();
        let rules = self.rules();
        let mut values = Vec::with_capacity(self.sources.len());
        let mut results = SmallVec::new();
        for (id, &source) in self.sources.iter().enumerate() {
            values.push(match source {
                Source::Input(i) if masks[id] => builder.mask(i as usize),
                Source::Input(i) => builder.input(i as usize),
                Source::Scalar(k) => builder.scalar(k as usize),
                Source::Zero => builder.constant(0.0),
                Source::Result { part, output } => {
                    if output == 0 {
                        let part = &self.parts[part as usize];
                        let at = |ids: &[ValueId]| -> SmallVec<[_; 4]> {
                            ids.iter().map(|&id| values[id as usize]).collect()
                        };
                        results = inline(&builder, part.program, &at(&part.inputs), &at(&part.scalars));
                    }
                    results[output as usize].rounded()
                }
            });
        }
        let outputs = self.outputs.iter().map(|&id| values[id as usize].id()).collect();
        drop((values, results));
        let mut program = builder.finish(outputs);
        let mut rules = self.outputs.iter().map(|&id| rules[id as usize]);
        program.rule = rules.find(|&rule| rule != DTypeRule::Promote).unwrap_or(DTypeRule::Promote);
        program.calls = Some(self);
        program
    }

    /// For each value, whether it is an input that stands only where truth values do.
    fn masks(&self) -> Vec<bool> {
        let mut masks: Vec<bool> = self.sources.iter().map(|s| matches!(s, Source::Input(_))).collect();
        let mut used = vec![false; masks.len()];
        let uses = self
            .parts
            .iter()
            .flat_map(|part| part.inputs.iter().enumerate().map(|(i, &id)| (id, part.program.is_mask(i))));
        for (id, mask) in uses.chain(self.outputs.iter().map(|&id| (id, false))) {
            used[id as usize] = true;
            masks[id as usize] &= mask;
        }
        masks.iter().zip(used).map(|(&mask, used)| mask && used).collect()
    }

    /// How the dtype of each value follows from the operands'.
    fn rules(&self) -> Vec<DTypeRule> {
        let mut rules: Vec<DTypeRule> = Vec::with_capacity(self.sources.len());
        for &source in &self.sources {
            rules.push(match source {
                Source::Result { part, .. } => {
                    let part = &self.parts[part as usize];
                    let floats = part
                        .inputs
                        .iter()
                        .enumerate()
                        .any(|(i, &id)| !part.program.is_mask(i) && rules[id as usize] == DTypeRule::Float);
                    match part.program.rule {
                        DTypeRule::Promote if floats => DTypeRule::Float,
                        rule => rule,
                    }
                }
                _ => DTypeRule::Promote,
            });
        }
        rules
    }
}

impl Pointwise {
    /// A program of calls of other programs; see [`Composer`]. In f16 and bf16 each call's results are rounded, as if it stood
    /// alone.
    pub fn composed(formula: impl for<'c> FnOnce(&'c Composer) -> Vec<Value<'c>>) -> Self {
        let (calls, fault, _) = compose_with(formula);
        calls.program(fault)
    }

    /// [`Pointwise::composed`], made once for all formulas that make the same calls and kept for good; and the formula's own
    /// numbers, to pass as runtime scalars.
    #[allow(clippy::mutable_key_type, reason = "a part's program is compared and hashed by its address")]
    pub fn composed_once(formula: impl for<'c> FnOnce(&'c Composer) -> Vec<Value<'c>>) -> (&'static Self, Vec<Scalar>) {
        type Key = (Calls, Option<&'static str>);
        static ALL: Mutex<Option<HashMap<Key, &'static Pointwise>>> = Mutex::new(None);
        let (calls, fault, numbers) = compose_with(formula);
        let key = (calls, fault);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        if let Some(program) = all.get(&key) {
            return (program, numbers);
        }
        let program: &'static Pointwise = Box::leak(Box::new(key.0.clone().program(key.1)));
        all.insert(key, program);
        (program, numbers)
    }

    /// `outer` of `inner`'s result as its first input: a program of `inner`'s inputs, then `outer`'s others; likewise the runtime
    /// scalars. It gives the digits that the two give in turn.
    ///
    /// ```
    /// use flambeau_tensor::pointwise::Pointwise;
    /// use std::sync::LazyLock;
    ///
    /// static EXP: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).exp()));
    /// static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));
    /// let program = Pointwise::compose(&ADD, &EXP);
    /// assert_eq!(program.num_inputs(), 2);
    /// assert_eq!(program.gradient(0).leaves.len(), 2);
    /// ```
    pub fn compose(outer: &'static Pointwise, inner: &'static Pointwise) -> Self {
        Pointwise::composed(|c| {
            let inputs: Vec<Value<'_>> = (0..inner.num_inputs).map(|i| c.input(i)).collect();
            let scalars: Vec<Value<'_>> = (0..inner.num_scalars).map(|k| c.scalar(k)).collect();
            let first = c.call(inner, &inputs, &scalars).into_iter().take(1);
            let rest = (1..outer.num_inputs).map(|i| c.input(inner.num_inputs + i - 1));
            let inputs: Vec<Value<'_>> = first.chain(rest).collect();
            let scalars: Vec<Value<'_>> = (0..outer.num_scalars).map(|k| c.scalar(inner.num_scalars + k)).collect();
            c.call(outer, &inputs, &scalars).into_vec()
        })
    }
}

fn compose_with(
    formula: impl for<'c> FnOnce(&'c Composer) -> Vec<Value<'c>>,
) -> (Calls, Option<&'static str>, Vec<Scalar>) {
    let composer = Composer::default();
    let outputs: Vec<ValueId> = formula(&composer).iter().map(|v| v.id).collect();
    let mut calls = composer.calls.take();
    calls.outputs = outputs.into();
    (calls, composer.fault.get(), composer.numbers.take())
}
