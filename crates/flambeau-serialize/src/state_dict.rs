//! State dicts of modules, to and from files.

use crate::{Error, Save, Value};
use flambeau_autograd::Tensor;
use flambeau_nn::StateDict;

impl Save for StateDict {
    fn to_value(&self) -> Value<Tensor> {
        Value::ordered_dict(self.iter().map(|(key, tensor)| (key, tensor.to_value())))
    }
}

/// What [`crate::load`] read as a module's state: `model.load_state_dict(torch.load(path))`.
impl TryFrom<Value<Tensor>> for StateDict {
    type Error = Error;

    fn try_from(value: Value<Tensor>) -> Result<Self, Error> {
        Ok(value.into_state_dict()?.into_iter().collect())
    }
}
