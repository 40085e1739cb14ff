//! An actor and a critic learn to balance a pole. Mirrors pytorch/examples, reinforcement_learning/actor_critic.py;
//! `expected/actor_critic.py` is the same program in PyTorch, which prints the same.
//!
//! `cargo run --release --example actor_critic -- --plot rewards.svg`

use clap::Parser;
use flambeau_examples::cartpole::{self, OnCartPole};
use flambeau_examples::options;
use std::cell::RefCell;
use std::error::Error;
use std::process::ExitCode;
use torch::distributions::Categorical;
use torch::prelude::*;

#[derive(Parser)]
#[command(name = "actor_critic", allow_negative_numbers = true)]
struct Options {
    #[command(flatten)]
    on_cart_pole: OnCartPole,
}

/// What an action was worth to both, for the end of the episode.
struct SavedAction {
    log_prob: Tensor,
    value: Tensor,
}

#[derive(Module)]
struct Policy {
    affine1: nn::Linear,
    action_head: nn::Linear,
    value_head: nn::Linear,
}

impl Policy {
    fn new() -> Self {
        Policy {
            affine1: nn::Linear::new(4, 128),
            action_head: nn::Linear::new(128, 2),
            value_head: nn::Linear::new(128, 1),
        }
    }
}

impl Forward<Tensor, (Tensor, Tensor)> for Policy {
    fn forward(&self, x: &Tensor) -> (Tensor, Tensor) {
        let x = F::relu(self.affine1.call(x));
        let action_prob = F::softmax(self.action_head.call(&x), -1);
        let state_values = self.value_head.call(x);
        (action_prob, state_values)
    }
}

fn main() -> ExitCode {
    options::run(run)
}

fn run(Options { on_cart_pole: options }: &Options) -> Result<(), Box<dyn Error>> {
    let device = options.common.device;
    options.common.start()?;
    let model = Policy::new().to(device);
    println!("{model}");
    let optimizer = optim::Adam::new(model.parameters(), 3e-2);
    let saved_actions = RefCell::new(Vec::new());

    let select_action = |state: &Tensor| {
        let (probs, value) = model.call(state.to(device));
        let m = Categorical::new(&probs);
        let action = m.sample();
        saved_actions.borrow_mut().push(SavedAction { log_prob: m.log_prob(&action), value });
        action.item_as::<i64>()
    };
    let finish_episode = |rewards: &[f64]| {
        let (mut policy_losses, mut value_losses) = (Vec::new(), Vec::new());
        let returns = cartpole::returns(rewards, options.gamma).to(device);
        for (SavedAction { log_prob, value }, r) in saved_actions.take().iter().zip(&returns) {
            let advantage = &r - value.item();
            policy_losses.push(-log_prob * advantage);
            value_losses.push(F::smooth_l1_loss(value, r.unsqueeze(0)));
        }
        optimizer.zero_grad();
        let loss = torch::stack(policy_losses, 0).sum() + torch::stack(value_losses, 0).sum();
        loss.backward();
        optimizer.step();
        loss.item()
    };
    cartpole::learn(options, select_action, finish_episode)
}
