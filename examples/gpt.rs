//! A small GPT over characters. Mirrors nanoGPT's `train.py` with its configuration `train_shakespeare_char`, at a quarter of the
//! width; `expected/gpt.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example gpt -- --data tinyshakespeare.txt --sample 500`; without a file it learns sums.

#![allow(clippy::upper_case_acronyms, reason = "the names that are printed")]

use clap::Parser;
use flambeau_examples::{options, plot, progress};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use torch::Device;
use torch::amp::GradScaler;
use torch::optim::ParamGroup;
use torch::prelude::*;
use torch::utils::tensorboard::SummaryWriter;

#[derive(Parser)]
#[command(name = "gpt", allow_negative_numbers = true)]
struct Options {
    /// The text to learn.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Steps of training, a resumed run's earlier ones included.
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Steps after which the learning rate has fallen to its tenth; the same as `--steps` where it is not given.
    #[arg(long, value_parser = options::at_least_one)]
    decay_steps: Option<usize>,
    /// Steps between two losses of the whole validation split.
    #[arg(long, default_value_t = 250, value_parser = options::at_least_one)]
    eval_interval: usize,
    /// Steps between two lines of the training loss.
    #[arg(long, default_value_t = 10, value_parser = options::at_least_one)]
    log_interval: usize,
    /// Characters to write at the end.
    #[arg(long, default_value_t = 0)]
    sample: usize,
    /// Checkpoint to write at each validation and at the end.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Checkpoint to go on from.
    #[arg(long)]
    resume: Option<PathBuf>,
    /// Mixed precision: bfloat16 on the CPU; on a GPU float16, with gradients that are scaled meanwhile.
    #[arg(long)]
    amp: bool,
    /// Write what TensorBoard shows into this folder.
    #[arg(long)]
    logdir: Option<PathBuf>,
    #[command(flatten)]
    model: GPTConfig,
    #[command(flatten)]
    common: options::Common,
}

#[derive(Clone, Copy, clap::Args)]
struct GPTConfig {
    #[arg(long, default_value_t = 4)]
    n_layer: usize,
    #[arg(long, default_value_t = 4)]
    n_head: usize,
    #[arg(long, default_value_t = 128)]
    n_embd: usize,
    #[arg(long, default_value_t = 64)]
    block_size: usize,
    #[arg(long, default_value_t = 12)]
    batch_size: usize,
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    #[arg(long)]
    bias: bool,
    #[arg(skip)]
    vocab_size: usize,
}

/// LayerNorm whose bias is optional.
#[derive(Module)]
struct LayerNorm {
    weight: nn::Parameter,
    bias: Option<nn::Parameter>,
}

impl LayerNorm {
    fn new(ndim: usize, bias: bool) -> Self {
        LayerNorm {
            weight: nn::Parameter::new(torch::ones(ndim)),
            bias: bias.then(|| nn::Parameter::new(torch::zeros(ndim))),
        }
    }
}

impl Forward for LayerNorm {
    fn forward(&self, x: &Tensor) -> Tensor {
        F::layer_norm_with(x, self.weight.shape(), |o| o.weight(&self.weight).bias(&self.bias).eps(1e-5))
    }
}

#[derive(Module)]
struct CausalSelfAttention {
    c_attn: nn::Linear,
    c_proj: nn::Linear,
    resid_dropout: nn::Dropout,
    config: GPTConfig,
}

impl CausalSelfAttention {
    fn new(config: GPTConfig) -> Self {
        CausalSelfAttention {
            c_attn: nn::Linear::with(config.n_embd, 3 * config.n_embd, |o| o.bias(config.bias)),
            c_proj: nn::Linear::with(config.n_embd, config.n_embd, |o| o.bias(config.bias)),
            resid_dropout: nn::Dropout::new(config.dropout),
            config,
        }
    }
}

impl Forward for CausalSelfAttention {
    fn forward(&self, x: &Tensor) -> Tensor {
        let [b, t, c] = x.sizes();
        let GPTConfig { n_head, n_embd, dropout, .. } = self.config;
        let [q, k, v] = torch::unpack(self.c_attn.call(x).split(n_embd, 2));
        let [q, k, v] = [q, k, v].map(|x| x.view((b, t, n_head, c / n_head)).transpose(1, 2));
        let dropout_p = if self.training() { dropout } else { 0.0 };
        let y = F::scaled_dot_product_attention_with(q, k, v, |o| o.dropout_p(dropout_p).is_causal(true));
        let y = y.transpose(1, 2).contiguous().view((b, t, c));
        self.resid_dropout.call(self.c_proj.call(y))
    }
}

