//! The closed table of Python names that a pickle may mention. Everything else is refused.

use flambeau_tensor::DType;

/// A name that the reader understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `collections.Counter`.
    Counter,
    /// `collections.defaultdict`, read as a `dict`.
    DefaultDict,
    /// `collections.deque`, read as a `list`.
    Deque,
    /// `builtins.set`.
    Set,
    /// `builtins.frozenset`, read as a `set`.
    FrozenSet,
    /// `builtins.bytes`: how protocol 2 writes `b""`.
    Bytes,
    /// `builtins.bytearray`.
    ByteArray,
    /// `builtins.complex`.
    Complex,
    /// `builtins.list` and its kin as what a `defaultdict` makes; never called.
    Factory,
    /// `builtins.object`, the base in [`Global::Reconstructor`]'s arguments.
    Object,
    /// `copyreg._reconstructor`: how protocols 0 and 1 make an object.
    Reconstructor,
    /// `_codecs.encode`: how protocol 2 writes `bytes`.
    Encode,
    /// `argparse.Namespace`.
    Namespace,
    /// `torch.Size`.
    Size,
    /// `torch.device`.
    Device,
    /// `torch.serialization._get_layout`.
    Layout,
    /// `torch.float32` and its kin.
    DType(DType),
    /// `torch.FloatStorage` and its kin.
    Storage(DType),
    /// `torch.storage.UntypedStorage`: bytes whose type the tensor states.
    UntypedStorage,
    /// `torch.Tensor`, `torch.FloatTensor` and their kin: classes, as whose objects old files hold tensors.
    Tensor,
    /// `torch.nn.parameter.Parameter`.
    Parameter,
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
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes.
    RebuildFromType,
    /// `torch._utils._rebuild_device_tensor_from_numpy` and `…_from_cpu_tensor`: tensors of devices that PyTorch reaches
    /// through other packages.
    RebuildDeviceTensor,
    /// `numpy.ndarray`, only as an argument.
    NumpyArray,
    /// `numpy.dtype`.
    NumpyDType,
    /// `numpy.core.multiarray._reconstruct`.
    NumpyReconstruct,
    /// `numpy.core.multiarray.scalar`.
    NumpyScalar,
    /// `numpy.core.numeric._frombuffer`, of protocol 5.
    NumpyFromBuffer,
    /// `torch.jit._pickle.build_intlist` and its kin: the list that they are given.
    ScriptList,
    /// `torch.jit._pickle.restore_type_tag`: its first argument.
    ScriptTag,
}

