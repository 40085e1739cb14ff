//! A picture in the style of another. Mirrors PyTorch's tutorial "Neural transfer using PyTorch", after Gatys, Ecker and Bethge;
//! `expected/style_transfer.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example style_transfer -- --content dancing.jpg --style picasso.jpg --weights vgg19.pth`. Pictures that
//! are not given are drawn; without weights VGG-19 has those that PyTorch draws from the seed, which see little.

use clap::Parser;
use flambeau_examples::pictures::{Numbers, pattern, scene};
use flambeau_examples::{options, plot, progress};
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use torch::prelude::*;
use torch::vision::models::vgg19_with;
use torch::vision::transforms::{Compose, Resize, ToTensor, Transform};
use torch::vision::utils::save_image;
use torch::vision::{Image, Mode, models};
use torch::{DType, Device};

#[derive(Parser)]
#[command(name = "style_transfer", allow_negative_numbers = true)]
struct Options {
    /// What the picture shows, PNG or JPEG; drawn if absent.
    #[arg(long)]
    content: Option<PathBuf>,
    /// What it is to look like, PNG or JPEG; drawn if absent.
    #[arg(long)]
    style: Option<PathBuf>,
    /// The PNG or JPEG that is written.
    #[arg(long, default_value = "styled.png")]
    out: PathBuf,
    /// A state dict of VGG-19, .pth or .safetensors.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// The shorter side of the picture.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=4096))]
    size: u32,
    /// How often the loss is computed, or a few times more.
    #[arg(long, default_value_t = 300, value_parser = options::at_least_one)]
    num_steps: usize,
    /// How much the style counts.
    #[arg(long, default_value_t = 1e6)]
    style_weight: f64,
    /// How much the content counts.
    #[arg(long, default_value_t = 1.0)]
    content_weight: f64,
    /// Compute in float64: L-BFGS without a line search is chaotic in float32, PyTorch's too.
    #[arg(long)]
    double: bool,
    /// Steps between two lines.
    #[arg(long, default_value_t = 50, value_parser = options::at_least_one)]
    log_interval: usize,
    #[command(flatten)]
    common: options::Common,
}

/// The side of a drawn picture.
const SIDE: i64 = 256;
const CONTENT_LAYERS: [&str; 1] = ["conv_4"];
const STYLE_LAYERS: [&str; 5] = ["conv_1", "conv_2", "conv_3", "conv_4", "conv_5"];

/// Lets its input through, and keeps how far it is from the target.
#[derive(Module)]
struct ContentLoss {
    target: nn::Buffer,
    loss: Mutex<Tensor>,
}

impl ContentLoss {
    fn new(target: &Tensor) -> Self {
        ContentLoss { target: nn::Buffer::new(target.detach()), loss: Mutex::new(torch::zeros(())) }
    }
}

impl Forward for ContentLoss {
    fn forward(&self, input: &Tensor) -> Tensor {
        *self.loss.lock().unwrap() = F::mse_loss(input, &self.target);
        input.shallow_clone()
    }
}

/// How the channels of an input go together: the products of each two.
fn gram_matrix(input: &Tensor) -> Tensor {
    let [a, b, c, d] = input.sizes();
    let features = input.view((a * b, c * d));
    let g = torch::mm(&features, features.t());
    g.div(a * b * c * d)
}

/// Lets its input through, and keeps how far its Gram matrix is from the target's.
#[derive(Module)]
struct StyleLoss {
    target: nn::Buffer,
    loss: Mutex<Tensor>,
}

impl StyleLoss {
    fn new(target_feature: &Tensor) -> Self {
        let target = gram_matrix(target_feature).detach();
        StyleLoss { target: nn::Buffer::new(target), loss: Mutex::new(torch::zeros(())) }
    }
}

impl Forward for StyleLoss {
    fn forward(&self, input: &Tensor) -> Tensor {
        let g = gram_matrix(input);
        *self.loss.lock().unwrap() = F::mse_loss(&g, &self.target);
        input.shallow_clone()
    }
}

#[derive(Module)]
struct Normalization {
    mean: nn::Buffer,
    std: nn::Buffer,
}

impl Normalization {
    fn new(mean: [f64; 3], std: [f64; 3], place: (Device, DType)) -> Self {
        let [mean, std] = [mean, std].map(|v| nn::Buffer::new(torch::tensor(v).view((-1, 1, 1)).to(place)));
        Normalization { mean, std }
    }
}

impl Forward for Normalization {
    fn forward(&self, img: &Tensor) -> Tensor {
        (img - &*self.mean) / &*self.std
    }
}

type Losses = (Vec<Arc<StyleLoss>>, Vec<Arc<ContentLoss>>);

