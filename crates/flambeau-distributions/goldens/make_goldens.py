"""Draws random configurations of every distribution, transform, constraint and divergence, and writes what PyTorch makes of them.

    python make_goldens.py

Each line of a file is one case; `tests/goldens.rs` runs them all.
"""

import gzip
import json
import math
import pathlib
import random
import warnings

import torch
import torch.distributions as D
from torch.distributions import constraints as C
from torch.distributions import transforms as T

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
rng = random.Random(12)


def number(x):
    if isinstance(x, bool) or isinstance(x, int):
        return x
    if math.isnan(x):
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    return x


def tensor(t):
    dtype = str(t.dtype).split(".")[1]
    # Nine digits tell single floats apart.
    short = lambda x: float(f"{x:.9g}") if dtype == "float32" else x
    return {"dtype": dtype, "shape": list(t.shape), "data": [number(short(x)) for x in t.detach().reshape(-1).tolist()]}


class Spec:
    """A distribution as data: its class and arguments, numbers, tensors, other distributions or transforms."""

    def __init__(self, name, validate=None, **args):
        self.name, self.args, self.validate = name, args, validate

    def json(self):
        encode = lambda v: (
            {"tensor": tensor(v), "grad": v.requires_grad} if isinstance(v, torch.Tensor)
            else {"dist": v.json()} if isinstance(v, Spec)
            else {"transforms": [t.json() for t in v]} if isinstance(v, list)
            else {"number": number(v)}
        )
        return {"class": self.name, "args": {k: encode(v) for k, v in self.args.items()}, "validate": self.validate}

    def build(self):
        make = lambda v: v.build() if isinstance(v, Spec) else [t.build() for t in v] if isinstance(v, list) else v
        cls = getattr(D, self.name, None) or getattr(D.relaxed_bernoulli, self.name, None) or getattr(D.relaxed_categorical, self.name)
        kwargs = {} if self.validate is None else {"validate_args": self.validate}
        return cls(**{k: make(v) for k, v in self.args.items()}, **kwargs)

    def leaves(self):
        found = []
        for _, v in sorted(self.args.items()):
            if isinstance(v, torch.Tensor) and v.requires_grad:
                found.append(v)
            elif isinstance(v, Spec):
                found += v.leaves()
            elif isinstance(v, list):
                found += [leaf for t in v for leaf in t.leaves()]
        return found


class TSpec:
    """A transform as data."""

    def __init__(self, name, **args):
        self.name, self.args = name, args

    def json(self):
        encode = lambda v: (
            {"tensor": tensor(v), "grad": v.requires_grad} if isinstance(v, torch.Tensor)
            else {"dist": v.json()} if isinstance(v, Spec)
            else {"transform": v.json()} if isinstance(v, TSpec)
            else {"transforms": [t.json() for t in v]} if isinstance(v, list) and v and isinstance(v[0], TSpec)
            else {"list": v} if isinstance(v, (list, tuple))
            else {"number": v}
        )
        return {"class": self.name, "args": {k: encode(v) for k, v in self.args.items()}}

    def build(self):
        if self.name == "inv":
            return self.args["of"].build().inv
        make = lambda v: v.build() if isinstance(v, (Spec, TSpec)) else [t.build() for t in v] if isinstance(v, list) and v and isinstance(v[0], TSpec) else v
        return getattr(T, self.name)(**{k: make(v) for k, v in self.args.items()})

    def leaves(self):
        found = []
        for _, v in sorted(self.args.items()):
            if isinstance(v, torch.Tensor) and v.requires_grad:
                found.append(v)
            elif isinstance(v, (Spec, TSpec)):
                found += v.leaves()
            elif isinstance(v, list) and v and isinstance(v[0], TSpec):
                found += [leaf for t in v for leaf in t.leaves()]
        return found


dtype = torch.float32


def leaf(t):
    return t.to(dtype).detach().requires_grad_(True)


def shape():
    return rng.choice([(), (3,), (2, 3), (1,), (2, 1)])


def real(s=None):
    return leaf(torch.randn(shape() if s is None else s) * 1.5)


def positive(s=None, low=0.2, high=3.0):
    return leaf(torch.rand(shape() if s is None else s) * (high - low) + low)


def unit(s=None):
    return leaf(torch.rand(shape() if s is None else s) * 0.9 + 0.05)


def maybe(t, value):
    """A tensor, or a number in its place."""
    return value if rng.random() < 0.25 else t


def chance(s=None):
    return {"probs": maybe(unit(s), 0.3)} if rng.random() < 0.5 else {"logits": maybe(real(s), 0.0)}


def away_from_half():
    """Near one half the formulas have no digits left, in PyTorch either; at it there is a series."""
    u = torch.rand(shape()) * 0.3 + 0.05
    u = torch.where(torch.rand(u.shape) < 0.5, u, 1 - u)
    return rng.choice([{"probs": leaf(u)}, {"logits": leaf(torch.logit(u))}, {"probs": 0.5}, {"probs": 0.2}])


def simplex(s=None):
    s = s if s is not None else rng.choice([(), (2,), (2, 1)])
    n = rng.choice([2, 3, 4])
    return {"probs": positive(s + (n,))} if rng.random() < 0.5 else {"logits": real(s + (n,))}


def matrix(s, n):
    a = torch.randn(s + (n, n), dtype=torch.float64)
    return a @ a.mT + n * torch.eye(n, dtype=torch.float64)


