//! Modules that have no goldens: a GPU's outputs and gradients beside the CPU's.

use flambeau_autograd::{Tensor, grad, randn};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Module};
use flambeau_tensor::{DType, Device};
use flambeau_testkit::args::values;
use flambeau_testkit::golden::{GoldenTensor, Tolerance};
use flambeau_testkit::work::{GPU, watch};

use crate::check::same;
use crate::ctor::{Built, called, forward};

/// A module, and the shapes of its inputs.
pub struct Row {
    pub name: &'static str,
    build: fn() -> Built,
    inputs: &'static [&'static [usize]],
}

fn bilinear() -> Built {
    called(nn::Bilinear::new(3, 4, 5), |module, x| vec![module.call(&x[0], &x[1])])
}

/// Each class of `flambeau_nn` that no golden has. Those that draw random numbers are in `tests/gpu_random.rs`; here they are
/// in evaluation mode.
pub const ROWS: &[Row] = &[
    Row { name: "AdaptiveAvgPool1d", build: || forward(nn::AdaptiveAvgPool1d::new(3)), inputs: &[&[2, 3, 10]] },
    Row { name: "AdaptiveAvgPool3d", build: || forward(nn::AdaptiveAvgPool3d::new(2)), inputs: &[&[2, 2, 5, 4, 6]] },
    Row { name: "AdaptiveMaxPool1d", build: || forward(nn::AdaptiveMaxPool1d::new(3)), inputs: &[&[2, 3, 10]] },
    Row { name: "AdaptiveMaxPool2d", build: || forward(nn::AdaptiveMaxPool2d::new(3)), inputs: &[&[2, 3, 7, 5]] },
    Row { name: "AdaptiveMaxPool3d", build: || forward(nn::AdaptiveMaxPool3d::new(2)), inputs: &[&[2, 2, 5, 4, 6]] },
    Row { name: "AvgPool3d", build: || forward(nn::AvgPool3d::new(2)), inputs: &[&[2, 2, 5, 4, 6]] },
    Row { name: "MaxPool3d", build: || forward(nn::MaxPool3d::new(2)), inputs: &[&[2, 2, 5, 4, 6]] },
    Row { name: "BatchNorm3d", build: || forward(nn::BatchNorm3d::new(3)), inputs: &[&[4, 3, 2, 3, 2]] },
    Row { name: "InstanceNorm1d", build: || forward(nn::InstanceNorm1d::new(3)), inputs: &[&[2, 3, 7]] },
    Row { name: "InstanceNorm3d", build: || forward(nn::InstanceNorm3d::new(3)), inputs: &[&[2, 3, 2, 3, 4]] },
    Row { name: "Bilinear", build: bilinear, inputs: &[&[6, 3], &[6, 4]] },
    Row { name: "Conv3d", build: || forward(nn::Conv3d::new(2, 4, 3)), inputs: &[&[2, 2, 5, 4, 6]] },
    Row { name: "ConvTranspose1d", build: || forward(nn::ConvTranspose1d::new(3, 4, 3)), inputs: &[&[2, 3, 6]] },
    Row { name: "ConvTranspose3d", build: || forward(nn::ConvTranspose3d::new(2, 3, 2)), inputs: &[&[2, 2, 3, 4, 2]] },
    Row { name: "Dropout1d", build: || eval(nn::Dropout1d::new(0.5)), inputs: &[&[2, 3, 4]] },
    Row { name: "Dropout3d", build: || eval(nn::Dropout3d::new(0.5)), inputs: &[&[2, 3, 2, 2, 2]] },
    Row { name: "FeatureAlphaDropout", build: || eval(nn::FeatureAlphaDropout::new(0.5)), inputs: &[&[2, 3, 4]] },
];

fn eval(module: impl nn::Forward) -> Built {
    let built = forward(module);
    built.module.eval();
    built
}

/// Outputs, then the gradients by the inputs and the parameters.
fn results(row: &Row, dtype: DType, device: Device) -> Vec<Tensor> {
    manual_seed(11);
    let built = (row.build)();
    built.module.clone().to(dtype).to(device);
    let input = |shape: &&[usize]| randn(*shape).to(dtype).to(device).requires_grad_(true);
    let inputs: Vec<Tensor> = row.inputs.iter().map(input).collect();
    let ((outputs, grads), work) = watch(device, || {
        let outputs = (built.run)(&inputs);
        let parameters = built.module.parameters();
        let wanted: Vec<&Tensor> = inputs.iter().chain(&parameters).collect();
        let squares = outputs[0].square().sum();
        (outputs, grad(&[&squares], &wanted, &[None], false, false, false).expect("gradients"))
    });
    if let (false, Some(wrong)) = (device.is_cpu(), work.misplaced(false, true)) {
        panic!("{wrong}");
    }
    outputs.into_iter().chain(grads.into_iter().map(|g| g.expect("each has one"))).collect()
}

/// Panics unless the GPU's results are the CPU's.
pub fn check(row: &Row) {
    for (dtype, close) in [(DType::F32, 2e-5), (DType::F64, 1e-12)] {
        let tolerance = Tolerance::Close { rtol: close, atol: close };
        let (here, there) = (results(row, dtype, Device::Cpu), results(row, dtype, GPU));
        assert_eq!(here.len(), there.len());
        for (i, (here, there)) in here.iter().zip(&there).enumerate() {
            let values = values(here).expect("readable");
            let shape = here.size().to_vec();
            let expected = GoldenTensor { dtype, shape, values, view: None, requires_grad: false };
            same(&format!("{dtype}, result {i}"), there, &expected, tolerance);
        }
    }
}
