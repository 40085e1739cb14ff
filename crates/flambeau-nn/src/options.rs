//! Options that are set by closures: `Conv2d::with(1, 6, 3, |o| o.stride(2).bias(false))`.

/// A struct of options with PyTorch's defaults and one setter per option, under PyTorch's keyword. Setters take what
/// converts into the option's type; those after `exact` take the type itself, since a literal cannot choose among the
/// many types that convert into `usize`.
macro_rules! options {
    ($(#[$meta:meta])* $name:ident $(<const $d:ident: usize>)? {
        $( $(#[$doc:meta])* $field:ident: $t:ty = $default:expr ),* $(,)?
    } $( exact { $( $(#[$exact_doc:meta])* $exact:ident: $exact_t:ty = $exact_default:expr ),* $(,)? } )?) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name $(<const $d: usize>)? {
            $( pub(crate) $field: $t, )*
            $( $( pub(crate) $exact: $exact_t, )* )?
        }

        impl $(<const $d: usize>)? Default for $name $(<$d>)? {
            fn default() -> Self {
                $name { $( $field: $default, )* $( $( $exact: $exact_default, )* )? }
            }
        }

        impl $(<const $d: usize>)? $name $(<$d>)? {
            $(
                $(#[$doc])*
                #[track_caller]
                #[must_use]
                pub fn $field(mut self, $field: impl Into<$t>) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
            $( $(
                $(#[$exact_doc])*
                #[must_use]
                pub fn $exact(mut self, $exact: $exact_t) -> Self {
                    self.$exact = $exact;
                    self
                }
            )* )?
        }
    };
}

pub(crate) use options;
