//! The trait that every network and layer implements.

#[doc(hidden)]
pub mod access;
mod backward_hooks;
mod by_name;
mod call;
mod carrier;
pub(crate) mod chain;
mod copy;
pub(crate) mod derived;
mod field;
mod forward;
mod hooks;
mod input;
mod keyed;
mod lists;
mod operators;
mod parameter;
mod path;
pub(crate) mod repr;
mod state;
mod state_dict;
mod state_dict_hooks;
#[cfg(test)]
mod tests;
mod to;
mod uninitialized;
mod value;
mod walk;

pub use backward_hooks::ModuleHandle;
pub use carrier::{Carrier, Visit};
pub(crate) use copy::arc as copy_arc;
pub use copy::{DynCopy, ForwardCopy, Memo, PtrCopy, deepcopy};
pub use field::{Field, FieldKind, Members, Slots};
pub use forward::{Call, Forward};
pub(crate) use hooks::on_calls;
pub use hooks::{HookGrads, HookHandle};
pub use input::{Arg, Input, OptArg, Output};
pub use keyed::Keyed;
pub use parameter::{Buffer, BufferOptions, Parameter, Share};
pub use state::ModuleState;
pub use state_dict::{LoadReport, LoadStateDictOptions, NamedOptions, StateDict, StateDictOptions};
pub use state_dict_hooks::{LoadProgress, StateDictHooks};
pub use uninitialized::{
    UninitializedBuffer, UninitializedBufferOptions, UninitializedParameter, UninitializedParameterOptions, is_lazy,
};
pub use value::Value;
pub(crate) use walk::can_carry_hooks;

use crate::error::Result;
use crate::utils::parametrize::RightInverse;
use flambeau_autograd::gradients::ZeroGradOptions;
use flambeau_autograd::ops::{ToDevice, ToTarget};
use flambeau_autograd::{AsState, OrPanic, Tensor};
use flambeau_device::default_device;
use flambeau_tensor::{DType, Device};
use hooks::Hooks;
use std::any::Any;
use std::collections::HashSet;
use std::ops::ControlFlow;
use to::replace;
use walk::{apply, identity, join, named, named_modules, walk};

/// A part of a network with parameters: `nn.Module`. Write `#[derive(Module)]`; the derive finds parameters, buffers and
/// modules by their fields' types ([`Field`]). All methods take `&self`, since parameters are handles.
///
/// Names of nested parts are joined with dots, as in PyTorch: `layers.0.weight`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no module",
    label = "`nn::Module` is not implemented for `{Self}`",
    note = "write `#[derive(Module)]` above the struct"
)]
pub trait Module: Any + Send + Sync + DynCopy {
    /// The module itself as a trait object.
    fn as_module(&self) -> &dyn Module;

    /// [`Module::as_module`], to change it.
    ///
    /// # Panics
    /// When the module is behind an `Arc` that has other handles.
    #[track_caller]
    fn as_module_mut(&mut self) -> &mut dyn Module;

    /// The name that prints and error messages use: the struct's.
    fn type_name(&self) -> &'static str;

    /// What this module itself holds.
    fn members(&self) -> Members<'_>;

