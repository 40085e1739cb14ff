//! Events beside those of `torch.utils.tensorboard`: `goldens/events.py` has the calls.

use super::wire;

use flambeau_autograd::Tensor;
use flambeau_autograd::from_vec;
use flambeau_tensor::DType;
use flambeau_tensorboard::{Bins, HParam, Numbers, PrCurveRaw, ScalarsChart, SummaryWriter, Values};
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value as Json;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const WALLTIME: f64 = 1_764_259_509.25;

fn number(json: &Json) -> f64 {
    match json {
        Json::Bool(b) => f64::from(u8::from(*b)),
        Json::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(number).collect()
}

fn tensor(json: &Json) -> Tensor {
    let shape: Vec<i64> = json["shape"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
    let dtype = match json["dtype"].as_str().unwrap() {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "float16" => DType::F16,
        "bfloat16" => DType::BF16,
        "int64" => DType::I64,
        "int32" => DType::I32,
        "int16" => DType::I16,
        "int8" => DType::I8,
        "uint8" => DType::U8,
        _ => DType::Bool,
    };
    from_vec(numbers(&json["data"]), &shape[..]).to(dtype)
}

/// A number, a list of numbers or a tensor.
fn values(json: &Json) -> Numbers {
    match json {
        Json::Object(_) => tensor(json).numbers(),
        Json::Array(_) => numbers(json).numbers(),
        Json::Number(n) if n.is_i64() => n.as_i64().unwrap().numbers(),
        other => number(other).numbers(),
    }
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap()
}

fn pairs(json: &Json) -> impl Iterator<Item = (&str, &Json)> {
    json.as_array().into_iter().flatten().map(|pair| (text(&pair[0]), &pair[1]))
}

fn hparam(json: &Json) -> HParam {
    match json {
        Json::Null => HParam::None,
        Json::String(text) => text.into(),
        other => number(other).into(),
    }
}

fn chart(json: &Json) -> ScalarsChart {
    let tags: Vec<&str> = json[1].as_array().unwrap().iter().map(text).collect();
    match text(&json[0]) {
        "Margin" => ScalarsChart::margin(<[&str; 3]>::try_from(tags).unwrap()),
        _ => ScalarsChart::multiline(tags),
    }
}

fn row(json: &Json) -> Vec<String> {
    let column = |json: &Json| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    json.as_array().map_or_else(|| vec![column(json)], |columns| columns.iter().map(column).collect())
}

/// Makes the call of a case.
fn call(writer: &SummaryWriter, case: &Json) {
    let (args, kwargs) = (&case["args"], &case["kwargs"]);
    let (step, tag) = (case["step"].as_i64(), args[0].as_str().unwrap_or_default());
    let flag = |name: &str| kwargs[name].as_bool().unwrap_or(false);
    match text(&case["call"]) {
        "add_scalar" => writer.add_scalar_with(tag, values(&args[1]), step, |o| {
            o.walltime(WALLTIME).new_style(flag("new_style")).double_precision(flag("double_precision"))
        }),
        "add_scalars" => {
            let curves = pairs(&args[1]).map(|(name, value)| (name, number(value)));
            writer.add_scalars_with(tag, curves, step, |o| o.walltime(WALLTIME));
        }
        "add_histogram" => writer.add_histogram_with(tag, values(&args[1]), step, |o| {
            let bins = match &kwargs["bins"] {
                Json::Null => Bins::from("tensorflow"),
                Json::String(name) => name[..].into(),
                Json::Array(_) => numbers(&kwargs["bins"]).into(),
                count => count.as_i64().unwrap().into(),
            };
            o.walltime(WALLTIME).bins(bins).max_bins(kwargs["max_bins"].as_i64())
        }),
        "add_histogram_raw" => {
            let five = [1, 2, 3, 4, 5].map(|i| number(&args[i]));
            writer
                .add_histogram_raw_with(tag, five, values(&args[6]), values(&args[7]), step, |o| o.walltime(WALLTIME));
        }
        "add_image" => {
            let format = text(&kwargs["dataformats"]);
            writer.add_image_with(tag, tensor(&args[1]), step, |o| o.walltime(WALLTIME).dataformats(format));
        }
        "add_images" => {
            let format = kwargs["dataformats"].as_str().unwrap_or("NCHW");
            writer.add_images_with(tag, tensor(&args[1]), step, |o| o.walltime(WALLTIME).dataformats(format));
        }
        "add_image_with_boxes" => {
            let scale = number(&kwargs["rescale"]);
            writer.add_image_with_boxes_with(tag, tensor(&args[1]), tensor(&args[2]), step, |o| {
                o.walltime(WALLTIME).rescale(scale)
            });
        }
        "add_text" => writer.add_text_with(tag, text(&args[1]), step, |o| o.walltime(WALLTIME)),
        "add_tensor" => writer.add_tensor_with(tag, tensor(&args[1]), step, |o| o.walltime(WALLTIME)),
        "add_pr_curve" => writer.add_pr_curve_with(tag, values(&args[1]), values(&args[2]), step, |o| {
            let o = o.walltime(WALLTIME).num_thresholds(kwargs["num_thresholds"].as_i64().unwrap());
            if kwargs["weights"].is_null() { o } else { o.weights(values(&kwargs["weights"])) }
        }),
        "add_pr_curve_raw" => {
            let raw = PrCurveRaw {
                true_positive_counts: values(&args[1]),
                false_positive_counts: values(&args[2]),
                true_negative_counts: values(&args[3]),
                false_negative_counts: values(&args[4]),
                precision: values(&args[5]),
                recall: values(&args[6]),
            };
            let thresholds = kwargs["num_thresholds"].as_i64().unwrap();
            writer.add_pr_curve_raw_with(tag, raw, thresholds, step, |o| o.walltime(WALLTIME));
        }
        "add_mesh" => writer.add_mesh_with(tag, values(&args[1]), |o| {
            let o = o.walltime(WALLTIME);
            let o = if kwargs["colors"].is_null() { o } else { o.colors(values(&kwargs["colors"])) };
            if kwargs["faces"].is_null() { o } else { o.faces(values(&kwargs["faces"])) }
        }),
        "add_audio" => writer.add_audio_with(tag, values(&args[1]), step, |o| {
            let o = o.walltime(WALLTIME);
            if kwargs["sample_rate"].is_null() { o } else { o.sample_rate(kwargs["sample_rate"].as_i64().unwrap()) }
        }),
        "add_custom_scalars" => {
            let category =
                |(name, charts)| (name, pairs(charts).map(|(name, json)| (name, chart(json))).collect::<Vec<_>>());
            writer.add_custom_scalars(pairs(&args[0]).map(category).collect::<Vec<(&str, _)>>());
        }
        "add_hparams" => {
            let hparams: Vec<(&str, HParam)> = pairs(&args[0]).map(|(name, value)| (name, hparam(value))).collect();
            let metrics = pairs(&args[1]).map(|(name, value)| (name, number(value)));
            writer.add_hparams_with(hparams, metrics, |o| {
                let o = o.run_name(text(&kwargs["run_name"])).global_step(kwargs["global_step"].as_i64());
                pairs(&kwargs["hparam_domain_discrete"]).fold(o, |o, (name, values)| {
                    o.hparam_domain_discrete(name, values.as_array().unwrap().iter().map(hparam))
                })
            });
        }
        "add_embedding" => writer.add_embedding_with(values(&args[0]), |o| {
            let o = o.global_step(kwargs["global_step"].as_i64()).tag(kwargs["tag"].as_str().unwrap_or("default"));
            let o = if kwargs["label_img"].is_null() { o } else { o.label_img(values(&kwargs["label_img"])) };
            let o = match kwargs["metadata"].as_array() {
                Some(rows) => o.metadata(rows.iter().map(row)),
                None => o,
            };
            match kwargs["metadata_header"].as_array() {
                Some(names) => o.metadata_header(names.iter().map(text)),
                None => o,
            }
        }),
        other => panic!("{other} is not known"),
    }
}

/// The pixels of one of our PNG files: filters 1 and 2 only.
fn pixels(png: &[u8]) -> (Vec<usize>, Vec<u8>) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height) = (number(16), number(20));
    let channels = match png[25] {
        0 => 1,
        4 => 2,
        2 => 3,
        _ => 4,
    };
    let mut raw = Vec::new();
    ZlibDecoder::new(&png[41..41 + number(33)]).read_to_end(&mut raw).unwrap();
    let row = width * channels;
    let mut above = vec![0u8; row];
    let mut out = Vec::new();
    for line in raw.chunks_exact(row + 1) {
        let mut now = vec![0u8; row];
        for i in 0..row {
            let left = if i < channels { 0 } else { now[i - channels] };
            now[i] = line[1 + i].wrapping_add(if line[0] == 1 { left } else { above[i] });
        }
        out.extend(&now);
        above = now;
    }
    (vec![height, width, channels], out)
}

