//! Users' own pointwise functions on a GPU: one launch each, forwards and backwards, with the CPU's numbers and those of the
//! operations in turn.

use flambeau_testkit::work::{GPU, OnGpu, watch};
use torch::Tensor;
use torch::pointwise::PointwiseFunction;

fn leaf(x: &Tensor, there: bool) -> Tensor {
    (if there { x.to(GPU) } else { x.clone() }).requires_grad_(true)
}

fn bits(t: &Tensor) -> Vec<u64> {
    t.to("cpu").to(torch::float64).to_vec::<f64>().iter().map(|x| (x + 0.0).to_bits()).collect()
}

/// The result and both gradients of a function.
fn all(f: &dyn Fn(&Tensor, &Tensor) -> Tensor, x: &Tensor, y: &Tensor) -> [Tensor; 3] {
    let out = f(x, y);
    out.sum().backward();
    [out.detach(), x.grad().unwrap(), y.grad().unwrap()]
}

#[test]
fn one_kernel_runs_a_function_and_one_each_gradient() {
    let _gpu = OnGpu::new();
    let f = torch::pointwise(|[x, y]| x.gt(0.0).where_(x.exp() * y + 1.0, (x * 0.5).tanh() - y));
    let (x, y) = (torch::tensor([-1.0, 0.5, 1.5, -0.25]), torch::tensor([0.3, 0.7, -1.1, 2.0]));
    let (x, y) = (leaf(&x, true), leaf(&y, true));
    let (out, work) = watch(GPU, || f.call((&x, &y)));
    assert_eq!((work.launches, work.readbacks, work.cpu_kernels), (1, 0, 0));
    let seed = torch::ones_like(&out);
    let (_, work) = watch(GPU, || out.backward_with(|o| o.gradient(&seed)));
    assert_eq!((work.launches, work.readbacks, work.cpu_kernels), (2, 0, 0));
}

#[test]
fn the_gpu_has_the_digits_of_operations_in_turn() {
    let _gpu = OnGpu::new();
    // Products and sums next to each other: what a compiler would like to make one instruction of.
    let fused: PointwiseFunction<2> = torch::pointwise(|[x, y]| (x * y + x * 0.3 - y) * x + y * y);
    let in_turn = |x: &Tensor, y: &Tensor| (x * y + x * 0.3 - y) * x + y * y;
    let x = torch::arange(64) * 0.0371 - 1.1;
    let y = torch::arange(64) * -0.0173 + 0.77;
    for dtype in [torch::float32, torch::float16, torch::bfloat16, torch::float64] {
        let (x, y) = (x.to(dtype), y.to(dtype));
        let there = all(&|x, y| fused.call((x, y)), &leaf(&x, true), &leaf(&y, true));
        let turns = all(&in_turn, &leaf(&x, true), &leaf(&y, true));
        let here = all(&|x, y| fused.call((x, y)), &leaf(&x, false), &leaf(&y, false));
        for (i, ((a, b), c)) in there.iter().zip(&turns).zip(&here).enumerate() {
            assert_eq!(bits(a), bits(b), "{dtype} {i}: in turn");
            assert_eq!(bits(a), bits(c), "{dtype} {i}: on the CPU");
        }
    }
}

#[test]
fn functions_with_exponentials_are_close_to_the_cpus_and_broadcast() {
    let _gpu = OnGpu::new();
    let f = torch::pointwise(|[x, y]| x.silu() * y.sigmoid() + x.erf().maximum(y) / (1.0 + y.square()));
    let x = (torch::arange(12) * 0.31 - 1.7).view([4, 3]);
    let y = torch::tensor([0.2, -0.9, 1.4]);
    for (dtype, tolerance) in [(torch::float32, 1e-5), (torch::float16, 1e-2), (torch::bfloat16, 6e-2)] {
        let (x, y) = (x.to(dtype), y.to(dtype));
        let there = all(&|x, y| f.call((x, y)), &leaf(&x, true), &leaf(&y, true));
        let here = all(&|x, y| f.call((x, y)), &leaf(&x, false), &leaf(&y, false));
        for (a, b) in there.iter().zip(&here) {
            assert_eq!(a.size(), b.size());
            let worst = (a.to("cpu").to(torch::float64) - b.to(torch::float64)).abs().max().item();
            assert!(worst <= tolerance, "{dtype}: {worst}");
        }
    }
}
