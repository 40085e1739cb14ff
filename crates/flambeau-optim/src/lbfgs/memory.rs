//! What L-BFGS remembers between steps, and its form in PyTorch's state dict.

use crate::error::{Error, Result};
use crate::number::Num;
use crate::state::StateValue;
use flambeau_autograd::{Tensor, ops};
use flambeau_tensor::{Device, Scalar};

/// All that L-BFGS remembers.
#[derive(Default)]
pub(crate) struct Memory {
    pub func_evals: i64,
    pub n_iter: i64,
    /// The factors of the last direction's first loop, as many as the history is long, once there was one.
    al: Option<Vec<Option<Num>>>,
    /// Whether they came up after the first step, so that they stand last.
    al_last: bool,
    /// What the last step left, once one came to its end.
    last: Option<Direction>,
}

/// A direction, how far it was gone, and what it was made of.
#[derive(Default)]
pub(crate) struct Direction {
    pub d: Option<Tensor>,
    pub t: Option<Num>,
    pub history: Vec<Move>,
    /// PyTorch has lists in its state only once there was an iteration.
    pub listed: bool,
    /// The inverse Hessian's first guess: PyTorch's `H_diag`.
    pub scale: Option<Num>,
    pub grad: Option<Tensor>,
    pub loss: Option<Num>,
}

/// One move: the difference of gradients y, that of parameters s, and 1 / (y · s).
pub(crate) struct Move {
    pub y: Tensor,
    pub s: Tensor,
    pub ro: Num,
}

impl Memory {
    /// The last direction, to go on from.
    pub fn direction(&self) -> Direction {
        self.last.as_ref().map_or_else(Direction::default, Direction::shallow)
    }

    /// Keeps a step's last direction.
    pub fn store(&mut self, direction: Direction) {
        let listed = self.n_iter > 0;
        self.last = Some(Direction { listed, ..direction });
    }

    /// The factors of the first loop.
    pub fn al(&mut self, history: usize) -> &mut Vec<Option<Num>> {
        if self.al.is_none() {
            self.al_last = self.last.is_some();
        }
        self.al.get_or_insert_with(|| vec![None; history])
    }