#[derive(Module)]
struct MLP {
    c_fc: nn::Linear,
    gelu: nn::GELU,
    c_proj: nn::Linear,
    dropout: nn::Dropout,
}

impl MLP {
    fn new(config: GPTConfig) -> Self {
        MLP {
            c_fc: nn::Linear::with(config.n_embd, 4 * config.n_embd, |o| o.bias(config.bias)),
            gelu: nn::GELU::new(),
            c_proj: nn::Linear::with(4 * config.n_embd, config.n_embd, |o| o.bias(config.bias)),
            dropout: nn::Dropout::new(config.dropout),
        }
    }
}

impl Forward for MLP {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.dropout.call(self.c_proj.call(self.gelu.call(self.c_fc.call(x))))
    }
}

#[derive(Module)]
struct Block {
    ln_1: LayerNorm,
    attn: CausalSelfAttention,
    ln_2: LayerNorm,
    mlp: MLP,
}

impl Block {
    fn new(config: GPTConfig) -> Self {
        Block {
            ln_1: LayerNorm::new(config.n_embd, config.bias),
            attn: CausalSelfAttention::new(config),
            ln_2: LayerNorm::new(config.n_embd, config.bias),
            mlp: MLP::new(config),
        }
    }
}

impl Forward for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.attn.call(self.ln_1.call(x));
        &x + self.mlp.call(self.ln_2.call(&x))
    }
}

#[derive(Module)]
struct Transformer {
    wte: nn::Embedding,
    wpe: nn::Embedding,
    drop: nn::Dropout,
    h: nn::ModuleList<Block>,
    ln_f: LayerNorm,
}

#[derive(Module)]
struct GPT {
    transformer: Transformer,
    lm_head: nn::Linear,
    config: GPTConfig,
}

impl GPT {
    fn new(config: GPTConfig) -> Self {
        let mut transformer = Transformer {
            wte: nn::Embedding::new(config.vocab_size, config.n_embd),
            wpe: nn::Embedding::new(config.block_size, config.n_embd),
            drop: nn::Dropout::new(config.dropout),
            h: nn::ModuleList::new((0..config.n_layer).map(|_| Block::new(config))),
            ln_f: LayerNorm::new(config.n_embd, config.bias),
        };
        let lm_head = nn::Linear::with(config.n_embd, config.vocab_size, |o| o.bias(false));
        transformer.wte.weight = lm_head.weight.share();
        let model = GPT { transformer, lm_head, config };
        model.apply(Self::init_weights);
        for (name, p) in model.named_parameters() {
            if name.ends_with("c_proj.weight") {
                nn::init::normal_(&p, 0.0, 0.02 / (2.0 * config.n_layer as f64).sqrt());
            }
        }
        model
    }

    fn init_weights(module: &dyn Module) {
        if let Some(linear) = module.downcast_ref::<nn::Linear>() {
            nn::init::normal_(&linear.weight, 0.0, 0.02);
            if let Some(bias) = &linear.bias {
                nn::init::zeros_(bias);
            }
        } else if let Some(embedding) = module.downcast_ref::<nn::Embedding>() {
            nn::init::normal_(&embedding.weight, 0.0, 0.02);
        }
    }

    fn configure_optimizers(&self, weight_decay: f64, learning_rate: f64, betas: (f64, f64)) -> optim::AdamW {
        let params = self.parameters().into_iter().filter(|p| p.requires_grad());
        let (decay, nodecay): (Vec<_>, Vec<_>) = params.partition(|p| p.dim() >= 2);
        let groups = [
            ParamGroup::with(decay, |o| o.weight_decay(weight_decay)),
            ParamGroup::with(nodecay, |o| o.weight_decay(0.0)),
        ];
        optim::AdamW::with(groups, learning_rate, |o| o.betas(betas))
    }

    fn generate(&self, idx: Tensor, max_new_tokens: usize, temperature: f64, top_k: Option<usize>) -> Tensor {
        let _guard = torch::no_grad();
        let mut idx = idx;
        for _ in 0..max_new_tokens {
            let from = (idx.size_dim(1) as i64 - self.config.block_size as i64).max(0);
            let (logits, _) = self.call(idx.i((.., from..)), None);
            let logits = logits.i((.., -1, ..)) / temperature;
            if let Some(k) = top_k {
                let (v, _) = torch::topk(&logits, k.min(logits.size_dim(-1)));
                logits.set(logits.lt(v.i((.., [-1]))), f64::NEG_INFINITY);
            }
            let probs = F::softmax(logits, -1);
            let idx_next = torch::multinomial(probs, 1);
            idx = torch::cat((idx, idx_next), 1);
        }
        idx
    }
}

