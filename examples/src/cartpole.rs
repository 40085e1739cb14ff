//! The cart with a pole of gymnasium's CartPole-v1: its equations of motion and limits, and how long a policy holds the pole.

use crate::options::{Common, at_least_one};
use crate::{plot, progress};
use clap::Args;
use std::error::Error;
use torch::Tensor;

const GRAVITY: f64 = 9.8;
const MASS_POLE: f64 = 0.1;
const TOTAL_MASS: f64 = 1.0 + MASS_POLE;
/// Half the pole's length.
const LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
/// Seconds between two steps.
const TAU: f64 = 0.02;
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * std::f64::consts::PI / 360.0;
const PLACE_LIMIT: f64 = 2.4;

/// An episode. Its state is the cart's place and speed, the pole's angle and angular speed.
pub struct CartPole {
    state: [f64; 4],
    steps: usize,
    max_steps: usize,
}

impl CartPole {
    /// A cart whose episodes end after so many steps at the latest.
    pub fn new(max_steps: usize) -> Self {
        CartPole { state: [0.0; 4], steps: 0, max_steps }
    }

    /// Begins an episode near the upright; the first observation `[4]`, float32.
    pub fn reset(&mut self) -> Tensor {
        let state = torch::empty_with(4, |o| o.dtype(torch::float64)).uniform_(-0.05, 0.05);
        self.state = state.to_vec::<f64>().try_into().expect("four numbers");
        self.steps = 0;
        self.observation()
    }

    fn observation(&self) -> Tensor {
        torch::tensor(self.state)
    }

    /// Pushes the cart to the right (1) or to the left (0): the next observation, the reward, and whether the episode is over.
    pub fn step(&mut self, action: i64) -> (Tensor, f64, bool) {
        let [x, x_dot, theta, theta_dot] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = (theta.sin(), theta.cos());
        let pole_mass_length = MASS_POLE * LENGTH;
        let temp = (force + pole_mass_length * theta_dot * theta_dot * sin) / TOTAL_MASS;
        let theta_acc = (GRAVITY * sin - cos * temp) / (LENGTH * (4.0 / 3.0 - MASS_POLE * cos * cos / TOTAL_MASS));
        let x_acc = temp - pole_mass_length * theta_acc * cos / TOTAL_MASS;
        self.state = [x + TAU * x_dot, x_dot + TAU * x_acc, theta + TAU * theta_dot, theta_dot + TAU * theta_acc];
        self.steps += 1;
        let fell = self.state[0].abs() > PLACE_LIMIT || self.state[2].abs() > ANGLE_LIMIT;
        (self.observation(), 1.0, fell || self.steps == self.max_steps)
    }
}

/// What the programs that balance the pole can be told.
#[derive(Args)]
pub struct OnCartPole {
    /// Episodes at most; fewer where the pole is held.
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub episodes: usize,
    /// Steps of an episode at most.
    #[arg(long, default_value_t = 500, value_parser = at_least_one)]
    pub max_steps: usize,
    /// How much less a reward is worth one step later.
    #[arg(long, default_value_t = 0.99)]
    pub gamma: f64,
    /// Episodes between two lines; each of the first ten has one.
    #[arg(long, default_value_t = 10, value_parser = at_least_one)]
    pub log_interval: usize,
    /// Seed, device and plot.
    #[command(flatten)]
    pub common: Common,
}

/// The average reward from which on the pole is held.
const SOLVED: f64 = 475.0;

/// Plays episodes until the pole is held. `select_action` chooses by the observation, `finish_episode` learns from an episode's
/// rewards and gives its loss.
///
/// # Errors
/// When the plot cannot be written.
pub fn learn(
    options: &OnCartPole,
    select_action: impl Fn(&Tensor) -> i64,
    finish_episode: impl Fn(&[f64]) -> f64,
) -> Result<(), Box<dyn Error>> {
    let (mut env, mut running_reward) = (CartPole::new(options.max_steps), 10.0);
    let (mut lasted, mut averages) = (Vec::new(), Vec::new());
    let bar = progress::named("episode", options.episodes);
    for i_episode in 1..=options.episodes {
        let (mut state, mut rewards, mut done) = (env.reset(), Vec::new(), false);
        while !done {
            let reward;
            (state, reward, done) = env.step(select_action(&state));
            rewards.push(reward);
        }
        let ep_reward: f64 = rewards.iter().sum();
        running_reward = 0.05 * ep_reward + (1.0 - 0.05) * running_reward;
        let loss = finish_episode(&rewards);
        lasted.push((i_episode as f64, ep_reward));
        averages.push((i_episode as f64, running_reward));
        bar.inc(1);
        if i_episode <= 10 || i_episode % options.log_interval == 0 {
            let rewards = format!("Last reward: {ep_reward:.2}\tAverage reward: {running_reward:.2}");
            progress::say(&bar, format!("Episode {i_episode}\t{rewards}\tLoss: {loss:.5}"));
        }
        if running_reward > SOLVED {
            progress::say(&bar, format!("Solved! Running reward is now {running_reward:.2}"));
            break;
        }
    }
    bar.finish_and_clear();
    if let Some(path) = &options.common.plot {
        plot::curves(path, "Reward", "episode", vec![("episode", lasted), ("average", averages)])?;
        println!("Drew the rewards to {}", path.display());
    }
    Ok(())
}

/// What each step's reward and the later ones are worth together, less the mean and over the deviation.
pub fn returns(rewards: &[f64], gamma: f64) -> Tensor {
    let mut returns = rewards.to_vec();
    for i in (1..returns.len()).rev() {
        returns[i - 1] += gamma * returns[i];
    }
    let returns = torch::tensor(returns);
    let eps = torch::finfo(torch::float32).eps;
    (&returns - returns.mean()) / (returns.std() + eps)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushed to one side alone it falls at once; pushed to where the pole leans, it is held for long.
    #[test]
    fn a_push_under_the_pole_holds_it() {
        let length = |policy: fn(&[f32]) -> i64| {
            let mut env = CartPole::new(500);
            let mut state = env.reset().to_vec::<f32>();
            (1..).find(|_| {
                let (next, reward, done) = env.step(policy(&state));
                state = next.to_vec();
                assert_eq!(reward, 1.0);
                done
            })
        };
        let one_way = length(|_| 1).unwrap();
        let held = length(|s| i64::from(s[2] + s[3] > 0.0)).unwrap();
        assert!(one_way < 15 && held > 100 && held <= 500, "{one_way} {held}");
    }
}
