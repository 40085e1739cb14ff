//! Kernel sizes and strides of layers, given as one number or one per dimension.

use crate::Setting;
use crate::arguments::Int;
use std::fmt;

/// A length for each of `D` dimensions: one number for all, or one each, as it was given, which is how layers print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lengths<const D: usize> {
    /// The same in all dimensions.
    Same(usize),
    /// One each.
    Each([usize; D]),
}

impl<const D: usize> Lengths<D> {
    /// One per dimension.
    pub fn each(self) -> [usize; D] {
        match self {
            Lengths::Same(n) => [n; D],
            Lengths::Each(list) => list,
        }
    }

    /// As Python's tuple.
    pub fn tuple(self) -> String {
        tuple(&self.each())
    }
}

/// Python's tuple: `(1, 2)`, `(1,)`.
fn tuple(list: &[usize]) -> String {
    let items: Vec<String> = list.iter().map(ToString::to_string).collect();
    if items.len() == 1 { format!("({},)", items[0]) } else { format!("({})", items.join(", ")) }
}

impl<const D: usize> fmt::Display for Lengths<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lengths::Same(n) => write!(f, "{n}"),
            Lengths::Each(list) => f.write_str(&tuple(list)),
        }
    }
}

/// One number for all dimensions, an array, or a tuple.
macro_rules! lengths {
    ($([$($generics:tt)*] $given:ty => $count:expr, |$value:ident| $lengths:expr;)*) => {$(
        impl<$($generics)*> From<$given> for Lengths<{ $count }> {
            #[track_caller]
            fn from($value: $given) -> Self {
                $lengths
            }
        }
        impl<$($generics)*> Setting<Lengths<{ $count }>> for $given {
            #[track_caller]
            fn setting(self) -> Lengths<{ $count }> {
                self.into()
            }
        }
        impl<$($generics)*> Setting<Option<Lengths<{ $count }>>> for $given {
            #[track_caller]
            fn setting(self) -> Option<Lengths<{ $count }>> {
                Some(self.into())
            }
        }
    )*};
}

lengths! {
    [const D: usize] i32 => D, |n| Lengths::Same(n.to_usize());
    [const D: usize] i64 => D, |n| Lengths::Same(n.to_usize());
    [const D: usize] u32 => D, |n| Lengths::Same(n.to_usize());
    [const D: usize] usize => D, |n| Lengths::Same(n);
    [N: Int, const D: usize] [N; D] => D, |list| Lengths::Each(list.map(Int::to_usize));
    [A: Int, B: Int] (A, B) => 2, |p| Lengths::Each([p.0.to_usize(), p.1.to_usize()]);
    [A: Int, B: Int, C: Int] (A, B, C) => 3, |p| Lengths::Each([p.0.to_usize(), p.1.to_usize(), p.2.to_usize()]);
}

impl<const D: usize> Setting<Lengths<D>> for Lengths<D> {
    fn setting(self) -> Lengths<D> {
        self
    }
}

impl<const D: usize> Setting<Option<Lengths<D>>> for Option<Lengths<D>> {
    fn setting(self) -> Option<Lengths<D>> {
        self
    }
}