/// The names that are not made from a dtype. The first of a global is how protocol 2 writes it.
const NAMES: &[(&str, &str, Global)] = &[
    ("collections", "OrderedDict", Global::OrderedDict),
    ("collections", "Counter", Global::Counter),
    ("collections", "defaultdict", Global::DefaultDict),
    ("collections", "deque", Global::Deque),
    ("__builtin__", "set", Global::Set),
    ("__builtin__", "frozenset", Global::FrozenSet),
    ("__builtin__", "bytes", Global::Bytes),
    ("__builtin__", "bytearray", Global::ByteArray),
    ("__builtin__", "complex", Global::Complex),
    ("__builtin__", "list", Global::Factory),
    ("__builtin__", "dict", Global::Factory),
    ("__builtin__", "tuple", Global::Factory),
    ("__builtin__", "int", Global::Factory),
    ("__builtin__", "long", Global::Factory),
    ("__builtin__", "float", Global::Factory),
    ("__builtin__", "bool", Global::Factory),
    ("__builtin__", "str", Global::Factory),
    ("__builtin__", "unicode", Global::Factory),
    ("__builtin__", "object", Global::Object),
    ("copy_reg", "_reconstructor", Global::Reconstructor),
    ("_codecs", "encode", Global::Encode),
    ("argparse", "Namespace", Global::Namespace),
    ("torch", "Size", Global::Size),
    ("torch", "device", Global::Device),
    ("torch.serialization", "_get_layout", Global::Layout),
    ("torch.storage", "UntypedStorage", Global::UntypedStorage),
    ("torch.storage", "_UntypedStorage", Global::UntypedStorage),
    ("torch", "UntypedStorage", Global::UntypedStorage),
    ("torch", "Tensor", Global::Tensor),
    ("torch._tensor", "Tensor", Global::Tensor),
    ("torch.nn.parameter", "Parameter", Global::Parameter),
    ("torch.nn.parameter", "Buffer", Global::Tensor),
    ("torch._utils", "_rebuild_tensor", Global::RebuildTensor),
    ("torch._utils", "_rebuild_tensor_v2", Global::RebuildTensorV2),
    ("torch._utils", "_rebuild_tensor_v3", Global::RebuildTensorV3),
    ("torch._utils", "_rebuild_parameter", Global::RebuildParameter),
    ("torch._utils", "_rebuild_parameter_with_state", Global::RebuildParameterWithState),
    ("torch._tensor", "_rebuild_from_type_v2", Global::RebuildFromType),
    ("torch._tensor", "_rebuild_from_type", Global::RebuildFromType),
    ("torch._utils", "_rebuild_device_tensor_from_numpy", Global::RebuildDeviceTensor),
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor", Global::RebuildDeviceTensor),
    ("torch._utils", "_rebuild_xla_tensor", Global::RebuildDeviceTensor),
    ("numpy", "ndarray", Global::NumpyArray),
    ("numpy", "dtype", Global::NumpyDType),
    ("numpy.core.multiarray", "_reconstruct", Global::NumpyReconstruct),
    ("numpy.core.multiarray", "scalar", Global::NumpyScalar),
    ("numpy.core.numeric", "_frombuffer", Global::NumpyFromBuffer),
    ("torch.jit._pickle", "build_intlist", Global::ScriptList),
    ("torch.jit._pickle", "build_doublelist", Global::ScriptList),
    ("torch.jit._pickle", "build_boollist", Global::ScriptList),
    ("torch.jit._pickle", "build_tensorlist", Global::ScriptList),
    ("torch.jit._pickle", "restore_type_tag", Global::ScriptTag),
];

/// Dtypes of PyTorch that do not exist here, and the name of their storage class if they have one.
const OTHER_DTYPES: [(&str, &str); 25] = [
    ("complex32", "ComplexHalf"),
    ("complex64", "ComplexFloat"),
    ("complex128", "ComplexDouble"),
    ("bcomplex32", ""),
    ("qint8", "QInt8"),
    ("quint8", "QUInt8"),
    ("qint32", "QInt32"),
    ("quint4x2", "QUInt4x2"),
    ("quint2x4", "QUInt2x4"),
    ("uint16", ""),
    ("uint32", ""),
    ("uint64", ""),
    ("float8_e5m2", ""),
    ("float8_e4m3fn", ""),
    ("float8_e5m2fnuz", ""),
    ("float8_e4m3fnuz", ""),
    ("float8_e8m0fnu", ""),
    ("float4_e2m1fn_x2", ""),
    ("bits8", ""),
    ("bits16", ""),
    ("bits1x8", ""),
    ("bits2x4", ""),
    ("bits4x2", ""),
    ("int4", ""),
    ("uint4", ""),
];

/// Kinds of tensors that do not exist here: the function that rebuilds them, their name, what to save instead.
const OTHER_TENSORS: [(&str, &str, &str); 6] = [
    ("_rebuild_sparse_tensor", "a sparse tensor", "tensor.to_dense()"),
    ("_rebuild_sparse_csr_tensor", "a sparse tensor", "tensor.to_dense()"),
    ("_rebuild_qtensor", "a quantized tensor", "tensor.dequantize()"),
    ("_rebuild_nested_tensor", "a nested tensor", "tensor.unbind()"),
    ("_rebuild_meta_tensor_no_storage", "a tensor of the device meta, which has no data", "a tensor with data"),
    ("_rebuild_wrapper_subclass", "a tensor subclass without data of its own", "a plain tensor"),
];

/// Python 2's names of modules, and NumPy's from before version 2, stand for the new ones.
fn canonical(module: &str) -> String {
    match module {
        "builtins" => "__builtin__".to_owned(),
        "copyreg" => "copy_reg".to_owned(),
        "torch.tensor" => "torch._tensor".to_owned(),
        other => other.replacen("numpy._core.", "numpy.core.", 1),
    }
}