def form(s, n):
    m = matrix(s, n)
    kind = rng.choice(["covariance_matrix", "precision_matrix", "scale_tril"])
    return {kind: leaf(torch.linalg.cholesky(m) if kind == "scale_tril" else m)}


def vector(s, n):
    return real(s + (n,))


def normal():
    return Spec("Normal", loc=maybe(real(), 0.5), scale=maybe(positive(), 2))


def transforms():
    s = rng.choice([(), (3,)])
    choices = [
        lambda: [TSpec("ExpTransform")],
        lambda: [TSpec("AffineTransform", loc=maybe(real(s), 1), scale=maybe(positive(s), -2.5))],
        lambda: [TSpec("SigmoidTransform")],
        lambda: [TSpec("TanhTransform")],
        lambda: [TSpec("SoftplusTransform"), TSpec("PowerTransform", exponent=maybe(positive(s), 2))],
        lambda: [TSpec("AffineTransform", loc=0.5, scale=positive(s)), TSpec("ExpTransform"), TSpec("inv", of=TSpec("ExpTransform"))],
        lambda: [TSpec("ComposeTransform", parts=[TSpec("ExpTransform"), TSpec("AffineTransform", loc=1.0, scale=2.0)])],
    ]
    return rng.choice(choices)()


def pair(s=None):
    s = rng.choice([(), (2,)])
    n = rng.choice([2, 3])
    return s, n


def mixture():
    s = rng.choice([(), (2,)])
    k = rng.choice([2, 3])
    mix = Spec("Categorical", **({"probs": positive(s + (k,))} if rng.random() < 0.5 else {"logits": real(s + (k,))}))
    kind = rng.random()
    if kind < 0.5:
        comp = Spec("Normal", loc=real(s + (k,)), scale=positive(s + (k,)))
    elif kind < 0.75:
        comp = Spec("Independent", base_distribution=Spec("Normal", loc=real(s + (k, 2)), scale=positive(s + (k, 2))), reinterpreted_batch_ndims=1)
    else:
        comp = Spec("Exponential", rate=positive(s + (k,)))
    return Spec("MixtureSameFamily", mixture_distribution=mix, component_distribution=comp)


MAKERS = {
    "Normal": normal,
    "Laplace": lambda: Spec("Laplace", loc=maybe(real(), 0.5), scale=maybe(positive(), 2)),
    "Uniform": lambda: (lambda s: Spec("Uniform", low=maybe(leaf(-torch.rand(s)), -0.5), high=maybe(positive(s), 2)))(shape()),
    "Cauchy": lambda: Spec("Cauchy", loc=maybe(real(), 0.5), scale=maybe(positive(), 2)),
    "StudentT": lambda: Spec("StudentT", df=maybe(positive(high=6.0), 3), loc=maybe(real(), 0.5), scale=maybe(positive(), 2)),
    "Exponential": lambda: Spec("Exponential", rate=maybe(positive(), 2)),
    "Gamma": lambda: Spec("Gamma", concentration=maybe(positive(high=12.0), 2), rate=maybe(positive(), 0.5)),
    "Chi2": lambda: Spec("Chi2", df=maybe(positive(high=8.0), 3)),
    "FisherSnedecor": lambda: Spec("FisherSnedecor", df1=maybe(positive(high=8.0), 3), df2=maybe(positive(high=9.0), 5)),
    "Beta": lambda: Spec("Beta", concentration1=maybe(positive(high=8.0), 2), concentration0=maybe(positive(high=8.0), 0.5)),
    "Dirichlet": lambda: Spec("Dirichlet", concentration=positive(rng.choice([(3,), (2, 4), (2, 1, 2)]), high=5.0)),
    "GeneralizedPareto": lambda: Spec("GeneralizedPareto", loc=maybe(real(), 0.0), scale=maybe(positive(), 2.0), concentration=maybe(real(), 0.0)),
    "VonMises": lambda: Spec("VonMises", loc=maybe(real(), 0.5), concentration=maybe(positive(high=8.0), 2.0)),
    "ContinuousBernoulli": lambda: Spec("ContinuousBernoulli", **away_from_half()),
    "LogNormal": lambda: Spec("LogNormal", loc=maybe(real(), 0.5), scale=maybe(positive(), 0.5)),
    "HalfNormal": lambda: Spec("HalfNormal", scale=maybe(positive(), 2)),
    "HalfCauchy": lambda: Spec("HalfCauchy", scale=maybe(positive(), 2)),
    "Gumbel": lambda: Spec("Gumbel", loc=maybe(real(), 0.5), scale=maybe(positive(), 2)),
    "Weibull": lambda: Spec("Weibull", scale=maybe(positive(), 2), concentration=maybe(positive(), 1.5)),
    "Pareto": lambda: Spec("Pareto", scale=maybe(positive(), 1.5), alpha=maybe(positive(), 2.5)),
    "Kumaraswamy": lambda: Spec("Kumaraswamy", concentration1=maybe(positive(), 1.5), concentration0=maybe(positive(), 2.5)),
    "InverseGamma": lambda: Spec("InverseGamma", concentration=maybe(positive(high=5.0), 1.5), rate=maybe(positive(), 2.5)),
    "Bernoulli": lambda: Spec("Bernoulli", **chance()),
    "Geometric": lambda: Spec("Geometric", **chance()),
    "Binomial": lambda: Spec("Binomial", total_count=rng.choice([1, 5, 40, torch.tensor([3.0, 3.0, 3.0]).to(dtype), torch.tensor([2.0, 30.0, 7.0]).to(dtype)]), **chance(rng.choice([(), (3,), (2, 3)]))),
    "NegativeBinomial": lambda: Spec("NegativeBinomial", total_count=rng.choice([1, 5, torch.tensor([3.0, 0.5, 3.0]).to(dtype)]), **chance(rng.choice([(3,), (2, 3)]))),
    "Poisson": lambda: Spec("Poisson", rate=maybe(positive(high=30.0), 4.0)),
    "Categorical": lambda: Spec("Categorical", **simplex()),
    "OneHotCategorical": lambda: Spec("OneHotCategorical", **simplex()),
    "OneHotCategoricalStraightThrough": lambda: Spec("OneHotCategoricalStraightThrough", **simplex()),
    "Multinomial": lambda: Spec("Multinomial", total_count=rng.choice([1, 4, 10]), **simplex()),
    "RelaxedBernoulli": lambda: Spec("RelaxedBernoulli", temperature=positive((), low=0.3), **chance()),
    "LogitRelaxedBernoulli": lambda: Spec("LogitRelaxedBernoulli", temperature=positive((), low=0.3), **chance()),
    "RelaxedOneHotCategorical": lambda: Spec("RelaxedOneHotCategorical", temperature=positive((), low=0.4), **simplex()),
    "ExpRelaxedCategorical": lambda: Spec("ExpRelaxedCategorical", temperature=positive((), low=0.4), **simplex()),
    "MultivariateNormal": lambda: (lambda s, n: Spec("MultivariateNormal", loc=vector(rng.choice([(), s]), n), **form(rng.choice([(), s]), n)))(*pair()),
    "LowRankMultivariateNormal": lambda: (lambda s, n: Spec("LowRankMultivariateNormal", loc=vector(rng.choice([(), s]), n), cov_factor=real(s + (n, 2)), cov_diag=positive(rng.choice([(), s]) + (n,))))(*pair()),
    "LogisticNormal": lambda: (lambda s, n: Spec("LogisticNormal", loc=vector(s, n), scale=positive(s + (n,))))(*pair()),
    "LKJCholesky": lambda: Spec("LKJCholesky", dim=rng.choice([2, 3, 4]), concentration=maybe(positive(), 1.5)),
    "Wishart": lambda: (lambda s, n: Spec("Wishart", df=maybe(positive(s, low=n + 0.5, high=n + 4.0), n + 2), **form(s, n)))(*pair()),
    "Independent": lambda: rng.choice([
        lambda: Spec("Independent", base_distribution=Spec("Normal", loc=real((2, 3)), scale=positive((3,))), reinterpreted_batch_ndims=rng.choice([0, 1, 2])),
        lambda: Spec("Independent", base_distribution=Spec("Bernoulli", **chance((2, 3))) , reinterpreted_batch_ndims=rng.choice([0, 1])),
        lambda: Spec("Independent", base_distribution=Spec("Gamma", concentration=positive((2, 3)), rate=positive((2, 1))), reinterpreted_batch_ndims=1),
    ])(),
    "MixtureSameFamily": mixture,
    "TransformedDistribution": lambda: Spec("TransformedDistribution", base_distribution=Spec("Normal", loc=real(rng.choice([(), (3,), (2, 3)])), scale=positive(())), transforms=transforms()),
}


