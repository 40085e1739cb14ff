//! The dtypes of parameters and running statistics that the norms take beside an input, what they say of others, and where the
//! statistics move: as PyTorch's on the CPU (`flambeau-testkit/goldens/norm_dtypes.py`).

mod golden;

use flambeau_autograd::{Result, Tensor, from_vec, ops};
use flambeau_tensor::DType;
use golden::{cases, text};
use serde_json::Value;

/// The script's `ramp`.
fn ramp(step: f64, start: f64, dtype: Option<DType>, shape: &[usize]) -> Option<Tensor> {
    let values = (0..shape.iter().product()).map(|i: usize| (i * 7 % 11) as f64 * step + start).collect();
    dtype.map(|dtype| ops::to_dtype(&from_vec(values, shape), dtype).unwrap())
}

fn dtype(name: &Value) -> Option<DType> {
    name.as_str().map(|name| match name {
        "bfloat16" => DType::BF16,
        "float32" => DType::F32,
        "float64" => DType::F64,
        other => panic!("{other}"),
    })
}

fn call(op: &str, training: bool, x: &Tensor, [weight, bias, mean, var]: [Option<&Tensor>; 4]) -> Result<Tensor> {
    match op {
        "batch_norm" => ops::batch_norm(x, mean, var, weight, bias, training, 0.1, 1e-5),
        "instance_norm" => ops::instance_norm(x, mean, var, weight, bias, training, 0.1, 1e-5),
        "group_norm" => ops::group_norm(x, 2, weight, bias, 1e-5),
        "layer_norm" => ops::layer_norm(x, &[4], weight, bias, 1e-5),
        other => panic!("{other}"),
    }
}

/// Whether two numbers are as near as values of that dtype, or of one that was computed with on the way, must be.
fn near(a: f64, b: f64, coarse: bool) -> bool {
    (a - b).abs() <= (1.0 + b.abs()) * if coarse { 1e-2 } else { 1e-6 }
}

#[test]
fn norms_take_and_refuse_the_dtypes_that_pytorchs_do() {
    let cases = cases("norm_dtypes.jsonl.gz");
    let mut wrong = Vec::new();
    for case in &cases {
        let (op, dtypes) = (text(case, "op").unwrap(), case["dtypes"].as_array().unwrap());
        let shape: &[usize] = if op == "layer_norm" { &[2, 3, 4] } else { &[2, 4, 3] };
        let x = ramp(0.5, -2.0, dtype(&dtypes[0]), shape).unwrap();
        let params = [(0.25, 1.0), (0.5, -1.0), (0.5, -1.0), (0.5, 0.5)];
        let params: Vec<Option<Tensor>> = params
            .iter()
            .zip(&dtypes[1..])
            .map(|(&(step, start), name)| ramp(step, start, dtype(name), &[4]))
            .collect();
        let coarse = dtypes.iter().any(|name| name == "bfloat16");
        let out = call(op, case["training"] == true, &x, std::array::from_fn(|i| params[i].as_ref()));
        let fault = match (out, text(case, "error")) {
            (Err(error), Some(expected)) => (error.to_string() != expected).then(|| error.to_string()),
            (Err(error), None) => Some(format!("refused: {error}")),
            (Ok(_), Some(expected)) => Some(format!("must be refused: {expected}")),
            (Ok(out), None) => {
                let sum: f64 = out.double().to_vec::<f64>().iter().map(|v| v.abs()).sum();
                let expected = case["out"][1].as_f64().unwrap();
                let right = out.dtype().to_string() == case["out"][0].as_str().unwrap() && near(sum, expected, coarse);
                let moved = params[2..].iter().zip(case["running"].as_array().unwrap()).all(|(found, expected)| {
                    let found = found.as_ref().map(|t| t.double().to_vec::<f64>()).unwrap_or_default();
                    let expected: Vec<f64> =
                        expected.as_array().into_iter().flatten().map(|v| v.as_f64().unwrap()).collect();
                    found.len() == expected.len() && found.iter().zip(expected).all(|(&a, b)| near(a, b, coarse))
                });
                (!right || !moved).then(|| format!("{} of {sum}, {:?}", out.dtype(), &params[2..]))
            }
        };
        wrong.extend(fault.map(|fault| format!("{case}\n    {fault}")));
    }
    assert!(cases.len() > 900, "{}", cases.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