/// The network as far as losses are taken, with the losses in it.
fn get_style_model_and_losses(
    cnn: nn::Sequential,
    normalization: Normalization,
    style_img: &Tensor,
    content_img: &Tensor,
) -> (nn::Sequential, Losses) {
    let (mut style_losses, mut content_losses) = (Vec::new(), Vec::new());
    let mut model = nn::sequential![normalization];
    let (mut i, mut last) = (0, 0);
    for layer in cnn {
        let (name, layer): (String, Box<dyn Forward>) = match layer.as_module().type_name() {
            "Conv2d" => {
                i += 1;
                (format!("conv_{i}"), layer)
            }
            "ReLU" => (format!("relu_{i}"), Box::new(nn::ReLU::new())),
            _ => (format!("pool_{i}"), layer),
        };
        model.add_module(name.clone(), layer);
        if CONTENT_LAYERS.contains(&&*name) {
            let target = model.call(content_img).detach();
            let content_loss = Arc::new(ContentLoss::new(&target));
            model.add_module(format!("content_loss_{i}"), content_loss.clone());
            content_losses.push(content_loss);
            last = model.len();
        }
        if STYLE_LAYERS.contains(&&*name) {
            let target_feature = model.call(style_img).detach();
            let style_loss = Arc::new(StyleLoss::new(&target_feature));
            model.add_module(format!("style_loss_{i}"), style_loss.clone());
            style_losses.push(style_loss);
            last = model.len();
        }
    }
    (model.slice(..last), (style_losses, content_losses))
}

/// A picture `[1, 3, h, w]` between 0 and 1.
fn image_loader(image: &Image, size: u32, place: (Device, DType)) -> Tensor {
    let loader = Compose((Resize::new(size), ToTensor));
    loader.call(image).unsqueeze(0).to(place)
}

fn open(option: &str, path: &Path) -> Result<Image, String> {
    let image = Image::open(path).map_err(|error| format!("cannot read {option} {error}"))?;
    Ok(image.convert(Mode::RGB))
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let place = (options.common.device, if options.double { torch::float64 } else { torch::float32 });
    options.common.start()?;
    options::writable("--out", &options.out)?;
    let mut numbers = Numbers::new(options.common.seed);
    let (drawn_scene, drawn_pattern) = (scene(&mut numbers, SIDE), pattern(&mut numbers, SIDE));
    let content = options.content.as_deref().map_or(Ok(drawn_scene), |path| open("--content", path))?;
    let style = options.style.as_deref().map_or(Ok(drawn_pattern), |path| open("--style", path))?;
    let [content_img, style_img] = [&content, &style].map(|image| image_loader(image, options.size, place));
    if style_img.size() != content_img.size() {
        return Err("we need to import style and content images of the same size".into());
    }
    let cnn = match &options.weights {
        Some(path) => vgg19_with(|o| o.weights(path))?,
        None => models::vgg19(),
    };
    let cnn = cnn.features.to(place);
    cnn.eval();
    let input_img = content_img.clone();
    let normalization = Normalization::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], place);
    let (model, (style_losses, content_losses)) =
        get_style_model_and_losses(cnn, normalization, &style_img, &content_img);
    println!("{model}");
    input_img.requires_grad_(true);
    model.eval();
    model.requires_grad_(false);
    let optimizer = optim::LBFGS::new([&input_img], 1);
    let bar = progress::named("Steps", options.num_steps);
    let run = Cell::new(0);
    let curves = RefCell::new([Vec::new(), Vec::new()]);
    while run.get() < options.num_steps {
        optimizer.step_closure(|| {
            {
                let _guard = torch::no_grad();
                input_img.clamp_(0, 1);
            }
            optimizer.zero_grad();
            model.call(&input_img);
            let style_score: Tensor = style_losses.iter().map(|sl| sl.loss.lock().unwrap().shallow_clone()).sum();
            let content_score: Tensor = content_losses.iter().map(|cl| cl.loss.lock().unwrap().shallow_clone()).sum();
            let (style_score, content_score) =
                (style_score * options.style_weight, content_score * options.content_weight);
            let loss = &style_score + &content_score;
            loss.backward();
            run.set(run.get() + 1);
            bar.set_position(run.get() as u64);
            if run.get().is_multiple_of(options.log_interval) {
                progress::say(
                    &bar,
                    format!("run {}: Style Loss: {style_score:.6} Content Loss: {content_score:.6}", run.get()),
                );
                let mut curves = curves.borrow_mut();
                curves[0].push((run.get() as f64, style_score.item()));
                curves[1].push((run.get() as f64, content_score.item()));
            }
            loss
        });
    }
    bar.finish_and_clear();
    let _guard = torch::no_grad();
    input_img.clamp_(0, 1);
    println!("mean of the picture {:.5}", input_img.mean());
    save_image(input_img.detach(), &options.out).map_err(|error| format!("cannot write --out {error}"))?;
    eprintln!("Wrote the picture to {}", options.out.display());
    if let Some(path) = &options.common.plot {
        let [style, content] = curves.into_inner();
        plot::curves(path, "Loss", "run", vec![("style", style), ("content", content)])?;
        println!("Drew the losses to {}", path.display());
    }
    Ok(())
}
