//! Inputs with keywords beside them.

use super::{Arg, Input, Output, Value};
use std::sync::Arc;

/// Positional inputs and the keywords beside them: what the `forward` of a module takes whose `call_with` sets keywords, as
/// [`MultiheadAttention`](crate::MultiheadAttention) does. Its `forward` gets the inputs as ever, and the keywords.
///
/// Hooks of the module's own signature see both, `|module, (inputs, keywords), output|`; hooks of any module see the
/// inputs, as in PyTorch, and the keywords stay as they were.
pub struct Keyed<In, K> {
    /// What stands before the keywords.
    pub inputs: In,
    /// The keywords.
    pub keywords: Arc<K>,
}

impl<In: Output, K: Send + Sync + 'static> Output for Keyed<In, K> {
    fn to_value(&self) -> Value {
        self.inputs.to_value()
    }
    fn with_value(&self, value: Value) -> Option<Self> {
        Some(Keyed { inputs: self.inputs.with_value(value)?, keywords: self.keywords.clone() })
    }
}

impl<In: Input, K: Send + Sync + 'static> Input for Keyed<In, K> {
    type Ref<'a> = (In::Ref<'a>, &'a Arc<K>);
    #[inline]
    fn borrow(&self) -> Self::Ref<'_> {
        (self.inputs.borrow(), &self.keywords)
    }
    fn keep((inputs, keywords): Self::Ref<'_>) -> Self {
        Keyed { inputs: In::keep(inputs), keywords: keywords.clone() }
    }
}

impl<In: Input, K: Send + Sync + 'static, A: Arg<In>> Arg<Keyed<In, K>> for (A, Arc<K>) {
    #[inline]
    fn arg(&self) -> (In::Ref<'_>, &Arc<K>) {
        (self.0.arg(), &self.1)
    }
}

impl<In: Input, K: Send + Sync + 'static, A: Arg<In>> Arg<Keyed<In, K>> for (A, &Arc<K>) {
    #[inline]
    fn arg(&self) -> (In::Ref<'_>, &Arc<K>) {
        (self.0.arg(), self.1)
    }
}
