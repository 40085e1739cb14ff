//! A variational autoencoder of digits. Mirrors pytorch/examples, vae/main.py; `expected/vae.py` is the same program in PyTorch,
//! which prints the same.
//!
//! `cargo run --release --example vae -- --data synthetic`

use clap::Parser;
use flambeau_examples::{digits, options, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "vae", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 128;

#[derive(Module)]
#[allow(clippy::upper_case_acronyms, reason = "the name that is printed")]
struct VAE {
    fc1: nn::Linear,
    fc21: nn::Linear,
    fc22: nn::Linear,
    fc3: nn::Linear,
    fc4: nn::Linear,
}

impl VAE {
    fn new() -> Self {
        VAE {
            fc1: nn::Linear::new(784, 400),
            fc21: nn::Linear::new(400, 20),
            fc22: nn::Linear::new(400, 20),
            fc3: nn::Linear::new(20, 400),
            fc4: nn::Linear::new(400, 784),
        }
    }

    fn encode(&self, x: &Tensor) -> (Tensor, Tensor) {
        let h1 = F::relu(self.fc1.call(x));
        (self.fc21.call(&h1), self.fc22.call(&h1))
    }

    fn reparameterize(&self, mu: &Tensor, logvar: &Tensor) -> Tensor {
        let std = torch::exp(0.5 * logvar);
        let eps = torch::randn_like(&std);
        mu + eps * std
    }

    fn decode(&self, z: &Tensor) -> Tensor {
        let h3 = F::relu(self.fc3.call(z));
        torch::sigmoid(self.fc4.call(h3))
    }
}

impl Forward<Tensor, (Tensor, Tensor, Tensor)> for VAE {
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor, Tensor) {
        let (mu, logvar) = self.encode(&x.view((-1, 784)));
        let z = self.reparameterize(&mu, &logvar);
        (self.decode(&z), mu, logvar)
    }
}

/// The error of the images that come back, and how far the codes are from a standard normal distribution.
fn loss_function(recon_x: &Tensor, x: &Tensor, mu: &Tensor, logvar: &Tensor) -> Tensor {
    let bce = F::binary_cross_entropy_with(recon_x, x.view((-1, 784)), |o| o.reduction("sum"));
    let kld = -0.5 * torch::sum(1 + logvar - mu.pow(2) - logvar.exp());
    bce + kld
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_digits: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    let [train, test] = options.start()?;
    let train_loader = DataLoader::with(train, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let model = VAE::new().to(device);
    println!("{model}");
    let optimizer = optim::Adam::new(model.parameters(), 1e-3);
    let log = progress::Log::new(options, train_loader.dataset().len(), BATCH_SIZE);
    for epoch in 1..=options.epochs {
        model.train();
        for (data, _) in log.epoch(epoch, &train_loader) {
            let data = data.to(device);
            optimizer.zero_grad();
            let (recon_batch, mu, logvar) = model.call(&data);
            let loss = loss_function(&recon_batch, &data, &mu, &logvar);
            loss.backward();
            optimizer.step();
            log.loss(&(loss / data.len()));
        }
        model.eval();
        let _guard = torch::no_grad();
        let (mut test_loss, mut count) = (0.0, 0);
        let images = test.images();
        for data in images.i(..options.test_images.min(images.len())).split(1000, 0) {
            let data = digits::as_floats(&data).to(device);
            let (recon_batch, mu, logvar) = model.call(&data);
            test_loss += loss_function(&recon_batch, &data, &mu, &logvar).item();
            count += data.len();
        }
        log.say(format!("====> Test set loss: {:.4}", test_loss / count as f64));
        let sample = model.decode(&torch::randn((4, 20)).to(device));
        log.say(sample.view((4, 28, 28)).sum_dim((1, 2), false));
    }
    log.plot()
}
