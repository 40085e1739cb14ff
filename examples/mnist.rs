//! A two-layer network learns handwritten digits.
//!
//! `cargo run --release --example mnist` trains on MNIST (a folder given with `--data`, a cached or fresh download) or, on a
//! machine without a network, on digits that the library draws itself.

use clap::Parser;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use torch::amp::GradScaler;
use torch::nn::{self, Call, Forward, Module};
use torch::optim::lr_scheduler::ExponentialLR;
use torch::utils::data::DataLoader;
use torch::utils::tensorboard::SummaryWriter;
use torch::{Device, Tensor, optim};

use flambeau_examples::plot::{self, Epoch};
use flambeau_examples::{digits, options, progress};

#[derive(Parser)]
#[command(name = "mnist", allow_negative_numbers = true)]
struct Options {
    /// Folder with the IDX files of MNIST or FashionMNIST, gzip or not; `synthetic` for digits that the library draws.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Passes over the training images.
    #[arg(long, default_value_t = 5, value_parser = options::at_least_one)]
    epochs: usize,
    /// Images per step.
    #[arg(long, default_value_t = 64, value_parser = options::at_least_one)]
    batch_size: usize,
    /// Adam's learning rate.
    #[arg(long, default_value_t = 1e-3, value_parser = options::learning_rate)]
    lr: f64,
    /// Factor of the learning rate after each epoch.
    #[arg(long, default_value_t = 1.0, value_parser = options::learning_rate)]
    gamma: f64,
    /// Seed of the initial weights and of the shuffles.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to compute.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Mixed precision: bfloat16 on the CPU; on a GPU float16, with gradients that are scaled meanwhile.
    #[arg(long)]
    amp: bool,
    /// Where to save the trained weights.
    #[arg(long, default_value = "simple_nn.pth")]
    out: PathBuf,
    /// A checkpoint, written after each epoch; where the file is there already, the training goes on from it.
    #[arg(long)]
    resume: Option<PathBuf>,
    /// Draw loss and accuracy per epoch into this SVG or PNG file.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// Write what TensorBoard shows into this folder.
    #[arg(long)]
    logdir: Option<PathBuf>,
}

#[derive(Module)]
struct SimpleNN {
    fc1: nn::Linear,
    relu: nn::ReLU,
    fc2: nn::Linear,
}

impl SimpleNN {
    fn new() -> Self {
        SimpleNN { fc1: nn::Linear::new(28 * 28, 128), relu: nn::ReLU::new(), fc2: nn::Linear::new(128, 10) }
    }
}

impl Forward for SimpleNN {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.view([-1, 28 * 28]);
        self.fc2.call(self.relu.call(self.fc1.call(x)))
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    torch::check_device(options.device)?;
    // Found out now, not after the training.
    options::writable("--out", &options.out)?;
    if let Some(plot) = &options.plot {
        options::writable("--plot", plot)?;
        if plot == &options.out {
            return Err("--out and --plot name the same file".into());
        }
    }
    if let Some(checkpoint) = &options.resume {
        options::writable("--resume", checkpoint)?;
        if checkpoint == &options.out {
            return Err("--out and --resume name the same file".into());
        }
    }
    torch::manual_seed(options.seed);
    let [train, test] = digits::find(options.data.as_deref())?;
    let device = options.device;
    let loader = DataLoader::with(train, |o| o.batch_size(options.batch_size).shuffle(true));
    let model = SimpleNN::new().to(device);
    let criterion = nn::CrossEntropyLoss::new();
    let optimizer = optim::Adam::new(model.parameters(), options.lr);
    let scheduler = ExponentialLR::new(&optimizer, options.gamma);
    // Of float16 alone gradients are too small; bfloat16 reaches as far down as float32.
    let scaler = GradScaler::with(device, |o| o.enabled(options.amp && !device.is_cpu()));
    let (test_images, test_labels) = (test.images(), test.labels());

    let mut start_epoch = 1;
    if let Some(path) = options.resume.as_ref().filter(|path| path.exists()) {
        let checkpoint = torch::load(path)?;
        model.load_state_dict(&checkpoint["model"])?;
        optimizer.load_state_dict(&checkpoint["optimizer"])?;
        scheduler.load_state_dict(&checkpoint["scheduler"])?;
        scaler.load_state_dict(&checkpoint["scaler"])?;
        torch::set_rng_state(&checkpoint["rng_state"]);
        start_epoch = checkpoint["epoch"].extract::<usize>()? + 1;
        println!("Resumed from {} after epoch {}", path.display(), start_epoch - 1);
    }

    let writer = options.logdir.as_ref().map(|folder| SummaryWriter::with(|o| o.log_dir(folder))).transpose()?;
    if let Some(writer) = &writer {
        let sample = test_images.i(..16).unsqueeze(1);
        writer.add_images("test images", &sample, 0);
        writer.add_graph(&model, (sample.float() / 255.0).to(device));
    }
    let mut history = Vec::new();
    for epoch in start_epoch..=options.epochs {
        let start = Instant::now();
        let bar = progress::bar(loader.len(), epoch, options.epochs);
        let (mut last, mut total) = (0.0, 0.0);
        for (images, labels) in &loader {
            let (images, labels) = (images.to(device), labels.to(device));
            let loss = {
                let _autocast = torch::autocast_with(device, |o| o.enabled(options.amp));
                criterion.call(model.call(images), labels)
            };
            optimizer.zero_grad();
            scaler.scale(&loss).backward();
            scaler.step(&optimizer);
            scaler.update();
            last = loss.item();
            total += last;
            if let Some(writer) = &writer {
                writer.add_scalar("Loss/train", last, (epoch - 1) * loader.len() + bar.position() as usize);
            }
            bar.inc(1);
        }
        let lr = scheduler.get_last_lr()[0];
        scheduler.step();
        bar.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        let mean = total / loader.len() as f64;
        let accuracy = digits::accuracy(&model, &test_images, &test_labels, device);
        println!(
            "Epoch [{epoch}/{}], Loss: {last:.4}, mean {mean:.6}, test accuracy {accuracy:.4}, {seconds:.2} s",
            options.epochs
        );
        if let Some(writer) = &writer {
            writer.add_scalar("Loss/mean", mean, epoch);
            writer.add_scalar("Accuracy/test", accuracy, epoch);
            writer.add_scalar("lr", lr, epoch);
            for (name, parameter) in model.named_parameters() {
                writer.add_histogram(&name, &parameter, epoch);
            }
            writer.flush()?;
        }
        if options.plot.is_some() {
            let train = loader.dataset();
            history.push(Epoch {
                train: digits::score(|x| model.call(x), &train.images(), &train.labels(), device),
                test: digits::score(|x| model.call(x), &test_images, &test_labels, device),
            });
        }
        if let Some(path) = &options.resume {
            let checkpoint = torch::dict! {
                "epoch": epoch,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "scaler": scaler.state_dict(),
                "rng_state": torch::get_rng_state(),
            };
            torch::save(&checkpoint, path)?;
        }
    }

    torch::save(&model.state_dict(), &options.out)?;
    if let Some(writer) = &writer {
        writer.close()?;
        println!("Wrote events to {}", writer.log_dir().display());
    }
    if let Some(path) = &options.plot {
        plot::draw(path, &history)?;
        println!("Drew loss and accuracy to {}", path.display());
    }
    println!("Saved the trained weights to {}", options.out.display());
    Ok(())
}
