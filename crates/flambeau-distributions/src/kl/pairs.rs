//! The divergences that have a formula.

use super::divergence;
use crate::distribution::Distribution;
use crate::fail;
use crate::multivariate::{diagonal, half_log_det, logdet, mahalanobis, mahalanobis_of, solve_lower};
use crate::transforms::softplus;
use crate::univariate::EULER;
use crate::value::sum_rightmost;
use crate::{
    Bernoulli, Beta, Binomial, Categorical, Cauchy, ContinuousBernoulli, Dirichlet, Exponential, Gamma, Geometric,
    Gumbel, HalfNormal, Independent, Laplace, LowRankMultivariateNormal, MultivariateNormal, Normal, OneHotCategorical,
    Pareto, Poisson, TransformedDistribution, Uniform,
};
use flambeau_autograd::{OrPanic, Tensor, ops};
use std::any::Any;
use std::f64::consts::PI;

/// `value` where the mask holds.
fn set(x: &Tensor, mask: &Tensor, value: f64) -> Tensor {
    ops::where_(mask, value, x).or_panic()
}

fn infinite(like: &Tensor) -> Tensor {
    like.full_like(f64::INFINITY)
}

fn x_log_x(x: &Tensor) -> Tensor {
    x.xlogy(x)
}

/// Finds the formula of two kinds of distributions: one row each.
macro_rules! formulas {
    ($p:ident, $q:ident; $($P:ty, $Q:ty => $formula:expr;)*) => {{
        let (any_p, any_q): (&dyn Any, &dyn Any) = ($p, $q);
        $(
            if let (Some(p), Some(q)) = (any_p.downcast_ref::<$P>(), any_q.downcast_ref::<$Q>()) {
                let formula: fn(&$P, &$Q) -> Tensor = $formula;
                return Some(formula(p, q));
            }
        )*
    }};
}

