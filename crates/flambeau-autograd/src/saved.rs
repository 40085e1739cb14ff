//! What a node keeps for its backward: arrays with their version and their place in the graph, or what a user's saved-tensor
//! hooks made of them; and what a backward function sees of it.

use crate::error::{Error, Result};
use crate::graph::{Edge, Function, Meta, Node, downgrade};
use crate::saved_hooks::{self, Packed};
use crate::tensor::{Cell, Tensor};
use crate::{ops, views};
use flambeau_tensor::{Array, DType};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::{Arc, Weak};

/// A tensor as it was when the operation ran, with its place in the graph; never the tensor itself, which would own the node.
#[derive(Clone)]
pub(crate) struct SavedTensor {
    /// What PyTorch calls it: `self`, `result`.
    pub name: &'static str,
    kept: Kept,
    version: u64,
    source: Source,
    /// The tensor, for as long as somebody holds it: it knows what became of its history, and what `set_data` gave it.
    tensor: Weak<Cell>,
}

#[derive(Clone)]
enum Kept {
    Array(Array),
    /// An output that does not exist yet.
    Pending,
    /// What this backward does not need.
    Nothing,
    /// What a pack hook made of the tensor.
    Packed(Arc<dyn Packed>),
}

#[derive(Clone)]
pub(crate) enum Source {
    Constant,
    Input(Edge),
    /// An input that is a view of another tensor.
    View(Edge),
    /// An output of the node that saves it: its edge would make a cycle.
    Output(u32),
}

