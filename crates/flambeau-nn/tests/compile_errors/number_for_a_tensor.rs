use flambeau_autograd::Tensor;
use flambeau_nn::{Call, Forward, Module};

#[derive(Module)]
struct Net;

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.relu()
    }
}

fn main() {
    Net.call(5);
    Net.call(vec![1.0, 2.0]);
}
