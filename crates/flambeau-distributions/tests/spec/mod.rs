//! Distributions and transforms as data: what `goldens/make_goldens.py` writes of them.

use flambeau_autograd::{Tensor, from_vec};
use flambeau_distributions::*;
use flambeau_tensor::{DType, Scalar};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The cases of a file.
pub fn lines(name: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(format!("{name}.jsonl.gz"));
    let file = std::fs::File::open(path).unwrap();
    let reader = BufReader::new(flate2::read::GzDecoder::new(file));
    reader.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The result, or the message of the panic.
pub fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().map_or_else(|_| "a panic without words".into(), |m| m.to_string()),
    })
}

fn number(json: &Json) -> f64 {
    match json {
        Json::String(s) if s == "inf" => f64::INFINITY,
        Json::String(s) if s == "-inf" => f64::NEG_INFINITY,
        Json::Bool(b) => f64::from(u8::from(*b)),
        // Python writes NaN as it is in numbers of a spec, which serde_json does not read: those are texts.
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

pub fn tensor_of(json: &Json) -> Tensor {
    let data: Vec<f64> = json["data"].as_array().unwrap().iter().map(number).collect();
    let shape: Vec<i64> = json["shape"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    let dtype = match json["dtype"].as_str().unwrap() {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "int64" => DType::I64,
        "bool" => DType::Bool,
        other => panic!("no dtype {other}"),
    };
    from_vec(data, shape).to(dtype)
}

/// A distribution and its leaves, in the order of its arguments.
pub struct Built {
    pub distribution: Arc<dyn Distribution>,
    pub leaves: Vec<Tensor>,
}

/// The arguments of a class.
struct Arguments<'a> {
    json: &'a Json,
    leaves: Vec<Tensor>,
    values: Vec<(String, Value)>,
}

impl Arguments<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
    }

    fn value(&self, name: &str) -> Value {
        self.get(name).unwrap_or_else(|| panic!("no argument {name}"))
    }

    fn tensor(&self, name: &str) -> Tensor {
        match self.value(name) {
            Value::Tensor(t) => t,
            Value::Number(_) => panic!("{name} is a number"),
        }
    }

    fn integer(&self, name: &str) -> usize {
        self.json["args"][name]["number"].as_u64().unwrap() as usize
    }

    fn distribution(&mut self, name: &str) -> Arc<dyn Distribution> {
        let built = build(&self.json["args"][name]["dist"]);
        self.leaves.extend(built.leaves);
        built.distribution
    }

    fn transforms(&mut self, name: &str) -> Vec<Transform> {
        let list = self.json["args"][name]["transforms"].as_array().unwrap();
        list.iter().map(|t| transform_of(t, &mut self.leaves)).collect()
    }

    fn list(&self, name: &str) -> Vec<usize> {
        self.json["args"][name]["list"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
    }
}

fn arguments(json: &Json) -> Arguments<'_> {
    let mut made = Arguments { json, leaves: Vec::new(), values: Vec::new() };
    for (name, given) in json["args"].as_object().unwrap() {
        if let Some(t) = given.get("tensor") {
            let t = tensor_of(t).requires_grad_(given["grad"].as_bool().unwrap());
            if t.requires_grad() {
                made.leaves.push(t.shallow_clone());
            }
            made.values.push((name.clone(), Value::Tensor(t)));
        } else if let Some(n) = given.get("number") {
            let scalar = match n.as_i64() {
                Some(i) => Scalar::Int(i),
                None => Scalar::Float(number(n)),
            };
            made.values.push((name.clone(), Value::Number(scalar)));
        }
    }
    made
}

