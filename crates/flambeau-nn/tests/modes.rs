//! Anomaly detection and the profiler name the module, by its path, and the user's line.

use flambeau_autograd::mode::{detect_anomaly, profile};
use flambeau_autograd::{Tensor, full, ones, zeros};
use flambeau_nn::{self as nn, Call, Forward, Module};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Module)]
struct Block {
    norm: nn::LayerNorm,
    linear1: nn::Linear,
}

impl Forward for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.linear1.call(self.norm.call(x)).relu() + x
    }
}

#[derive(Module)]
struct Encoder {
    layers: Vec<Block>,
}

impl Forward for Encoder {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.iter().fold(x.shallow_clone(), |x, layer| layer.call(x))
    }
}

#[derive(Module)]
struct Net {
    encoder: Encoder,
    head: nn::Linear,
}

const LINE: u32 = line!() + 4;
impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.encoder.call(x);
        self.head.call(x)
    }
}

fn net() -> Net {
    let block = || Block { norm: nn::LayerNorm::new(4), linear1: nn::Linear::new(4, 4) };
    Net { encoder: Encoder { layers: vec![block(), block(), block()] }, head: nn::Linear::new(4, 2) }
}

fn message<T>(f: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("an anomaly");
    panic.downcast_ref::<String>().cloned().expect("a message")
}

#[test]
fn an_overflow_names_the_layer_in_which_it_is() {
    let net = net();
    net.encoder.layers[1].linear1.weight.set_data(&full([4, 4], 3e38));
    let x = Tensor::from(&ones([2, 4])).cumsum(1);
    let _guard = detect_anomaly();
    let told = message(|| net.call(&x));
    assert!(told.contains("Function 'linear' returned"), "{told}");
    assert!(told.contains("in module encoder.layers.1.linear1"), "{told}");
    assert!(told.contains("tests/modes.rs:"), "the user's line: {told}");
    // Outside of the call nothing is left of it.
    let told = message(|| zeros([1]).div(zeros([1])));
    assert!(!told.contains("in module"), "{told}");
}

#[test]
fn a_library_layer_is_told_at_the_line_that_called_it() {
    let net = net();
    net.head.weight.set_data(&full([2, 4], 3e38));
    let _guard = detect_anomaly();
    let told = message(|| net.call(ones([2, 4])));
    assert!(told.contains(&format!("called at {}:{LINE}:", file!())) && told.contains("in module head."), "{told}");
}

#[test]
fn backward_names_the_module_of_the_forward() {
    #[derive(Module)]
    struct Root {
        scale: nn::Parameter,
    }
    impl Forward for Root {
        fn forward(&self, x: &Tensor) -> Tensor {
            (x * &self.scale).sqrt()
        }
    }
    #[derive(Module)]
    struct Outer {
        inner: Root,
    }
    impl Forward for Outer {
        fn forward(&self, x: &Tensor) -> Tensor {
            self.inner.call(x) * 0.0
        }
    }
    let outer = Outer { inner: Root { scale: nn::Parameter::new(zeros([1])) } };
    let _guard = detect_anomaly();
    let y = outer.call(ones([1]));
    let told = message(|| y.sum().backward());
    assert!(told.starts_with("Function 'SqrtBackward0' returned nan values"), "{told}");
    assert!(told.contains("The forward was 'sqrt'") && told.contains("in module inner."), "{told}");
}

#[test]
fn a_profile_shows_modules_by_path() {
    let net = net();
    let mut prof = profile();
    net.call(ones([2, 4]));
    prof.stop();
    let averages = prof.key_averages();
    let counts = averages.counts();
    for name in
        ["nn.Module: Net", "nn.Module: encoder.layers.2 (Block)", "nn.Module: encoder.layers.0.linear1 (Linear)"]
    {
        // Other tests of this process may run beside it.
        assert!(counts.iter().any(|(n, calls)| *n == name && *calls >= 1), "{name} in {counts:?}");
    }
}