/// KL(p ‖ q) for these very kinds, if there is a formula.
pub(super) fn formula(p: &dyn Distribution, q: &dyn Distribution) -> Option<Tensor> {
    formulas! { p, q;
        Bernoulli, Bernoulli => bernoulli;
        Bernoulli, Poisson => |p, q| -p.entropy() - (p.probs() * q.rate().log() - q.rate());
        Beta, Beta => beta;
        Beta, ContinuousBernoulli => |p, q| {
            -p.entropy() - p.mean() * q.logits() - (-q.probs()).log1p() - q.log_norm()
        };
        Beta, Pareto => |p, _| infinite(&p.concentration1());
        Beta, Exponential => |p, q| -p.entropy() - q.rate().log() + q.rate() * p.mean();
        Beta, Gamma => beta_gamma;
        Beta, Normal => beta_normal;
        Beta, Uniform => |p, q| {
            let result = -p.entropy() + (q.high() - q.low()).log();
            set(&result, &(q.low().gt(0.0) | q.high().lt(1.0)), f64::INFINITY)
        };
        Binomial, Binomial => binomial;
        Categorical, Categorical => categorical;
        Cauchy, Cauchy => |p, q| {
            let t1 = ((p.scale() + q.scale()).pow(2) + (p.loc() - q.loc()).pow(2)).log();
            t1 - (4.0 * p.scale() * q.scale()).log()
        };
        ContinuousBernoulli, ContinuousBernoulli => |p, q| {
            let t1 = p.mean() * (p.logits() - q.logits());
            let t2 = p.log_norm() + (-p.probs()).log1p();
            t1 + t2 - q.log_norm() - (-q.probs()).log1p()
        };
        ContinuousBernoulli, Pareto => |p, _| infinite(p.probs());
        ContinuousBernoulli, Exponential => |p, q| -p.entropy() - q.rate().log() + q.rate() * p.mean();
        ContinuousBernoulli, Normal => |p, q| {
            let t2 = 0.5 * ((2.0 * PI).ln() + (q.loc() / q.scale()).square()) + q.scale().log();
            let mean = p.mean();
            let t3 = (p.variance() + mean.square() - 2.0 * q.loc() * &mean) / (2.0 * q.scale().square());
            -p.entropy() + t2 + t3
        };
        ContinuousBernoulli, Uniform => |p, q| {
            let result = -p.entropy() + (q.high() - q.low()).log();
            set(&result, &(q.low().ge(0.0) | q.high().le(1.0)), f64::INFINITY)
        };
        Dirichlet, Dirichlet => dirichlet;
        Exponential, Exponential => |p, q| {
            let ratio = q.rate() / p.rate();
            -ratio.log() + &ratio - 1.0
        };
        Exponential, Beta => |p, _| infinite(p.rate());
        Exponential, ContinuousBernoulli => |p, _| infinite(p.rate());
        Exponential, Pareto => |p, _| infinite(p.rate());
        Exponential, Uniform => |p, _| infinite(p.rate());
        Exponential, Gamma => |p, q| {
            let ratio = q.rate() / p.rate();
            let a = q.concentration();
            -a * ratio.log() + &ratio + a.lgamma() + a * EULER - (1.0 + EULER)
        };
        Exponential, Gumbel => |p, q| {
            let product = p.rate() * q.scale();
            let ratio = q.loc() / q.scale();
            let t2 = ratio.exp() * &product / (&product + 1.0);
            product.log() - 1.0 - &ratio + t2 + product.reciprocal()
        };
        Exponential, Normal => |p, q| {
            let (variance, square) = (q.scale().pow(2), p.rate().pow(2));
            let t1 = 0.5 * (&square * &variance * 2.0 * PI).log();
            let t4 = q.loc().pow(2) * 0.5;
            t1 - 1.0 + (square.reciprocal() - q.loc() / p.rate() + t4) / variance
        };
        Gamma, Gamma => |p, q| {
            let (a, b) = (p.concentration(), q.concentration());
            let t1 = b * (p.rate() / q.rate()).log();
            let t2 = b.lgamma() - a.lgamma();
            t1 + t2 + (a - b) * a.digamma() + (q.rate() - p.rate()) * (a / p.rate())
        };
        Gamma, Beta => |p, _| infinite(p.concentration());
        Gamma, ContinuousBernoulli => |p, _| infinite(p.concentration());
        Gamma, Pareto => |p, _| infinite(p.concentration());
        Gamma, Uniform => |p, _| infinite(p.concentration());
        Gamma, Exponential => |p, q| -p.entropy() - q.rate().log() + q.rate() * p.concentration() / p.rate();
        Gamma, Gumbel => gamma_gumbel;
        Gamma, Normal => gamma_normal;
        Geometric, Geometric => |p, q| -p.entropy() - (-q.probs()).log1p() / p.probs() - q.logits();
        Gumbel, Gumbel => |p, q| {
            let (ct1, ct2, ct3) = (p.scale() / q.scale(), q.loc() / q.scale(), p.loc() / q.scale());
            let t1 = -ct1.log() - &ct2 + &ct3;
            let t3 = (&ct2 + (1.0 + &ct1).lgamma() - &ct3).exp();
            t1 + &ct1 * EULER + t3 - (1.0 + EULER)
        };
        Gumbel, Beta => |p, _| infinite(p.loc());
        Gumbel, ContinuousBernoulli => |p, _| infinite(p.loc());
        Gumbel, Exponential => |p, _| infinite(p.loc());
        Gumbel, Gamma => |p, _| infinite(p.loc());
        Gumbel, Pareto => |p, _| infinite(p.loc());
        Gumbel, Uniform => |p, _| infinite(p.loc());
        Gumbel, Normal => |p, q| {
            let ratio = p.scale() / q.scale();
            let t1 = (&ratio / (2.0 * PI).sqrt()).log();
            let t2 = (PI * &ratio * 0.5).pow(2) / 3.0;
            let t3 = ((p.loc() + p.scale() * EULER - q.loc()) / q.scale()).pow(2) * 0.5;
            -t1 + t2 + t3 - (EULER + 1.0)
        };
        HalfNormal, HalfNormal => |p, q| of_normals(&p.scale().zeros_like(), p.scale(), &q.scale().zeros_like(), q.scale());
        Independent, Independent => independent;
        Laplace, Laplace => |p, q| {
            let ratio = p.scale() / q.scale();
            let apart = (p.loc() - q.loc()).abs();
            -ratio.log() + &apart / q.scale() + &ratio * (-&apart / p.scale()).exp() - 1.0
        };
        Laplace, Beta => |p, _| infinite(p.loc());
        Laplace, ContinuousBernoulli => |p, _| infinite(p.loc());
        Laplace, Exponential => |p, _| infinite(p.loc());
        Laplace, Gamma => |p, _| infinite(p.loc());
        Laplace, Pareto => |p, _| infinite(p.loc());
        Laplace, Uniform => |p, _| infinite(p.loc());
        Laplace, Normal => |p, q| {
            let variance = q.scale().pow(2);
            let ratio = p.scale().pow(2) / &variance;
            let t1 = 0.5 * (2.0 * &ratio / PI).log();
            let t234 = 0.5 * p.loc().pow(2) - p.loc() * q.loc() + 0.5 * q.loc().pow(2);
            -t1 + ratio + t234 / variance - 1.0
        };
        LowRankMultivariateNormal, LowRankMultivariateNormal => low_low;
        MultivariateNormal, LowRankMultivariateNormal => full_low;
        LowRankMultivariateNormal, MultivariateNormal => low_full;
        MultivariateNormal, MultivariateNormal => full_full;
        Normal, Normal => |p, q| of_normals(p.loc(), p.scale(), q.loc(), q.scale());
        Normal, Beta => |p, _| infinite(p.loc());
        Normal, ContinuousBernoulli => |p, _| infinite(p.loc());
        Normal, Exponential => |p, _| infinite(p.loc());
        Normal, Gamma => |p, _| infinite(p.loc());
        Normal, Pareto => |p, _| infinite(p.loc());
        Normal, Uniform => |p, _| infinite(p.loc());
        Normal, Gumbel => |p, q| {
            let mean = p.loc() / q.scale();
            let variance = (p.scale() / q.scale()).pow(2);
            let loc = q.loc() / q.scale();
            let t3 = (-&mean + 0.5 * &variance + &loc).exp();
            -(variance.log() * 0.5) + (mean - loc) + t3 - 0.5 * (1.0 + (2.0 * PI).ln())
        };
        Normal, Laplace => |p, q| {
            let apart = p.loc() - q.loc();
            let relative = &apart / p.scale();
            let t2 = (2.0 / PI).sqrt() * p.scale() * (-0.5 * relative.pow(2)).exp();
            let t3 = &apart * (0.5f64.sqrt() * &relative).erf();
            -(p.scale() / q.scale()).log() + (t2 + t3) / q.scale() - 0.5 * (1.0 + (0.5 * PI).ln())
        };
        OneHotCategorical, OneHotCategorical => |p, q| categorical(p.categorical(), q.categorical());
        Pareto, Pareto => |p, q| {
            let (scale, alpha) = (p.scale() / q.scale(), q.alpha() / p.alpha());
            let result = q.alpha() * scale.log() - alpha.log() + &alpha - 1.0;
            set(&result, &p.scale().lt(q.scale()), f64::INFINITY)
        };
        Pareto, Beta => |p, _| infinite(p.scale());
        Pareto, ContinuousBernoulli => |p, _| infinite(p.scale());
        Pareto, Uniform => |p, _| infinite(p.scale());
        Pareto, Exponential => |p, q| {
            let product = p.scale() * q.rate();
            let t3 = p.alpha() * &product / (p.alpha() - 1.0);
            let result = (p.alpha() / &product).log() - p.alpha().reciprocal() + t3 - 1.0;
            set(&result, &p.alpha().le(1), f64::INFINITY)
        };
        Pareto, Gamma => pareto_gamma;
        Pareto, Normal => pareto_normal;
        Poisson, Poisson => |p, q| p.rate() * (p.rate().log() - q.rate().log()) - (p.rate() - q.rate());
        Poisson, Bernoulli => |p, _| infinite(p.rate());
        Poisson, Binomial => |p, _| infinite(p.rate());
        TransformedDistribution, TransformedDistribution => transformed;
        Uniform, Uniform => |p, q| {
            let result = ((q.high() - q.low()) / (p.high() - p.low())).log();
            set(&result, &(q.low().gt(p.low()) | q.high().lt(p.high())), f64::INFINITY)
        };
        Uniform, Beta => uniform_beta;
        Uniform, ContinuousBernoulli => |p, q| {
            let result = -p.entropy() - p.mean() * q.logits() - (-q.probs()).log1p() - q.log_norm();
            set(&result, &(p.high().ge(1.0) | p.low().le(0.0)), f64::INFINITY)
        };
        Uniform, Exponential => |p, q| {
            let result = q.rate() * (p.high() + p.low()) / 2.0 - ((p.high() - p.low()) * q.rate()).log();
            set(&result, &p.low().lt(0.0), f64::INFINITY)
        };
        Uniform, Gamma => uniform_gamma;
        Uniform, Gumbel => |p, q| {
            let common = q.scale() / (p.high() - p.low());
            let (high, low) = ((p.high() - q.loc()) / q.scale(), (p.low() - q.loc()) / q.scale());
            let t1 = common.log() + 0.5 * (&high + &low);
            t1 - common * ((-high).exp() - (-low).exp())
        };
        Uniform, Normal => |p, q| {
            let common = p.high() - p.low();
            let t1 = ((PI * 2.0).sqrt() * q.scale() / &common).log();
            let t3 = ((p.high() + p.low() - 2.0 * q.loc()) / 2.0).pow(2);
            t1 + 0.5 * (common.pow(2) / 12.0 + t3) / q.scale().pow(2)
        };
        Uniform, Pareto => |p, q| {
            let length = p.high() - p.low();
            let t1 = (q.alpha() * q.scale().pow(q.alpha()) * &length).log();
            let t2 = (x_log_x(p.high()) - x_log_x(p.low()) - &length) / &length;
            set(&(t2 * (q.alpha() + 1.0) - t1), &p.low().lt(q.scale()), f64::INFINITY)
        };
    }
    None
}