/// What an operation keeps for its backward, under the name that PyTorch has for it.
pub(crate) enum Save<'a> {
    /// An input, or another tensor with a gradient.
    Tensor(&'static str, &'a Tensor),
    /// The operation's i-th result.
    Output(&'static str, usize),
    /// Something without a gradient.
    Array(&'static str, Array),
    /// What only another gradient than the wanted ones would need.
    Nothing(&'static str),
}

impl SavedTensor {
    /// Keeps what an operation saves; an output is filled in later.
    pub(crate) fn new(save: &Save<'_>) -> Self {
        match save {
            Save::Tensor(name, t) => SavedTensor::of(name, t),
            Save::Array(name, a) => SavedTensor {
                name,
                version: a.storage().version(),
                kept: Kept::Array(a.clone()),
                source: Source::Constant,
                tensor: Weak::new(),
            },
            Save::Output(name, i) => SavedTensor {
                name,
                kept: Kept::Pending,
                version: 0,
                source: Source::Output(*i as u32),
                tensor: Weak::new(),
            },
            Save::Nothing(name) => {
                SavedTensor { name, kept: Kept::Nothing, version: 0, source: Source::Constant, tensor: Weak::new() }
            }
        }
    }

    fn of(name: &'static str, tensor: &Tensor) -> Self {
        let source = match tensor.edge() {
            None => Source::Constant,
            Some(edge) if tensor.meta().is_view() => Source::View(edge),
            Some(edge) => Source::Input(edge),
        };
        SavedTensor {
            name,
            version: tensor.version(),
            kept: Kept::Array(tensor.array().clone()),
            source,
            tensor: downgrade(tensor),
        }
    }

    /// Keeps a tensor apart from any node, as the hooks in force say: what a checkpoint keeps of its inputs.
    pub(crate) fn apart(tensor: &Tensor) -> Self {
        let mut saved = SavedTensor::of("input", tensor);
        if let Some(hooks) = saved_hooks::current() {
            saved.pack(&*hooks, tensor);
        }
        saved
    }

    /// Fills in the output that a node of now saves.
    pub(crate) fn set_output(&mut self, array: &Array) {
        self.kept = Kept::Array(array.clone());
        self.version = array.storage().version();
    }

    /// Puts what the pack hook makes of the tensor in its place.
    #[cold]
    pub(crate) fn pack(&mut self, hooks: &dyn saved_hooks::Hooks, tensor: &Tensor) {
        self.kept = Kept::Packed(saved_hooks::pack(hooks, tensor));
        self.tensor = Weak::new();
    }

    /// Packs what is an array without a gradient, or an output of `node`.
    #[cold]
    pub(crate) fn pack_rebuilt(&mut self, hooks: &dyn saved_hooks::Hooks, node: Option<&Arc<Node>>) {
        if let Kept::Array(array) = &self.kept {
            let tensor = rebuilt(array.clone(), &self.source, node);
            self.pack(hooks, &tensor);
        }
    }

    /// The output that a node under construction has to fill in.
    pub(crate) fn pending(&self) -> Option<usize> {
        match (&self.kept, &self.source) {
            (Kept::Pending, Source::Output(i)) => Some(*i as usize),
            _ => None,
        }
    }

    /// Whether nothing is kept by this name.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self.kept, Kept::Nothing)
    }

    pub(crate) fn is_output(&self) -> bool {
        matches!(self.source, Source::Output(_))
    }

    /// The node that keeps the tensor's graph alive through this, for a drop that must not recurse.
    pub(crate) fn into_node(self) -> Option<Arc<Node>> {
        match self.source {
            Source::Input(edge) | Source::View(edge) => Some(edge.node),
            _ => None,
        }
    }

    /// The tensor, connected to the graph. `node` is the one that saved it.
    ///
    /// # Errors
    /// When it was written to since.
    pub(crate) fn tensor(&self, node: Option<&Arc<Node>>) -> Result<Tensor> {
        let array = match &self.kept {
            Kept::Array(array) => array,
            Kept::Packed(packed) => {
                let tensor = packed.unpack()?;
                return Ok(match &self.source {
                    Source::Constant => tensor,
                    source => rebuilt(tensor.array().clone(), source, node),
                });
            }
            Kept::Pending | Kept::Nothing => {
                unreachable!("outputs are filled in before a node is used, and what is not kept is not asked for")
            }
        };
        let tensor = self.tensor.upgrade().map(Tensor).filter(|t| same_kind(&t.array(), array));
        let version = tensor.as_ref().map_or_else(|| array.storage().version(), Tensor::version);
        if version != self.version {
            return Err(self.modified(array, version, tensor.as_ref(), node));
        }
        let computed = |edge: &Edge| matches!(edge.node.function, Function::Backward(_));
        match (tensor, &self.source) {
            (Some(tensor), Source::Input(edge)) if computed(edge) && !tensor.requires_grad() => Err(Error::Detached),
            (Some(tensor), _) => Ok(tensor),
            (None, source) => Ok(rebuilt(array.clone(), source, node)),
        }
    }

    #[cold]
    fn modified(&self, array: &Array, version: u64, tensor: Option<&Tensor>, node: Option<&Arc<Node>>) -> Error {
        let describe = |node: &Node, output: u32| match node.function {
            Function::Accumulate(_) => String::new(),
            Function::Backward(_) => format!(", which is output {output} of {},", node.short_name()),
        };
        let what = match (&self.source, tensor) {
            (Source::Output(output), _) => node.map_or_else(String::new, |node| describe(node, *output)),
            // What the tensor is now: the output of the operation that wrote to it.
            (_, Some(tensor)) => match views::check_fresh(tensor) {
                Ok(()) => tensor.edge().map_or_else(String::new, |e| describe(&e.node, e.output)),
                Err(error) => return error,
            },
            (Source::Input(edge), None) => describe(&edge.node, edge.output),
            // PyTorch keeps the view and gives it a new history.
            (Source::View(_), None) => ", which is output 0 of AsStrided,".into(),
            (Source::Constant, None) => String::new(),
        };
        Error::ModifiedInPlace {
            kind: type_string(array.dtype()),
            shape: format!("{:?}", array.shape()),
            what,
            version,
            expected: self.version,
            writer: Error::writer(array.storage().last_writer()),
        }
    }
}

/// A tensor with the place in the graph that a saved one had.
fn rebuilt(array: Array, source: &Source, node: Option<&Arc<Node>>) -> Tensor {
    match (source, node) {
        (Source::Input(edge) | Source::View(edge), _) => Tensor::with_meta(array, Meta::from_edge(edge.clone())),
        (Source::Output(output), Some(node)) if array.dtype().is_differentiable() => {
            Tensor::with_meta(array, Meta::from_edge(Edge { node: node.clone(), output: *output }))
        }
        _ => Tensor::from(array),
    }
}

/// Whether a tensor still is what its graph was recorded with: `set_data` may have given it another shape.
fn same_kind(now: &Array, then: &Array) -> bool {
    now.shape() == then.shape() && now.dtype() == then.dtype() && now.device() == then.device()
}

/// C++'s name of a tensor of a dtype: `torch.FloatTensor`, or `CPUBoolType` for the dtypes that came late.
fn type_string(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "CPUBoolType",
        DType::BF16 => "CPUBFloat16Type",
        DType::U8 => "torch.ByteTensor",
        DType::I8 => "torch.CharTensor",
        DType::I16 => "torch.ShortTensor",
        DType::I32 => "torch.IntTensor",
        DType::I64 => "torch.LongTensor",
        DType::F16 => "torch.HalfTensor",
        DType::F32 => "torch.FloatTensor",
        DType::F64 => "torch.DoubleTensor",
    }
}

