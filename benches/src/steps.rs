//! The training steps that are measured.

use torch::nn::functional as F;
use torch::nn::{self, Call, Forward, Module};
use torch::{Device, Tensor, optim};

/// One training step of the 784-128-10 network of `examples/mnist.rs`: forward, cross entropy, backward, Adam.
pub struct MlpStep {
    model: nn::Sequential,
    criterion: nn::CrossEntropyLoss,
    optimizer: optim::Adam,
    images: Tensor,
    labels: Tensor,
}

impl MlpStep {
    /// The network and one batch of random images.
    pub fn new(device: Device, batch: usize) -> Self {
        torch::manual_seed(0);
        let layers = (nn::Linear::new(784, 128), nn::ReLU::new(), nn::Linear::new(128, 10));
        let model = nn::Sequential::new(layers).to(device);
        let optimizer = optim::Adam::new(model.parameters(), 1e-3);
        MlpStep {
            model,
            criterion: nn::CrossEntropyLoss::new(),
            optimizer,
            images: torch::rand([batch, 784]).to(device),
            labels: torch::randint(0, 10, [batch]).to(device),
        }
    }

    /// Takes a step. The loss stays on the device: reading it would wait for the step.
    pub fn run(&self) -> Tensor {
        let loss = self.criterion.call(self.model.call(&self.images), &self.labels);
        self.optimizer.zero_grad();
        loss.backward();
        self.optimizer.step();
        loss
    }
}

/// The convolutional network of `examples/cnn.rs`.
#[derive(Module)]
pub struct Cnn {
    conv1: nn::Conv2d,
    conv2: nn::Conv2d,
    fc1: nn::Linear,
    fc2: nn::Linear,
    fc3: nn::Linear,
}

impl Forward for Cnn {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = F::relu(self.conv1.call(x));
        let x = F::relu(self.conv2.call(&x));
        let x = x.view([-1, 16 * 28 * 28]);
        let x = F::relu(self.fc1.call(&x));
        let x = F::relu(self.fc2.call(&x));
        self.fc3.call(&x)
    }
}

/// One training step of [`Cnn`]: forward, mean absolute error, backward, SGD.
pub struct CnnStep {
    model: Cnn,
    criterion: nn::L1Loss,
    optimizer: optim::SGD,
    images: Tensor,
    targets: Tensor,
}

impl CnnStep {
    /// The network and one batch of random images.
    pub fn new(device: Device, batch: usize) -> Self {
        torch::manual_seed(0);
        let model = Cnn {
            conv1: nn::Conv2d::new(1, 6, 3),
            conv2: nn::Conv2d::new(6, 16, 3),
            fc1: nn::Linear::new(16 * 28 * 28, 512),
            fc2: nn::Linear::new(512, 64),
            fc3: nn::Linear::new(64, 2),
        }
        .to(device);
        let optimizer = optim::SGD::new(model.parameters(), 0.01);
        CnnStep {
            model,
            criterion: nn::L1Loss::new(),
            optimizer,
            images: torch::randn([batch, 1, 32, 32]).to(device),
            targets: torch::randn([batch, 2]).to(device),
        }
    }

    /// Takes a step. The loss stays on the device: reading it would wait for the step.
    pub fn run(&self) -> Tensor {
        let loss = self.criterion.call(self.model.call(&self.images), &self.targets);
        self.model.zero_grad();
        loss.backward();
        self.optimizer.step();
        loss
    }
}
