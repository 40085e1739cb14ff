use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Call, Forward, Module};

#[derive(Module)]
struct Net {
    fc: nn::Linear,
    activation: Box<dyn Fn(&Tensor) -> Tensor>,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        (self.activation)(&self.fc.call(x))
    }
}

#[derive(Module)]
struct Lambda {
    #[module(skip)]
    function: Option<Box<dyn Fn(&Tensor) -> Tensor + Send>>,
}

fn main() {
    let net = Net { fc: nn::Linear::new(1, 1), activation: Box::new(|x| x.relu()) };
    net.call(ones([1]));
    net.eval();
}
