use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{Forward, Module};

#[derive(Module)]
struct Net;

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.relu()
    }
}

fn main() {
    Net.call(ones([1]));
}
