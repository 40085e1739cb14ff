use flambeau_autograd::Tensor;

#[derive(Module)]
struct Net {
    fc: nn::Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        F::relu(&self.fc.call(x))
    }
}

fn main() {
    let net = Net { fc: flambeau_nn::Linear::new(1, 1) };
    net.eval();
}
