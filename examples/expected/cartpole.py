"""The cart with a pole of gymnasium's CartPole-v1: its equations of motion and limits."""
import math

import torch

GRAVITY, MASS_CART, MASS_POLE, LENGTH, FORCE, TAU = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
ANGLE_LIMIT, PLACE_LIMIT, MAX_STEPS = 12 * 2 * math.pi / 360, 2.4, 500


class CartPole:
    def reset(self):
        self.steps = 0
        self.state = torch.empty(4, dtype=torch.float64).uniform_(-0.05, 0.05).tolist()
        return self.observation()

    def observation(self):
        return torch.tensor(self.state, dtype=torch.float32)

    def step(self, action):
        """The next observation, the reward, and whether the episode is over."""
        x, x_dot, theta, theta_dot = self.state
        force = FORCE if action == 1 else -FORCE
        cos, sin = math.cos(theta), math.sin(theta)
        total_mass, pole_mass_length = MASS_CART + MASS_POLE, MASS_POLE * LENGTH
        temp = (force + pole_mass_length * theta_dot * theta_dot * sin) / total_mass
        theta_acc = (GRAVITY * sin - cos * temp) / (LENGTH * (4.0 / 3.0 - MASS_POLE * cos * cos / total_mass))
        x_acc = temp - pole_mass_length * theta_acc * cos / total_mass
        self.state = [x + TAU * x_dot, x_dot + TAU * x_acc, theta + TAU * theta_dot, theta_dot + TAU * theta_acc]
        self.steps += 1
        fell = abs(self.state[0]) > PLACE_LIMIT or abs(self.state[2]) > ANGLE_LIMIT
        return self.observation(), 1.0, fell or self.steps == MAX_STEPS
