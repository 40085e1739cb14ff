//! What Python has beside its tensors: the way that it prints numbers, and small functions of `torch`.

use flambeau_autograd::{AsTensor, Tensor};
use flambeau_tensor::print::py_float;
use flambeau_tensor::{DType, Scalar};

/// A number as Python prints it: `2.0`, `1e-07`, `True`. Rust prints `2` and `0.0000001`.
///
/// ```
/// let loss = torch::tensor(2.0);
/// assert_eq!(format!("{} {}", torch::py(loss.item()), torch::py(1e-7)), "2.0 1e-07");
/// ```
pub fn py(number: impl Into<Scalar>) -> String {
    match number.into() {
        Scalar::Bool(true) => "True".to_owned(),
        Scalar::Bool(false) => "False".to_owned(),
        number if number.dtype(DType::F64).is_floating_point() => py_float(number.to_f64()),
        number => number.to_i64().to_string(),
    }
}

/// How many elements a tensor has: `torch.numel`.
pub fn numel(input: impl AsTensor) -> usize {
    input.as_tensor().numel()
}

/// Whether the dtype is a floating-point type: `torch.is_floating_point`.
pub fn is_floating_point(input: impl AsTensor) -> bool {
    input.as_tensor().is_floating_point()
}

/// Whether the dtype is complex, which no dtype is yet: `torch.is_complex`.
pub fn is_complex(input: impl AsTensor) -> bool {
    input.as_tensor().is_complex()
}

/// The dtype of an operation of two tensors: `torch.result_type`.
///
/// ```
/// let (x, y) = (torch::tensor([1, 2]), torch::tensor(1.0));
/// assert_eq!(torch::result_type(&x, &y), torch::float32);
/// ```
pub fn result_type(tensor: impl AsTensor, other: impl AsTensor) -> DType {
    let add = |r: flambeau_tensor::promotion::ResultType, t: &Tensor| r.tensor(t.dtype(), t.dim());
    add(add(Default::default(), tensor.as_tensor()), other.as_tensor()).finish()
}

/// The seed that the CPU's generator started from: `torch.initial_seed()`.
///
/// # Panics
/// Never: every machine has a CPU.
pub fn initial_seed() -> u64 {
    flambeau_device::default_generator(flambeau_tensor::Device::Cpu).expect("there is a CPU").initial_seed()
}

/// The state of the CPU's generator: `torch.get_rng_state()`.
///
/// ```
/// let state = torch::get_rng_state();
/// let first = torch::rand(3);
/// torch::set_rng_state(&state);
/// assert!(first.equal(&torch::rand(3)));
/// ```
pub fn get_rng_state() -> Tensor {
    let generator = flambeau_device::default_generator(flambeau_tensor::Device::Cpu).expect("there is a CPU");
    let state = generator.get_state();
    flambeau_autograd::from_slice(&state, state.len())
}

/// Puts the CPU's generator back to a state that [`get_rng_state`] gave: `torch.set_rng_state(state)`.
///
/// # Panics
/// When the tensor is no state.
#[track_caller]
pub fn set_rng_state(new_state: impl AsTensor) {
    let generator = flambeau_device::default_generator(flambeau_tensor::Device::Cpu).expect("there is a CPU");
    if let Err(error) = generator.set_state(new_state.as_tensor().to_vec::<u8>()) {
        panic!("{error}");
    }
}
