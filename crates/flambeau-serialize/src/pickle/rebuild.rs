//! The few calls that a pickle may make: each builds a value from its arguments.

use super::{
    globals::Global,
    storages::View,
    unpickler::{Id, Node, Unpickler},
};
use crate::{
    Result,
    value::{DictKind, RawTensor, Value},
};
use flambeau_tensor::PYTORCH_DEVICES;

impl Unpickler<'_, '_> {
    /// REDUCE and NEWOBJ: the object that `function(*arguments)` stands for.
    pub(super) fn reduce(&mut self, function: Id, arguments: Id) -> Result<Id> {
        let global = match self.nodes[function] {
            Node::Global(global) => global,
            Node::Class(_) => return Ok(self.add(Node::Object { class: function, state: None })),
            _ => return Err(self.corrupt("it calls something that is no function")),
        };
        let arguments = self.elements(arguments)?;
        let node = match (global, arguments.as_slice()) {
            (Global::Reconstructor, &[class, base, _state]) => return self.reconstruct(class, base),
            (Global::RebuildFromType, &[function, _class, arguments, _attributes]) => {
                return self.rebuild_from_type(function, arguments);
            }
            (Global::ScriptList, &[items]) => return Ok(items),
            (Global::ScriptTag, &[object, _tag]) => return Ok(object),
            (Global::OrderedDict, &[]) => dict(DictKind::OrderedDict, Vec::new()),
            (Global::OrderedDict, &[pairs]) => {
                let pairs = self.elements(pairs)?;
                let items = pairs.into_iter().map(|pair| self.pair(pair)).collect::<Result<_>>()?;
                dict(DictKind::OrderedDict, items)
            }
            (Global::Counter, &[]) => dict(DictKind::Counter, Vec::new()),
            (Global::Counter, &[counts]) => {
                let Node::Dict { items, .. } = &self.nodes[counts] else {
                    return Err(self.corrupt("a Counter is made of something that is no dict"));
                };
                let items = items.clone();
                self.spend(size_of_val(items.as_slice()))?;
                dict(DictKind::Counter, items)
            }
            (Global::DefaultDict, &[] | &[_]) => dict(DictKind::Dict, Vec::new()),
            (Global::Namespace, &[]) => dict(DictKind::Namespace, Vec::new()),
            (Global::Deque, &[] | &[_] | &[_, _]) => {
                Node::List(arguments.first().map_or(Ok(Vec::new()), |&items| self.elements(items))?)
            }
            (Global::Set | Global::FrozenSet, &[]) => Node::Set(Vec::new()),
            (Global::Set | Global::FrozenSet, &[items]) => Node::Set(self.elements(items)?),
            (Global::Bytes, &[]) => Node::Leaf(Value::Bytes(Vec::new())),
            (Global::ByteArray, &[]) => Node::Leaf(Value::ByteArray(Vec::new())),
            (Global::ByteArray, &[bytes]) => Node::Leaf(Value::ByteArray(self.raw(bytes)?)),
            (Global::ByteArray, &[text, encoding]) => Node::Leaf(Value::ByteArray(self.encode(text, encoding)?)),
            (Global::Encode, &[text, encoding]) => Node::Leaf(Value::Bytes(self.encode(text, encoding)?)),
            (Global::Complex, &[real, imaginary]) => {
                Node::Leaf(Value::Complex(self.float(real)?, self.float(imaginary)?))
            }
            (Global::Size, &[]) => Node::Leaf(Value::Size(Vec::new())),
            (Global::Size, &[sizes]) => Node::Leaf(Value::Size(self.lengths(sizes)?)),
            (Global::Device, &[name]) => {
                let name = self.text(name)?;
                self.device(name)?
            }
            (Global::Device, &[name, index]) => {
                let (name, index) = (self.text(name)?, self.length(index)?);
                self.device(format!("{name}:{index}"))?
            }
            (Global::Layout, &[name]) => Node::Leaf(Value::Layout(self.text(name)?)),
            (Global::Tensor, &[]) => Node::Blank(Global::Tensor),
            (Global::Parameter, &[]) => Node::Blank(Global::Parameter),
            (Global::Parameter, &[tensor, ref grad @ ..]) if grad.len() < 2 => {
                let requires_grad = grad.first().map_or(Ok(true), |&grad| self.flag(grad))?;
                self.parameter(tensor, requires_grad)?
            }
            (Global::RebuildTensor, &[storage, offset, size, stride]) => {
                self.tensor([storage, offset, size, stride], None, None)?
            }
            (Global::RebuildTensorV2, &[storage, offset, size, stride, grad, _hooks, ref metadata @ ..]) => {
                self.no_metadata(metadata)?;
                self.tensor([storage, offset, size, stride], Some(grad), None)?
            }
            (Global::RebuildTensorV3, &[storage, offset, size, stride, grad, _hooks, dtype, ref metadata @ ..]) => {
                self.no_metadata(metadata)?;
                self.tensor([storage, offset, size, stride], Some(grad), Some(dtype))?
            }
            // The state of a parameter holds attributes that user code hung on it; the tensor is complete without.
            (Global::RebuildParameter, &[tensor, grad, _hooks])
            | (Global::RebuildParameterWithState, &[tensor, grad, _hooks, _]) => {
                let requires_grad = self.flag(grad)?;
                self.parameter(tensor, requires_grad)?
            }
            (Global::RebuildDeviceTensor, &[tensor, dtype, _device, grad]) => {
                self.device_tensor(tensor, dtype, grad)?
            }
            (Global::NumpyDType, &[code, _align, _copy]) => Node::NumpyType(self.numpy_type(code)?),
            (Global::NumpyReconstruct, &[class, _shape, _code]) => match self.nodes[class] {
                Node::Global(Global::NumpyArray) => Node::Blank(Global::NumpyArray),
                _ => return Err(self.corrupt("an array's class is none")),
            },
            (Global::NumpyScalar, &[dtype, bytes]) => Node::Leaf(self.numpy_scalar(dtype, bytes)?),
            (Global::NumpyFromBuffer, &[bytes, dtype, shape, order]) => {
                let fortran = self.text(order)? == "F";
                self.numpy_array(shape, dtype, fortran, bytes)?
            }
            (other, arguments) => {
                let (module, name) = other.name();
                return Err(self.corrupt(format!("it calls {module}.{name} with {} arguments", arguments.len())));
            }
        };
        Ok(self.add(node))
    }

