//! Options of this crate's functions and transforms, and what their setters take.

use flambeau_autograd::arguments::{Int, Number, OptInt};

/// What a setter takes for an option of type T: `o.fill(0)`, `o.fill([1, 2, 3])`, `o.interpolation("nearest")`.
#[diagnostic::on_unimplemented(message = "an option of type `{T}` cannot be `{Self}`")]
pub trait Setting<T> {
    /// The option's value.
    #[track_caller]
    fn setting(self) -> T;
}

/// A struct of options with torchvision's defaults and a setter for each, under torchvision's keyword.
macro_rules! options {
    ($(#[$meta:meta])* $name:ident { $( $(#[$doc:meta])* $field:ident: $t:ty = $default:expr ),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name { $( pub(crate) $field: $t, )* }

        impl Default for $name {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $name {
            $(
                $(#[$doc])*
                #[track_caller]
                #[must_use]
                pub fn $field(mut self, $field: impl $crate::options::Setting<$t>) -> Self {
                    self.$field = $crate::options::Setting::setting($field);
                    self
                }
            )*
        }
    };
}
pub(crate) use options;

/// What a setter is given, and what it becomes.
macro_rules! settings {
    ($([$($generics:tt)*] $given:ty => $option:ty: |$value:ident| $expression:expr;)*) => {$(
        impl<$($generics)*> $crate::options::Setting<$option> for $given {
            #[track_caller]
            fn setting(self) -> $option {
                let $value = self;
                $expression
            }
        }
    )*};
}

/// One integer or several: a size, a padding. Integers of any type; several in an array, a tuple, a `Vec` or a slice.
pub trait Integers {
    /// The list.
    fn integers(self) -> Vec<i64>;
}

/// One number or several: a fill, a range. Numbers of any type; several in an array, a tuple, a `Vec` or a slice.
pub trait Numbers {
    /// The list.
    fn numbers(self) -> Vec<f64>;
}

/// The list traits for one kind of element, under the names of the trait, its method, the element's trait and its method.
macro_rules! lists {
    ($list:ident $into:ident $element:ident $convert:ident $t:ty) => {
        impl<A: $element, const N: usize> $list for [A; N] {
            fn $into(self) -> Vec<$t> {
                self.into_iter().map(|v| v.$convert()).collect()
            }
        }
        impl<A: $element> $list for Vec<A> {
            fn $into(self) -> Vec<$t> {
                self.into_iter().map(|v| v.$convert()).collect()
            }
        }
        impl<A: $element> $list for &[A] {
            fn $into(self) -> Vec<$t> {
                self.iter().map(|v| v.$convert()).collect()
            }
        }
        impl<A: $element, B: $element> $list for (A, B) {
            fn $into(self) -> Vec<$t> {
                vec![self.0.$convert(), self.1.$convert()]
            }
        }
        impl<A: $element, B: $element, C: $element> $list for (A, B, C) {
            fn $into(self) -> Vec<$t> {
                vec![self.0.$convert(), self.1.$convert(), self.2.$convert()]
            }
        }
        impl<A: $element, B: $element, C: $element, D: $element> $list for (A, B, C, D) {
            fn $into(self) -> Vec<$t> {
                vec![self.0.$convert(), self.1.$convert(), self.2.$convert(), self.3.$convert()]
            }
        }
    };
}
lists!(Integers integers Int to_i64 i64);
lists!(Numbers numbers Number to_f64 f64);

/// One number as a list.
macro_rules! singles {
    ($($number:ty),*: $list:ident $into:ident $convert:ident $t:ty) => {$(
        impl $list for $number {
            fn $into(self) -> Vec<$t> {
                vec![self.$convert()]
            }
        }
    )*};
}
singles!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize: Integers integers to_i64 i64);
singles!(u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64: Numbers numbers to_f64 f64);

settings! {
    [] bool => bool: |b| b;
    [N: Int] N => i64: |n| n.to_i64();
    [N: Int] N => usize: |n| n.to_usize();
    [N: OptInt] N => Option<i64>: |n| n.to_option();
    [N: Number] N => f64: |n| n.to_f64();
    [L: Numbers] L => Vec<f64>: |l| l.numbers();
    [L: Numbers] L => Option<Vec<f64>>: |l| Some(l.numbers());
    [L: Integers] L => Option<Vec<i64>>: |l| Some(l.integers());
    [L: Numbers] L => [f64; 2]: |l| pair(&l.numbers());
    [L: Numbers] L => Option<[f64; 2]>: |l| Some(pair(&l.numbers()));
    [] crate::image::Mode => Option<crate::image::Mode>: |mode| Some(mode);
    [W: Into<crate::transforms::InterpolationMode>] W => crate::transforms::InterpolationMode: |w| w.into();
    [W: Into<crate::transforms::PaddingMode>] W => crate::transforms::PaddingMode: |w| w.into();
}

/// Exactly two numbers.
#[track_caller]
pub(crate) fn pair(values: &[f64]) -> [f64; 2] {
    match *values {
        [a, b] => [a, b],
        _ => panic!("a sequence of length 2 is expected, got {} values", values.len()),
    }
}
