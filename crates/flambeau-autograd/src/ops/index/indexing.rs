//! What may stand between the brackets of Python's `x[…]`, as Rust values: integers, ranges, [`slice()`], `None`,
//! [`Ellipsis`], bools, tensors, lists, and tuples of these.

use crate::{Tensor, from_vec};
use smallvec::SmallVec;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// Python's `start:end:step`; made by [`slice()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) step: i64,
}

/// Python's `start:end:step`: `x.i(slice(None, None, 2))` is `x[::2]`. Negative ends count from the end of the dimension.
///
/// ```
/// let x = torch::arange(6);
/// assert_eq!(x.i(torch::slice(1, None, 2)).to_vec::<i64>(), [1, 3, 5]); // x[1::2]
/// ```
pub fn slice(start: impl Into<Option<i64>>, end: impl Into<Option<i64>>, step: i64) -> Slice {
    Slice { start: start.into(), end: end.into(), step }
}

/// Python's `...`: all dimensions that the other indices leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ellipsis;

/// A new dimension of length one; Python's `None`, which works too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAxis;

/// One index of several.
#[derive(Debug)]
pub enum Index {
    /// One line; the dimension goes away.
    Select(i64),
    /// A range of lines.
    Slice(Slice),
    /// A new dimension.
    NewAxis,
    /// All dimensions that the others leave.
    Ellipsis,
    /// A new dimension of length one (true) or zero (false).
    Bool(bool),
    /// Lines by number, or a mask.
    Tensor(Tensor),
}

/// The indices of one access.
pub type Indices = SmallVec<[Index; 4]>;

/// A value that may stand between the brackets of `x[…]`.
pub trait IntoIndex {
    /// Appends the indices.
    fn append(self, indices: &mut Indices);
}

macro_rules! single {
    ($($t:ty => |$x:ident| $index:expr;)*) => {$(
        impl IntoIndex for $t {
            fn append(self, indices: &mut Indices) {
                let $x = self;
                indices.push($index);
            }
        }
    )*};
}

/// The end of a slice that includes `last`.
fn after(last: i64) -> Option<i64> {
    (last != -1).then_some(last + 1)
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        single! {
            $t => |i| Index::Select(i as i64);
            Range<$t> => |r| Index::Slice(slice(r.start as i64, r.end as i64, 1));
            RangeFrom<$t> => |r| Index::Slice(slice(r.start as i64, None, 1));
            RangeTo<$t> => |r| Index::Slice(slice(None, r.end as i64, 1));
            RangeInclusive<$t> => |r| Index::Slice(slice(*r.start() as i64, after(*r.end() as i64), 1));
            RangeToInclusive<$t> => |r| Index::Slice(slice(None, after(r.end as i64), 1));
            Vec<$t> => |v| list(&v);
            &Vec<$t> => |v| list(v);
            &[$t] => |v| list(v);
        }
        impl<const N: usize> IntoIndex for [$t; N] {
            fn append(self, indices: &mut Indices) {
                indices.push(list(&self));
            }
        }
        impl<const N: usize> IntoIndex for &[$t; N] {
            fn append(self, indices: &mut Indices) {
                indices.push(list(self));
            }
        }
        impl ListElement for $t {
            fn number(self) -> i64 { self as i64 }
        }
    )*};
}

/// An element of a list of line numbers.
trait ListElement: Copy {
    fn number(self) -> i64;
}

fn list<T: ListElement>(numbers: &[T]) -> Index {
    Index::Tensor(from_vec(numbers.iter().map(|&i| i.number()).collect::<Vec<i64>>(), [numbers.len()]))
}

integers!(i32, i64, usize);

single! {
    RangeFull => |_r| Index::Slice(slice(None, None, 1));
    Slice => |s| Index::Slice(s);
    Ellipsis => |_e| Index::Ellipsis;
    NewAxis => |_n| Index::NewAxis;
    Option<NewAxis> => |_n| Index::NewAxis;
    bool => |b| Index::Bool(b);
    Tensor => |t| Index::Tensor(t);
    &Tensor => |t| Index::Tensor(t.shallow_clone());
    Vec<bool> => |v| { let n = v.len(); Index::Tensor(from_vec(v, [n])) };
    Index => |i| i;
}

impl<const N: usize> IntoIndex for [bool; N] {
    fn append(self, indices: &mut Indices) {
        indices.push(Index::Tensor(from_vec(self.to_vec(), [N])));
    }
}

impl IntoIndex for () {
    fn append(self, _: &mut Indices) {}
}

impl IntoIndex for Indices {
    fn append(self, indices: &mut Indices) {
        indices.extend(self);
    }
}

macro_rules! tuples {
    ($(($($t:ident $field:tt),+))*) => {$(
        impl<$($t: IntoIndex),+> IntoIndex for ($($t,)+) {
            fn append(self, indices: &mut Indices) {
                $(self.$field.append(indices);)+
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
}