    /// `copyreg._reconstructor(class, object, None)`: an object of the class, as NEWOBJ makes it.
    fn reconstruct(&mut self, class: Id, base: Id) -> Result<Id> {
        if !matches!(self.nodes[base], Node::Global(Global::Object)) {
            return Err(self.unsupported("it makes an object of a class that extends a built-in one"));
        }
        let arguments = self.add(Node::Tuple(Vec::new()));
        self.reduce(class, arguments)
    }

    /// `_rebuild_from_type_v2(function, class, arguments, attributes)`: the tensor, without what user code hung on it.
    fn rebuild_from_type(&mut self, function: Id, arguments: Id) -> Result<Id> {
        // One level only: a chain of these would nest calls as deep as the file is long.
        match self.nodes[function] {
            Node::Global(Global::RebuildFromType | Global::Reconstructor) => {
                Err(self.corrupt("a tensor is rebuilt by a function for something else"))
            }
            _ => self.reduce(function, arguments),
        }
    }

    /// BUILD: gives an object its state.
    pub(super) fn build(&mut self, object: Id, state: Id) -> Result<()> {
        let plain = matches!(self.nodes[state], Node::Dict { .. });
        match &mut self.nodes[object] {
            Node::Dict { kind: DictKind::OrderedDict, state: merged, .. } if plain => merged.push(state),
            Node::Dict { kind: DictKind::Namespace, .. } if plain => {
                let Node::Dict { items: attributes, .. } = &self.nodes[state] else { return Ok(()) };
                let attributes = attributes.clone();
                self.spend(size_of_val(attributes.as_slice()))?;
                if let Node::Dict { items, .. } = &mut self.nodes[object] {
                    items.extend(attributes);
                }
            }
            Node::Object { state: slot, .. } => *slot = Some(state),
            Node::NumpyType(_) => self.finish_numpy_type(object, state)?,
            &mut Node::Blank(class) => {
                let parts = self.elements(state)?;
                self.nodes[object] = match (class, parts.as_slice()) {
                    (Global::NumpyArray, &[_version, shape, dtype, fortran, bytes]) => {
                        let fortran = self.flag(fortran)?;
                        self.numpy_array(shape, dtype, fortran, bytes)?
                    }
                    (Global::Tensor, &[storage, offset, size, stride]) => {
                        self.tensor([storage, offset, size, stride], None, None)?
                    }
                    // Tensor.__setstate__: (data, grad, hooks, requires_grad, is_leaf).
                    (Global::Parameter, &[data, _grad, _hooks, grad, _leaf]) => {
                        let requires_grad = self.flag(grad)?;
                        self.parameter(data, requires_grad)?
                    }
                    _ => return Err(self.corrupt("an object's state has the wrong number of parts")),
                };
            }
            _ => {
                return Err(
                    self.unsupported("it sets attributes of an object that is neither an OrderedDict nor a Namespace")
                );
            }
        }
        Ok(())
    }

