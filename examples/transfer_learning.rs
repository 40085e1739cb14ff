//! ResNet-18 learns two classes of pictures: all of it, then its last layer alone. Mirrors PyTorch's tutorial "Transfer learning
//! for computer vision"; `expected/transfer_learning.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example transfer_learning -- --data hymenoptera_data --weights resnet18.pth`. Without a folder it draws
//! discs and squares; without weights the network begins with those that PyTorch draws from the seed, and has nothing to transfer.

use clap::Parser;
use flambeau_examples::pictures::{Numbers, Shape, one_shape};
use flambeau_examples::{options, progress};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use torch::optim::Optimizer;
use torch::optim::lr_scheduler::{LRScheduler, StepLR};
use torch::prelude::*;
use torch::utils::data::DataLoader;
use torch::vision::datasets::ImageFolder;
use torch::vision::models::{self, ResNet};
use torch::vision::transforms;
use torch::{DType, Device};

#[derive(Parser)]
#[command(name = "transfer_learning", allow_negative_numbers = true)]
struct Options {
    /// Folder with train/ and val/, whose subfolders are classes of PNGs and JPEGs; drawn if absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Draw so many pictures of each class to learn from, and half as many to validate.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pictures: u32,
    /// The side of the part of a picture that the network sees.
    #[arg(long, default_value_t = 224, value_parser = clap::value_parser!(u32).range(32..=1024))]
    size: u32,
    /// A state dict of ResNet-18, .pth or .safetensors.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The learning rate, which falls to a tenth every seven passes.
    #[arg(long, default_value_t = 0.001, value_parser = options::learning_rate)]
    lr: f64,
    /// Compute in float64: the untrained network's losses are chaotic in float32, PyTorch's too.
    #[arg(long)]
    double: bool,
    #[command(flatten)]
    training: options::Training,
}

const BATCH_SIZE: usize = 4;
/// The side of a drawn picture.
const SIDE: i64 = 96;

/// Draws the two classes as files, laid out as [`ImageFolder`] wants them.
fn draw(folder: &Path, numbers: &mut Numbers, pictures: u32) -> Result<(), Box<dyn Error>> {
    for (part, count) in [("train", pictures), ("val", pictures / 2)] {
        for (name, shape) in [("discs", Shape::Disc), ("squares", Shape::Square)] {
            let class = folder.join(part).join(name);
            fs::create_dir_all(&class).map_err(|error| format!("cannot draw in {}: {error}", class.display()))?;
            for i in 0..count {
                one_shape(numbers, SIDE, shape, i % 2 == 0).save(class.join(format!("{i:03}.png")))?;
            }
        }
    }
    Ok(())
}

/// The pictures of both parts in batches: changed at random to learn from, the middle to validate.
fn dataloaders(folder: &Path, size: u32) -> Result<[DataLoader<ImageFolder>; 2], Box<dyn Error>> {
    let normalize = || transforms::Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let train = transforms::Compose((
        transforms::RandomResizedCrop::new(size),
        transforms::RandomHorizontalFlip::new(),
        transforms::ToTensor,
        normalize(),
    ));
    let val = transforms::Compose((
        transforms::Resize::new(size * 8 / 7),
        transforms::CenterCrop::new(size),
        transforms::ToTensor,
        normalize(),
    ));
    let image_datasets = [
        ImageFolder::with(folder.join("train"), |o| o.transform(train))?,
        ImageFolder::with(folder.join("val"), |o| o.transform(val))?,
    ];
    Ok(image_datasets.map(|set| DataLoader::with(set, |o| o.batch_size(BATCH_SIZE).shuffle(true))))
}

/// Mean loss and share of right answers.
#[derive(Default)]
struct Running {
    loss: f64,
    corrects: f64,
    count: usize,
}

impl Running {
    fn add(&mut self, outputs: &Tensor, labels: &Tensor, loss: &Tensor) {
        let (_, preds) = outputs.max_dim(1, false);
        self.loss += loss.item() * labels.len() as f64;
        self.corrects += preds.eq(labels).sum().item();
        self.count += labels.len();
    }

    fn loss(&self) -> f64 {
        self.loss / self.count as f64
    }

    fn acc(&self) -> f64 {
        self.corrects / self.count as f64
    }
}

struct Trainer<'a> {
    training: &'a options::Training,
    dataloaders: [DataLoader<ImageFolder>; 2],
    criterion: nn::CrossEntropyLoss,
    device: Device,
    dtype: DType,
}