def attempt(f):
    try:
        out = f()
        return out
    except NotImplementedError as e:
        return {"error": str(e)}
    except (ValueError, RuntimeError, AssertionError, IndexError) as e:
        return {"error": str(e)}


def weights(t):
    return (torch.arange(t.numel(), dtype=torch.float64).reshape(t.shape) * 0.37).sin().to(t.dtype) + 1.1


def gradients(out, leaves):
    """Of a weighted sum of what is finite."""
    if not isinstance(out, torch.Tensor) or not out.requires_grad:
        return None
    finite = torch.isfinite(out.detach())
    total = (torch.where(finite, out, torch.zeros_like(out)) * weights(out)).sum()
    try:
        return [None if g is None else tensor(g) for g in torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)]
    except RuntimeError as e:
        return {"error": str(e)}


def answer(f, leaves):
    out = attempt(f)
    if isinstance(out, dict):
        return out
    grads = gradients(out, leaves)
    return {"value": tensor(out), "grads": grads}


def case(name, seed):
    torch.manual_seed(seed)
    spec = MAKERS[name]()
    row = {"kind": "distribution", "seed": seed, "spec": spec.json()}
    d = attempt(spec.build)
    if isinstance(d, dict):
        return {**row, **d}
    leaves = spec.leaves()
    row["repr"] = repr(d)
    row["batch_shape"], row["event_shape"] = list(d.batch_shape), list(d.event_shape)
    row["has_rsample"] = bool(d.has_rsample)
    row["has_enumerate_support"] = bool(d.has_enumerate_support)
    row["support"] = repr(d.support)
    row["constraints"] = [[k, repr(v)] for k, v in d.arg_constraints.items()]
    asks = {}
    for ask in ["mean", "mode", "variance", "stddev"]:
        asks[ask] = answer(lambda: getattr(d, ask), leaves)
    for ask in ["entropy", "perplexity"]:
        asks[ask] = answer(getattr(d, ask), leaves)
    if d.has_enumerate_support:
        asks["enumerate_support"] = answer(lambda: d.enumerate_support(), leaves)
        asks["enumerate_flat"] = answer(lambda: d.enumerate_support(expand=False), leaves)
    draws = rng.choice([(), (2,), (2, 2), (5,)])
    row["draws"] = list(draws)
    torch.manual_seed(seed + 1)
    asks["sample"] = answer(lambda: d.sample(draws), leaves)
    torch.manual_seed(seed + 2)
    asks["rsample"] = answer(lambda: d.rsample(draws), leaves)
    torch.manual_seed(seed + 3)
    value = attempt(lambda: d.sample(draws))
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and d.has_rsample:
            value.requires_grad_(True)
        row["value"] = tensor(value)
        inputs = leaves + ([value] if value.requires_grad else [])
        asks["log_prob"] = answer(lambda: d.log_prob(value), inputs)
        asks["cdf"] = answer(lambda: d.cdf(value), inputs)
    p = torch.rand(draws + tuple(d.batch_shape), dtype=dtype) * 0.96 + 0.02
    row["p"] = tensor(p)
    if not d.event_shape:
        asks["icdf"] = answer(lambda: d.icdf(p), leaves)
    batch = (4,) + tuple(d.batch_shape)
    def after():
        e = d.expand(batch)
        assert tuple(e.batch_shape) == batch
        return e.log_prob(value)
    row["expand"] = list(batch)
    if isinstance(value, torch.Tensor) and len(draws) == 0:
        asks["expanded"] = answer(after, inputs)
        torch.manual_seed(seed + 4)
        asks["expanded_sample"] = answer(lambda: d.expand(batch).sample(), [])
    row["repr_after"] = repr(d)
    row["asks"] = asks
    return row


