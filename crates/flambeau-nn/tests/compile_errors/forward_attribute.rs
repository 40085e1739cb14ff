use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Forward, Module};

#[derive(Module)]
struct Net;

#[nn::forward]
impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.relu()
    }
}

#[derive(Module)]
struct Counter {
    calls: usize,
}

#[nn::forward]
impl Counter {
    fn forward(&mut self, x: &Tensor) -> Tensor {
        self.calls += 1;
        x.relu()
    }
}

fn main() {}
