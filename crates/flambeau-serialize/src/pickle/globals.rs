//! The closed table of Python names that a pickle may mention. Everything else is refused.

use flambeau_tensor::DType;

/// A name that the reader understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `collections.Counter`.
    Counter,
    /// `builtins.set`.
    Set,
    /// `_codecs.encode`: how protocol 2 writes `bytes`.
    Encode,
    /// `torch.Size`.
    Size,
    /// `torch.device`.
    Device,
    /// `torch.float32` and its kin.
    DType(DType),
    /// `torch.FloatStorage` and its kin.
    Storage(DType),
    /// `torch.storage.UntypedStorage`: bytes whose type the tensor states.
    UntypedStorage,
    /// `torch._utils._rebuild_tensor`, from before 2018.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v2`, the usual form.
    RebuildTensorV2,
    /// `torch._utils._rebuild_tensor_v3`, for dtypes without a storage class.
    RebuildTensorV3,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch._utils._rebuild_parameter_with_state`.
    RebuildParameterWithState,
}

/// The names that are not made from a dtype. Python 2's `__builtin__`, which protocol 2 writes, is `builtins`.
const NAMES: [(&str, &str, Global); 12] = [
    ("collections", "OrderedDict", Global::OrderedDict),
    ("collections", "Counter", Global::Counter),
    ("__builtin__", "set", Global::Set),
    ("_codecs", "encode", Global::Encode),
    ("torch", "Size", Global::Size),
    ("torch", "device", Global::Device),
    ("torch.storage", "UntypedStorage", Global::UntypedStorage),
    ("torch._utils", "_rebuild_tensor", Global::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensorV2),
    ("torch._utils", "_rebuild_tensor_v3", Global::RebuildTensorV3),
    ("torch._utils", "_rebuild_parameter", Global::RebuildParameter),
    ("torch._utils", "_rebuild_parameter_with_state", Global::RebuildParameterWithState),
];

impl Global {
    /// The global of that name, if it is allowed.
    pub fn find(module: &str, name: &str) -> Option<Global> {
        let module = if module == "builtins" { "__builtin__" } else { module };
        let listed = NAMES.iter().find(|(m, n, _)| *m == module && *n == name).map(|&(_, _, global)| global);
        listed.or_else(|| {
            let named = |d: &&DType| d.name() == name;
            let stored = |d: &&DType| name.strip_suffix("Storage") == Some(d.scalar_type_name());
            let dtype = || DType::ALL.iter().find(named).map(|&d| Global::DType(d));
            let storage = || DType::ALL.iter().find(stored).map(|&d| Global::Storage(d));
            if module == "torch" { dtype().or_else(storage) } else { None }
        })
    }

    /// Module and name, as protocol 2 writes them.
    pub fn name(self) -> (&'static str, String) {
        match self {
            Global::DType(dtype) => ("torch", dtype.name().to_owned()),
            Global::Storage(dtype) => ("torch", format!("{}Storage", dtype.scalar_type_name())),
            other => {
                let listed = NAMES.iter().find(|(_, _, global)| *global == other);
                listed.map(|&(module, name, _)| (module, name.to_owned())).expect("every other global is in the table")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let dtypes = DType::ALL.iter().flat_map(|&d| [Global::DType(d), Global::Storage(d)]);
        for global in NAMES.iter().map(|&(_, _, global)| global).chain(dtypes) {
            let (module, name) = global.name();
            assert_eq!(Global::find(module, &name), Some(global), "{module}.{name}");
        }
        assert_eq!(Global::Storage(DType::I64).name(), ("torch", "LongStorage".to_owned()));
        assert_eq!(Global::find("builtins", "set"), Some(Global::Set));
    }

    #[test]
    fn anything_else_is_unknown() {
        for (module, name) in [("os", "system"), ("builtins", "eval"), ("torch", "uint16"), ("torch", "Float")] {
            assert_eq!(Global::find(module, name), None, "{module}.{name}");
        }
    }
}