fn bernoulli(p: &Bernoulli, q: &Bernoulli) -> Tensor {
    let t1 = p.probs() * (softplus(&-q.logits()) - softplus(&-p.logits()));
    let t1 = set(&set(&t1, &q.probs().eq(0), f64::INFINITY), &p.probs().eq(0), 0.0);
    let t2 = (1.0 - p.probs()) * (softplus(q.logits()) - softplus(p.logits()));
    let t2 = set(&set(&t2, &q.probs().eq(1), f64::INFINITY), &p.probs().eq(1), 0.0);
    t1 + t2
}

fn beta(p: &Beta, q: &Beta) -> Tensor {
    let (p1, p0, q1, q0) = (p.concentration1(), p.concentration0(), q.concentration1(), q.concentration0());
    let (sum_p, sum_q) = (&p1 + &p0, &q1 + &q0);
    let t1 = q1.lgamma() + q0.lgamma() + sum_p.lgamma();
    let t2 = p1.lgamma() + p0.lgamma() + sum_q.lgamma();
    let t3 = (&p1 - &q1) * p1.digamma();
    let t4 = (&p0 - &q0) * p0.digamma();
    t1 - t2 + t3 + t4 + (sum_q - &sum_p) * sum_p.digamma()
}

fn beta_gamma(p: &Beta, q: &Gamma) -> Tensor {
    let (p1, p0, a) = (p.concentration1(), p.concentration0(), q.concentration());
    let t2 = a.lgamma() - a * q.rate().log();
    let t3 = (a - 1.0) * (p1.digamma() - (&p1 + &p0).digamma());
    -p.entropy() + t2 - t3 + q.rate() * &p1 / (&p1 + &p0)
}

