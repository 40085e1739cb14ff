//! Kullback–Leibler divergences: `torch.distributions.kl`.

mod pairs;

use crate::distribution::Distribution;
use crate::{
    Bernoulli, Beta, Chi2, ContinuousBernoulli, Dirichlet, Exponential, ExponentialFamily, Gamma, Normal, Poisson,
    Wishart, fail,
};
use flambeau_autograd::{Tensor, at_caller};
use std::any::{Any, TypeId};
use std::sync::{Arc, PoisonError, RwLock};

impl ExponentialFamily for Bernoulli {}
impl ExponentialFamily for Beta {}
impl ExponentialFamily for Chi2 {}
impl ExponentialFamily for ContinuousBernoulli {}
impl ExponentialFamily for Dirichlet {}
impl ExponentialFamily for Exponential {}
impl ExponentialFamily for Gamma {}
impl ExponentialFamily for Normal {}
impl ExponentialFamily for Poisson {}
impl ExponentialFamily for Wishart {}

type Pair = (TypeId, TypeId);
type Divergence = Arc<dyn Fn(&dyn Distribution, &dyn Distribution) -> Tensor + Send + Sync>;

/// What [`register_kl`] was given, the last first.
static REGISTERED: RwLock<Vec<(Pair, Divergence)>> = RwLock::new(Vec::new());

/// Has [`kl_divergence`] of these two kinds of distributions call `f`: the decorator `torch.distributions.kl.register_kl`.
///
/// ```
/// use torch::distributions::{Laplace, StudentT, kl_divergence, register_kl};
/// register_kl(|p: &Laplace, q: &StudentT| p.loc() - q.loc());
/// let kl = kl_divergence(&Laplace::new(3.0, 1.0), &StudentT::new(1.0, 2.0, 1.0));
/// assert_eq!(kl.item(), 1.0);
/// ```
pub fn register_kl<P: Distribution, Q: Distribution>(f: impl Fn(&P, &Q) -> Tensor + Send + Sync + 'static) {
    let call: Divergence = Arc::new(move |p, q| {
        let (p, q): (&dyn Any, &dyn Any) = (p, q);
        f(p.downcast_ref().expect("found by its type"), q.downcast_ref().expect("found by its type"))
    });
    let mut all = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    all.insert(0, ((TypeId::of::<P>(), TypeId::of::<Q>()), call));
}

/// A distribution and what it is a case of, itself first.
fn lineage(d: &dyn Distribution) -> Vec<&dyn Distribution> {
    std::iter::successors(Some(d), |d| d.parent()).collect()
}

/// The Kullback–Leibler divergence KL(p ‖ q) = E_p[log p − log q]: `torch.distributions.kl_divergence(p, q)`.
///
/// # Panics
/// For pairs that have no formula.
///
/// ```
/// use torch::distributions::{Normal, kl_divergence};
/// let (p, q) = (Normal::new(0.0, 1.0), Normal::new(1.0, 1.0));
/// assert_eq!(kl_divergence(&p, &q).item(), 0.5);
/// ```
#[track_caller]
pub fn kl_divergence(p: &dyn Distribution, q: &dyn Distribution) -> Tensor {
    at_caller(|| divergence(p, q))
}

/// [`kl_divergence`] within the library.
pub(crate) fn divergence(p: &dyn Distribution, q: &dyn Distribution) -> Tensor {
    // The nearest pair of kinds, p's first, as PyTorch's registry of classes finds it.
    for p in lineage(p) {
        for q in lineage(q) {
            if let Some(found) = registered(p, q).or_else(|| pairs::formula(p, q)) {
                return found;
            }
        }
    }
    if p.is_exponential_family() && q.is_exponential_family() {
        return family(p, q);
    }
    fail::other(format!("No KL(p || q) is implemented for p type {} and q type {}", p.class(), q.class()))
}

fn registered(p: &dyn Distribution, q: &dyn Distribution) -> Option<Tensor> {
    let pair = (Any::type_id(p), Any::type_id(q));
    let found = {
        let all = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(types, _)| *types == pair).map(|(_, f)| f.clone())
    };
    found.map(|f| f(p, q))
}

/// Two distributions of one exponential family, by the gradient of its normaliser. All families but Wishart's have a formula.
fn family(p: &dyn Distribution, q: &dyn Distribution) -> Tensor {
    let (a, b): (&dyn Any, &dyn Any) = (p, q);
    let (Some(p), Some(q)) = (a.downcast_ref::<Wishart>(), b.downcast_ref::<Wishart>()) else {
        fail::other(
            "The cross KL-divergence between different exponential families cannot                             be computed \
             using Bregman divergences",
        )
    };
    let _guard = flambeau_autograd::enable_grad();
    let of_p = p.natural_parameters().map(|x| x.detach().requires_grad_(true));
    let of_q = q.natural_parameters();
    let log = p.log_normalizer(&of_p[0], &of_p[1]);
    let slopes = flambeau_autograd::gradients::grad_with(log.sum(), &of_p[..], |o| o.create_graph(true));
    let mut result = q.log_normalizer(&of_q[0], &of_q[1]) - &log;
    for ((a, b), slope) in of_p.iter().zip(&of_q).zip(&slopes) {
        // PyTorch sums the last dimensions of both, those of the degrees of freedom too, where there are any.
        let term = (b - a) * slope;
        result = result.sub(crate::value::sum_rightmost(term, q.frame().event().len()));
    }
    result
}
