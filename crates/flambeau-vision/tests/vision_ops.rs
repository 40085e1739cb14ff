//! Operations on boxes and regions against torchvision's, with gradients and errors. `goldens/make_ops_goldens.py` asked torchvision.

use flambeau_autograd::{Tensor, arange, from_vec};
use flambeau_device::manual_seed;
use flambeau_tensor::{DType, Device};
use flambeau_vision::ops::*;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn number(x: &Value) -> f64 {
    match x {
        Value::String(text) => text.parse().unwrap(),
        Value::Bool(b) => f64::from(u8::from(*b)),
        x => x.as_f64().unwrap(),
    }
}

fn tensor(x: &Value) -> Tensor {
    let dtype = match x["dtype"].as_str().unwrap() {
        "float64" => DType::F64,
        "float32" => DType::F32,
        "float16" => DType::F16,
        "int64" => DType::I64,
        "int32" => DType::I32,
        "int16" => DType::I16,
        "bool" => DType::Bool,
        other => panic!("{other}"),
    };
    let data: Vec<f64> = x["data"].as_array().unwrap().iter().map(number).collect();
    let shape: Vec<i64> = x["shape"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    from_vec(data, shape).to(dtype)
}

/// One call by data: the first tensor is given as it is, so that it gets a gradient.
fn call(name: &str, t: &[Tensor], k: &Value) -> Tensor {
    let f = |key: &str| k[key].as_f64().unwrap();
    let text = |key: &str, default: &str| k[key].as_str().unwrap_or(default).to_owned();
    let pair = |key: &str| [0, 1].map(|i| k[key][i].as_u64().unwrap() as usize);
    let training = k["training"].as_bool().unwrap_or(true);
    let distance = |o: BoxDistanceOptions| match k["eps"].as_f64() {
        Some(eps) => o.eps(eps),
        None => o,
    };
    let fmt = |o: BoxFormatOptions| o.fmt(text("fmt", "xyxy"));
    let loss = |o: BoxLossOptions| {
        let o = o.reduction(text("reduction", "none"));
        match k["eps"].as_f64() {
            Some(eps) => o.eps(eps),
            None => o,
        }
    };
    match name {
        "generalized_box_iou_loss" => generalized_box_iou_loss_with(&t[0], &t[1], loss),
        "distance_box_iou_loss" => distance_box_iou_loss_with(&t[0], &t[1], loss),
        "complete_box_iou_loss" => complete_box_iou_loss_with(&t[0], &t[1], loss),
        "box_iou" => box_iou_with(&t[0], &t[1], fmt),
        "box_area" => box_area_with(&t[0], fmt),
        "generalized_box_iou" => generalized_box_iou(&t[0], &t[1]),
        "distance_box_iou" => distance_box_iou_with(&t[0], &t[1], distance),
        "complete_box_iou" => complete_box_iou_with(&t[0], &t[1], distance),
        "box_convert" => box_convert(&t[0], &text("in_fmt", ""), &text("out_fmt", "")),
        "clip_boxes_to_image" => clip_boxes_to_image(&t[0], (pair("size")[0], pair("size")[1])),
        "remove_small_boxes" => remove_small_boxes(&t[0], f("min_size")),
        "masks_to_boxes" => masks_to_boxes(&t[0]),
        "nms" => nms(&t[0], &t[1], f("iou_threshold")),
        "batched_nms" => batched_nms(&t[0], &t[1], &t[2], f("iou_threshold")),
        "roi_align" => roi_align_with(&t[0], &t[1], pair("output_size"), |o| {
            let o = o.spatial_scale(k["spatial_scale"].as_f64().unwrap_or(1.0));
            o.sampling_ratio(k["sampling_ratio"].as_i64().unwrap_or(-1))
                .aligned(k["aligned"].as_bool().unwrap_or(false))
        }),
        "roi_pool" => {
            let scale = k["spatial_scale"].as_f64().unwrap_or(1.0);
            roi_pool_with(&t[0], &t[1], pair("output_size"), |o| o.spatial_scale(scale))
        }
        "sigmoid_focal_loss" => sigmoid_focal_loss_with(&t[0], &t[1], |o| {
            let o = o.alpha(k["alpha"].as_f64().unwrap_or(0.25)).gamma(k["gamma"].as_f64().unwrap_or(2.0));
            o.reduction(text("reduction", "none"))
        }),
        "stochastic_depth" => stochastic_depth(&t[0], f("p"), &text("mode", ""), training),
        "drop_block2d" => drop_block2d_with(&t[0], f("p"), f("block_size") as i64, |o| o.training(training)),
        other => panic!("no call of {other}"),
    }
}

fn difference(found: &Tensor, expected: &Value) -> Option<String> {
    let expected = tensor(expected);
    if (found.size(), found.dtype()) != (expected.size(), expected.dtype()) {
        return Some(format!("{} {}, not {} {}", found.size(), found.dtype(), expected.size(), expected.dtype()));
    }
    let exact = !found.is_floating_point();
    let tolerance = if exact {
        0.0
    } else if found.dtype() == DType::F64 {
        1e-12
    } else {
        3e-6
    };
    let (a, b) = (found.detach().double(), expected.double());
    let (a, b) = (a.to_vec::<f64>(), b.to_vec::<f64>());
    let largest = b.iter().filter(|x| x.is_finite()).fold(1.0f64, |m, x| m.max(x.abs()));
    let wrong = a.iter().zip(&b).position(|(a, b)| {
        let same = a == b || a.is_nan() && b.is_nan();
        !same && (a - b).abs().partial_cmp(&(tolerance * largest)) != Some(std::cmp::Ordering::Less)
    });
    wrong.map(|i| format!("{} at {i}, not {}", a[i], b[i]))
}

fn look_at(row: &Value) -> Option<String> {
    let mut tensors: Vec<Tensor> = row["tensors"].as_array().unwrap().iter().map(tensor).collect();
    let with_grad = row.get("grad").is_some();
    if with_grad {
        tensors[0] = tensors[0].detach().requires_grad_(true);
    }
    if let Some(seed) = row["seed"].as_i64() {
        manual_seed(seed as u64);
    }
    let name = row["name"].as_str().unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| call(name, &tensors, &row["keywords"])));
    match (result, row["error"].as_str()) {
        (Err(payload), Some(words)) => {
            let said = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
            let said = said.unwrap_or_default();
            (!said.starts_with(words)).then(|| format!("says {said:?}, not {words:?}"))
        }
        (Err(_), None) => Some("panics".into()),
        (Ok(_), Some(words)) => Some(format!("does not say {words:?}")),
        (Ok(y), None) => difference(&y, &row["output"]).or_else(|| {
            let expected = row.get("grad")?;
            let weights = arange(y.numel() as i64).to(y.dtype()).cos().view(y.size().to_vec());
            y.mul(weights).sum().backward();
            difference(&tensors[0].grad()?, expected).map(|problem| format!("grad: {problem}"))
        }),
    }
}

