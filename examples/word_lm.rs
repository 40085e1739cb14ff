//! A language model over words, an LSTM or a transformer. Mirrors pytorch/examples, word_language_model (`main.py` and
//! `model.py`); `expected/word_lm.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example word_lm -- --model Transformer`; a folder with `train.txt`, `valid.txt` and `test.txt` is given
//! with `--data`, without one the sentences are drawn from a small grammar.

use clap::{Parser, ValueEnum};
use flambeau_examples::{options, plot, progress};
use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use torch::prelude::*;
use torch::{Device, slice};

#[derive(Parser)]
#[command(name = "word_lm", allow_negative_numbers = true)]
struct Options {
    /// Folder with `train.txt`, `valid.txt` and `test.txt`.
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "LSTM")]
    model: Kind,
    /// Width of the embeddings and of the hidden layers.
    #[arg(long, default_value_t = 64, value_parser = options::at_least_one)]
    nhid: usize,
    #[arg(long, default_value_t = 2, value_parser = options::at_least_one)]
    nlayers: usize,
    /// Heads of the transformer.
    #[arg(long, default_value_t = 2, value_parser = options::at_least_one)]
    nhead: usize,
    #[arg(long, default_value_t = 0.2)]
    dropout: f64,
    #[arg(long, default_value_t = 5.0, value_parser = options::learning_rate)]
    lr: f64,
    /// Largest norm of the gradients.
    #[arg(long, default_value_t = 0.25)]
    clip: f64,
    #[arg(long, default_value_t = 6, value_parser = options::at_least_one)]
    epochs: usize,
    /// End each epoch after so many batches.
    #[arg(long, value_parser = options::at_least_one)]
    steps: Option<usize>,
    #[arg(long, default_value_t = 20, value_parser = options::at_least_one)]
    log_interval: usize,
    #[command(flatten)]
    common: options::Common,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "verbatim")]
#[allow(clippy::upper_case_acronyms, reason = "PyTorch's name")]
enum Kind {
    LSTM,
    Transformer,
}

const BATCH_SIZE: usize = 20;
const EVAL_BATCH_SIZE: usize = 10;
/// Words that a gradient goes back.
const BPTT: usize = 35;
const INIT_RANGE: f64 = 0.1;
const WORDS: [&[&str]; 4] = [
    &["the", "a", "one", "every"],
    &["small", "old", "red", "quiet", "quick"],
    &["cat", "ship", "child", "river", "lamp", "bird"],
    &["sees", "finds", "follows", "leaves"],
];

#[derive(Default)]
struct Dictionary {
    word2idx: HashMap<String, usize>,
    idx2word: Vec<String>,
}

impl Dictionary {
    fn add_word(&mut self, word: &str) -> usize {
        *self.word2idx.entry(word.to_owned()).or_insert_with(|| {
            self.idx2word.push(word.to_owned());
            self.idx2word.len() - 1
        })
    }

    fn tokenize(&mut self, text: &str) -> Tensor {
        let words = text.lines().flat_map(|line| line.split_whitespace().chain(["<eos>"]));
        torch::tensor(words.map(|word| self.add_word(word)).collect::<Vec<_>>())
    }
}