fn beta_normal(p: &Beta, q: &Normal) -> Tensor {
    let sum = p.concentration1() + p.concentration0();
    let mean = p.mean();
    let variance = q.scale().pow(2);
    let t2 = 0.5 * (&variance * 2.0 * PI).log();
    let t3 = (&mean * (1.0 - &mean) / (sum + 1.0) + mean.pow(2)) * 0.5;
    -p.entropy() + t2 + (t3 - q.loc() * &mean + q.loc().pow(2) * 0.5) / variance
}

fn binomial(p: &Binomial, q: &Binomial) -> Tensor {
    if p.total_count().lt(q.total_count()).any().item_as::<bool>() {
        fail::other("KL between Binomials where q.total_count > p.total_count is not implemented");
    }
    let kl = p.total_count() * (p.probs() * (p.logits() - q.logits()) + (-p.probs()).log1p() - (-q.probs()).log1p());
    set(&kl, &p.total_count().gt(q.total_count()), f64::INFINITY)
}

fn categorical(p: &Categorical, q: &Categorical) -> Tensor {
    let t = p.probs() * (p.logits() - q.logits());
    let t = set(&t, &q.probs().eq(0), f64::INFINITY);
    set(&t, &p.probs().eq(0), 0.0).sum_dim(-1, false)
}