    /// A view `[storage, offset, size, stride]`; `dtype` is given for untyped storages.
    fn tensor(&mut self, view: [Id; 4], requires_grad: Option<Id>, dtype: Option<Id>) -> Result<Node> {
        let [storage, offset, size, stride] = view;
        let Node::Storage(part) = self.nodes[storage] else {
            return Err(self.corrupt("a tensor has no storage"));
        };
        let dtype = match dtype.map(|id| &self.nodes[id]) {
            None => part.dtype,
            Some(&Node::Leaf(Value::DType(dtype))) => Some(dtype),
            Some(_) => None,
        };
        let dtype = dtype.ok_or_else(|| self.corrupt("a tensor has no dtype"))?;
        let requires_grad = requires_grad.map(|grad| self.flag(grad)).transpose()?.unwrap_or(false);
        let (shape, strides, offset) = (self.lengths(size)?, self.lengths(stride)?, self.length(offset)?);
        self.view(part, RawTensor { dtype, shape, strides, offset, storage: 0, requires_grad, is_parameter: false })
    }

    /// [`Context::view`] as a node.
    pub(super) fn view(&mut self, part: View, tensor: RawTensor) -> Result<Node> {
        let tensor = self.context.view(part, tensor);
        tensor.map(|tensor| Node::Leaf(Value::Tensor(tensor))).map_err(|fault| self.corrupt(fault))
    }

    fn parameter(&mut self, tensor: Id, requires_grad: bool) -> Result<Node> {
        let Node::Leaf(Value::Tensor(tensor)) = &self.nodes[tensor] else {
            return Err(self.corrupt("a Parameter is made of something that is no tensor"));
        };
        let tensor = RawTensor { requires_grad, is_parameter: true, ..tensor.clone() };
        self.spend(tensor.shape.len() * 16)?;
        Ok(Node::Leaf(Value::Tensor(tensor)))
    }

    fn device_tensor(&mut self, tensor: Id, dtype: Id, grad: Id) -> Result<Node> {
        let requires_grad = self.flag(grad)?;
        let (Node::Leaf(Value::Tensor(tensor)), Node::Leaf(Value::DType(dtype))) =
            (&self.nodes[tensor], &self.nodes[dtype])
        else {
            return Err(self.corrupt("a tensor of another device is made of something that is no tensor"));
        };
        if tensor.dtype != *dtype {
            let what = format!("a tensor of {dtype} is stored as {}; in Python, save tensor.cpu()", tensor.dtype);
            return Err(self.unsupported(what));
        }
        let tensor = RawTensor { requires_grad, ..tensor.clone() };
        self.spend(tensor.shape.len() * 16)?;
        Ok(Node::Leaf(Value::Tensor(tensor)))
    }

    /// Newer writers add a dict of flags (conjugate and negative views). Only its absence or emptiness is understood.
    fn no_metadata(&self, metadata: &[Id]) -> Result<()> {
        match metadata.first().map(|&id| &self.nodes[id]) {
            None | Some(Node::Leaf(Value::None)) => Ok(()),
            Some(Node::Dict { items, .. }) if items.is_empty() => Ok(()),
            _ => {
                Err(self.unsupported("a tensor is a conjugate or negative view; in Python, save tensor.resolve_neg()"))
            }
        }
    }

