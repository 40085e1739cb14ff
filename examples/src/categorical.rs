//! `torch.distributions.Categorical`, as far as the programs that choose actions need it.

use torch::Tensor;

/// One of the last dimension's categories, by their probabilities.
pub struct Categorical {
    probs: Tensor,
}

impl Categorical {
    /// Of probabilities `[..., categories]`, which are divided by their sum.
    pub fn new(probs: &Tensor) -> Self {
        Categorical { probs: probs / probs.sum_dim(-1, true) }
    }

    /// A category per line, int64.
    pub fn sample(&self) -> Tensor {
        let lines = self.probs.view((-1, self.probs.size_dim(-1)));
        let batch = self.probs.size()[..self.probs.dim() - 1].to_vec();
        lines.multinomial_with(1, |o| o.replacement(true)).view(batch)
    }

    /// The logarithm of the probability of `value`.
    pub fn log_prob(&self, value: &Tensor) -> Tensor {
        let eps = torch::finfo(self.probs.dtype()).eps;
        let logits = self.probs.clamp(eps, 1.0 - eps).log();
        logits.gather(-1, value.unsqueeze(-1)).squeeze_dim(-1)
    }
}