    /// In PyTorch's form, names and order.
    pub fn to_values(&self) -> Result<Vec<(String, StateValue)>> {
        let like = self.last.as_ref().and_then(|last| last.grad.as_ref());
        let number = |x: &Option<Num>| x.map_or(Ok(StateValue::None), |x| number(x, like));
        let count = |n: i64| StateValue::Number(Scalar::Int(n));
        let mut values = vec![("func_evals", count(self.func_evals)), ("n_iter", count(self.n_iter))];
        let al = self.al.as_ref().map(|al| al.iter().map(number).collect::<Result<_>>());
        let mut al = al.transpose()?.map(|al| ("al", StateValue::List(al)));
        if !self.al_last {
            values.extend(al.take());
        }
        if let Some(last) = &self.last {
            let tensor =
                |x: &Option<Tensor>| x.as_ref().map_or(StateValue::None, |x| StateValue::Tensor(x.shallow_clone()));
            let list = |of: &dyn Fn(&Move) -> Result<StateValue>| match last.listed {
                true => Ok(StateValue::List(last.history.iter().map(of).collect::<Result<_>>()?)),
                false => Ok::<_, Error>(StateValue::None),
            };
            values.extend([
                ("d", tensor(&last.d)),
                ("t", number(&last.t)?),
                ("old_dirs", list(&|m| Ok(StateValue::Tensor(m.y.shallow_clone())))?),
                ("old_stps", list(&|m| Ok(StateValue::Tensor(m.s.shallow_clone())))?),
                ("ro", list(&|m| number(&Some(m.ro)))?),
                ("H_diag", number(&last.scale)?),
                ("prev_flat_grad", tensor(&last.grad)),
                ("prev_loss", number(&last.loss)?),
            ]);
        }
        values.extend(al);
        Ok(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Takes over PyTorch's form.
    ///
    /// # Errors
    /// When an entry is of another kind than PyTorch's, or the history's lists differ in length.
    pub fn from_values(values: Vec<(&str, StateValue)>) -> Result<Self> {
        let (mut memory, mut last, mut lists) = (Memory::default(), Direction::default(), [const { Vec::new() }; 3]);
        let mut stored = false;
        for (name, value) in values {
            let wrong = || Error::Type(format!("the state's {name} is of another kind than LBFGS's"));
            let mut list = |place: usize| match value.shallow() {
                StateValue::List(items) => {
                    last.listed = true;
                    lists[place] = items;
                    Ok(())
                }
                StateValue::None => Ok(()),
                _ => Err(wrong()),
            };
            match name {
                "func_evals" => memory.func_evals = to_num(&value)?.ok_or_else(wrong)?.to_f64() as i64,
                "n_iter" => memory.n_iter = to_num(&value)?.ok_or_else(wrong)?.to_f64() as i64,
                "old_dirs" => list(0)?,
                "old_stps" => list(1)?,
                "ro" => list(2)?,
                "t" => last.t = to_num(&value)?,
                "H_diag" => last.scale = to_num(&value)?,
                "prev_loss" => last.loss = to_num(&value)?,
                "d" => last.d = to_tensor(value).map_err(|()| wrong())?,
                "prev_flat_grad" => last.grad = to_tensor(value).map_err(|()| wrong())?,
                "al" => {
                    let StateValue::List(items) = value else { return Err(wrong()) };
                    memory.al = Some(items.iter().map(to_num).collect::<Result<_>>()?);
                    memory.al_last = stored;
                }
                _ => return Err(wrong()),
            }
            stored |= name == "d";
        }
        let [dirs, stps, ro] = lists;
        if dirs.len() != stps.len() || dirs.len() != ro.len() {
            return Err(Error::Value("the lists of an LBFGS state differ in length".into()));
        }
        for ((y, s), ro) in dirs.into_iter().zip(stps).zip(ro) {
            let wrong = || Error::Type("the history of an LBFGS state holds something else than tensors".into());
            let (Ok(Some(y)), Ok(Some(s)), Some(ro)) = (to_tensor(y), to_tensor(s), to_num(&ro)?) else {
                return Err(wrong());
            };
            last.history.push(Move { y, s, ro });
        }
        memory.last = stored.then_some(last);
        Ok(memory)
    }
}

impl Direction {
    /// The same tensors, where PyTorch's lists and tensors would be the same objects.
    fn shallow(&self) -> Direction {
        let tensor = |x: &Option<Tensor>| x.as_ref().map(Tensor::shallow_clone);
        let history = self.history.iter();
        let history = history.map(|m| Move { y: m.y.shallow_clone(), s: m.s.shallow_clone(), ro: m.ro });
        Direction {
            d: tensor(&self.d),
            t: self.t,
            history: history.collect(),
            listed: self.listed,
            scale: self.scale,
            grad: tensor(&self.grad),
            loss: self.loss,
        }
    }
}

/// A number, or a 0-dim tensor on the device of `like`.
fn number(x: Num, like: Option<&Tensor>) -> Result<StateValue> {
    Ok(match x {
        Num::Number(x) => StateValue::Number(x),
        Num::Tensor(x, dtype) => {
            let device = like.map_or(Device::Cpu, Tensor::device);
            StateValue::Tensor(ops::full(&[], x, dtype, device)?)
        }
    })
}

fn to_num(value: &StateValue) -> Result<Option<Num>> {
    match value {
        StateValue::None => Ok(None),
        StateValue::Number(x) => Ok(Some(Num::Number(*x))),
        StateValue::Tensor(x) => Num::of(x).map(Some),
        StateValue::List(_) => Err(Error::Type("a state of LBFGS has a list in place of a number".into())),
    }
}

fn to_tensor(value: StateValue) -> Result<Option<Tensor>, ()> {
    match value {
        StateValue::None => Ok(None),
        StateValue::Tensor(x) => Ok(Some(x)),
        _ => Err(()),
    }
}