    /// A device that PyTorch knows, whether or not this machine has it.
    fn device(&self, name: String) -> Result<Node> {
        let (kind, index) = name.split_once(':').map_or((name.as_str(), None), |(kind, index)| (kind, Some(index)));
        if !PYTORCH_DEVICES.contains(&kind) {
            return Err(self.corrupt(format!(
                "Expected one of {} device type at start of device string: {kind}",
                PYTORCH_DEVICES.join(", ")
            )));
        }
        let number = |index: &str| index == "0" || (!index.starts_with('0') && index.parse::<u8>().is_ok());
        if index.is_some_and(|index| !number(index)) {
            return Err(self.corrupt(format!("Invalid device string: '{name}'")));
        }
        Ok(Node::Leaf(Value::Device(name)))
    }

    /// `_codecs.encode(text, 'latin1')`: each character is one byte.
    fn encode(&mut self, text: Id, encoding: Id) -> Result<Vec<u8>> {
        if !matches!(self.text(encoding)?.as_str(), "latin1" | "latin-1") {
            return Err(self.corrupt("bytes are encoded in something other than latin1"));
        }
        let text = self.text(text)?;
        let bytes = text.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<Vec<u8>, _>>();
        bytes.map_err(|_| self.corrupt("a byte is larger than 255"))
    }

    /// A copy of the children of a list or tuple.
    pub(super) fn elements(&mut self, id: Id) -> Result<Vec<Id>> {
        let (Node::List(items) | Node::Tuple(items)) = &self.nodes[id] else {
            return Err(self.corrupt("a list or tuple was expected"));
        };
        let items = items.clone();
        self.spend(size_of_val(items.as_slice()))?;
        Ok(items)
    }

    fn pair(&mut self, id: Id) -> Result<(Id, Id)> {
        match self.elements(id)?.as_slice() {
            &[key, value] => Ok((key, value)),
            _ => Err(self.corrupt("a pair was expected")),
        }
    }

    pub(super) fn text(&mut self, id: Id) -> Result<String> {
        let Node::Leaf(Value::Str(text)) = &self.nodes[id] else { return Err(self.corrupt("a string was expected")) };
        let text = text.clone();
        self.spend(text.len())?;
        Ok(text)
    }

    /// A copy of bytes, which are text where Python 2 wrote them.
    pub(super) fn raw(&mut self, id: Id) -> Result<Vec<u8>> {
        let bytes = match &self.nodes[id] {
            Node::Leaf(Value::Bytes(bytes) | Value::ByteArray(bytes)) => bytes.clone(),
            Node::Leaf(Value::Str(text)) => text.as_bytes().to_vec(),
            _ => return Err(self.corrupt("bytes were expected")),
        };
        self.spend(bytes.len())?;
        Ok(bytes)
    }

    /// A non-negative integer: a size, a stride, an offset.
    pub(super) fn length(&self, id: Id) -> Result<usize> {
        match self.nodes[id] {
            Node::Leaf(Value::Int(len)) => usize::try_from(len).ok(),
            _ => None,
        }
        .ok_or_else(|| self.corrupt("a non-negative integer was expected"))
    }

    pub(super) fn lengths(&mut self, id: Id) -> Result<Vec<usize>> {
        if let Node::Leaf(Value::Size(sizes)) = &self.nodes[id] {
            let sizes = sizes.clone();
            self.spend(size_of_val(sizes.as_slice()))?;
            return Ok(sizes);
        }
        let items = self.elements(id)?;
        items.into_iter().map(|item| self.length(item)).collect()
    }

    /// A truth value, which some writers store as a number.
    fn flag(&self, id: Id) -> Result<bool> {
        match self.nodes[id] {
            Node::Leaf(Value::Bool(flag)) => Ok(flag),
            Node::Leaf(Value::Int(flag @ 0..=1)) => Ok(flag == 1),
            _ => Err(self.corrupt("True or False was expected")),
        }
    }

    fn float(&self, id: Id) -> Result<f64> {
        match self.nodes[id] {
            Node::Leaf(Value::Float(float)) => Ok(float),
            Node::Leaf(Value::Int(int)) => Ok(int as f64),
            _ => Err(self.corrupt("a number was expected")),
        }
    }
}

fn dict(kind: DictKind, items: Vec<(Id, Id)>) -> Node {
    Node::Dict { kind, items, state: Vec::new() }
}