def kl_cases():
    rows = []
    base = ["Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "ContinuousBernoulli", "Dirichlet", "Exponential", "Gamma",
            "Geometric", "Gumbel", "HalfNormal", "Laplace", "LowRankMultivariateNormal", "MultivariateNormal", "Normal",
            "OneHotCategorical", "Pareto", "Poisson", "Uniform", "LogNormal", "Chi2", "Wishart", "StudentT", "Weibull", "HalfCauchy",
            "InverseGamma", "OneHotCategoricalStraightThrough", "VonMises"]
    global dtype
    for dtype in [torch.float32, torch.float64]:
        for i, a in enumerate(base):
            for j, b in enumerate(base):
                same = a == b
                for k in range(3 if same else 1):
                    if not same and dtype == torch.float64 and rng.random() < 0.5:
                        continue
                    seed = 1000 * i + 10 * j + k
                    torch.manual_seed(seed)
                    state = rng.getstate()
                    p = MAKERS[a]()
                    if same or {a, b} <= {"MultivariateNormal", "LowRankMultivariateNormal"} or {a, b} == {"OneHotCategorical", "OneHotCategoricalStraightThrough"}:
                        rng.setstate(state)
                    q = MAKERS[b]()
                    dp, dq = attempt(p.build), attempt(q.build)
                    if isinstance(dp, dict) or isinstance(dq, dict):
                        continue
                    rows.append({"kind": "kl", "p": p.json(), "q": q.json(),
                                 "answer": answer(lambda: D.kl_divergence(dp, dq), p.leaves() + q.leaves())})
        for k in range(4):
            torch.manual_seed(k)
            make = lambda n: Spec("Independent", base_distribution=Spec("Normal", loc=real((2, 3)), scale=positive((2, 3))), reinterpreted_batch_ndims=n)
            p, q = make(1), make(rng.choice([1, 1, 2]))
            dp, dq = p.build(), q.build()
            rows.append({"kind": "kl", "p": p.json(), "q": q.json(), "answer": answer(lambda: D.kl_divergence(dp, dq), p.leaves() + q.leaves())})
    return rows


def t(*x):
    return torch.tensor(x if len(x) > 1 else x[0], dtype=dtype)


