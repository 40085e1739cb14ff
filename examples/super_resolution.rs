//! Pictures enlarged by convolutions and a shuffle of pixels. Mirrors pytorch/examples, super_resolution;
//! `expected/super_resolution.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example super_resolution -- --data BSDS300/images --epochs 30 --out enlarged.png`. Without a folder it
//! draws its pictures.

use clap::Parser;
use flambeau_examples::pictures::{Numbers, scene};
use flambeau_examples::{options, progress};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use torch::nn::init;
use torch::prelude::*;
use torch::utils::data::DataLoader;
use torch::vision::datasets::IMG_EXTENSIONS;
use torch::vision::transforms::{CenterCrop, Compose, Resize, ToTensor, Transform};
use torch::vision::utils::save_image_with;
use torch::vision::{Image, Mode};

#[derive(Parser)]
#[command(name = "super_resolution", allow_negative_numbers = true)]
struct Options {
    /// Folder with train/ and test/, in which PNGs and JPEGs lie; drawn if absent.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Draw so many pictures to learn from, and a quarter of them to test with.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..=10_000))]
    pictures: u32,
    /// The side of the middle of a picture that is learnt, less what the factor does not divide.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=4096))]
    crop: u32,
    /// How much larger pictures become.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=8))]
    upscale_factor: u32,
    /// The learning rate.
    #[arg(long, default_value_t = 0.001, value_parser = options::learning_rate)]
    lr: f64,
    /// Write the first test picture as PNG: enlarged by bicubic interpolation, by the network, and as it was.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    training: options::Training,
}

const BATCH_SIZE: usize = 4;
const TEST_BATCH_SIZE: usize = 10;
/// The side of a drawn picture.
const SIDE: i64 = 256;

#[derive(Module)]
struct Net {
    relu: nn::ReLU,
    conv1: nn::Conv2d,
    conv2: nn::Conv2d,
    conv3: nn::Conv2d,
    conv4: nn::Conv2d,
    pixel_shuffle: nn::PixelShuffle,
}

impl Net {
    fn new(upscale_factor: u32) -> Self {
        let net = Net {
            relu: nn::ReLU::new(),
            conv1: nn::Conv2d::with(1, 64, (5, 5), |o| o.stride((1, 1)).padding((2, 2))),
            conv2: nn::Conv2d::with(64, 64, (3, 3), |o| o.stride((1, 1)).padding((1, 1))),
            conv3: nn::Conv2d::with(64, 32, (3, 3), |o| o.stride((1, 1)).padding((1, 1))),
            conv4: nn::Conv2d::with(32, upscale_factor.pow(2), (3, 3), |o| o.stride((1, 1)).padding((1, 1))),
            pixel_shuffle: nn::PixelShuffle::new(upscale_factor),
        };
        net.initialize_weights();
        net
    }

    fn initialize_weights(&self) {
        init::orthogonal_with_(&self.conv1.weight, |o| o.gain(init::calculate_gain("relu")));
        init::orthogonal_with_(&self.conv2.weight, |o| o.gain(init::calculate_gain("relu")));
        init::orthogonal_with_(&self.conv3.weight, |o| o.gain(init::calculate_gain("relu")));
        init::orthogonal_(&self.conv4.weight);
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.relu.call(self.conv1.call(x));
        let x = self.relu.call(self.conv2.call(x));
        let x = self.relu.call(self.conv3.call(x));
        self.pixel_shuffle.call(self.conv4.call(x))
    }
}

/// Pictures in shades of grey, small and as they were.
struct DatasetFromImages<I, T> {
    images: Vec<Image>,
    input_transform: I,
    target_transform: T,
}

impl<I, T> Dataset for DatasetFromImages<I, T>
where
    I: for<'a> Transform<&'a Image, Output = Tensor> + 'static,
    T: for<'a> Transform<&'a Image, Output = Tensor> + 'static,
{
    type Item = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.images.len()
    }

    fn get(&self, index: usize) -> torch::utils::data::Result<Self::Item> {
        let image = &self.images[index];
        Ok((self.input_transform.apply(image)?, self.target_transform.apply(image)?))
    }
}

