use flambeau_autograd::ones;
use flambeau_nn::{self as nn, Call, Forward, Module};

#[derive(Module)]
struct Net {
    fc: nn::Linear,
}

fn run(module: &impl Forward) {
    module.call(ones([1]));
}

fn main() {
    let net = Net { fc: nn::Linear::new(1, 1) };
    net.call(ones([1]));
    run(&net);
}