fn dirichlet(p: &Dirichlet, q: &Dirichlet) -> Tensor {
    let (a, b) = (p.concentration(), q.concentration());
    let (sum_a, sum_b) = (a.sum_dim(-1, false), b.sum_dim(-1, false));
    let t1 = sum_a.lgamma() - sum_b.lgamma();
    let t2 = (a.lgamma() - b.lgamma()).sum_dim(-1, false);
    let t4 = a.digamma() - sum_a.digamma().unsqueeze(-1);
    t1 - t2 + ((a - b) * t4).sum_dim(-1, false)
}

fn gamma_gumbel(p: &Gamma, q: &Gumbel) -> Tensor {
    let a = p.concentration();
    let product = p.rate() * q.scale();
    let ratio = q.loc() / q.scale();
    let t1 = (a - 1.0) * a.digamma() - a.lgamma() - a;
    let t2 = product.log() + a / &product;
    t1 + t2 + ratio.exp() * (1.0 + product.reciprocal()).pow(-a) - ratio
}

fn gamma_normal(p: &Gamma, q: &Normal) -> Tensor {
    let a = p.concentration();
    let (variance, square) = (q.scale().pow(2), p.rate().pow(2));
    let t1 = 0.5 * (&square * &variance * 2.0 * PI).log() - a - a.lgamma();
    let t2 = 0.5 * (a.pow(2) + a) / square;
    let t3 = q.loc() * a / p.rate();
    t1 + (a - 1.0) * a.digamma() + (t2 - t3 + 0.5 * q.loc().pow(2)) / variance
}

fn of_normals(loc_p: &Tensor, scale_p: &Tensor, loc_q: &Tensor, scale_q: &Tensor) -> Tensor {
    let ratio = (scale_p / scale_q).pow(2);
    let t1 = ((loc_p - loc_q) / scale_q).pow(2);
    0.5 * (&ratio + t1 - 1.0 - ratio.log())
}

fn independent(p: &Independent, q: &Independent) -> Tensor {
    let dims = p.reinterpreted_batch_ndims();
    if dims != q.reinterpreted_batch_ndims() {
        fail::other("NotImplementedError: no KL of Independents with different numbers of reinterpreted dimensions");
    }
    sum_rightmost(divergence(p.base_dist(), q.base_dist()), dims)
}

fn transformed(p: &TransformedDistribution, q: &TransformedDistribution) -> Tensor {
    if p.transforms() != q.transforms() {
        fail::other("NotImplementedError: no KL of distributions with different transforms");
    }
    if p.event_shape() != q.event_shape() {
        fail::other("NotImplementedError: no KL of transformed distributions with different event shapes");
    }
    divergence(p.base_dist(), q.base_dist())
}

fn pareto_gamma(p: &Pareto, q: &Gamma) -> Tensor {
    let a = q.concentration();
    let common = p.scale().log() + p.alpha().reciprocal();
    let t1 = p.alpha().log() - &common;
    let t2 = a.lgamma() - a * q.rate().log();
    let t4 = q.rate() * p.alpha() * p.scale() / (p.alpha() - 1.0);
    let result = t1 + t2 + (1.0 - a) * common + t4 - 1.0;
    set(&result, &p.alpha().le(1), f64::INFINITY)
}

fn pareto_normal(p: &Pareto, q: &Normal) -> Tensor {
    let variance = 2.0 * q.scale().pow(2);
    let common = p.scale() / (p.alpha() - 1.0);
    let t1 = ((2.0 * PI).sqrt() * q.scale() * p.alpha() / p.scale()).log();
    let t3 = p.alpha() * common.pow(2) / (p.alpha() - 2.0);
    let t4 = (p.alpha() * &common - q.loc()).pow(2);
    let result = t1 - p.alpha().reciprocal() + (t3 + t4) / variance - 1.0;
    set(&result, &p.alpha().le(2), f64::INFINITY)
}