/// What a backward function sees: the gradients of the outputs and the saved tensors.
pub struct Context<'a> {
    node: &'a Arc<Node>,
    grads: &'a [Option<Tensor>],
    saved: SmallVec<[SavedTensor; 2]>,
    freed: bool,
    /// What was unpacked by hooks, which run once for each saved tensor.
    unpacked: RefCell<Vec<(usize, Tensor)>>,
}

impl<'a> Context<'a> {
    /// `saved` is `None` where it was freed.
    pub(crate) fn new(
        node: &'a Arc<Node>,
        grads: &'a [Option<Tensor>],
        saved: Option<SmallVec<[SavedTensor; 2]>>,
    ) -> Self {
        let freed = saved.is_none();
        Context { node, grads, saved: saved.unwrap_or_default(), freed, unpacked: RefCell::default() }
    }

    /// The node that runs.
    pub(crate) fn node(&self) -> &Arc<Node> {
        self.node
    }

    /// The gradient of output `i`, zeros where nothing arrived.
    pub(crate) fn grad(&self, i: usize) -> Result<Tensor> {
        match &self.grads[i] {
            Some(g) => Ok(g.shallow_clone()),
            None => {
                let info = &self.node.outputs[i];
                ops::zeros(&info.shape, info.dtype, info.device)
            }
        }
    }

    /// Whether anything arrived for output `i`.
    pub(crate) fn has_grad(&self, i: usize) -> bool {
        self.grads[i].is_some()
    }

    /// Whether input `i` wants a gradient.
    pub(crate) fn needs(&self, i: usize) -> bool {
        self.node.needs(i)
    }

    /// The i-th saved tensor, connected to the graph. [`Node::saved`](crate::Node::saved) finds it by its name.
    ///
    /// # Errors
    /// When the graph was freed, or the tensor was written to since.
    pub(crate) fn saved(&self, i: usize) -> Result<Tensor> {
        if self.freed {
            return Err(Error::GraphFreed);
        }
        let saved = &self.saved[i];
        if let Kept::Packed(_) = saved.kept {
            return self.unpack(i);
        }
        saved.tensor(Some(self.node))
    }

    #[cold]
    fn unpack(&self, i: usize) -> Result<Tensor> {
        if let Some((_, tensor)) = self.unpacked.borrow().iter().find(|(slot, _)| *slot == i) {
            return Ok(tensor.shallow_clone());
        }
        // The hook may run anything: the list is not borrowed meanwhile.
        let tensor = self.saved[i].tensor(Some(self.node))?;
        self.unpacked.borrow_mut().push((i, tensor.shallow_clone()));
        Ok(tensor)
    }

    /// Checks that the saved tensors from the i-th on are as they were: tensors from which only a copy is used. What a hook
    /// packed has no version.
    ///
    /// # Errors
    /// As [`Context::saved`].
    pub(crate) fn unchanged(&self, from: usize) -> Result<()> {
        if self.freed {
            return Err(Error::GraphFreed);
        }
        let mut versioned = self.saved[from..].iter().filter(|s| !matches!(s.kept, Kept::Packed(_) | Kept::Nothing));
        versioned.try_for_each(|s| s.tensor(Some(self.node)).map(drop))
    }
}
