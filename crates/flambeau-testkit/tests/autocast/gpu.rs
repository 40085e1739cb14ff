//! Mixed precision on a GPU: float16 products, and a scaler that launches little and reads once per step.

use flambeau_testkit::work::{GPU, OnGpu, watch};
use torch::amp::GradScaler;
use torch::nn::{self, Module};
use torch::{DType, Tensor, autocast, autocast_with, optim};

#[test]
fn gpu_regions_compute_in_float16() {
    let _gpu = OnGpu::new();
    let (x, y) = (torch::randn((4, 4)).to(GPU), torch::randn((4, 4)).to(GPU));
    let expected = x.matmul(&y);
    let _autocast = autocast("cuda");
    let product = x.matmul(&y);
    assert_eq!((product.dtype(), product.exp().dtype(), product.sum().dtype()), (DType::F16, DType::F32, DType::F32));
    assert!(product.float().to("cpu").allclose_with(expected.to("cpu"), |o| o.rtol(1e-2).atol(1e-2)));
    assert_eq!(torch::cat([&product, &x], 0).dtype(), DType::F32);
    // The CPU's tensors are in no region.
    assert_eq!(torch::ones((2, 2)).matmul(torch::ones((2, 2))).dtype(), DType::F32);
    let refused = torch::ops::binary_cross_entropy(&product, &x, &Default::default()).unwrap_err().to_string();
    assert!(
        refused.starts_with("torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.")
    );
    let _wide = autocast_with(GPU, |o| o.dtype(DType::BF16));
    assert_eq!(x.matmul(&y).dtype(), DType::BF16);
}

#[test]
fn gpu_scaler_skips_overflows_and_trains() {
    let _gpu = OnGpu::new();
    torch::manual_seed(0);
    let net = nn::sequential![nn::Linear::new(4, 8), nn::ReLU::new(), nn::Linear::new(8, 2)].to(GPU);
    let optimizer = optim::SGD::new(net.parameters(), 0.1);
    // 2²⁴ times a gradient is none of float16's numbers: the first steps are left out.
    let scaler = GradScaler::with(GPU, |o| o.init_scale(16_777_216.0));
    let (x, y) = (torch::randn((8, 4)).to(GPU), torch::ones((8, 2)).to(GPU));
    let (mut losses, mut scales) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        optimizer.zero_grad();
        let loss = {
            let _autocast = autocast("cuda");
            nn::functional::mse_loss(net.call(&x), &y)
        };
        scaler.scale(&loss).backward();
        losses.push(loss.item());
        scaler.step(&optimizer);
        scaler.update();
        scales.push(scaler.get_scale());
    }
    assert!(scales[0] < 16_777_216.0 && scales[19] == scales[18], "{scales:?}");
    assert!(losses[1] == losses[0] && losses[19] < losses[0] * 0.9, "{losses:?}");
    let dtypes: Vec<DType> = net.parameters().iter().map(|p| p.grad().unwrap().dtype()).collect();
    assert!(dtypes.iter().all(|dtype| *dtype == DType::F32));
    // A check for each gradient, one for all of them, and one launch that divides.
    scaler.scale(net.call(&x).sum()).backward();
    let (_, work) = watch(GPU, || scaler.unscale_(&optimizer));
    let gradients = net.parameters().len() as u64;
    assert!(work.readbacks == 0 && work.launches <= 2 * gradients + 3, "{work:?}");
    let (_, work) = watch(GPU, || scaler.step(&optimizer));
    assert_eq!(work.readbacks, 1, "{work:?}");
    let grad: Tensor = net.parameters()[0].grad().unwrap();
    assert!(grad.isfinite().all().item() != 0.0);
}