    /// The modules in its fields, to be changed: what [`Module::members`] has as `children`. A field of type `Box<dyn Forward>`
    /// is given as such, so that another module can be put in the box.
    fn slots(&mut self) -> Slots<'_> {
        Slots::new()
    }

    /// A copy with memory of its own, made with what was copied before: what [`deepcopy`] calls.
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self
    where
        Self: Sized;

    /// `copy.deepcopy(module)`: see [`deepcopy`].
    ///
    /// # Panics
    /// As [`deepcopy`].
    #[track_caller]
    fn deepcopy(&self) -> Self
    where
        Self: Sized,
    {
        self.deepcopy_in(&mut Memo::default())
    }

    /// The training flag and hooks; `None` for a struct of the user's without a field of type [`ModuleState`], whose parts carry
    /// them.
    fn state(&self) -> Option<&ModuleState> {
        None
    }

    /// What stands between the parentheses when the module is printed: `extra_repr()`.
    fn extra_repr(&self) -> String {
        String::new()
    }

    /// The version of what state dicts hold of the module: Python's `_version`.
    fn version(&self) -> i64 {
        1
    }

    /// The names of own tensors that state dicts of an older version lack; they keep their numbers when such a one is loaded.
    /// `version` is `None` where a state dict does not say its version.
    fn added_since(&self, _version: Option<i64>) -> &'static [&'static str] {
        &[]
    }

    /// What the module keeps in state dicts beside its tensors, as a tensor: `get_extra_state()`. A struct of the user's writes
    /// `#[module(extra_state)]` above itself, and `fn get_extra_state(&self) -> Tensor` and
    /// `fn set_extra_state(&self, state: &Tensor)` in an `impl` block.
    ///
    /// ```
    /// use flambeau_autograd::{Tensor, tensor};
    /// use flambeau_nn::{self as nn, Module};
    /// use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
    ///
    /// #[derive(Module)]
    /// #[module(extra_state)]
    /// struct Counter {
    ///     steps: AtomicI64,
    ///     fc: nn::Linear,
    /// }
    ///
    /// impl Counter {
    ///     fn get_extra_state(&self) -> Tensor {
    ///         tensor(self.steps.load(Relaxed))
    ///     }
    ///     fn set_extra_state(&self, state: &Tensor) {
    ///         self.steps.store(state.item() as i64, Relaxed);
    ///     }
    /// }
    ///
    /// let [old, new] = [7, 0].map(|n| Counter { steps: AtomicI64::new(n), fc: nn::Linear::new(1, 1) });
    /// new.load_state_dict(&old.state_dict())?;
    /// assert_eq!((old.state_dict().keys().next(), new.steps.load(Relaxed)), (Some("_extra_state"), 7));
    /// # Ok::<(), nn::Error>(())
    /// ```
    fn get_extra_state(&self) -> Option<Tensor> {
        None
    }

    /// Takes what [`Module::get_extra_state`] gave: `set_extra_state(state)`.
    fn set_extra_state(&self, _state: &Tensor) {}

    /// The tensors of which the module, as a parametrization, makes `value`: `right_inverse(value)`. `None` where it has no such
    /// method. `#[module(right_inverse)]` writes it from an inherent `fn right_inverse(&self, value: &Tensor)` that returns a
    /// tensor, several, or nothing where it is not possible: see [`utils::parametrize`](crate::utils::parametrize).
    fn right_inverse(&self, _value: &Tensor) -> Option<RightInverse> {
        None
    }

    /// What Python's `print(module)` shows.
    fn repr(&self) -> String {
        repr::module(self.as_module())
    }

    /// Whether a module that holds this one in a field registers it; a `Vec` of numbers is not.
    #[doc(hidden)]
    fn registers() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// Whether a value of this type is the module's only owner: an `Arc` is not.
    #[doc(hidden)]
    fn is_owner() -> bool
    where
        Self: Sized,
    {
        true
    }

    /// Shows the parts that may carry the state of a module that is `depth` modules above them.
    #[doc(hidden)]
    fn carriers(&self, _depth: u32, _visit: &mut Visit<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Every parameter of the module and its children, each once: `parameters()`.
    fn parameters(&self) -> Vec<Tensor> {
        self.named_parameters().into_iter().map(|(_, p)| p).collect()
    }

    /// Every parameter, each once, under the first of its names: `named_parameters()`.
    fn named_parameters(&self) -> Vec<(String, Tensor)> {
        named(self.as_module(), &NamedOptions::default(), |members| {
            members.parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone())).collect()
        })
    }

    /// [`Module::named_parameters`] with options: `prefix`, `recurse`, `remove_duplicate`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let net = nn::sequential![nn::Linear::new(1, 1)];
    /// assert!(net.named_parameters_with(|o| o.recurse(false)).is_empty());
    /// assert_eq!(net.named_parameters_with(|o| o.prefix("net"))[0].0, "net.0.weight");
    /// ```
    fn named_parameters_with(&self, options: impl FnOnce(NamedOptions) -> NamedOptions) -> Vec<(String, Tensor)>
    where
        Self: Sized,
    {
        named(self.as_module(), &options(NamedOptions::default()), |members| {
            members.parameters.iter().map(|(n, p)| (n.clone(), p.shallow_clone())).collect()
        })
    }

    /// [`Module::parameters`] with options: `parameters(recurse)`.
    fn parameters_with(&self, options: impl FnOnce(NamedOptions) -> NamedOptions) -> Vec<Tensor>
    where
        Self: Sized,
    {
        self.named_parameters_with(options).into_iter().map(|(_, p)| p).collect()
    }

    /// Every buffer, each once: `buffers()`.
    fn buffers(&self) -> Vec<Tensor> {
        self.named_buffers().into_iter().map(|(_, b)| b).collect()
    }

    /// Every buffer, each once, under the first of its names: `named_buffers()`.
    fn named_buffers(&self) -> Vec<(String, Tensor)> {
        named(self.as_module(), &NamedOptions::default(), |members| {
            members.buffers.iter().map(|(n, b)| (n.clone(), b.shallow_clone())).collect()
        })
    }

    /// [`Module::named_buffers`] with options: `prefix`, `recurse`, `remove_duplicate`.
    fn named_buffers_with(&self, options: impl FnOnce(NamedOptions) -> NamedOptions) -> Vec<(String, Tensor)>
    where
        Self: Sized,
    {
        named(self.as_module(), &options(NamedOptions::default()), |members| {
            members.buffers.iter().map(|(n, b)| (n.clone(), b.shallow_clone())).collect()
        })
    }

    /// [`Module::buffers`] with options: `buffers(recurse)`.
    fn buffers_with(&self, options: impl FnOnce(NamedOptions) -> NamedOptions) -> Vec<Tensor>
    where
        Self: Sized,
    {
        self.named_buffers_with(options).into_iter().map(|(_, b)| b).collect()
    }

    /// The modules that this one holds directly, each once: `children()`.
    fn children(&self) -> Vec<&dyn Module> {
        self.named_children().into_iter().map(|(_, child)| child).collect()
    }

    /// The modules that this one holds directly, each once, under the first of its names: `named_children()`.
    fn named_children(&self) -> Vec<(String, &dyn Module)> {
        let mut seen = HashSet::new();
        let children = self.members().children.into_iter();
        let first = children.filter(|(_, child)| identity(*child).is_none_or(|id| seen.insert(id)));
        first.map(|(name, child)| (name.into_owned(), child)).collect()
    }

    /// The module and all modules in it, each once, parents first: `modules()`.
    fn modules(&self) -> Vec<&dyn Module> {
        self.named_modules().into_iter().map(|(_, module)| module).collect()
    }

    /// The module, under the empty name, and all modules in it, each once, parents first: `named_modules()`.
    fn named_modules(&self) -> Vec<(String, &dyn Module)> {
        named_modules(self.as_module(), "", true)
    }

    /// [`Module::named_modules`] with options: `prefix`, `remove_duplicate`, and without `recurse` the module alone.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// use std::sync::Arc;
    /// let shared: Arc<dyn nn::Forward> = Arc::new(nn::ReLU::new());
    /// let net = nn::sequential![shared.clone(), shared];
    /// let names = |all: Vec<(String, &dyn Module)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    /// assert_eq!(names(net.named_modules()), ["", "0"]);
    /// assert_eq!(names(net.named_modules_with(|o| o.prefix("net").remove_duplicate(false))), ["net", "net.0", "net.1"]);
    /// ```
    fn named_modules_with(&self, options: impl FnOnce(NamedOptions) -> NamedOptions) -> Vec<(String, &dyn Module)>
    where
        Self: Sized,
    {
        let o = options(NamedOptions::default());
        if !o.recurse {
            return vec![(o.prefix, self.as_module())];
        }
        named_modules(self.as_module(), &o.prefix, o.remove_duplicate)
    }

    /// Turns on training mode, in which dropout drops and batch norm takes the batch's statistics: `train()`.
    fn train(&self) {
        self.train_mode(true);
    }

    /// Turns off training mode: `eval()`.
    fn eval(&self) {
        self.train_mode(false);
    }

    /// Sets training mode for the module and all in it: `train(mode)`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let net = nn::sequential![nn::Linear::new(2, 2), nn::Dropout::new(0.5)];
    /// net.train_mode(false);
    /// assert!(net.modules().iter().all(|m| !m.training()));
    /// ```
    fn train_mode(&self, mode: bool) {
        walk(self.as_module(), "", &mut |_, module| match module.state() {
            Some(state) => state.set_training(mode),
            None => carrier::set_training(module, mode),
        });
    }

    /// Whether the module is in training mode: `module.training`. Each module has a flag of its own, as in PyTorch: `train` and
    /// `eval` set those of all modules within. A struct without a [`ModuleState`] field has it in its parts, so it begins anew where
    /// all of them are replaced, and goes along with a part that moves to another struct of the type.
    ///
    /// # Panics
    /// When the module is a struct without a parameter, buffer or layer of its own (one behind an `Arc` may have several
    /// owners) and without a [`ModuleState`] field, so that nothing could carry the flag.
    #[track_caller]
    fn training(&self) -> bool {
        match self.state() {
            Some(state) => state.training(),
            None => carrier::training(self.as_module()),
        }
    }

    /// Forgets the gradients of all parameters: `zero_grad()`.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(|p| p.set_grad(None));
    }

    /// [`Module::zero_grad`] with `set_to_none`: where it is false the gradients become zeros and keep their memory:
    /// `zero_grad_with(|o| o.set_to_none(false))`.
    ///
    /// # Panics
    /// When a gradient's memory is borrowed.
    #[track_caller]
    fn zero_grad_with(&self, options: impl FnOnce(ZeroGradOptions) -> ZeroGradOptions)
    where
        Self: Sized,
    {
        if options(ZeroGradOptions::default()).set_to_none {
            return self.zero_grad();
        }
        let zeroed = |grad: Tensor| flambeau_autograd::ops::zero_(&grad.detach()).or_panic();
        self.parameters().iter().for_each(|p| p.set_grad(p.grad().map(zeroed)));
    }

    /// Sets whether gradients are collected for the parameters: `requires_grad_(…)`.
    #[track_caller]
    fn requires_grad_(&self, requires_grad: bool) {
        for parameter in self.parameters() {
            parameter.requires_grad_(requires_grad);
        }
    }

    /// Parameters and persistent buffers by name, sharing the module's memory: `state_dict()`. A tensor that is held in
    /// several places stands under each of its names. It also holds each module's [`Module::version`].
    fn state_dict(&self) -> StateDict {
        state_dict::of(self.as_module(), &StateDictOptions::default())
    }

    /// [`Module::state_dict`] with options: `prefix` stands before each name, `keep_vars` keeps the tensors' gradients.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let state = nn::Linear::new(1, 1).state_dict_with(|o| o.prefix("fc.").keep_vars(true));
    /// assert!(state.get("fc.weight").unwrap().requires_grad());
    /// ```
    fn state_dict_with(&self, options: impl FnOnce(StateDictOptions) -> StateDictOptions) -> StateDict
    where
        Self: Sized,
    {
        state_dict::of(self.as_module(), &options(StateDictOptions::default()))
    }

    /// Copies a state dict's numbers into the parameters and buffers: `load_state_dict(state_dict)`. It takes a [`StateDict`], a list
    /// or map of tensors by name, or what a file holds: `model.load_state_dict(&torch::load(path)?)`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let (one, two) = (nn::Linear::new(1, 1), nn::Linear::new(1, 1));
    /// two.load_state_dict(&one.state_dict())?;
    /// assert_eq!(two.weight.item(), one.weight.item());
    /// # Ok::<(), nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// When keys are missing or unexpected, or shapes differ, with PyTorch's report; what matches has been loaded.
    fn load_state_dict(&self, state_dict: impl AsState<StateDict>) -> Result<()>
    where
        Self: Sized,
    {
        self.load_state_dict_with(state_dict, |o| o).map(drop)
    }

    /// [`Module::load_state_dict`] with options: it lets keys be missing or unexpected if not `strict`, and returns them; with
    /// `assign` the parameters take the state's memory, dtype and device over: `load_state_dict(state, strict, assign)`.
    ///
    /// # Errors
    /// When shapes differ; if `strict`, also when keys do.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let (layer, state) = (nn::Linear::new(1, 1), nn::Linear::with(1, 1, |o| o.bias(false)).state_dict());
    /// assert_eq!(layer.load_state_dict_with(&state, |o| o.strict(false))?.missing_keys, ["bias"]);
    /// # Ok::<(), nn::Error>(())
    /// ```
    fn load_state_dict_with(
        &self,
        state_dict: impl AsState<StateDict>,
        options: impl FnOnce(LoadStateDictOptions) -> LoadStateDictOptions,
    ) -> Result<LoadReport>
    where
        Self: Sized,
    {
        state_dict::load(self.as_module(), &*state_dict.as_state()?, &options(LoadStateDictOptions::default()))
    }

    /// How many numbers the module learns: the parameters' elements that require grad.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().filter(|p| p.requires_grad()).map(Tensor::numel).sum()
    }

    /// Calls `f` with every module in this one, children first, and then with this one; returns the module: `apply(fn)`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module, init};
    /// let net = nn::sequential![nn::Conv2d::new(1, 2, 3), nn::BatchNorm2d::new(2)];
    /// net.apply(|m| {
    ///     if m.type_name().contains("Conv") {
    ///         init::constant_(m.weight().unwrap(), 0.5);
    ///     } else if let Some(norm) = m.downcast_ref::<nn::BatchNorm2d>() {
    ///         init::zeros_(norm.bias.as_ref().unwrap());
    ///     }
    /// });
    /// ```
    fn apply(&self, mut f: impl FnMut(&dyn Module)) -> &Self
    where
        Self: Sized,
    {
        apply(self.as_module(), &mut f);
        self
    }

    /// The module under a dotted name: `get_submodule(target)`. The empty name is the module itself.
    ///
    /// # Panics
    /// When there is none, with PyTorch's words.
    #[track_caller]
    fn get_submodule(&self, target: &str) -> &dyn Module {
        by_name::submodule(self.as_module(), target)
    }

    /// [`Module::get_submodule`], to change it: set its fields, or put another module of its type in its place.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let mut net = nn::sequential![nn::Linear::new(2, 2), nn::ReLU::new()];
    /// let linear = net.get_submodule_mut("0").downcast_mut::<nn::Linear>().unwrap();
    /// linear.bias = None;
    /// assert_eq!(net.parameters().len(), 1);
    /// ```
    ///
    /// # Panics
    /// When there is none, or it is behind an `Arc` that has other handles.
    #[track_caller]
    fn get_submodule_mut(&mut self, target: &str) -> &mut dyn Module {
        by_name::submodule_mut(self.as_module_mut(), target)
    }

    /// The parameter under a dotted name: `get_parameter(target)`.
    ///
    /// # Panics
    /// When there is none, with PyTorch's words.
    #[track_caller]
    fn get_parameter(&self, target: &str) -> &Parameter {
        by_name::parameter(self.as_module(), target)
    }

    /// The buffer under a dotted name: `get_buffer(target)`.
    ///
    /// # Panics
    /// When there is none, with PyTorch's words.
    #[track_caller]
    fn get_buffer(&self, target: &str) -> &Buffer {
        by_name::buffer(self.as_module(), target)
    }

    /// Puts `module` where the module of a dotted name stands: `set_submodule(target, module)`. The field must be of its type,
    /// or a `Box<dyn Forward>`, `Arc<dyn Forward>` or part of a `Sequential`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let mut net = nn::sequential![nn::Linear::new(2, 2), nn::ReLU::new()];
    /// net.set_submodule("1", nn::Tanh::new());
    /// assert_eq!(net[1].type_name(), "Tanh");
    /// ```
    ///
    /// # Panics
    /// When there is no such module, or the field cannot hold this one.
    #[track_caller]
    fn set_submodule<M: Forward>(&mut self, target: &str, module: M)
    where
        Self: Sized,
    {
        by_name::set_submodule(self.as_module_mut(), target, module);
    }

    /// Moves parameters and buffers to a device, or floating-point ones to a dtype: `module.to(…)`. The handles stay the
    /// same tensors, so an optimizer made before keeps working. The module itself goes in and comes out; a part that is not to
    /// be taken out of its place is converted as a `&dyn Module`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// let net = nn::sequential![nn::Linear::new(2, 2), nn::Linear::new(2, 2)].to("cpu").double();
    /// net[1].as_module().float();
    /// assert_eq!(net.parameters().iter().map(|p| p.dtype().to_string()).collect::<Vec<_>>()[1..3], [
    ///     "torch.float64",
    ///     "torch.float32"
    /// ]);
    /// ```
    ///
    /// # Panics
    /// When the device is missing or a dtype is none of floating point.
    #[track_caller]
    fn to(self, target: impl ToTarget) -> Self
    where
        Self: Sized,
    {
        self.as_module().to(target);
        self
    }

    /// Floating-point parameters and buffers as float64, others as they are: `module.double()`.
    #[track_caller]
    fn double(self) -> Self
    where
        Self: Sized,
    {
        self.to(DType::F64)
    }

    /// Floating-point parameters and buffers as float32, others as they are: `module.float()`.
    #[track_caller]
    fn float(self) -> Self
    where
        Self: Sized,
    {
        self.to(DType::F32)
    }

    /// Floating-point parameters and buffers as float16, others as they are: `module.half()`.
    #[track_caller]
    fn half(self) -> Self
    where
        Self: Sized,
    {
        self.to(DType::F16)
    }

    /// Floating-point parameters and buffers as bfloat16, others as they are: `module.bfloat16()`.
    #[track_caller]
    fn bfloat16(self) -> Self
    where
        Self: Sized,
    {
        self.to(DType::BF16)
    }

    /// All parameters and buffers in a dtype, also integers: `module.type(dtype)`.
    ///
    /// ```
    /// use flambeau_nn::{self as nn, Module};
    /// use flambeau_tensor::DType;
    /// let norm = nn::BatchNorm1d::new(2).r#type(DType::F64);
    /// assert_eq!(norm.num_batches_tracked.as_ref().unwrap().dtype(), DType::F64);
    /// ```
    ///
    /// # Panics
    /// When a parameter that requires grad would have a dtype without gradients.
    #[track_caller]
    fn r#type(self, dtype: DType) -> Self
    where
        Self: Sized,
    {
        for x in self.parameters().iter().chain(&self.buffers()) {
            replace(x, |x| x.to(dtype));
        }
        self
    }

    /// Zeros on a device in the place of all parameters and buffers, whose numbers are not copied: `module.to_empty(device)`. PyTorch
    /// leaves memory as it finds it.
    ///
    /// # Panics
    /// When the device is missing.
    #[track_caller]
    fn to_empty(self, device: impl ToDevice) -> Self
    where
        Self: Sized,
    {
        let device = device.to_device().unwrap_or_else(default_device);
        for x in self.parameters().iter().chain(&self.buffers()) {
            replace(x, |x| flambeau_autograd::ops::zeros(&x.size(), x.dtype(), device).or_panic());
        }
        self
    }

    /// The module itself: threads share all memory. `module.share_memory()`.
    ///
    /// # Panics
    /// When a parameter or buffer has no shape yet.
    #[track_caller]
    fn share_memory(self) -> Self
    where
        Self: Sized,
    {
        let known = !self.parameters().iter().chain(&self.buffers()).any(Tensor::is_uninitialized);
        assert!(
            known,
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters before \
             calling `module.share_memory()`."
        );
        self
    }

    /// Accepted, and changes nothing: everything is compiled here already. `module.compile()`.
    fn compile(&self) {}

    /// Parameters and buffers in host memory: `module.cpu()`.
    #[track_caller]
    fn cpu(self) -> Self
    where
        Self: Sized,
    {
        self.to(Device::Cpu)
    }

    /// Parameters and buffers on the first GPU, whatever its make: `module.cuda()`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    fn cuda(self) -> Self
    where
        Self: Sized,
    {
        self.to(Device::Wgpu(0))
    }

    /// Parameters and buffers on the first GPU, whatever its make: `module.xpu()`.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    fn xpu(self) -> Self
    where
        Self: Sized,
    {
        self.cuda()
    }
}

impl std::fmt::Display for dyn Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.repr())
    }
}
