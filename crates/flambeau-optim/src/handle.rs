//! Types of their own around a shared handle: an `Adam` is an [`Optimizer`](crate::Optimizer), a `StepLR` an
//! [`LRScheduler`](crate::lr_scheduler::LRScheduler), as PyTorch's subclasses are.

/// Declares a type that lends and becomes the handle which it holds. A function takes `&Adam`, or `&Optimizer` for any of
/// them; clones are the same optimizer or scheduler.
macro_rules! handle {
    ($(#[$meta:meta])* $name:ident($base:ty)) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name($base);

        impl std::ops::Deref for $name {
            type Target = $base;
            fn deref(&self) -> &$base {
                &self.0
            }
        }

        impl std::ops::DerefMut for $name {
            fn deref_mut(&mut self) -> &mut $base {
                &mut self.0
            }
        }

        impl AsRef<$base> for $name {
            fn as_ref(&self) -> &$base {
                &self.0
            }
        }

        impl From<$name> for $base {
            fn from(typed: $name) -> $base {
                typed.0
            }
        }

        impl From<&$name> for $base {
            fn from(typed: &$name) -> $base {
                typed.0.clone()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

pub(crate) use handle;
