use flambeau_autograd::{Tensor, ones, zeros};
use flambeau_nn::{self as nn, Call, Forward, Module, functional as F};

fn run(module: &impl Forward, x: &Tensor) -> Tensor {
    module.call(x)
}

fn main() {
    let (fc, x) = (nn::Linear::new(1, 1), ones([2, 3]));
    // A tensor for a module.
    run(&x, &x);
    let _list: nn::ModuleList = nn::ModuleList::new([ones([1])]);
    // A number for a tensor.
    fc.call(3.0);
    F::relu(5);
    x.matmul(2);
    // A text for dimensions.
    x.view("2, 3");
    zeros(String::from("2"));
    x.sum_dim("0", true);
    fc.eval();
}