#[test]
fn operations_are_torchvisions() {
    let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/ops.jsonl.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut failures = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap();
        if let Some(problem) = look_at(&row) {
            failures.push(format!("{i} {} {}: {problem}", row["name"], row["keywords"]));
        }
    }
    println!("{} cases", text.lines().count());
    assert!(text.lines().count() > 300);
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures[..failures.len().min(25)].join("\n"));
}

#[test]
fn boxes_of_images_are_boxes_of_a_batch() {
    let x = arange(2 * 3 * 36).float().view((2, 3, 6, 6));
    let one = from_vec(vec![0.0f32, 1.0, 3.5, 4.0], [1, 4]);
    let two = from_vec(vec![1.0f32, 0.0, 6.0, 5.0, 2.0, 2.0, 3.0, 3.0], [2, 4]);
    let batch = from_vec(vec![0.0f32, 0.0, 1.0, 3.5, 4.0, 1.0, 1.0, 0.0, 6.0, 5.0, 1.0, 2.0, 2.0, 3.0, 3.0], [3, 5]);
    let expected = roi_align(&x, &batch, (2, 3));
    assert_eq!(expected.size(), [3, 3, 2, 3]);
    assert!(roi_align(&x, [one, two], (2, 3)).equal(&expected));
    assert_eq!(x.device(), Device::Cpu);
    assert_eq!(roi_pool(&x, batch.narrow(0, 0, 0), 2).size(), [0, 3, 2, 2]);
}
