//! What can stand where a state dict is asked for.

use crate::Result;
use std::borrow::Cow;

/// What `load_state_dict` takes: a state dict of the kind `S`, or a value of a file that holds one. A reference will do.
///
/// ```
/// use flambeau_autograd::AsState;
/// use std::borrow::Cow;
///
/// #[derive(Clone)]
/// struct Counter(u32);
/// impl AsState<Counter> for u32 {
///     fn as_state(&self) -> flambeau_autograd::Result<Cow<'_, Counter>> {
///         Ok(Cow::Owned(Counter(*self)))
///     }
/// }
/// assert_eq!((&3).as_state()?.0, 3);
/// # Ok::<(), flambeau_autograd::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no state dict",
    label = "expected a state dict or a value of a file",
    note = "write `load_state_dict(&other.state_dict())`, or `load_state_dict(&checkpoint[\"model\"])` of what `torch::load` gave"
)]
pub trait AsState<S: Clone> {
    /// The state dict: the thing itself where it is one.
    ///
    /// # Errors
    /// When a file's value holds something else.
    fn as_state(&self) -> Result<Cow<'_, S>>;
}

impl<S: Clone, T: AsState<S> + ?Sized> AsState<S> for &T {
    fn as_state(&self) -> Result<Cow<'_, S>> {
        (**self).as_state()
    }
}

impl<S: Clone, T: AsState<S> + ?Sized> AsState<S> for &mut T {
    fn as_state(&self) -> Result<Cow<'_, S>> {
        (**self).as_state()
    }
}
