use flambeau_autograd::{Tensor, ones};
use flambeau_nn::{Call, Forward, Module};

#[derive(Module)]
struct Cell;

impl Forward<(Tensor, Tensor), (Tensor, Tensor)> for Cell {
    fn forward(&self, (x, h): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
        (x.relu(), h.relu())
    }
}

fn main() {
    let x = ones([1]);
    Cell.call(&x);
    Cell.call((&x, 3));
    Cell.call(&x, &x);
}
