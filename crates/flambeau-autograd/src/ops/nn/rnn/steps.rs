//! In which order a layer's steps run, and where each step's rows and states lie.

use crate::error::Result;
use flambeau_tensor::Array;

/// The steps of a sequence. Rows of all steps lie one behind the other, `[rows, features]`; a packed sequence has fewer rows in later
/// steps, those of the sequences that go on.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    /// How many sequences there are: the rows of the first step.
    pub batch: usize,
    /// How many steps.
    pub len: usize,
    /// The rows of each step, and how many rows come before it; without it each step has `batch` rows.
    packed: Option<Vec<(usize, usize)>>,
}

impl Steps {
    /// `len` steps of `batch` rows.
    pub(super) fn uniform(len: usize, batch: usize) -> Self {
        Steps { batch, len, packed: None }
    }

    /// The steps of a packed sequence.
    pub(super) fn packed(sizes: &[usize]) -> Self {
        let mut before = 0;
        let step = |&rows: &usize| {
            before += rows;
            (rows, before - rows)
        };
        let steps: Vec<_> = sizes.iter().map(step).collect();
        Steps { batch: sizes[0], len: sizes.len(), packed: Some(steps) }
    }

    pub(super) fn is_uniform(&self) -> bool {
        self.packed.is_none()
    }

    /// The rows of a step.
    pub(super) fn rows(&self, t: usize) -> usize {
        self.packed.as_ref().map_or(self.batch, |steps| steps[t].0)
    }

    /// The rows of the step after this one; none after the last.
    pub(super) fn rows_after(&self, t: usize) -> usize {
        if t + 1 < self.len { self.rows(t + 1) } else { 0 }
    }

    /// The rows before a step.
    pub(super) fn start(&self, t: usize) -> usize {
        self.packed.as_ref().map_or(t * self.batch, |steps| steps[t].1)
    }

    /// The rows of all steps.
    pub(super) fn total(&self) -> usize {
        match self.len {
            0 => 0,
            n => self.start(n - 1) + self.rows(n - 1),
        }
    }

    /// The steps in the order in which a direction runs them.
    pub(super) fn order(&self, reverse: bool) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let len = self.len;
        (0..len).map(move |i| if reverse { len - 1 - i } else { i })
    }

    /// A step's part of `[rows, features]`.
    pub(super) fn of_rows(&self, a: &Array, t: usize) -> Result<Array> {
        Ok(a.narrow(0, self.start(t) as i64, self.rows(t) as i64)?)
    }

    /// The state before a step (after it, with `after`) among the states `[steps + 1, batch, features]`: one that runs in reverse
    /// begins at the end.
    pub(super) fn state(&self, states: &Array, t: usize, reverse: bool, after: bool) -> Result<Array> {
        let block = states.select(0, (t + usize::from(reverse != after)) as i64)?;
        self.first(&block, self.rows(t))
    }

    /// The first rows of an array.
    pub(super) fn first(&self, a: &Array, rows: usize) -> Result<Array> {
        if rows == a.shape()[0] { Ok(a.clone()) } else { Ok(a.narrow(0, 0, rows as i64)?) }
    }
}