/// Sentences drawn from a small grammar.
fn sentences(n: usize) -> String {
    let draw = |words: &[&'static str]| words[torch::randint(0, words.len(), 1).item() as usize];
    (0..n).map(|_| [0, 1, 2, 3, 0, 2].map(|part| draw(WORDS[part])).join(" ") + "\n").collect()
}

#[derive(Module)]
struct RNNModel {
    drop: nn::Dropout,
    encoder: nn::Embedding,
    rnn: nn::LSTM,
    decoder: nn::Linear,
    ntoken: usize,
    nhid: usize,
    nlayers: usize,
}

type Hidden = (Tensor, Tensor);

impl RNNModel {
    fn new(ntoken: usize, ninp: usize, nhid: usize, nlayers: usize, dropout: f64) -> Self {
        let mut model = RNNModel {
            drop: nn::Dropout::new(dropout),
            encoder: nn::Embedding::new(ntoken, ninp),
            rnn: nn::LSTM::with(ninp, nhid, |o| o.num_layers(nlayers).dropout(dropout)),
            decoder: nn::Linear::new(nhid, ntoken),
            ntoken,
            nhid,
            nlayers,
        };
        model.decoder.weight = model.encoder.weight.share();
        init_weights(&model.encoder, &model.decoder);
        model
    }

    fn init_hidden(&self, bsz: usize) -> Hidden {
        let weight = &self.parameters()[0];
        let zeros = || weight.new_zeros((self.nlayers, bsz, self.nhid));
        (zeros(), zeros())
    }
}

#[nn::forward]
impl RNNModel {
    fn forward(&self, input: &Tensor, hidden: (&Tensor, &Tensor)) -> (Tensor, Hidden) {
        let emb = self.drop.call(self.encoder.call(input));
        let (output, hidden) = self.rnn.call((emb, hidden));
        let output = self.drop.call(output);
        let decoded = self.decoder.call(output).view((-1, self.ntoken));
        (F::log_softmax(decoded, 1), hidden)
    }
}

fn init_weights(encoder: &nn::Embedding, decoder: &nn::Linear) {
    nn::init::uniform_(&encoder.weight, -INIT_RANGE, INIT_RANGE);
    nn::init::zeros_(decoder.bias.as_ref().unwrap());
    nn::init::uniform_(&decoder.weight, -INIT_RANGE, INIT_RANGE);
}

#[derive(Module)]
struct PositionalEncoding {
    dropout: nn::Dropout,
    pe: nn::Buffer,
}

impl PositionalEncoding {
    fn new(d_model: usize, dropout: f64) -> Self {
        let max_len = 5000;
        let pe = torch::zeros((max_len, d_model));
        let position = torch::arange(max_len).float().unsqueeze(1);
        let div_term = torch::exp(torch::arange((0, d_model, 2)).float() * (-10000f64.ln() / d_model as f64));
        pe.set((.., slice(0, None, 2)), torch::sin(&position * &div_term));
        pe.set((.., slice(1, None, 2)), torch::cos(&position * &div_term));
        let pe = pe.unsqueeze(0).transpose(0, 1);
        PositionalEncoding { dropout: nn::Dropout::new(dropout), pe: nn::Buffer::new(pe) }
    }
}

impl Forward for PositionalEncoding {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.dropout.call(x + self.pe.i((..x.size_dim(0), ..)))
    }
}

#[derive(Module)]
struct TransformerModel {
    pos_encoder: PositionalEncoding,
    encoder: nn::TransformerEncoder,
    input_emb: nn::Embedding,
    decoder: nn::Linear,
    ninp: usize,
}

impl TransformerModel {
    fn new(ntoken: usize, ninp: usize, nhead: usize, nhid: usize, nlayers: usize, dropout: f64) -> Self {
        let pos_encoder = PositionalEncoding::new(ninp, dropout);
        let layer = nn::TransformerEncoderLayer::with(ninp, nhead, |o| o.dim_feedforward(nhid).dropout(dropout));
        let model = TransformerModel {
            pos_encoder,
            encoder: nn::TransformerEncoder::with(layer, nlayers, |o| o.enable_nested_tensor(false)),
            input_emb: nn::Embedding::new(ntoken, ninp),
            decoder: nn::Linear::new(ninp, ntoken),
            ninp,
        };
        init_weights(&model.input_emb, &model.decoder);
        model
    }
}

impl Forward for TransformerModel {
    fn forward(&self, src: &Tensor) -> Tensor {
        let n = src.len();
        let src_mask = torch::log(torch::tril(torch::ones((n, n)))).to(src.device());
        let src = self.input_emb.call(src) * (self.ninp as f64).sqrt();
        let src = self.pos_encoder.call(src);
        let output = self.encoder.call_with(&src, |o| o.mask(&src_mask));
        F::log_softmax(self.decoder.call(output), -1)
    }
}

enum Model {
    Rnn(RNNModel),
    Transformer(TransformerModel),
}

impl Model {
    fn module(&self) -> &dyn Module {
        match self {
            Model::Rnn(model) => model,
            Model::Transformer(model) => model,
        }
    }

    /// Log probabilities `[words, ntoken]`, and what the next batch begins with.
    fn call(&self, data: &Tensor, hidden: Option<Hidden>) -> (Tensor, Option<Hidden>) {
        match self {
            Model::Rnn(model) => {
                // Detached from how it came about, or gradients would go back to the first word.
                let hidden = hidden.map(|(h, c)| (h.detach(), c.detach()));
                let hidden = hidden.unwrap_or_else(|| model.init_hidden(data.size_dim(1)));
                let (output, hidden) = model.call(data, hidden);
                (output, Some(hidden))
            }
            Model::Transformer(model) => (model.call(data).flatten_dims(0, 1), None),
        }
    }
}