/// Events and files in a folder and those in it, as the golden script lists them.
fn found(root: &Path, folder: &Path, out: &mut Vec<(String, Found)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let relative = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found(root, &path, out);
            continue;
        }
        let content = std::fs::read(&path).unwrap();
        if path.to_str().unwrap().contains("tfevents") {
            let name = Some(relative(folder)).filter(|name| !name.is_empty()).unwrap_or(".".to_owned());
            out.push((name, Found::Events(wire::records(&content).split_off(1))));
        } else {
            out.push((relative(&path), Found::File(content)));
        }
    }
}

enum Found {
    Events(Vec<Vec<u8>>),
    File(Vec<u8>),
}

fn same_pixels(png: &[u8], golden: &Json, name: &str) {
    let (mut shape, data) = pixels(png);
    if shape[2] == 1 {
        shape.pop();
    }
    assert_eq!(serde_json::json!(shape), golden["shape"], "{name}");
    assert_eq!(serde_json::json!(data), golden["data"], "{name}");
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

#[test]
fn events_are_pytorchs() {
    std::panic::set_hook(Box::new(|_| {}));
    let packed = include_bytes!("../../goldens/events.jsonl.gz");
    let mut lines = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut lines).unwrap();
    let (mut failures, mut exact, mut close) = (Vec::new(), 0, 0);
    for (i, line) in lines.lines().enumerate() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = format!("case {i} {} {} {}", case["call"], case["args"][0], case["kwargs"]);
        let outcome = catch_unwind(|| check(&case, &name));
        match outcome {
            Ok((equal, near)) => (exact, close) = (exact + equal, close + near),
            Err(cause) => failures.push(format!("{}: {}", &name[..name.len().min(150)], said(&cause))),
        }
    }
    let _ = std::panic::take_hook();
    println!("{exact} events are equal to the byte, {close} but for their last digits");
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures[..failures.len().min(12)].join("\n"));
    assert!(exact > 280 && close < 20, "{exact} {close}");
}