pub fn build(json: &Json) -> Built {
    let mut a = arguments(json);
    let v = json["validate"].as_bool();
    let probs = |a: &Arguments<'_>| {
        let (probs, logits) = (a.get("probs"), a.get("logits"));
        move |mut o: ProbsOptions| {
            if let Some(p) = probs {
                o = o.probs(p);
            }
            if let Some(l) = logits {
                o = o.logits(l);
            }
            o.validate_args(v)
        }
    };
    let matrix = |a: &Arguments<'_>| {
        let given = ["covariance_matrix", "precision_matrix", "scale_tril"].map(|name| a.get(name));
        move |mut o: MatrixOptions| {
            let [covariance, precision, scale] = given;
            if let Some(Value::Tensor(m)) = covariance {
                o = o.covariance_matrix(m);
            }
            if let Some(Value::Tensor(m)) = precision {
                o = o.precision_matrix(m);
            }
            if let Some(Value::Tensor(m)) = scale {
                o = o.scale_tril(m);
            }
            o.validate_args(v)
        }
    };
    /// A distribution of values: `plain!(Normal(loc, scale))`.
    macro_rules! plain {
        ($name:ident($($argument:ident),+)) => {
            Arc::new($name::with($(a.value(stringify!($argument)),)+ |o| o.validate_args(v)))
        };
    }
    let distribution: Arc<dyn Distribution> = match json["class"].as_str().unwrap() {
        "Normal" => plain!(Normal(loc, scale)),
        "Laplace" => plain!(Laplace(loc, scale)),
        "Uniform" => plain!(Uniform(low, high)),
        "Cauchy" => plain!(Cauchy(loc, scale)),
        "StudentT" => plain!(StudentT(df, loc, scale)),
        "Exponential" => plain!(Exponential(rate)),
        "Gamma" => plain!(Gamma(concentration, rate)),
        "Chi2" => plain!(Chi2(df)),
        "FisherSnedecor" => plain!(FisherSnedecor(df1, df2)),
        "Beta" => plain!(Beta(concentration1, concentration0)),
        "Dirichlet" => Arc::new(Dirichlet::with(a.tensor("concentration"), |o| o.validate_args(v))),
        "GeneralizedPareto" => plain!(GeneralizedPareto(loc, scale, concentration)),
        "VonMises" => plain!(VonMises(loc, concentration)),
        "ContinuousBernoulli" => {
            let (probs, logits) = (a.get("probs"), a.get("logits"));
            Arc::new(ContinuousBernoulli::with(|mut o| {
                if let Some(p) = probs {
                    o = o.probs(p);
                }
                if let Some(l) = logits {
                    o = o.logits(l);
                }
                o.validate_args(v)
            }))
        }
        "LogNormal" => plain!(LogNormal(loc, scale)),
        "HalfNormal" => plain!(HalfNormal(scale)),
        "HalfCauchy" => plain!(HalfCauchy(scale)),
        "Gumbel" => plain!(Gumbel(loc, scale)),
        "Weibull" => plain!(Weibull(scale, concentration)),
        "Pareto" => plain!(Pareto(scale, alpha)),
        "Kumaraswamy" => plain!(Kumaraswamy(concentration1, concentration0)),
        "InverseGamma" => plain!(InverseGamma(concentration, rate)),
        "Bernoulli" => Arc::new(Bernoulli::with(probs(&a))),
        "Geometric" => Arc::new(Geometric::with(probs(&a))),
        "Binomial" => {
            let (count, probs, logits) = (a.value("total_count"), a.get("probs"), a.get("logits"));
            Arc::new(Binomial::with(|o| {
                let mut o = o.total_count(count).validate_args(v);
                if let Some(p) = probs {
                    o = o.probs(p);
                }
                if let Some(l) = logits {
                    o = o.logits(l);
                }
                o
            }))
        }
        "NegativeBinomial" => Arc::new(NegativeBinomial::with(a.value("total_count"), probs(&a))),
        "Poisson" => plain!(Poisson(rate)),
        "Categorical" => Arc::new(Categorical::with(probs(&a))),
        "OneHotCategorical" => Arc::new(OneHotCategorical::with(probs(&a))),
        "OneHotCategoricalStraightThrough" => Arc::new(OneHotCategoricalStraightThrough::with(probs(&a))),
        "Multinomial" => {
            let (count, probs, logits) = (a.integer("total_count"), a.get("probs"), a.get("logits"));
            Arc::new(Multinomial::with(|o| {
                let mut o = o.total_count(count).validate_args(v);
                if let Some(p) = probs {
                    o = o.probs(p);
                }
                if let Some(l) = logits {
                    o = o.logits(l);
                }
                o
            }))
        }
        "RelaxedBernoulli" => Arc::new(RelaxedBernoulli::with(a.tensor("temperature"), probs(&a))),
        "LogitRelaxedBernoulli" => Arc::new(LogitRelaxedBernoulli::with(a.tensor("temperature"), probs(&a))),
        "RelaxedOneHotCategorical" => Arc::new(RelaxedOneHotCategorical::with(a.tensor("temperature"), probs(&a))),
        "ExpRelaxedCategorical" => Arc::new(ExpRelaxedCategorical::with(a.tensor("temperature"), probs(&a))),
        "MultivariateNormal" => Arc::new(MultivariateNormal::with(a.tensor("loc"), matrix(&a))),
        "LowRankMultivariateNormal" => Arc::new(LowRankMultivariateNormal::with(
            a.tensor("loc"),
            a.tensor("cov_factor"),
            a.tensor("cov_diag"),
            |o| o.validate_args(v),
        )),
        "LogisticNormal" => plain!(LogisticNormal(loc, scale)),
        "LKJCholesky" => {
            Arc::new(LKJCholesky::with(a.integer("dim"), a.value("concentration"), |o| o.validate_args(v)))
        }
        "Wishart" => Arc::new(Wishart::with(a.value("df"), matrix(&a))),
        "Independent" => {
            let base = a.distribution("base_distribution");
            Arc::new(Independent::with(base, a.integer("reinterpreted_batch_ndims"), |o| o.validate_args(v)))
        }
        "MixtureSameFamily" => {
            let component = a.distribution("component_distribution");
            let mixture = build(&json["args"]["mixture_distribution"]["dist"]);
            a.leaves.extend(mixture.leaves);
            let any: Arc<dyn std::any::Any + Send + Sync> = mixture.distribution;
            let categorical = any.downcast::<Categorical>().ok().unwrap();
            Arc::new(MixtureSameFamily::with((*categorical).clone(), component, |o| o.validate_args(v)))
        }
        "TransformedDistribution" => {
            let base = a.distribution("base_distribution");
            let transforms = a.transforms("transforms");
            Arc::new(TransformedDistribution::with(base, transforms, |o| o.validate_args(v)))
        }
        other => panic!("no distribution {other}"),
    };
    Built { distribution, leaves: a.leaves }
}

