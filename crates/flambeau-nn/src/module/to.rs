//! Parameters and buffers on another device, or of another dtype.

use super::Module;
use flambeau_autograd::ops::ToTarget;
use flambeau_autograd::{OrPanic, Tensor};
use flambeau_tensor::{DType, Device};

impl dyn Module {
    /// [`Module::to`] of a module in its place.
    ///
    /// # Panics
    /// As [`Module::to`].
    #[track_caller]
    pub fn to(&self, target: impl ToTarget) -> &Self {
        for x in self.parameters().iter().chain(&self.buffers()) {
            move_to(x, &target);
        }
        self
    }

    /// [`Module::double`] of a module in its place.
    #[track_caller]
    pub fn double(&self) -> &Self {
        self.to(DType::F64)
    }

    /// [`Module::float`] of a module in its place.
    #[track_caller]
    pub fn float(&self) -> &Self {
        self.to(DType::F32)
    }

    /// [`Module::half`] of a module in its place.
    #[track_caller]
    pub fn half(&self) -> &Self {
        self.to(DType::F16)
    }

    /// [`Module::bfloat16`] of a module in its place.
    #[track_caller]
    pub fn bfloat16(&self) -> &Self {
        self.to(DType::BF16)
    }

    /// [`Module::cpu`] of a module in its place.
    #[track_caller]
    pub fn cpu(&self) -> &Self {
        self.to(Device::Cpu)
    }

    /// [`Module::cuda`] of a module in its place.
    #[track_caller]
    pub fn cuda(&self) -> &Self {
        self.to(Device::Wgpu(0))
    }
}

#[track_caller]
fn move_to(x: &Tensor, target: &impl ToTarget) {
    replace(x, |x| convert(x, target));
}

/// Another tensor's memory for a parameter or buffer, and the same for its gradient.
#[track_caller]
pub(super) fn replace(x: &Tensor, convert: impl Fn(&Tensor) -> Tensor) {
    if x.is_uninitialized() {
        return x.convert_uninitialized(convert);
    }
    let moved = convert(&x.detach());
    // A tensor that is where it should be keeps its array: one that was replaced is slower to read.
    if moved.array().same_view(&x.array()) {
        return;
    }
    let grad = x.grad();
    x.set_grad(None);
    x.set_data(&moved);
    x.set_grad(grad.map(|g| convert(&g)));
}

#[track_caller]
fn convert(x: &Tensor, target: &impl ToTarget) -> Tensor {
    let moved = target.convert(&x.detach()).or_panic();
    assert!(
        moved.is_floating_point() || !x.is_floating_point(),
        "nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={}",
        moved.dtype()
    );
    if x.is_floating_point() { moved } else { x.detach().to(moved.device()) }
}
