use flambeau_nn::Module;
use std::cell::RefCell;

#[derive(Module)]
struct Net {
    calls: RefCell<usize>,
}

fn main() {}
