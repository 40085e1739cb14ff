//! The number of threads changes no bit of a result: sums are split by shape alone, and who runs a part does not matter.
//! (A convolution's gradient of its input is not among them yet: its tiles still follow the number of threads.)
//!
//! A binary of its own, since the number is the process's.

use flambeau_autograd::ops::{self, ConvOptions};
use flambeau_autograd::{Tensor, randn};
use flambeau_device::{get_num_threads, set_num_threads};

/// The bits of every result of `work` and of the gradients of `inputs`.
fn bits(inputs: &[Tensor], work: &dyn Fn(&[Tensor]) -> Tensor) -> Vec<u32> {
    let leaves: Vec<Tensor> = inputs.iter().map(|x| x.detach().requires_grad_(true)).collect();
    let out = work(&leaves);
    // A cotangent that is not constant, so that gradients' sums round.
    out.mul(out.detach().sin()).sum().backward();
    let grads = leaves.iter().map(|x| x.grad().expect("each input has a gradient"));
    let all: Vec<Tensor> = std::iter::once(out.detach()).chain(grads).collect();
    all.iter().flat_map(|t| t.contiguous().to_vec::<f32>()).map(f32::to_bits).collect()
}

fn same_for_every_number(name: &str, inputs: &[Tensor], work: &dyn Fn(&[Tensor]) -> Tensor) {
    set_num_threads(1);
    let expected = bits(inputs, work);
    for threads in [2, 3, 4, 7] {
        set_num_threads(threads);
        // Twice, since the parts are handed out as threads come.
        for _ in 0..2 {
            let found = bits(inputs, work);
            let wrong = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
            assert!(wrong == 0, "{name} with {threads} threads: {wrong} of {} numbers differ", expected.len());
        }
    }
}

/// A convolution of `x`, a function of its weight.
fn conv2d(x: Tensor, padding: i64) -> impl Fn(&[Tensor]) -> Tensor {
    move |w| {
        let options = ConvOptions::default().padding([padding, padding]);
        ops::conv2d(&x, &w[0], None, &options).unwrap()
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let before = get_num_threads();
    for (m, k, n) in [(512, 300, 400), (1, 700, 900), (1, 5000, 64), (700, 300, 1), (1, 100, 3000), (65, 257, 33)] {
        let inputs = [randn([m, k]), randn([k, n])];
        same_for_every_number(&format!("matmul {m}×{k}×{n}"), &inputs, &|x| x[0].matmul(&x[1]));
        let inputs = [randn([m, k]), randn([n, k])];
        same_for_every_number(&format!("matmul {m}×{k}×{n}, transposed"), &inputs, &|x| x[0].matmul(x[1].t()));
    }
    let inputs = [randn([40, 64, 64]), randn([40, 64, 64])];
    same_for_every_number("bmm", &inputs, &|x| x[0].bmm(&x[1]));
    for (shape, weight, padding) in [
        ([4, 16, 28, 28], [32, 16, 3, 3], 1),
        ([1, 3, 64, 64], [8, 3, 5, 5], 0),
        ([33, 1, 28, 28], [6, 1, 3, 3], 0),
        ([2, 64, 14, 14], [64, 64, 1, 1], 0),
        ([16, 256, 7, 7], [32, 256, 3, 3], 1),
    ] {
        let name = format!("conv2d {shape:?} {weight:?}");
        same_for_every_number(&name, &[randn(weight)], &conv2d(randn(shape), padding));
    }
    let x = [randn([300, 1000])];
    same_for_every_number("exp and sum", &x, &|x| x[0].exp().sum());
    same_for_every_number("mean along rows", &x, &|x| x[0].mul(&x[0]).mean_dim(1, false));
    same_for_every_number("sum along columns", &x, &|x| x[0].mul(&x[0]).sum_dim(0, false));
    same_for_every_number("softmax", &x, &|x| x[0].softmax(1));
    same_for_every_number("cumsum", &x, &|x| x[0].cumsum(0));
    same_for_every_number("tanh of a transpose", &x, &|x| x[0].t().tanh());
    let x = [randn([2_000_003])];
    same_for_every_number("a long sum", &x, &|x| x[0].sigmoid().sum());
    same_for_every_number("a mean of squares", &x, &|x| x[0].mul(&x[0]).mean());
    set_num_threads(before);
}
