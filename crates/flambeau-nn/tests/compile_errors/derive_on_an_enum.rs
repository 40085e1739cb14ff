use flambeau_autograd::ones;
use flambeau_nn::{self as nn, Module};

#[derive(Module)]
enum Norm {
    Batch(nn::BatchNorm2d),
    Group(nn::GroupNorm),
}

#[derive(Module)]
struct Net {
    norm: Norm,
    head: nn::Linaer,
}

fn main() {
    let net = Net { norm: Norm::Batch(nn::BatchNorm2d::new(2)), head: nn::Linear::new(2, 2) };
    undefined_function(net.parameters(), ones(1));
}
