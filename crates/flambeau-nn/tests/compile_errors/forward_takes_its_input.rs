use flambeau_autograd::Tensor;
use flambeau_nn::{Forward, Module};

#[derive(Module)]
struct Net;

impl Forward for Net {
    fn forward(&self, x: Tensor) -> Tensor {
        x.relu()
    }
}

#[derive(Module)]
struct Two;

impl Forward for Two {
    fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        x + y
    }
}

fn main() {}