pub fn transform_of(json: &Json, leaves: &mut Vec<Tensor>) -> Transform {
    let mut a = arguments(json);
    let args = &json["args"];
    let made = match json["class"].as_str().unwrap() {
        "ExpTransform" => ExpTransform::new(),
        "SigmoidTransform" => SigmoidTransform::new(),
        "SoftplusTransform" => SoftplusTransform::new(),
        "TanhTransform" => TanhTransform::new(),
        "AbsTransform" => AbsTransform::new(),
        "PowerTransform" => PowerTransform::new(a.value("exponent")),
        "AffineTransform" => {
            let dims = args["event_dim"]["number"].as_u64().unwrap_or(0) as usize;
            AffineTransform::with_event_dim(a.value("loc"), a.value("scale"), dims)
        }
        "SoftmaxTransform" => SoftmaxTransform::new(),
        "StickBreakingTransform" => StickBreakingTransform::new(),
        "LowerCholeskyTransform" => LowerCholeskyTransform::new(),
        "PositiveDefiniteTransform" => PositiveDefiniteTransform::new(),
        "CorrCholeskyTransform" => CorrCholeskyTransform::new(),
        "ReshapeTransform" => ReshapeTransform::new(a.list("in_shape"), a.list("out_shape")),
        "IndependentTransform" => {
            let base = transform_of(&args["base_transform"]["transform"], &mut a.leaves);
            IndependentTransform::new(base, a.integer("reinterpreted_batch_ndims"))
        }
        "ComposeTransform" => ComposeTransform::new(a.transforms("parts")),
        "inv" => transform_of(&args["of"]["transform"], &mut a.leaves).inv(),
        "CatTransform" => {
            let parts = a.transforms("tseq");
            CatTransform::with_lengths(parts, args["dim"]["number"].as_i64().unwrap(), a.list("lengths"))
        }
        "StackTransform" => StackTransform::new(a.transforms("tseq"), args["dim"]["number"].as_i64().unwrap()),
        "CumulativeDistributionTransform" => CumulativeDistributionTransform::new(a.distribution("distribution")),
        other => panic!("no transform {other}"),
    };
    leaves.extend(a.leaves);
    made
}
