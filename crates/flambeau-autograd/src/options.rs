//! Options that are set by closures: `F::conv2d_with(&x, &w, None, |o| o.stride(2))`.

/// A struct of options with PyTorch's defaults and one setter per option, under PyTorch's keyword, which takes what
/// [`Setting`](crate::Setting) says.
#[doc(hidden)]
#[macro_export]
macro_rules! options {
    ($(#[$meta:meta])* $name:ident $(<$life:lifetime>)? $(<const $d:ident: usize>)? {
        $( $(#[$doc:meta])* $field:ident: $t:ty = $default:expr ),* $(,)?
    }) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? $(<const $d: usize>)? {
            $( $(#[$doc])* pub $field: $t, )*
        }

        impl $(<$life>)? $(<const $d: usize>)? Default for $name $(<$life>)? $(<$d>)? {
            fn default() -> Self {
                $name { $( $field: $default, )* }
            }
        }

        impl $(<$life>)? $(<const $d: usize>)? $name $(<$life>)? $(<$d>)? {
            $(
                $(#[$doc])*
                #[track_caller]
                #[must_use]
                pub fn $field(mut self, $field: impl $crate::Setting<$t>) -> Self {
                    self.$field = $crate::Setting::setting($field);
                    self
                }
            )*
        }
    };
}
