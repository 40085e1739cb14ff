use flambeau_autograd::ones;
use flambeau_nn::{self as nn, Parameter};

#[derive(Clone)]
struct Config {
    layer: nn::Linear,
}

fn main() {
    let weight = Parameter::new(ones([2]));
    let _tied: Parameter = weight.clone();
}
