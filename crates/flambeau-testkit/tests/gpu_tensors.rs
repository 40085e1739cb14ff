//! Tensors on a GPU from a program's side: how they print, how the host reads them, and what happens between devices.

use flambeau_testkit::catch::catch;
use flambeau_testkit::work::{GPU, OnGpu, watch};
use torch::Tensor;

/// Numbers on the GPU.
fn gpu(x: Tensor) -> Tensor {
    x.to(GPU)
}

#[test]
fn prints_name_the_device() {
    let _gpu = OnGpu::new();
    // PyTorch prints `device='cuda:0'` at the same places.
    let x = gpu(torch::tensor([[1.0, -2.5], [0.25, 4.0]]));
    assert_eq!(x.to_string(), "tensor([[ 1.0000, -2.5000],\n        [ 0.2500,  4.0000]], device='wgpu:0')");
    let leaf = gpu(torch::tensor([1.0, 2.0])).requires_grad_(true);
    assert_eq!(leaf.to_string(), "tensor([1., 2.], device='wgpu:0', requires_grad=True)");
    assert_eq!((&leaf * 2.0).to_string(), "tensor([2., 4.], device='wgpu:0', grad_fn=<MulBackward0>)");
    let integers = gpu(torch::tensor([1, 2]));
    assert_eq!(integers.to_string(), "tensor([1, 2], device='wgpu:0')");
    assert_eq!(integers.to(torch::uint8).to_string(), "tensor([1, 2], device='wgpu:0', dtype=torch.uint8)");
    assert_eq!(gpu(torch::tensor(true)).to_string(), "tensor(True, device='wgpu:0')");
    assert_eq!(gpu(torch::zeros([0])).to_string(), "tensor([], device='wgpu:0')");
    assert_eq!(gpu(torch::zeros([0, 3])).to_string(), "tensor([], device='wgpu:0', size=(0, 3))");
    assert_eq!(
        gpu(torch::arange(2000)).to_string(),
        "tensor([   0,    1,    2,  ..., 1997, 1998, 1999], device='wgpu:0')"
    );
}

#[test]
fn the_host_reads_what_the_gpu_computed() {
    let _gpu = OnGpu::new();
    let x = gpu(torch::arange((0.0, 6.0, 1.0))).view([2, 3]);
    let (sum, work) = watch(GPU, || (&x * &x).sum().item());
    assert_eq!((sum, work.cpu_kernels, work.readbacks), (55.0, 0, 1));
    assert_eq!(x.t().to_vec::<f32>(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(x.i((1, 2)).item_as::<f32>(), 5.0);
    assert!(x.equal(x.clone()) && !x.equal(&(&x + 1.0)));
    assert!(x.allclose(&(&x + 1e-9)) && !x.allclose(&(&x + 1e-2)));
    for dtype in
        [torch::float64, torch::float16, torch::bfloat16, torch::int64, torch::int16, torch::uint8, torch::bool]
    {
        let there = torch::tensor([0, 1, 2, 127]).to(dtype);
        let back = gpu(there.shallow_clone()).to("cpu");
        assert_eq!((back.device().is_cpu(), back.dtype()), (true, dtype));
        assert!(back.equal(&there), "{dtype}");
    }
}

#[test]
fn devices_do_not_mix_but_for_single_numbers() {
    let _gpu = OnGpu::new();
    let (here, there) = (torch::ones([2, 2]), gpu(torch::ones([2, 2])));
    let two_devices = |a: &str, b: &str| {
        format!("Expected all tensors to be on the same device, but found at least two devices, {a} and {b}!")
    };
    let mixes: [(&str, &dyn Fn() -> Tensor); 5] = [
        ("add", &|| &there + &here),
        ("matmul", &|| there.matmul(&here)),
        ("cat", &|| torch::cat([&there, &here], 0)),
        ("where", &|| torch::where_(there.gt(0.0), &here, 0.0)),
        ("add_", &|| there.add_(&here)),
    ];
    for (name, mix) in mixes {
        assert_eq!(catch(|| drop(mix())), Err(two_devices("wgpu:0", "cpu")), "{name}");
    }
    assert_eq!(catch(|| drop(&here + &there)), Err(two_devices("cpu", "wgpu:0")));
    // A single number on the CPU goes along, and its gradient comes back.
    let factor = torch::tensor(3.0).requires_grad_(true);
    let product = &there * &factor;
    assert_eq!(product.device(), GPU);
    product.sum().backward();
    let grad = factor.grad().expect("it requires one");
    assert_eq!((grad.device().is_cpu(), grad.item()), (true, 4.0));
    there.mul_(torch::tensor(2.0));
    assert_eq!(there.to_vec::<f32>(), [2.0; 4]);
    // copy_ and to convert between devices.
    here.copy_(&there);
    assert_eq!(here.to_vec::<f32>(), [2.0; 4]);
    let missing = catch(|| drop(torch::ones([1]).to("wgpu:99"))).unwrap_err();
    assert!(missing.contains("no GPU adapter for wgpu:99"), "{missing}");
}

#[test]
fn gradients_cross_from_device_to_device() {
    let _gpu = OnGpu::new();
    let x = torch::tensor([1.0, 2.0]).requires_grad_(true);
    let y = gpu(x.shallow_clone()).square().to("cpu").sum();
    y.backward();
    assert_eq!(x.grad().expect("it requires one").to_vec::<f32>(), [2.0, 4.0]);
}

#[test]
fn an_index_outside_is_reported_when_the_host_reads() {
    let _gpu = OnGpu::new();
    let x = gpu(torch::ones([3]));
    let picked = x.index_select(0, gpu(torch::tensor([0, 7])));
    let error = catch(|| drop(picked.to_vec::<f32>())).unwrap_err();
    assert!(error.contains("index out of range in self"), "{error}");
    assert_eq!(x.to_vec::<f32>(), [1.0; 3], "the device works on");
}
