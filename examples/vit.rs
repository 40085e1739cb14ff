//! A small vision transformer on the digits. Mirrors pytorch/examples, vision_transformer/main.py; `expected/vit.py` is the same
//! program in PyTorch, which prints the same.
//!
//! `cargo run --release --example vit -- --data synthetic`

use clap::Parser;
use flambeau_examples::{digits, options, progress};
use std::error::Error;
use std::process::ExitCode;
use torch::prelude::*;
use torch::utils::data::DataLoader;

#[derive(Parser)]
#[command(name = "vit", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_digits: options::OnDigits,
}

const BATCH_SIZE: usize = 64;
const IMAGE: usize = 28;
const PATCH: usize = 7;
const DIM: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 4;
const MLP: usize = 128;
const CLASSES: usize = 10;

#[derive(Module)]
struct PatchExtractor {
    state: nn::ModuleState,
    patch_size: usize,
}

impl Forward for PatchExtractor {
    fn forward(&self, x: &Tensor) -> Tensor {
        let [b, c, h, w] = x.sizes();
        let p = self.patch_size;
        let patches = x.unfold(2, p, p).unfold(3, p, p).contiguous().view((b, c, -1, p, p));
        patches.permute((0, 2, 3, 4, 1)).contiguous().view((b, (h / p) * (w / p), -1))
    }
}

#[derive(Module)]
struct InputEmbedding {
    class_token: nn::Parameter,
    pos_embedding: nn::Parameter,
    linear_projection: nn::Linear,
    patch_extractor: PatchExtractor,
}

impl InputEmbedding {
    fn new() -> Self {
        let linear_projection = nn::Linear::new(PATCH * PATCH, DIM);
        InputEmbedding {
            class_token: nn::Parameter::new(torch::randn((1, 1, DIM))),
            pos_embedding: nn::Parameter::new(torch::randn((1, (IMAGE / PATCH).pow(2) + 1, DIM))),
            linear_projection,
            patch_extractor: PatchExtractor { state: Default::default(), patch_size: PATCH },
        }
    }
}

impl Forward for InputEmbedding {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.linear_projection.call(self.patch_extractor.call(x));
        let [b, n, _] = x.sizes();
        let x = torch::cat((self.class_token.expand((b, -1, -1)), x), 1);
        x + self.pos_embedding.i((.., ..n + 1, ..))
    }
}

#[derive(Module)]
struct EncoderBlock {
    norm1: nn::LayerNorm,
    attention: nn::MultiheadAttention,
    norm2: nn::LayerNorm,
    mlp: nn::Sequential,
}

impl EncoderBlock {
    fn new() -> Self {
        EncoderBlock {
            norm1: nn::LayerNorm::new(DIM),
            attention: nn::MultiheadAttention::with(DIM, HEADS, |o| o.dropout(0.1).batch_first(true)),
            norm2: nn::LayerNorm::new(DIM),
            mlp: nn::sequential![
                nn::Linear::new(DIM, MLP),
                nn::GELU::new(),
                nn::Dropout::new(0.1),
                nn::Linear::new(MLP, DIM),
                nn::Dropout::new(0.1)
            ],
        }
    }
}

impl Forward for EncoderBlock {
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.norm1.call(x);
        let x = x + self.attention.call_with(&y, &y, &y, |o| o.need_weights(false)).0;
        &x + self.mlp.call(self.norm2.call(&x))
    }
}

#[derive(Module)]
struct ViT {
    embedding: InputEmbedding,
    encoder: nn::ModuleList,
    norm: nn::LayerNorm,
    classifier: nn::Linear,
}

impl ViT {
    fn new() -> Self {
        ViT {
            embedding: InputEmbedding::new(),
            encoder: nn::ModuleList::new((0..LAYERS).map(|_| EncoderBlock::new())),
            norm: nn::LayerNorm::new(DIM),
            classifier: nn::Linear::new(DIM, CLASSES),
        }
    }
}

impl Forward for ViT {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.embedding.call(x);
        for block in &self.encoder {
            x = block.call(x);
        }
        self.classifier.call(self.norm.call(x.i((.., 0))))
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_digits: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    let [train, test] = options.start()?;
    let train_loader = DataLoader::with(train, |o| o.batch_size(BATCH_SIZE).shuffle(true));
    let model = ViT::new().to(device);
    println!("{model}");
    let criterion = nn::CrossEntropyLoss::new();
    let optimizer = optim::AdamW::with(model.parameters(), 1e-3, |o| o.weight_decay(0.01));
    let log = progress::Log::new(options, train_loader.dataset().len(), BATCH_SIZE);
    for epoch in 1..=options.epochs {
        model.train();
        for (data, target) in log.epoch(epoch, &train_loader) {
            optimizer.zero_grad();
            let loss = criterion.call(model.call(data.to(device)), target.to(device));
            loss.backward();
            optimizer.step();
            log.loss(&loss);
        }
        model.eval();
        digits::test(|x| model.call(x), &test, options.test_images, device);
    }
    log.plot()
}