/// The text in columns of one length, `bsz` of them.
fn batchify(data: Tensor, bsz: usize, device: Device) -> Tensor {
    let nbatch = data.len() / bsz;
    data.narrow(0, 0, nbatch * bsz).view((bsz, -1)).t().contiguous().to(device)
}

fn get_batch(source: &Tensor, i: usize) -> (Tensor, Tensor) {
    let seq_len = BPTT.min(source.len() - 1 - i);
    (source.i(i..i + seq_len), source.i(i + 1..i + 1 + seq_len).view(-1))
}

fn evaluate(model: &Model, source: &Tensor) -> f64 {
    model.module().eval();
    let _guard = torch::no_grad();
    let (mut total_loss, mut hidden) = (0.0, None);
    for i in (0..source.len() - 1).step_by(BPTT) {
        let (data, targets) = get_batch(source, i);
        let output;
        (output, hidden) = model.call(&data, hidden);
        total_loss += data.len() as f64 * F::nll_loss(output, targets).item();
    }
    model.module().train();
    total_loss / (source.len() - 1) as f64
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    options.common.start()?;
    let mut dictionary = Dictionary::default();
    let mut read = |name: &str, drawn: usize| -> Result<Tensor, Box<dyn Error>> {
        let Some(folder) = &options.data else { return Ok(dictionary.tokenize(&sentences(drawn))) };
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        Ok(dictionary.tokenize(&text))
    };
    let parts = [read("train.txt", 1500)?, read("valid.txt", 150)?, read("test.txt", 150)?];
    let [train_data, val_data, test_data] = parts;
    let train_data = batchify(train_data, BATCH_SIZE, device);
    let [val_data, test_data] = [val_data, test_data].map(|data| batchify(data, EVAL_BATCH_SIZE, device));
    let ntokens = dictionary.idx2word.len();
    let Options { nhid, nlayers, nhead, dropout, .. } = *options;
    let model = match options.model {
        Kind::LSTM => Model::Rnn(RNNModel::new(ntokens, nhid, nhid, nlayers, dropout).to(device)),
        Kind::Transformer => {
            Model::Transformer(TransformerModel::new(ntokens, nhid, nhead, nhid, nlayers, dropout).to(device))
        }
    };
    println!("{}", model.module());
    let criterion = nn::NLLLoss::new();
    let (mut lr, mut best, mut history) = (options.lr, f64::INFINITY, Vec::new());
    let batches = train_data.len() / BPTT;
    for epoch in 1..=options.epochs {
        let bar = progress::bar(batches, epoch, options.epochs);
        let mut hidden = None;
        let steps = options.steps.unwrap_or(usize::MAX);
        for (batch, i) in (0..train_data.len() - 1).step_by(BPTT).enumerate().take(steps) {
            let (data, targets) = get_batch(&train_data, i);
            model.module().zero_grad();
            let output;
            (output, hidden) = model.call(&data, hidden);
            let loss = criterion.call(output, targets);
            loss.backward();
            nn::utils::clip_grad_norm_(model.module().parameters(), options.clip);
            for p in model.module().parameters() {
                p.data().add_with_(p.grad().unwrap(), |o| o.alpha(-lr));
            }
            bar.inc(1);
            if batch % options.log_interval == 0 {
                let loss = loss.item();
                let ppl = loss.exp();
                progress::say(
                    &bar,
                    format!("| epoch {epoch} | {batch}/{batches} batches | loss {loss:.7} | ppl {ppl:.4}"),
                );
            }
        }
        bar.finish_and_clear();
        let val_loss = evaluate(&model, &val_data);
        println!("| end of epoch {epoch} | valid loss {val_loss:.5} | valid ppl {:.3}", val_loss.exp());
        history.push((epoch as f64, val_loss));
        // Annealed where the validation loss stands still.
        if val_loss < best {
            best = val_loss;
        } else {
            lr /= 4.0;
        }
    }
    let test_loss = evaluate(&model, &test_data);
    println!("| End of training | test loss {test_loss:.5} | test ppl {:.3}", test_loss.exp());
    if let Some(path) = &options.common.plot {
        plot::curves(path, "Loss", "epoch", vec![("validation", history)])?;
        println!("Drew the losses to {}", path.display());
    }
    Ok(())
}
