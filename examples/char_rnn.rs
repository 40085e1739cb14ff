//! Tells from a name's letters which language it is from, with a recurrent network of linear layers. Mirrors the PyTorch
//! tutorial "Classifying names with a character-level RNN"; `expected/char_rnn.py` is the same program in PyTorch, which prints
//! the same.
//!
//! `cargo run --release --example char_rnn -- --seed 0`

use clap::Parser;
use flambeau_examples::options;
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "char_rnn")]
struct Options {
    /// Seed of the initial weights and of the order of the names.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

const NAMES: [(&str, [&str; 8]); 3] = [
    ("Italian", ["Rossi", "Ferrari", "Bianchi", "Colombo", "Ricci", "Marino", "Greco", "Bruno"]),
    ("German", ["Schmidt", "Schneider", "Fischer", "Weber", "Wagner", "Becker", "Schulz", "Hoffmann"]),
    ("Japanese", ["Sato", "Suzuki", "Takahashi", "Tanaka", "Watanabe", "Ito", "Yamamoto", "Nakamura"]),
];
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One line per letter, with a one at the letter's place.
fn encode(name: &str) -> Tensor {
    let out = torch::zeros((name.len(), 1, LETTERS.len()));
    for (i, letter) in name.chars().enumerate() {
        out.set((i, 0, LETTERS.find(letter).expect("a letter")), 1);
    }
    out
}

#[derive(Module)]
#[allow(clippy::upper_case_acronyms, reason = "the name that is printed")]
struct RNN {
    i2h: nn::Linear,
    h2h: nn::Linear,
    h2o: nn::Linear,
    softmax: nn::LogSoftmax,
    hidden_size: usize,
}

impl RNN {
    fn new(letters: usize, hidden: usize, languages: usize) -> Self {
        RNN {
            i2h: nn::Linear::new(letters, hidden),
            h2h: nn::Linear::new(hidden, hidden),
            h2o: nn::Linear::new(hidden, languages),
            softmax: nn::LogSoftmax::new(1),
            hidden_size: hidden,
        }
    }

    fn init_hidden(&self) -> Tensor {
        torch::zeros((1, self.hidden_size))
    }
}

#[nn::forward]
impl RNN {
    fn forward(&self, x: &Tensor, hidden: &Tensor) -> (Tensor, Tensor) {
        let hidden = torch::tanh(self.i2h.call(x) + self.h2h.call(hidden));
        (self.softmax.call(self.h2o.call(&hidden)), hidden)
    }
}

fn main() {
    let Options { seed } = options::parse();
    torch::manual_seed(seed);
    let rnn = RNN::new(LETTERS.len(), 32, NAMES.len());
    let criterion = nn::NLLLoss::new();
    let optimizer = optim::SGD::new(rnn.parameters(), 0.02);
    println!("{rnn}");

    let read = |name: &str| {
        let (mut output, mut hidden) = (torch::zeros(0), rnn.init_hidden());
        for letter in encode(name) {
            (output, hidden) = rnn.call(letter, hidden);
        }
        output
    };

    let mut total = 0.0;
    for step in 1..=1000 {
        let language = torch::randint(0, NAMES.len(), 1).item() as usize;
        let name = NAMES[language].1[torch::randint(0, 8, 1).item() as usize];
        let loss = criterion.call(read(name), torch::tensor([language]));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        total += loss.item();
        if step % 200 == 0 {
            println!("step {step}: mean loss {:.4}", total / 200.0);
            total = 0.0;
        }
    }
    let _guard = torch::no_grad();
    for name in ["Romano", "Schwarz", "Matsumoto"] {
        let output = read(name);
        let best = output.argmax_dim(1, false).item() as usize;
        println!("{name}: {} ({:.2})", NAMES[best].0, output.i((0, best)).exp());
    }
}