impl Global {
    /// The global of that name, if it is allowed.
    pub fn find(module: &str, name: &str) -> Option<Global> {
        let module = canonical(module);
        if let Some(&(.., global)) = NAMES.iter().find(|(m, n, _)| *m == module && *n == name) {
            return Some(global);
        }
        let of_class = |suffix: &str| {
            let class = name.strip_suffix(suffix)?;
            DType::ALL.iter().copied().find(|d| d.scalar_type_name() == class)
        };
        let dtype = || DType::ALL.iter().copied().find(|d| d.name() == name).map(Global::DType);
        match module.as_str() {
            "torch" | "torch.cuda" | "torch.storage" => {
                let named = if module == "torch" { dtype() } else { None };
                named
                    .or_else(|| of_class("Storage").map(Global::Storage))
                    .or_else(|| of_class("Tensor").map(|_| Global::Tensor))
            }
            _ => None,
        }
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

/// Why a name that is no [`Global`] is refused, and what to do.
pub fn refusal(module: &str, name: &str) -> String {
    let of_torch = matches!(module, "torch" | "torch.cuda" | "torch.storage");
    let class = name.strip_suffix("Storage").or_else(|| name.strip_suffix("Tensor"));
    let listed =
        OTHER_DTYPES.iter().find(|(dtype, storage)| *dtype == name || (!storage.is_empty() && Some(*storage) == class));
    if let Some((dtype, _)) = listed.filter(|_| of_torch) {
        let instead = match *dtype {
            "complex32" | "complex64" | "complex128" | "bcomplex32" => "save torch.view_as_real(tensor)",
            "qint8" | "quint8" | "qint32" | "quint4x2" | "quint2x4" => "save tensor.dequantize()",
            "uint16" | "uint32" | "uint64" => "save tensor.long()",
            _ => "save tensor.float()",
        };
        return format!("it holds the dtype `torch.{dtype}`, which does not exist here; in Python, {instead}");
    }
    if let Some((_, kind, instead)) = OTHER_TENSORS.iter().find(|(function, ..)| *function == name)
        && module == "torch._utils"
    {
        return format!(
            "it holds {kind} (`torch._utils.{name}`), which does not exist here; in Python, save {instead}"
        );
    }
    // Python 2's names, which protocol 2 writes.
    let module = match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        other => other,
    };
    format!(
        "it refers to the Python object `{module}.{name}`, which is not one of the allowed plain types; nothing of it was \
         executed. In Python, save tensors and plain data only: torch.save(model.state_dict(), path)"
    )
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
        assert_eq!(Global::Set.name(), ("__builtin__", "set".to_owned()));
        assert_eq!(Global::find("builtins", "set"), Some(Global::Set));
        assert_eq!(Global::find("torch.cuda", "HalfStorage"), Some(Global::Storage(DType::F16)));
        assert_eq!(Global::find("torch.cuda", "FloatTensor"), Some(Global::Tensor));
        assert_eq!(Global::find("numpy._core.multiarray", "scalar"), Some(Global::NumpyScalar));
        assert_eq!(Global::find("torch.tensor", "_rebuild_from_type_v2"), Some(Global::RebuildFromType));
    }

    #[test]
    fn anything_else_is_unknown() {
        for (module, name) in [
            ("os", "system"),
            ("builtins", "eval"),
            ("builtins", "getattr"),
            ("torch", "uint16"),
            ("torch", "Float"),
            ("numpy.core.multiarray", "fromfile"),
            ("torch.cuda", "float32"),
        ] {
            assert_eq!(Global::find(module, name), None, "{module}.{name}");
        }
    }

    #[test]
    fn what_does_not_exist_here_is_named() {
        for (module, name, words) in [
            ("torch", "ComplexFloatStorage", "`torch.complex64`"),
            ("torch", "float8_e4m3fn", "`torch.float8_e4m3fn`"),
            ("torch.cuda", "QUInt8Storage", "`torch.quint8`"),
            ("torch._utils", "_rebuild_sparse_tensor", "save tensor.to_dense()"),
            ("pathlib", "PosixPath", "`pathlib.PosixPath`"),
        ] {
            assert!(refusal(module, name).contains(words), "{}", refusal(module, name));
        }
    }
}