def refusals():
    """Constructions and values that PyTorch refuses."""
    nan = float("nan")
    bad = [
        Spec("Normal", loc=0.0, scale=-1.0), Spec("Normal", loc=nan, scale=1.0), Spec("Normal", loc=t(0.0, 1.0), scale=t(1.0, 0.0)),
        Spec("Normal", loc=t([[0.0], [1.0]]), scale=t(1.0, -2.0)), Spec("Normal", loc=t(1.0, 2.0), scale=torch.ones(3)),
        Spec("Uniform", low=2.0, high=1.0), Spec("Uniform", low=t(0.0, 2.0), high=1.0), Spec("Laplace", loc=0, scale=0),
        Spec("Cauchy", loc=0.0, scale=-1.0), Spec("StudentT", df=-1.0, loc=0.0, scale=1.0), Spec("StudentT", df=2.0, loc=0.0, scale=-1.0),
        Spec("StudentT", df=-1.0, loc=0.0, scale=1.0, validate=False),
        Spec("Exponential", rate=t(1.0, -1.0)), Spec("Gamma", concentration=-1.0, rate=1.0), Spec("Gamma", concentration=1.0, rate=0.0),
        Spec("Chi2", df=-3.0), Spec("Chi2", df=t(1.0, -2.0)), Spec("FisherSnedecor", df1=-1.0, df2=1.0), Spec("Beta", concentration1=-1.0, concentration0=2.0),
        Spec("Beta", concentration1=t(1.0, 2.0), concentration0=t(1.0, -2.0)), Spec("Dirichlet", concentration=t(1.0, -1.0)),
        Spec("Dirichlet", concentration=torch.tensor(1.0)), Spec("LogNormal", loc=0.0, scale=-1.0), Spec("HalfNormal", scale=-1.0),
        Spec("HalfCauchy", scale=-1.0), Spec("Gumbel", loc=0.0, scale=-1.0), Spec("Weibull", scale=-1.0, concentration=1.0),
        Spec("Weibull", scale=1.0, concentration=-1.0), Spec("Pareto", scale=-1.0, alpha=1.0), Spec("Pareto", scale=1.0, alpha=-1.0),
        Spec("Kumaraswamy", concentration1=-1.0, concentration0=1.0), Spec("InverseGamma", concentration=-1.0, rate=1.0),
        Spec("GeneralizedPareto", loc=0.0, scale=-1.0, concentration=0.0), Spec("VonMises", loc=0.0, concentration=-1.0),
        Spec("Bernoulli", probs=1.5), Spec("Bernoulli", probs=t(0.5, -0.1)), Spec("Bernoulli", logits=nan), Spec("Bernoulli"),
        Spec("Bernoulli", probs=0.5, logits=0.0), Spec("Geometric", probs=0.0), Spec("Geometric", probs=t(0.5, 0.0)), Spec("Geometric", probs=1.5),
        Spec("Binomial", total_count=-1, probs=0.5), Spec("Binomial", total_count=2, probs=1.5), Spec("Binomial", total_count=2),
        Spec("NegativeBinomial", total_count=-1.0, probs=0.5), Spec("NegativeBinomial", total_count=1.0, probs=1.0),
        Spec("Poisson", rate=-1.0), Spec("Categorical", probs=t(0.5, -0.5)), Spec("Categorical", probs=torch.tensor(0.5)),
        Spec("Categorical", logits=torch.tensor(0.5)), Spec("Categorical", logits=t(0.0, nan)), Spec("Categorical"), Spec("Categorical", probs=t(1.0, 1.0), logits=t(1.0, 1.0)),
        Spec("Categorical", probs=t(0.0, 0.0)), Spec("OneHotCategorical", probs=t(0.5, -0.6)), Spec("Multinomial", total_count=2, probs=t(0.5, -0.6)),
        Spec("ContinuousBernoulli", probs=1.5, validate=True), Spec("RelaxedBernoulli", temperature=t(1.0), probs=1.5),
        Spec("RelaxedOneHotCategorical", temperature=t(1.0), probs=t(0.5, -0.6)),
        Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=t([[1.0, 2.0], [2.0, 1.0]])),
        Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=t([[1.0, 0.5], [0.0, 1.0]])),
        Spec("MultivariateNormal", loc=torch.zeros(2), scale_tril=t([[1.0, 0.5], [0.0, 1.0]])),
        Spec("MultivariateNormal", loc=torch.zeros(2), scale_tril=t([[1.0, 0.0], [0.0, -1.0]])),
        Spec("MultivariateNormal", loc=torch.zeros(2)), Spec("MultivariateNormal", loc=torch.tensor(0.0), covariance_matrix=torch.eye(2)),
        Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=torch.ones(2)), Spec("MultivariateNormal", loc=torch.zeros(2), scale_tril=torch.ones(2)),
        Spec("MultivariateNormal", loc=torch.zeros(2), precision_matrix=torch.ones(2)),
        Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=torch.eye(2), scale_tril=torch.eye(2)),
        Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=t([[1.0, 2.0], [2.0, 1.0]]), validate=False),
        Spec("LowRankMultivariateNormal", loc=torch.zeros(2), cov_factor=torch.ones(3, 1), cov_diag=torch.ones(2)),
        Spec("LowRankMultivariateNormal", loc=torch.zeros(2), cov_factor=torch.ones(2, 1), cov_diag=torch.ones(3)),
        Spec("LowRankMultivariateNormal", loc=torch.zeros(2), cov_factor=torch.ones(2), cov_diag=torch.ones(2)),
        Spec("LowRankMultivariateNormal", loc=torch.tensor(0.0), cov_factor=torch.ones(2, 1), cov_diag=torch.ones(2)),
        Spec("LogisticNormal", loc=torch.zeros(2), scale=t(1.0, -1.0)), Spec("LKJCholesky", dim=1, concentration=1.0),
        Spec("LKJCholesky", dim=3, concentration=-1.0), Spec("Wishart", df=0.5, covariance_matrix=torch.eye(2)), Spec("Wishart", df=3.0, covariance_matrix=torch.ones(2)),
        Spec("Wishart", df=3.0, covariance_matrix=t([[1.0, 2.0], [2.0, 1.0]])),
        Spec("Independent", base_distribution=Spec("Normal", loc=torch.zeros(2), scale=1.0), reinterpreted_batch_ndims=2),
        Spec("MixtureSameFamily", mixture_distribution=Spec("Categorical", probs=torch.ones(3)), component_distribution=Spec("Normal", loc=torch.zeros(2), scale=1.0)),
        Spec("MixtureSameFamily", mixture_distribution=Spec("Categorical", probs=torch.ones(2, 2)), component_distribution=Spec("Normal", loc=torch.zeros(3, 2), scale=1.0)),
        Spec("TransformedDistribution", base_distribution=Spec("Normal", loc=0.0, scale=1.0), transforms=[TSpec("StickBreakingTransform")]),
        Spec("TransformedDistribution", base_distribution=Spec("Normal", loc=torch.zeros(3), scale=1.0), transforms=[TSpec("ReshapeTransform", in_shape=(4,), out_shape=(2, 2))]),
    ]
    rows = []
    for spec in bad:
        out = attempt(spec.build)
        assert isinstance(out, dict), spec.json()
        rows.append({"kind": "refused", "spec": spec.json(), **out})
    values = [
        (Spec("Normal", loc=0.0, scale=1.0), t(nan)), (Spec("Normal", loc=torch.zeros(2), scale=1.0), torch.zeros(3)), (Spec("Exponential", rate=1.0), t(-1.0, 1.0)),
        (Spec("Bernoulli", probs=0.5), t(0.5)), (Spec("Bernoulli", probs=torch.full((2,), 0.5)), t(1.0, 2.0)), (Spec("Categorical", probs=torch.ones(3)), torch.tensor(3)),
        (Spec("Categorical", probs=torch.ones(3)), torch.tensor([0, -1])), (Spec("Categorical", probs=torch.ones(2, 3)), torch.tensor([0, 1, 2])), (Spec("Uniform", low=0.0, high=1.0), t(2.0)),
        (Spec("Uniform", low=torch.zeros(2), high=torch.ones(2)), t(0.5, 2.0)), (Spec("Beta", concentration1=1.0, concentration0=1.0), t(1.5)), (Spec("Dirichlet", concentration=torch.ones(3)), t(0.5, 0.5, 0.5)),
        (Spec("Dirichlet", concentration=torch.ones(3)), t(0.5, 0.5)), (Spec("Dirichlet", concentration=torch.ones(3)), t(1.0)), (Spec("Poisson", rate=1.0), t(1.5)), (Spec("Binomial", total_count=3, probs=0.5), t(4.0)),
        (Spec("Binomial", total_count=torch.tensor([3.0, 4.0]), probs=0.5), t(4.0, 4.0)), (Spec("Geometric", probs=0.5), t(-1.0)), (Spec("Gamma", concentration=1.0, rate=1.0), t(-1.0)), (Spec("LogNormal", loc=0.0, scale=1.0), t(-1.0)),
        (Spec("HalfNormal", scale=1.0), t(-1.0)), (Spec("Pareto", scale=2.0, alpha=1.0), t(1.0)), (Spec("Weibull", scale=1.0, concentration=1.0), t(-1.0)), (Spec("OneHotCategorical", probs=torch.ones(2)), t(1.0, 1.0)),
        (Spec("Multinomial", total_count=2, probs=torch.ones(2)), t(2.0, 1.0)), (Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=torch.eye(2)), torch.zeros(3)),
        (Spec("MultivariateNormal", loc=torch.zeros(2), covariance_matrix=torch.eye(2)), t(0.0, nan)), (Spec("Wishart", df=3.0, covariance_matrix=torch.eye(2)), -torch.eye(2)),
        (Spec("LKJCholesky", dim=2, concentration=1.0), torch.ones(2, 2)), (Spec("Independent", base_distribution=Spec("Normal", loc=torch.zeros(2, 3), scale=1.0), reinterpreted_batch_ndims=1), torch.zeros(2, 4)),
        (Spec("MixtureSameFamily", mixture_distribution=Spec("Categorical", probs=torch.ones(2)), component_distribution=Spec("Exponential", rate=torch.ones(2))), t(-1.0)),
        (Spec("TransformedDistribution", base_distribution=Spec("Normal", loc=0.0, scale=1.0), transforms=[TSpec("ExpTransform")]), t(-1.0)), (Spec("GeneralizedPareto", loc=0.0, scale=1.0, concentration=-0.5), t(3.0)),
        (Spec("InverseGamma", concentration=1.0, rate=1.0), t(-1.0)), (Spec("RelaxedBernoulli", temperature=t(1.0), probs=0.5), t(2.0)), (Spec("FisherSnedecor", df1=1.0, df2=1.0), t(-1.0)), (Spec("LogisticNormal", loc=torch.zeros(2), scale=torch.ones(2)), t(0.5, 0.5, 0.5)),
    ]
    for spec, value in values:
        d = spec.build()
        out = attempt(lambda: d.log_prob(value))
        assert isinstance(out, dict), spec.json()
        rows.append({"kind": "refused_value", "spec": spec.json(), "value": tensor(value), **out})
    return rows