#[nn::forward]
impl GPT {
    fn forward(&self, idx: &Tensor, targets: Option<&Tensor>) -> (Tensor, Option<Tensor>) {
        let t = idx.size_dim(1);
        let pos = torch::arange_with(t, |o| o.dtype(torch::long).device(idx.device()));
        let tok_emb = self.transformer.wte.call(idx);
        let pos_emb = self.transformer.wpe.call(pos);
        let mut x = self.transformer.drop.call(tok_emb + pos_emb);
        for block in &self.transformer.h {
            x = block.call(x);
        }
        let x = self.transformer.ln_f.call(x);
        match targets {
            None => (self.lm_head.call(x.i((.., [-1], ..))), None),
            Some(targets) => {
                let logits = self.lm_head.call(x);
                let flat = logits.view((-1, logits.size_dim(-1)));
                let loss = F::cross_entropy_with(flat, targets.view(-1), |o| o.ignore_index(-1));
                (logits, Some(loss))
            }
        }
    }
}

/// A text to learn without a file: sums of two numbers below 40.
fn sums() -> String {
    (0..40).flat_map(|a| (0..40).map(move |b| format!("{a} + {b} = {}\n", a + b))).collect()
}

/// Mean loss over the whole split, cut into blocks one after the other.
fn validation_loss(model: &GPT, data: &Tensor, amp: bool) -> f64 {
    const AT_ONCE: usize = 64;
    let block_size = model.config.block_size;
    let n = (data.len() - 1) / block_size;
    let x = data.i(..n * block_size).view((n, block_size));
    let y = data.i(1..n * block_size + 1).view((n, block_size));
    model.eval();
    let _guard = torch::no_grad();
    let _autocast = torch::autocast_with(data.device(), |o| o.enabled(amp));
    let mut total = 0.0;
    for (x, y) in x.split(AT_ONCE, 0).iter().zip(y.split(AT_ONCE, 0)) {
        let (_, loss) = model.call(x, y);
        total += x.len() as f64 * loss.unwrap().item();
    }
    model.train();
    total / n as f64
}

/// The learning rate of a step: up for 100 steps, then down along a cosine.
fn get_lr(it: usize, decay_iters: usize) -> f64 {
    let (learning_rate, min_lr, warmup_iters) = (1e-3, 1e-4, 100);
    if it < warmup_iters {
        return learning_rate * (it + 1) as f64 / (warmup_iters + 1) as f64;
    }
    if it > decay_iters {
        return min_lr;
    }
    let decay_ratio = (it - warmup_iters) as f64 / (decay_iters - warmup_iters) as f64;
    min_lr + 0.5 * (1.0 + (std::f64::consts::PI * decay_ratio).cos()) * (learning_rate - min_lr)
}

fn get_batch(data: &Tensor, config: &GPTConfig, device: Device) -> (Tensor, Tensor) {
    let ix = torch::randint(0, data.len() - config.block_size, config.batch_size).to_vec::<i64>();
    let block = config.block_size as i64;
    let x: Vec<_> = ix.iter().map(|&i| data.i(i..i + block)).collect();
    let y: Vec<_> = ix.iter().map(|&i| data.i(i + 1..i + 1 + block)).collect();
    (torch::stack(&x, 0).to(device), torch::stack(&y, 0).to(device))
}

fn save(
    path: &Path,
    step: usize,
    model: &GPT,
    optimizer: &optim::AdamW,
    scaler: &GradScaler,
) -> torch::serialization::Result<()> {
    let checkpoint = torch::dict! {
        "iter_num": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "rng_state": torch::get_rng_state(),
    };
    torch::save(&checkpoint, path)
}