fn uniform_beta(p: &Uniform, q: &Beta) -> Tensor {
    let (q1, q0) = (q.concentration1(), q.concentration0());
    let length = p.high() - p.low();
    let t2 = (&q1 - 1.0) * (x_log_x(p.high()) - x_log_x(p.low()) - &length) / &length;
    let (from_high, from_low) = (1.0 - p.high(), 1.0 - p.low());
    let t3 = (&q0 - 1.0) * (x_log_x(&from_high) - x_log_x(&from_low) + &length) / &length;
    let t4 = q1.lgamma() + q0.lgamma() - (q1 + q0).lgamma();
    let result = t3 + t4 - length.log() - t2;
    set(&result, &(p.high().gt(1.0) | p.low().lt(0.0)), f64::INFINITY)
}

fn uniform_gamma(p: &Uniform, q: &Gamma) -> Tensor {
    let a = q.concentration();
    let length = p.high() - p.low();
    let t2 = a.lgamma() - a * q.rate().log();
    let t3 = (1.0 - a) * (x_log_x(p.high()) - x_log_x(p.low()) - &length) / &length;
    let result = -length.log() + t2 + t3 + q.rate() * (p.high() + p.low()) / 2.0;
    set(&result, &p.low().lt(0.0), f64::INFINITY)
}

/// The trace of X Xᵀ.
fn trace(x: &Tensor) -> Tensor {
    sum_rightmost(x.pow(2), 2)
}

fn same_events(p: &dyn Distribution, q: &dyn Distribution, what: &str) {
    if p.event_shape() != q.event_shape() {
        fail::value(format!(
            "KL-divergence between two {what} with                          different event shapes cannot be computed"
        ));
    }
}

fn side(p: &dyn Distribution) -> f64 {
    p.frame().event()[0] as f64
}

fn full_full(p: &MultivariateNormal, q: &MultivariateNormal) -> Tensor {
    same_events(p, q, "Multivariate Normals");
    let (lp, lq) = (p.factor(), q.factor());
    let half = half_log_det(lq) - half_log_det(lp);
    let spread = trace(&solve_lower(lq, lp));
    half + 0.5 * (spread + mahalanobis(lq, &(q.loc() - p.loc())) - side(p))
}

fn low_low(p: &LowRankMultivariateNormal, q: &LowRankMultivariateNormal) -> Tensor {
    same_events(p, q, "Low Rank Multivariate Normals");
    let term1 = logdet(q) - logdet(p);
    let term3 = mahalanobis_of(q, &(q.loc() - p.loc()));
    let ((wp, dp), (_, dq)) = (p.parts(), q.parts());
    let a = q.reduced();
    let term21 = (dp / dq).sum_dim(-1, false);
    let term22 = trace(&(wp * dq.rsqrt().unsqueeze(-1)));
    let term23 = trace(&(&a * dp.sqrt().unsqueeze(-2)));
    let term24 = trace(&a.matmul(wp));
    0.5 * (term1 + (term21 + term22 - term23 - term24) + term3 - side(p))
}

fn full_low(p: &MultivariateNormal, q: &LowRankMultivariateNormal) -> Tensor {
    same_events(p, q, "(Low Rank) Multivariate Normals");
    let l = p.factor();
    let term1 = logdet(q) - 2.0 * diagonal(l).log().sum_dim(-1, false);
    let term3 = mahalanobis_of(q, &(q.loc() - p.loc()));
    let (_, dq) = q.parts();
    let term21 = trace(&(l * dq.rsqrt().unsqueeze(-1)));
    let term22 = trace(&q.reduced().matmul(l));
    0.5 * (term1 + (term21 - term22) + term3 - side(p))
}

fn low_full(p: &LowRankMultivariateNormal, q: &MultivariateNormal) -> Tensor {
    same_events(p, q, "(Low Rank) Multivariate Normals");
    let (l, (w, d)) = (q.factor(), p.parts());
    let term1 = 2.0 * diagonal(l).log().sum_dim(-1, false) - logdet(p);
    let term3 = mahalanobis(l, &(q.loc() - p.loc()));
    let term21 = trace(&solve_lower(l, w));
    let term22 = trace(&solve_lower(l, &d.sqrt().diag_embed()));
    0.5 * (term1 + (term21 + term22) + term3 - side(p))
}