def transform_cases():
    rows = []
    global dtype
    for dtype in [torch.float32, torch.float64]:
        for seed in range(6):
            torch.manual_seed(seed)
            n = rng.choice([2, 3, 4])
            s = rng.choice([(), (2,)])
            v = lambda: leaf(torch.randn(s + (n,)))
            m = lambda: leaf(torch.randn(s + (n, n)))
            specs = [
                (TSpec("ExpTransform"), v()), (TSpec("SigmoidTransform"), v()), (TSpec("SoftplusTransform"), v()), (TSpec("TanhTransform"), v()), (TSpec("AbsTransform"), v()),
                (TSpec("PowerTransform", exponent=maybe(positive(()), 2)), positive(s + (n,))), (TSpec("AffineTransform", loc=maybe(real((n,)), 1), scale=maybe(positive((n,)), -2.5)), v()),
                (TSpec("AffineTransform", loc=0.5, scale=maybe(real((n,)), 3), event_dim=1), v()), (TSpec("SoftmaxTransform"), v()), (TSpec("StickBreakingTransform"), v()),
                (TSpec("LowerCholeskyTransform"), m()), (TSpec("PositiveDefiniteTransform"), m()), (TSpec("CorrCholeskyTransform"), leaf(torch.randn(s + (n * (n - 1) // 2,)))),
                (TSpec("ReshapeTransform", in_shape=(n,), out_shape=(n, 1)), v()), (TSpec("IndependentTransform", base_transform=TSpec("ExpTransform"), reinterpreted_batch_ndims=1), v()),
                (TSpec("ComposeTransform", parts=[TSpec("AffineTransform", loc=1.0, scale=maybe(real((n,)), 2.0)), TSpec("ExpTransform")]), v()),
                (TSpec("ComposeTransform", parts=[TSpec("TanhTransform"), TSpec("StickBreakingTransform")]), v()), (TSpec("inv", of=TSpec("StickBreakingTransform")), leaf(torch.softmax(torch.randn(s + (n,)), -1))),
                (TSpec("inv", of=TSpec("ComposeTransform", parts=[TSpec("ExpTransform"), TSpec("AffineTransform", loc=0.0, scale=2.0)])), positive(s + (n,))),
                (TSpec("CatTransform", tseq=[TSpec("ExpTransform"), TSpec("AffineTransform", loc=1.0, scale=2.0)], dim=-1, lengths=[1, n - 1]), v()),
                (TSpec("StackTransform", tseq=[TSpec("ExpTransform"), TSpec("SigmoidTransform")], dim=0), leaf(torch.randn((2,) + s))),
                (TSpec("CumulativeDistributionTransform", distribution=Spec("Normal", loc=real(()), scale=positive(()))), v()),
            ]
            for spec, x in specs:
                f = spec.build()
                leaves = spec.leaves() + [x]
                y = f(x)
                row = {"kind": "transform", "spec": spec.json(), "x": tensor(x), "repr": repr(f), "bijective": f.bijective,
                       "domain": attempt(lambda: repr(f.domain)), "codomain": attempt(lambda: repr(f.codomain)), "y": answer(lambda: f(x), leaves)}
                yd = y.detach().requires_grad_(True)
                row["yd"] = tensor(yd)
                row["x_again"] = answer(lambda: f.inv(yd), spec.leaves() + [yd])
                row["log_det"] = answer(lambda: f.log_abs_det_jacobian(x, yd), leaves + [yd])
                row["forward_shape"] = attempt(lambda: list(f.forward_shape(x.shape)))
                row["inverse_shape"] = attempt(lambda: list(f.inverse_shape(y.shape)))
                sign = attempt(lambda: f.sign)
                row["sign"] = {"value": tensor(torch.as_tensor(sign))} if not isinstance(sign, dict) else sign
                rows.append(row)
    return rows


CONSTRAINTS = {
    "boolean": C.boolean, "one_hot": C.one_hot, "nonnegative_integer": C.nonnegative_integer, "positive_integer": C.positive_integer, "real": C.real, "real_vector": C.real_vector,
    "positive": C.positive, "nonnegative": C.nonnegative, "unit_interval": C.unit_interval, "simplex": C.simplex, "lower_triangular": C.lower_triangular, "lower_cholesky": C.lower_cholesky,
    "corr_cholesky": C.corr_cholesky, "square": C.square, "symmetric": C.symmetric, "positive_semidefinite": C.positive_semidefinite, "positive_definite": C.positive_definite,
    "integer_interval": C.integer_interval(-1, 2), "greater_than": C.greater_than(0.5), "greater_than_eq": C.greater_than_eq(0.5), "less_than": C.less_than(0.5), "interval": C.interval(-1.0, 0.5),
    "half_open_interval": C.half_open_interval(-1, 1), "multinomial": C.multinomial(3), "independent": C.independent(C.positive, 1), "cat": C.cat([C.positive, C.real], -1, [1, 2]), "stack": C.stack([C.positive, C.real, C.less_than(1.0)], -1),
    "mixture": C.MixtureSameFamilyConstraint(C.positive), "dependent": C.dependent,
}


def constraint_cases():
    rows = []
    torch.manual_seed(0)
    pd = matrix((2,), 3).float()
    values = [torch.tensor([0.0, 1.0, -1.0]), torch.tensor([[0.5, 0.25, 0.25], [1.0, 1.0, 1.0]]), torch.tensor([[0.0, 1.0, 0.0], [0.0, float("nan"), 2.0]]), torch.tensor([1, 0, 2]),
              torch.eye(3), -torch.eye(3), pd, torch.linalg.cholesky(pd), torch.ones(3, 3), torch.randn(2, 3, 3), torch.randn(2, 3), torch.linalg.cholesky(pd / (pd.diagonal(dim1=-1, dim2=-2).sqrt()[..., None] * pd.diagonal(dim1=-1, dim2=-2).sqrt()[..., None, :])),
              torch.tensor(float("inf")), torch.tensor([[3.0, 0.0, 0.0], [1.0, 2.0, 1.0]])]
    for name, c in CONSTRAINTS.items():
        checks = []
        for v in values:
            matrices = name in ("lower_triangular", "lower_cholesky", "corr_cholesky", "square", "symmetric", "positive_semidefinite", "positive_definite")
            if matrices and v.dim() < 2 or v.dim() == 0 and name in ("one_hot", "simplex", "multinomial", "cat", "stack", "independent", "real_vector"):
                continue
            if name == "positive_semidefinite" and v.shape == (3, 3) and (v == 1).all():
                # The sign of an eigenvalue that is 0 is a matter of rounding.
                continue
            out = attempt(lambda: c.check(v))
            checks.append({"x": tensor(v), **(out if isinstance(out, dict) else {"value": tensor(out)})})
        x = torch.randn(2, 3) if name not in ("lower_cholesky", "positive_definite", "positive_semidefinite") else torch.randn(2, 3, 3)
        row = {"kind": "constraint", "name": name, "repr": repr(c), "checks": checks, "event_dim": attempt(lambda: c.event_dim), "is_discrete": attempt(lambda: c.is_discrete), "x": tensor(x)}
        for which, registry in [("biject_to", D.biject_to), ("transform_to", D.transform_to)]:
            out = attempt(lambda: registry(c)(x))
            row[which] = out if isinstance(out, dict) else {"value": tensor(out), "repr": repr(registry(c))}
        rows.append(row)
    return rows


def function_cases():
    """The operations that distributions brought along."""
    rows = []
    add = lambda name, inputs, out, numbers=(), seed=None, grads=None: rows.append({"kind": "function", "name": name, "inputs": [tensor(x) for x in inputs], "numbers": list(numbers), "seed": seed, "value": tensor(out), "grads": grads})
    for dt in [torch.float32, torch.float64]:
        for k in range(4):
            torch.manual_seed(k)
            x = (torch.randn(7, dtype=dt) * [1, 3, 10, 0.1][k]).requires_grad_(True)
            pos = (torch.rand(7, dtype=dt) * [1, 3, 30, 0.1][k] + 0.01).requires_grad_(True)
            for name, f, arg in [("lgamma", torch.lgamma, x), ("lgamma", torch.lgamma, pos), ("digamma", torch.digamma, x), ("digamma", torch.digamma, pos)]:
                out = f(arg)
                add(name, [arg], out, grads=gradients(out, [arg]))
            for n in range(4):
                out = torch.polygamma(n, pos)
                add("polygamma", [pos], out, [n], grads=gradients(out, [pos]))
            for p in [1, 2, 4]:
                arg = (pos.detach() + p).requires_grad_(True)
                out = torch.mvlgamma(arg, p)
                add("mvlgamma", [arg], out, [p], grads=gradients(out, [arg]))
            a = torch.rand(7, dtype=dt) * [1, 3, 30, 0.1][k] + 0.01
            out = torch.special.gammainc(a, pos)
            g = gradients(out, [pos])
            add("gammainc", [a, pos], out, grads=[None] + g)
            u = (torch.rand(7, dtype=dt) * 1.9 - 0.95).requires_grad_(True)
            out = torch.atanh(u)
            add("atanh", [u], out, grads=gradients(out, [u]))
            n, s = [(2, ()), (3, (2,)), (4, ()), (1, (3,))][k]
            m = matrix(s, n).to(dt).requires_grad_(True)
            out = torch.linalg.cholesky(m)
            add("cholesky", [m], out, grads=gradients(out, [m]))
            l = out.detach().requires_grad_(True)
            b = torch.randn(s + (n, 2), dtype=dt, requires_grad=True)
            out = torch.linalg.solve_triangular(l, b, upper=False)
            add("solve_triangular", [l, b], out, [0, 1, 0], grads=gradients(out, [l, b]))
            out = torch.linalg.solve_triangular(l.mT, b, upper=True, unitriangular=True)
            add("solve_triangular", [l.mT.detach(), b], out, [1, 1, 1])
            out = torch.linalg.solve_triangular(l, b.mT, upper=False, left=False)
            add("solve_triangular", [l, b.mT.detach()], out, [0, 0, 0])
            out = torch.cholesky_solve(b, l)
            add("cholesky_solve", [b, l], out, grads=gradients(out, [b, l]))
            for scale in [0.3, 5.0, 30.0, 400.0]:
                rates = torch.rand(5, dtype=dt) * scale
                torch.manual_seed(k)
                add("poisson", [rates], torch.poisson(rates), seed=k)
                counts = torch.floor(torch.rand(5, dtype=dt) * scale) + 1
                p = torch.rand(5, dtype=dt)
                torch.manual_seed(k)
                add("binomial", [counts, p], torch.binomial(counts, p), seed=k)
                alpha = (torch.rand(5, dtype=dt) * scale + 0.01).requires_grad_(True)
                torch.manual_seed(k)
                out = torch._standard_gamma(alpha)
                add("_standard_gamma", [alpha], out, seed=k, grads=gradients(out, [alpha]))
                alpha = (torch.rand(3, 4, dtype=dt) * scale + 0.01).requires_grad_(True)
                torch.manual_seed(k)
                out = D.Dirichlet(alpha).rsample()
                add("_sample_dirichlet", [alpha], out, seed=k, grads=gradients(out, [alpha]))
            for name, args in [("cauchy_", (0.5, 2.0)), ("geometric_", (0.3,)), ("log_normal_", (0.5, 0.7))]:
                torch.manual_seed(k)
                add(name, [], getattr(torch.empty(9, dtype=dt), name)(*args), args, seed=k)
    return rows


def write(name, rows):
    data = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
    with gzip.GzipFile(HERE / f"{name}.jsonl.gz", "wb", mtime=0) as f:
        f.write(data)
    print(name, len(rows), "cases", (HERE / f"{name}.jsonl.gz").stat().st_size, "bytes")


def main():
    global dtype
    for width in [32, 64]:
        dtype = getattr(torch, f"float{width}")
        write(f"distributions{width}", [case(name, 100 * i + 10 * k + width) for i, name in enumerate(MAKERS) for k in range(6)])
    dtype = torch.float32
    write("refusals", refusals())
    write("kl", kl_cases())
    write("transforms", transform_cases())
    write("constraints", constraint_cases())
    write("functions", function_cases())


if __name__ == "__main__":
    main()
