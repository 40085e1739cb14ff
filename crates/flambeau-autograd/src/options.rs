//! Options that are set by closures: `F::conv2d_with(&x, &w, None, |o| o.stride(2))`.

/// A struct of options with PyTorch's defaults and one setter per option, under PyTorch's keyword. Setters take what
/// converts into the option's type; those after `exact` take the type itself, since a literal cannot choose among the
/// many types that convert into `usize`; those after `by IntoDims::into_dims` take what has that trait.
#[doc(hidden)]
#[macro_export]
macro_rules! options {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? $(<const $d:ident: usize>)? {
        $( $(#[$doc:meta])* $field:ident: $t:ty = $default:expr ),* $(,)?
    } $( exact { $( $(#[$exact_doc:meta])* $exact:ident: $exact_t:ty = $exact_default:expr ),* $(,)? } )?
    $( by $into:ident::$convert:ident { $( $(#[$by_doc:meta])* $by:ident: $by_t:ty = $by_default:expr ),* $(,)? } )*) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? $(<const $d: usize>)? {
            $( $(#[$doc])* pub $field: $t, )*
            $( $( $(#[$exact_doc])* pub $exact: $exact_t, )* )?
            $( $( $(#[$by_doc])* pub $by: $by_t, )* )*
        }

        impl $(<$life>)? $(<const $d: usize>)? Default for $name $(<$life>)? $(<$d>)? {
            fn default() -> Self {
                $name {
                    $( $field: $default, )*
                    $( $( $exact: $exact_default, )* )?
                    $( $( $by: $by_default, )* )*
                }
            }
        }

        impl $(<$life>)? $(<const $d: usize>)? $name $(<$life>)? $(<$d>)? {
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
            $( $(
                $(#[$by_doc])*
                #[must_use]
                pub fn $by(mut self, $by: impl $into) -> Self {
                    self.$by = $by.$convert().into();
                    self
                }
            )* )*
        }
    };
}

/// So that an option of a tensor takes `&w` as well as `w` and `None`.
impl From<&crate::Tensor> for Option<crate::Tensor> {
    fn from(tensor: &crate::Tensor) -> Self {
        Some(tensor.shallow_clone())
    }
}