/// The middle of each picture, and the same `upscale_factor` times smaller.
fn dataset(images: Vec<Image>, crop: u32, upscale_factor: u32) -> impl Dataset<Item = (Tensor, Tensor)> {
    let crop_size = crop - crop % upscale_factor;
    DatasetFromImages {
        images,
        input_transform: Compose((CenterCrop::new(crop_size), Resize::new(crop_size / upscale_factor), ToTensor)),
        target_transform: Compose((CenterCrop::new(crop_size), ToTensor)),
    }
}

/// The pictures of a folder, in the order of their names.
fn load(folder: &Path) -> Result<Vec<Image>, Box<dyn Error>> {
    let refuse = |error| format!("cannot read {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        let name = path.to_string_lossy().to_lowercase();
        if IMG_EXTENSIONS.iter().any(|ending| name.ends_with(ending)) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(format!("{} has no pictures", folder.display()).into());
    }
    Ok(paths.iter().map(Image::open).collect::<Result<_, _>>()?)
}

/// Mean ratio of signal to noise, in decibels, of what `enlarge` makes of the test pictures.
fn test(
    batches: impl IntoIterator<Item = (Tensor, Tensor)>,
    device: torch::Device,
    enlarge: impl Fn(Tensor) -> Tensor,
) -> f64 {
    let _guard = torch::no_grad();
    let criterion = nn::MSELoss::new();
    let (mut sum_psnr, mut count) = (0.0, 0.0);
    for (input, target) in batches {
        let mse = criterion.call(enlarge(input.to(device)), target.to(device));
        sum_psnr += 10.0 * (1.0 / mse.item()).log10();
        count += 1.0;
    }
    sum_psnr / count
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let Options { crop, upscale_factor, training, .. } = options;
    let device = training.common.device;
    training.common.start()?;
    if let Some(out) = &options.out {
        options::writable("--out", out)?;
    }
    let mut numbers = Numbers::new(training.common.seed);
    let [train_images, test_images] = match &options.data {
        Some(folder) => [load(&folder.join("train"))?, load(&folder.join("test"))?],
        None => [options.pictures, options.pictures / 4]
            .map(|count| (0..count).map(|_| scene(&mut numbers, SIDE)).collect::<Vec<_>>()),
    };
    let grey = |images: Vec<Image>| images.iter().map(|image| image.convert(Mode::L)).collect();
    let [train_set, test_set] = [train_images, test_images].map(|images| dataset(grey(images), *crop, *upscale_factor));
    let training_data_loader = DataLoader::with(train_set, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let testing_data_loader = DataLoader::new(test_set, TEST_BATCH_SIZE);
    let model = Net::new(*upscale_factor).to(device);
    println!("{model}");
    let criterion = nn::MSELoss::new();
    let optimizer = optim::Adam::new(model.parameters(), options.lr);
    let log = progress::Log::new(training, training_data_loader.dataset().len(), BATCH_SIZE);
    let bicubic = |x: Tensor| {
        F::interpolate(&x, |o| o.scale_factor(*upscale_factor).mode("bicubic").align_corners(false)).clamp(0, 1)
    };
    let psnr = test(&testing_data_loader, device, bicubic);
    println!("===> Avg. PSNR of bicubic interpolation: {psnr:.4} dB");
    for epoch in 1..=training.epochs {
        let (mut epoch_loss, mut count) = (0.0, 0.0);
        for (input, target) in log.epoch(epoch, &training_data_loader) {
            optimizer.zero_grad();
            let loss = criterion.call(model.call(input.to(device)), target.to(device));
            epoch_loss += loss.item();
            count += 1.0;
            loss.backward();
            optimizer.step();
            log.loss(&loss);
        }
        log.say(format!("===> Epoch {epoch} Complete: Avg. Loss: {:.4}", epoch_loss / count));
        let psnr = test(&testing_data_loader, device, |x| model.call(x));
        log.say(format!("===> Avg. PSNR of the network: {psnr:.4} dB"));
    }
    if let Some(out) = &options.out {
        let _guard = torch::no_grad();
        let (input, target) = testing_data_loader.dataset().get(0)?;
        let small = input.unsqueeze(0).to(device);
        let [smooth, enlarged] = [bicubic(small.shallow_clone()), model.call(small)].map(|x| x.squeeze_dim(0).cpu());
        save_image_with([smooth, enlarged.clamp(0, 1), target], out, |o| o.nrow(3))?;
        eprintln!("Wrote bicubic interpolation, the network's and the picture itself to {}", out.display());
    }
    log.plot()
}
