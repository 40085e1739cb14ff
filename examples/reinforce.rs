//! REINFORCE learns to balance a pole. Mirrors pytorch/examples, reinforcement_learning/reinforce.py; `expected/reinforce.py` is
//! the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example reinforce -- --plot rewards.svg`

use clap::Parser;
use flambeau_examples::cartpole::{self, OnCartPole};
use flambeau_examples::options;
use std::cell::RefCell;
use std::error::Error;
use std::process::ExitCode;
use torch::distributions::Categorical;
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "reinforce", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_cart_pole: OnCartPole,
}

#[derive(Module)]
struct Policy {
    affine1: nn::Linear,
    dropout: nn::Dropout,
    affine2: nn::Linear,
}

impl Policy {
    fn new() -> Self {
        Policy { affine1: nn::Linear::new(4, 128), dropout: nn::Dropout::new(0.6), affine2: nn::Linear::new(128, 2) }
    }
}

impl Forward for Policy {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.affine1.call(x);
        let x = self.dropout.call(x);
        let x = F::relu(x);
        let action_scores = self.affine2.call(x);
        F::softmax(action_scores, 1)
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_cart_pole: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    options.common.start()?;
    let policy = Policy::new().to(device);
    println!("{policy}");
    let optimizer = optim::Adam::new(policy.parameters(), 1e-2);
    let saved_log_probs = RefCell::new(Vec::new());

    let select_action = |state: &Tensor| {
        let probs = policy.call(state.unsqueeze(0).to(device));
        let m = Categorical::new(&probs);
        let action = m.sample();
        saved_log_probs.borrow_mut().push(m.log_prob(&action));
        action.item_as::<i64>()
    };
    let finish_episode = |rewards: &[f64]| {
        let returns = cartpole::returns(rewards, options.gamma).to(device);
        let log_probs = saved_log_probs.take();
        let policy_loss: Vec<_> = log_probs.iter().zip(&returns).map(|(log_prob, r)| -log_prob * r).collect();
        optimizer.zero_grad();
        let policy_loss = torch::cat(policy_loss, 0).sum();
        policy_loss.backward();
        optimizer.step();
        policy_loss.item()
    };
    cartpole::learn(options, select_action, finish_episode)
}
