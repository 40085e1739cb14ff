mod support;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, ops};
use std::sync::LazyLock;
use support::*;
macro_rules! prog { ($name:ident, $b:ident, $e:expr) => { static $name: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|$b| $e)); } }
prog!(A, b, b.input(0).exp().log1p());
prog!(B, b, b.input(0).log1p().tanh());
prog!(C, b, b.input(0).exp().tanh());
prog!(D, b, b.input(0).exp().log1p().tanh());
prog!(E, b, b.input(0) * b.input(0).tanh());
prog!(F, b, (b.input(0) * b.input(0)).tanh());
prog!(G, b, b.input(0).log1p().abs().exp());
prog!(H, b, b.input(0).log1p().expm1());
#[test]
fn scratch() {
    for dtype in [DType::F32, DType::F64] {
        let x = Pair::new(from_f64(&[0.55, 1.0, 2.0, 0.1, 3.0], &[5], dtype));
        for (n, p) in [("exp log1p", &A), ("log1p tanh", &B), ("exp tanh", &C), ("exp log1p tanh", &D), ("x*tanh", &E), ("tanh(xx)", &F), ("exp|log1p|", &G), ("expm1 log1p", &H)] {
            let c = ops::pointwise(p, &[&x.cpu], &[]).unwrap();
            let g = ops::pointwise(p, &[&x.gpu], &[]).unwrap();
            println!("{dtype} {n}: {:?} {:?}", elements(&c), elements(&g));
        }
    }
}
