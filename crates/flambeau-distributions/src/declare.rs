//! What declares distributions.

/// Makes a distribution of tensors that broadcast together: its struct, its constructors, which take tensors and numbers, an accessor
/// for each argument, `expand`, and what every distribution has. Arguments stand in the constructor's order, with what each has to
/// satisfy; `printed` is the order of PyTorch's `arg_constraints`, `first` what is done before they are checked.
macro_rules! distribution {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$doc:meta])* $argument:ident: |$this:ident| $constraint:expr;)+ }
        $(printed $($printed:ident)+;)?
        family $family:literal $(, first |$who:ident| $first:expr)?;
        $($body:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name {
            frame: $crate::distribution::Frame,
            $($argument: $crate::value::Shared,)+
        }

        impl $name {
            /// The distribution of these parameters, which may be tensors or numbers and broadcast.
            ///
            /// # Panics
            /// When one is outside of what it has to satisfy, in PyTorch's words.
            #[track_caller]
            #[allow(clippy::new_without_default, clippy::too_many_arguments, reason = "as PyTorch's")]
            pub fn new($($argument: impl $crate::IntoValue),+) -> Self {
                Self::with($($argument,)+ |o| o)
            }

            /// [`new`](Self::new) with options: `validate_args`.
            ///
            /// # Panics
            /// As there.
            #[track_caller]
            pub fn with(
                $($argument: impl $crate::IntoValue,)+
                options: impl FnOnce($crate::ValidateOptions) -> $crate::ValidateOptions,
            ) -> Self {
                let options = options($crate::ValidateOptions::default());
                let values = [$($argument.into_value()),+];
                flambeau_autograd::at_caller(|| {
                    let mut tensors = $crate::value::broadcast_all(&values).into_iter().map($crate::value::Shared::from);
                    let [$($argument),+] = std::array::from_fn(|_| tensors.next().expect("one tensor per value"));
                    let first = [$(&$argument),+][0];
                    let frame = $crate::distribution::Frame::new(&first.size()[..], [], options.validate_args);
                    let made = $name { frame, $($argument),+ };
                    $({
                        let $who = &made;
                        $first;
                    })?
                    $crate::distribution::check_arguments(&made);
                    made
                })
            }

            $(
                $(#[$doc])*
                pub fn $argument(&self) -> &flambeau_autograd::Tensor {
                    &self.$argument
                }
            )+

            /// The distribution with its parameters expanded to another batch shape.
            ///
            /// # Panics
            /// When they do not expand to it.
            #[track_caller]
            #[must_use]
            pub fn expand(&self, batch_shape: impl flambeau_autograd::ops::IntoShape) -> Self {
                flambeau_autograd::at_caller(|| self.expand_to(&$crate::distribution::shape_of(batch_shape)))
            }

            fn expand_to(&self, batch: &[usize]) -> Self {
                $name {
                    frame: self.frame.with_batch(batch),
                    $($argument: $crate::value::expanded(&self.$argument, batch).into(),)+
                }
            }
        }

        impl $crate::Distribution for $name {
            fn class(&self) -> &'static str {
                stringify!($name)
            }

            fn frame(&self) -> &$crate::distribution::Frame {
                &self.frame
            }

            fn arguments(&self) -> Vec<$crate::distribution::Argument> {
                #[allow(unused_mut, reason = "where the order is another one")]
                let mut all = vec![$({
                    let $this = self;
                    let _ = $this;
                    $crate::distribution::Argument::own(stringify!($argument), $constraint, &self.$argument)
                }),+];
                $(
                    let order = [$(stringify!($printed)),+];
                    all.sort_by_key(|a| order.iter().position(|name| *name == a.name));
                )?
                all
            }

            fn is_exponential_family(&self) -> bool {
                $family
            }

            fn expand_batch(&self, batch: &[usize]) -> std::sync::Arc<dyn $crate::Distribution> {
                std::sync::Arc::new(self.expand_to(batch))
            }

            $($body)*
        }

        $crate::declare::is_distribution!($name);
    };
}
pub(crate) use distribution;

/// Gives a distribution the methods of `dyn Distribution`, and Python's `repr` as its text.
macro_rules! is_distribution {
    ($($name:ident),+) => {$(
        impl std::ops::Deref for $name {
            type Target = dyn $crate::Distribution;
            fn deref(&self) -> &(dyn $crate::Distribution + 'static) {
                self
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::Distribution::repr(self))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::Distribution::repr(self))
            }
        }
    )+};
}
pub(crate) use is_distribution;

/// Gives a distribution `expand`, which keeps its type, from its `expand_to`.
macro_rules! expands {
    ($($name:ident),+) => {$(
        impl $name {
            /// The distribution with its parameters expanded to another batch shape.
            ///
            /// # Panics
            /// When they do not expand to it.
            #[track_caller]
            #[must_use]
            pub fn expand(&self, batch_shape: impl flambeau_autograd::ops::IntoShape) -> Self {
                flambeau_autograd::at_caller(|| self.expand_to(&$crate::distribution::shape_of(batch_shape)))
            }
        }
    )+};
}
pub(crate) use expands;