impl Trainer<'_> {
    /// Trains, and leaves the model with the weights that were best on the validation set.
    fn train_model(
        &self,
        model: &ResNet,
        optimizer: &Optimizer,
        scheduler: &LRScheduler,
        log: &progress::Log<'_>,
    ) -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let best_model_params_path = folder.path().join("best_model_params.pt");
        torch::save(&model.state_dict(), &best_model_params_path)?;
        let mut best_acc = 0.0;
        let num_epochs = self.training.epochs;
        let [train, val] = &self.dataloaders;
        for epoch in 0..num_epochs {
            log.say(format!("Epoch {epoch}/{}\n{}", num_epochs - 1, "-".repeat(10)));
            model.train();
            let mut running = Running::default();
            for (inputs, labels) in log.epoch(epoch + 1, train) {
                let (inputs, labels) = (inputs.to((self.device, self.dtype)), labels.to(self.device));
                optimizer.zero_grad();
                let outputs = model.call(inputs);
                let loss = self.criterion.call(&outputs, &labels);
                loss.backward();
                optimizer.step();
                log.loss(&loss);
                running.add(&outputs, &labels, &loss);
            }
            scheduler.step();
            log.say(format!("train Loss: {:.4} Acc: {:.4}", running.loss(), running.acc()));
            let running = self.validate(model, val);
            log.say(format!("val Loss: {:.4} Acc: {:.4}\n", running.loss(), running.acc()));
            if running.acc() > best_acc {
                best_acc = running.acc();
                torch::save(&model.state_dict(), &best_model_params_path)?;
            }
        }
        log.say(format!("Best val Acc: {best_acc:.6}"));
        model.load_state_dict(&torch::load(&best_model_params_path)?)?;
        let best = self.validate(model, val);
        log.say(format!("best weights: val Loss: {:.4} Acc: {:.4}", best.loss(), best.acc()));
        Ok(())
    }

    fn validate(&self, model: &ResNet, val: &DataLoader<ImageFolder>) -> Running {
        model.eval();
        let _guard = torch::no_grad();
        let mut running = Running::default();
        for (inputs, labels) in val {
            let (inputs, labels) = (inputs.to((self.device, self.dtype)), labels.to(self.device));
            let outputs = model.call(inputs);
            running.add(&outputs, &labels, &self.criterion.call(&outputs, &labels));
        }
        running
    }
}

fn resnet18(weights: Option<&Path>) -> torch::vision::Result<ResNet> {
    match weights {
        Some(path) => models::resnet18_with(|o| o.weights(path)),
        None => Ok(models::resnet18()),
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let training = &options.training;
    let device = training.common.device;
    let dtype = if options.double { torch::float64 } else { torch::float32 };
    training.common.start()?;
    let drawn = tempfile::tempdir()?;
    if options.data.is_none() {
        draw(drawn.path(), &mut Numbers::new(training.common.seed), options.pictures)?;
    }
    let dataloaders = dataloaders(options.data.as_deref().unwrap_or(drawn.path()), options.size)?;
    let [pictures, to_validate] = [0, 1].map(|part: usize| dataloaders[part].dataset().len());
    let class_names = dataloaders[0].dataset().classes().to_vec();
    println!("{pictures} pictures to learn from, {to_validate} to validate: {}", class_names.join(", "));
    let log = || progress::Log::new(training, pictures, BATCH_SIZE);
    let (finetuning, extracting) = (log(), log());
    let trainer = Trainer { training, criterion: nn::CrossEntropyLoss::new(), device, dtype, dataloaders };

    println!("Finetuning the network");
    let mut model_ft = resnet18(options.weights.as_deref())?;
    let num_ftrs = model_ft.fc.in_features;
    model_ft.fc = nn::Linear::new(num_ftrs, class_names.len());
    let model_ft = model_ft.to((device, dtype));
    let optimizer_ft = optim::SGD::with(model_ft.parameters(), options.lr, |o| o.momentum(0.9));
    let exp_lr_scheduler = StepLR::new(&optimizer_ft, 7, 0.1);
    trainer.train_model(&model_ft, &optimizer_ft, &exp_lr_scheduler, &finetuning)?;

    println!("The network as fixed feature extractor");
    let mut model_conv = resnet18(options.weights.as_deref())?;
    for param in model_conv.parameters() {
        param.requires_grad_(false);
    }
    let num_ftrs = model_conv.fc.in_features;
    model_conv.fc = nn::Linear::new(num_ftrs, class_names.len());
    let model_conv = model_conv.to((device, dtype));
    // Only the parameters of the last layer are learnt.
    let optimizer_conv = optim::SGD::with(model_conv.fc.parameters(), options.lr, |o| o.momentum(0.9));
    let exp_lr_scheduler = StepLR::new(&optimizer_conv, 7, 0.1);
    trainer.train_model(&model_conv, &optimizer_conv, &exp_lr_scheduler, &extracting)?;
    finetuning.plot()
}
