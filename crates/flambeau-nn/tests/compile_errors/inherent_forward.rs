use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Call, Module};

#[derive(Module)]
struct Net {
    fc: nn::Linear,
}

impl Net {
    fn forward(&self, x: &Tensor, y: &Tensor) -> Tensor {
        self.fc.call(x) + y
    }
}

fn main() {
    let net = Net { fc: nn::Linear::new(1, 1) };
    let x = ones([1]);
    net.call((&x, &x));
}
