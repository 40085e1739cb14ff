use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Forward, Module};
use std::collections::HashMap;
use std::sync::Arc;

struct Block {
    fc: nn::Linear,
}

#[derive(Module)]
struct Net {
    block: Block,
    blocks: Vec<Block>,
    shared: Arc<Block>,
    maybe: Option<Arc<Block>>,
    named: HashMap<String, Vec<Arc<Block>>>,
}

struct Other;

impl Forward for Other {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.relu()
    }
}

fn main() {}
