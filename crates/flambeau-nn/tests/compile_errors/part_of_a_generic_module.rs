use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{self as nn, Call, Forward, Module};

#[derive(Module)]
struct Residual<M> {
    inner: M,
}

impl<M: Forward> Forward for Residual<M> {
    fn forward(&self, x: &Tensor) -> Tensor {
        x + self.inner.call(x)
    }
}

struct Block;

#[derive(Module)]
struct Net {
    residual: Residual<Block>,
}

impl<M> Residual<M> {
    fn twice(&self, x: &Tensor) -> Tensor {
        self.inner.call(self.inner.call(x))
    }
}

fn main() {
    Residual { inner: nn::ReLU::new() }.call(ones([1]));
    Residual { inner: Block }.call(ones([1]));
}
