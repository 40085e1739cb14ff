//! A generator and a discriminator of digits at 32 × 32. Mirrors pytorch/examples, dcgan/main.py, with one layer less in either
//! network; `expected/dcgan.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example dcgan -- --data synthetic --plot gan.svg`

use clap::Parser;
use flambeau_examples::{options, plot, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "dcgan", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 64;
const NZ: usize = 100;
const NGF: usize = 16;
const NDF: usize = 16;

fn weights_init(m: &dyn Module) {
    let classname = m.type_name();
    if classname.contains("Conv") {
        nn::init::normal_(m.weight().unwrap(), 0.0, 0.02);
    } else if classname.contains("BatchNorm") {
        nn::init::normal_(m.weight().unwrap(), 1.0, 0.02);
        nn::init::zeros_(m.bias().unwrap());
    }
}

#[derive(Module)]
struct Generator {
    main: nn::Sequential,
}

impl Generator {
    fn new() -> Self {
        let main = nn::sequential![
            nn::ConvTranspose2d::with(NZ, NGF * 4, 4, |o| o.stride(1).padding(0).bias(false)),
            nn::BatchNorm2d::new(NGF * 4),
            nn::ReLU::with(|o| o.inplace(true)),
            nn::ConvTranspose2d::with(NGF * 4, NGF * 2, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::BatchNorm2d::new(NGF * 2),
            nn::ReLU::with(|o| o.inplace(true)),
            nn::ConvTranspose2d::with(NGF * 2, NGF, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::BatchNorm2d::new(NGF),
            nn::ReLU::with(|o| o.inplace(true)),
            nn::ConvTranspose2d::with(NGF, 1, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::Tanh::new(),
        ];
        Generator { main }
    }
}

impl Forward for Generator {
    fn forward(&self, input: &Tensor) -> Tensor {
        self.main.call(input)
    }
}

#[derive(Module)]
struct Discriminator {
    main: nn::Sequential,
}

impl Discriminator {
    fn new() -> Self {
        let main = nn::sequential![
            nn::Conv2d::with(1, NDF, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::LeakyReLU::with(|o| o.negative_slope(0.2).inplace(true)),
            nn::Conv2d::with(NDF, NDF * 2, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::BatchNorm2d::new(NDF * 2),
            nn::LeakyReLU::with(|o| o.negative_slope(0.2).inplace(true)),
            nn::Conv2d::with(NDF * 2, NDF * 4, 4, |o| o.stride(2).padding(1).bias(false)),
            nn::BatchNorm2d::new(NDF * 4),
            nn::LeakyReLU::with(|o| o.negative_slope(0.2).inplace(true)),
            nn::Conv2d::with(NDF * 4, 1, 4, |o| o.stride(1).padding(0).bias(false)),
            nn::Sigmoid::new(),
        ];
        Discriminator { main }
    }
}

impl Forward for Discriminator {
    fn forward(&self, input: &Tensor) -> Tensor {
        self.main.call(input).view((-1, 1)).squeeze_dim(1)
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_digits: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    let [train, _] = options.start()?;
    let dataloader = DataLoader::with(train, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let net_g = Generator::new().to(device);
    net_g.apply(weights_init);
    println!("{net_g}");
    let net_d = Discriminator::new().to(device);
    net_d.apply(weights_init);
    println!("{net_d}");
    let criterion = nn::BCELoss::new();
    let fixed_noise = torch::randn((BATCH_SIZE, NZ, 1, 1)).to(device);
    let optimizer_d = optim::Adam::with(net_d.parameters(), 2e-4, |o| o.betas((0.5, 0.999)));
    let optimizer_g = optim::Adam::with(net_g.parameters(), 2e-4, |o| o.betas((0.5, 0.999)));
    let log = progress::Log::new(options, dataloader.dataset().len(), BATCH_SIZE);
    let (mut losses_d, mut losses_g) = (Vec::new(), Vec::new());
    for epoch in 1..=options.epochs {
        for (i, (data, _)) in log.epoch(epoch, &dataloader).enumerate() {
            // (1) Update D: maximize log(D(x)) + log(1 - D(G(z)))
            net_d.zero_grad();
            let real = F::pad(data.to(device), (2, 2, 2, 2)) * 2 - 1;
            let batch_size = real.len();
            let label = torch::full_with(batch_size, 1.0, |o| o.dtype(real.dtype()).device(device));
            let output = net_d.call(&real);
            let err_d_real = criterion.call(&output, &label);
            err_d_real.backward();
            let d_x = output.mean();
            let noise = torch::randn((batch_size, NZ, 1, 1)).to(device);
            let fake = net_g.call(noise);
            label.fill_(0.0);
            let output = net_d.call(fake.detach());
            let err_d_fake = criterion.call(&output, &label);
            err_d_fake.backward();
            let d_g_z1 = output.mean();
            let err_d = err_d_real + err_d_fake;
            optimizer_d.step();
            // (2) Update G: maximize log(D(G(z)))
            net_g.zero_grad();
            label.fill_(1.0);
            let output = net_d.call(&fake);
            let err_g = criterion.call(&output, &label);
            err_g.backward();
            let d_g_z2 = output.mean();
            optimizer_g.step();
            if i % options.log_interval == 0 {
                let n = dataloader.len();
                log.say(format!(
                    "[{epoch}][{i}/{n}] Loss_D: {err_d:.6} Loss_G: {err_g:.6} D(x): {d_x:.6} \
                     D(G(z)): {d_g_z1:.6} / {d_g_z2:.6}"
                ));
                let step = ((epoch - 1) * n + i) as f64;
                losses_d.push((step, err_d.item()));
                losses_g.push((step, err_g.item()));
            }
        }
        net_g.eval();
        let _guard = torch::no_grad();
        let fake = net_g.call(&fixed_noise);
        log.say(format!("mean of the samples {:.4}, deviation {:.4}", fake.mean(), fake.std()));
        net_g.train();
    }
    if let Some(path) = &options.common.plot {
        plot::curves(path, "Loss", "step", vec![("discriminator", losses_d), ("generator", losses_g)])?;
        println!("Drew the losses to {}", path.display());
    }
    Ok(())
}