fn said(cause: &Box<dyn std::any::Any + Send>) -> String {
    let text =
        cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
    text.unwrap_or_default().chars().take(2400).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many events are equal, and how many nearly.
fn check(case: &Json, name: &str) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path())).unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| call(&writer, case)));
    if let Some(error) = case["error"].as_str() {
        let cause = outcome.err().unwrap_or_else(|| panic!("PyTorch refuses it: {error}"));
        let message = error.split_once(": ").unwrap().1;
        assert_eq!(words(&said(&cause)), words(message), "{name}");
        return (0, 0);
    }
    if let Err(cause) = outcome {
        panic!("refused: {}", said(&cause));
    }
    writer.close().unwrap();
    let mut files = Vec::new();
    found(folder.path(), folder.path(), &mut files);
    let golden = case["files"].as_object().unwrap();
    let mut names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
    let mut wanted: Vec<&String> = golden.keys().collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted, "{name}");
    let (mut exact, mut close) = (0, 0);
    for (file, content) in &files {
        let golden = &golden[file];
        match content {
            Found::File(png) if file.ends_with(".png") => same_pixels(png, golden, name),
            Found::File(content) => assert_eq!(std::str::from_utf8(content).unwrap(), text(golden), "{name}"),
            Found::Events(events) => {
                let golden = golden.as_array().unwrap();
                assert_eq!(events.len(), golden.len(), "{name}");
                for (ours, theirs) in events.iter().zip(golden) {
                    let mut ours = wire::parse(ours);
                    let theirs = wire::parse(&unhex(text(theirs)));
                    if case["call"] == "add_hparams" || case["call"] == "add_custom_scalars" {
                        ours.set(1, wire::Field::Fixed64(WALLTIME.to_bits()));
                    }
                    if let Some(png) = ours.take_picture() {
                        same_pixels(&png, &case["pixels"], name);
                    }
                    match ours == theirs {
                        true => exact += 1,
                        false => {
                            wire::assert_close(&ours, &theirs, name);
                            close += 1;
                        }
                    }
                }
            }
        }
    }
    (exact, close)
}