fn resume(path: &Path, model: &GPT, optimizer: &optim::AdamW, scaler: &GradScaler) -> Result<usize, Box<dyn Error>> {
    let checkpoint = torch::load(path)?;
    model.load_state_dict(&checkpoint["model"])?;
    optimizer.load_state_dict(&checkpoint["optimizer"])?;
    scaler.load_state_dict(&checkpoint["scaler"])?;
    torch::set_rng_state(&checkpoint["rng_state"]);
    Ok(checkpoint["iter_num"].extract()?)
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    options.common.start()?;
    if let Some(out) = &options.out {
        options::writable("--out", out)?;
    }
    let text = match &options.data {
        Some(path) => std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?,
        None => sums(),
    };
    let mut chars: Vec<char> = text.chars().collect();
    let length = chars.len();
    chars.sort();
    chars.dedup();
    let data = torch::tensor(text.chars().map(|c| chars.binary_search(&c).unwrap() as i64).collect::<Vec<_>>());
    let n = (0.9 * length as f64) as i64;
    let (train_data, val_data) = (data.i(..n), data.i(n..).to(device));
    let config = GPTConfig { vocab_size: chars.len(), ..options.model };
    if val_data.len() <= config.block_size {
        return Err(format!("a tenth of the text must be longer than a block of {}", config.block_size).into());
    }

    let model = GPT::new(config).to(device);
    let count: usize = model.parameters().iter().map(|p| p.numel()).sum();
    println!("{length} characters, {} different; {count} parameters", chars.len());
    let optimizer = model.configure_optimizers(0.1, 1e-3, (0.9, 0.99));
    // Of float16 alone gradients are too small; bfloat16 reaches as far down as float32.
    let scaler = GradScaler::with(device, |o| o.enabled(options.amp && !device.is_cpu()));
    let first = match &options.resume {
        Some(path) => resume(path, &model, &optimizer, &scaler)?,
        None => 0,
    };
    // What an earlier run wrote beyond the checkpoint is hidden.
    let open = |folder| SummaryWriter::with(|o| o.log_dir(folder).purge_step((first > 0).then_some(first as i64)));
    let writer = options.logdir.as_ref().map(open).transpose()?;
    let (mut losses, mut validated) = (Vec::new(), Vec::new());
    let bar = progress::named("step", options.steps);
    bar.set_position(first as u64);
    let mut validate = |step: usize| {
        let loss = validation_loss(&model, &val_data, options.amp);
        progress::say(&bar, format!("step {step}: validation loss {loss:.7}"));
        validated.push((step as f64, loss));
        if let Some(writer) = &writer {
            writer.add_scalar("Loss/validation", loss, step);
            for (name, parameter) in model.named_parameters() {
                writer.add_histogram(&name, &parameter, step);
            }
        }
        options.out.as_ref().map_or(Ok(()), |out| save(out, step, &model, &optimizer, &scaler))
    };
    let mut start = (Instant::now(), first);
    for step in first..options.steps {
        for group in optimizer.param_groups() {
            group.set_lr(get_lr(step, options.decay_steps.unwrap_or(options.steps)));
        }
        if step % options.eval_interval == 0 {
            validate(step)?;
            start = (Instant::now(), step);
        }
        let (x, y) = get_batch(&train_data, &config, device);
        let loss = {
            let _autocast = torch::autocast_with(device, |o| o.enabled(options.amp));
            let (_, loss) = model.call(x, y);
            loss.unwrap()
        };
        scaler.scale(&loss).backward();
        scaler.unscale_(&optimizer);
        nn::utils::clip_grad_norm_(model.parameters(), 1.0);
        scaler.step(&optimizer);
        scaler.update();
        optimizer.zero_grad();
        if step % options.log_interval == 0 {
            progress::say(&bar, format!("step {step}: loss {loss:.7}"));
            losses.push((step as f64, loss.item()));
            if let Some(writer) = &writer {
                writer.add_scalar("Loss/train", &loss, step);
                writer.add_scalar("lr", optimizer.param_groups()[0].lr(), step);
            }
        }
        bar.inc(1);
    }
    if options.steps > start.1 {
        let per_step = start.0.elapsed().as_secs_f64() / (options.steps - start.1) as f64;
        eprintln!("{:.2} ms a step", 1e3 * per_step);
    }
    validate(options.steps)?;
    bar.finish_and_clear();
    if options.sample > 0 {
        model.eval();
        let start = torch::zeros_with((1, 1), |o| o.dtype(torch::long).device(device));
        let out = model.generate(start, options.sample, 0.8, Some(200));
        println!("{}", out.i((0, 1..)).to_vec::<i64>().iter().map(|&i| chars[i as usize]).collect::<String>());
    }
    if let Some(writer) = &writer {
        let block = val_data.i(..config.block_size).unsqueeze(0);
        writer.add_graph(&model, (block, None));
        writer.close()?;
        println!("Wrote events to {}", writer.log_dir().display());
    }
    if let Some(path) = &options.common.plot {
        plot::curves(path, "Loss", "step", vec![("train", losses), ("validation", validated)])?;
        println!("Drew the losses to {}", path.display());
    }
    Ok(())
}
