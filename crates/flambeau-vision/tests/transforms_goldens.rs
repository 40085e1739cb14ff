//! Every transform against torchvision, on tensors and images, in random configurations: goldens/transforms.py.

mod common;

use common::{difference, golden, input, integers, number, numbers, read_cases};
use flambeau_vision::transforms::functional as F;
use flambeau_vision::transforms::options::{AffineOptions, PerspectiveOptions, RotateOptions};
use flambeau_vision::transforms::{self, Sample, Transform};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use torch::DType;

/// A pair of numbers.
fn pair(value: &Value) -> [f64; 2] {
    numbers(value).try_into().unwrap()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn dtype(name: &str) -> DType {
    match name {
        "uint8" => torch::uint8,
        "int8" => torch::int8,
        "int16" => torch::int16,
        "int32" => torch::int32,
        "int64" => torch::int64,
        "float64" => torch::float64,
        _ => torch::float32,
    }
}

fn corners(value: &Value) -> Vec<[i64; 2]> {
    value.as_array().unwrap().iter().map(|point| integers(point).try_into().unwrap()).collect()
}

/// The fill, where one is given, set by `set`.
fn filled<O>(o: O, a: &Value, set: impl FnOnce(O, Vec<f64>) -> O) -> O {
    if a["fill"].is_null() { o } else { set(o, numbers(&a["fill"])) }
}

fn rotate_options(o: RotateOptions, a: &Value) -> RotateOptions {
    let o = o.interpolation(word(&a["interpolation"])).expand(a["expand"].as_bool().unwrap());
    let o = if a["center"].is_null() { o } else { o.center(numbers(&a["center"])) };
    filled(o, a, |o, fill| o.fill(fill))
}

fn affine_options(o: AffineOptions, a: &Value) -> AffineOptions {
    let o = o.interpolation(word(&a["interpolation"]));
    let o = if a["center"].is_null() { o } else { o.center(numbers(&a["center"])) };
    filled(o, a, |o, fill| o.fill(fill))
}

fn perspective_options(o: PerspectiveOptions, a: &Value) -> PerspectiveOptions {
    filled(o.interpolation(word(&a["interpolation"])), a, |o, fill| o.fill(fill))
}

/// What the functions give, which only some kinds of pictures have.
fn functional(op: &str, a: &Value, x: &Sample) -> Option<Vec<Sample>> {
    let v = || number(&a["v"]);
    let tensor = || match x {
        Sample::Tensor(x) => x,
        Sample::Image(_) => panic!("{op} of an image"),
    };
    Some(vec![match op {
        "resize" => F::resize_with(x, integers(&a["size"]), |o| {
            let o = o.interpolation(word(&a["interpolation"])).antialias(a["antialias"].as_bool().unwrap());
            if a["max_size"].is_null() { o } else { o.max_size(number(&a["max_size"]) as i64) }
        }),
        "pad" => F::pad_with(x, integers(&a["padding"]), |o| {
            o.fill(numbers(&a["fill"])).padding_mode(word(&a["padding_mode"]))
        }),
        "crop" => {
            let [top, left, h, w] = integers(&a["box"]).try_into().unwrap();
            F::crop(x, top, left, h, w)
        }
        "center_crop" => F::center_crop(x, integers(&a["size"])),
        "five_crop" => return Some(F::five_crop(x, integers(&a["size"]))),
        "ten_crop" => {
            return Some(F::ten_crop_with(x, integers(&a["size"]), |o| o.vertical_flip(a["flip"].as_bool().unwrap())));
        }
        "hflip" => F::hflip(x),
        "vflip" => F::vflip(x),
        "adjust_brightness" => F::adjust_brightness(x, v()),
        "adjust_contrast" => F::adjust_contrast(x, v()),
        "adjust_saturation" => F::adjust_saturation(x, v()),
        "adjust_sharpness" => F::adjust_sharpness(x, v()),
        "adjust_hue" => F::adjust_hue(x, v()),
        "adjust_gamma" => F::adjust_gamma_with(x, number(&a["gamma"]), |o| o.gain(number(&a["gain"]))),
        "solarize" => F::solarize(x, v()),
        "posterize" => F::posterize(x, v() as i64),
        "invert" => F::invert(x),
        "autocontrast" => F::autocontrast(x),
        "equalize" => F::equalize(x),
        "rgb_to_grayscale" => F::rgb_to_grayscale_with(x, |o| o.num_output_channels(number(&a["channels"]) as i64)),
        "rotate" => F::rotate_with(x, number(&a["angle"]), |o| rotate_options(o, a)),
        "affine" => F::affine_with(
            x,
            number(&a["angle"]),
            numbers(&a["translate"]),
            number(&a["scale"]),
            numbers(&a["shear"]),
            |o| affine_options(o, a),
        ),
        "perspective" => {
            F::perspective_with(x, &corners(&a["start"]), &corners(&a["end"]), |o| perspective_options(o, a))
        }
        "gaussian_blur" => F::gaussian_blur_with(x, integers(&a["kernel"]), |o| {
            if a["sigma"].is_null() { o } else { o.sigma(numbers(&a["sigma"])) }
        }),
        "erase" => {
            let [i, j, h, w] = integers(&a["box"]).try_into().unwrap();
            F::erase(tensor(), i, j, h, w, torch::tensor(1)).into()
        }
        "convert_image_dtype" => F::convert_image_dtype(tensor(), dtype(word(&a["dtype"]))).into(),
        "normalize" => F::normalize(tensor(), numbers(&a["mean"]), numbers(&a["std"])).into(),
        "to_tensor" => F::to_tensor(x),
        "pil_to_tensor" => F::pil_to_tensor(x),
        "to_pil_image" => F::to_pil_image(x),
        _ => return None,
    }])
}

/// What the random transforms give after the case's seed.
fn drawn(op: &str, a: &Value, x: &Sample) -> Vec<Sample> {
    let p = || number(&a["p"]);
    let t: Box<dyn for<'a> Transform<&'a Sample, Output = Sample>> = match op {
        "RandomCrop" => Box::new(transforms::RandomCrop::with(integers(&a["size"]), |o| {
            let o = o.pad_if_needed(a["pad_if_needed"].as_bool().unwrap()).padding_mode(word(&a["padding_mode"]));
            if a["padding"].is_null() { o } else { o.padding(integers(&a["padding"])) }
        })),
        "RandomResizedCrop" => Box::new(transforms::RandomResizedCrop::with(integers(&a["size"]), |o| {
            let o = o.interpolation(word(&a["interpolation"])).antialias(a["antialias"].as_bool().unwrap());
            o.scale(pair(&a["scale"])).ratio(pair(&a["ratio"]))
        })),
        "RandomHorizontalFlip" => Box::new(transforms::RandomHorizontalFlip::with(|o| o.p(p()))),
        "RandomVerticalFlip" => Box::new(transforms::RandomVerticalFlip::with(|o| o.p(p()))),
        "RandomInvert" => Box::new(transforms::RandomInvert::with(|o| o.p(p()))),
        "RandomAutocontrast" => Box::new(transforms::RandomAutocontrast::with(|o| o.p(p()))),
        "RandomEqualize" => Box::new(transforms::RandomEqualize::with(|o| o.p(p()))),
        "RandomGrayscale" => Box::new(transforms::RandomGrayscale::with(|o| o.p(p()))),
        "RandomPosterize" => Box::new(transforms::RandomPosterize::with(3, |o| o.p(p()))),
        "RandomSolarize" => Box::new(transforms::RandomSolarize::with(number(&a["threshold"]), |o| o.p(p()))),
        "RandomAdjustSharpness" => Box::new(transforms::RandomAdjustSharpness::with(1.7, |o| o.p(p()))),
        "ColorJitter" => Box::new(transforms::ColorJitter::with(|o| {
            let o = o.brightness(numbers(&a["brightness"])).contrast(numbers(&a["contrast"]));
            o.saturation(numbers(&a["saturation"])).hue(numbers(&a["hue"]))
        })),
        "RandomRotation" => {
            Box::new(transforms::RandomRotation::with(numbers(&a["degrees"]), |o| rotate_options(o, a)))
        }
        "RandomAffine" => Box::new(transforms::RandomAffine::with(numbers(&a["degrees"]), |o| {
            let mut o = o.interpolation(word(&a["interpolation"])).fill(numbers(&a["fill"]));
            if !a["translate"].is_null() {
                o = o.translate(numbers(&a["translate"]));
            }
            if !a["scale"].is_null() {
                o = o.scale(numbers(&a["scale"]));
            }
            if a["shear"].is_null() { o } else { o.shear(numbers(&a["shear"])) }
        })),
        "RandomPerspective" => Box::new(transforms::RandomPerspective::with(|o| {
            let o = o.distortion_scale(number(&a["distortion_scale"])).p(p());
            o.interpolation(word(&a["interpolation"])).fill(numbers(&a["fill"]))
        })),
        "RandomErasing" => Box::new(transforms::RandomErasing::with(|o| {
            let o = o.p(p()).scale(pair(&a["scale"])).ratio(pair(&a["ratio"]));
            if a["value"] == "random" { o.value("random") } else { o.value(numbers(&a["value"])) }
        })),
        "GaussianBlur" => Box::new(transforms::GaussianBlur::with(integers(&a["kernel"]), |o| {
            if a["sigma"].is_null() { o } else { o.sigma(numbers(&a["sigma"])) }
        })),
        "ElasticTransform" => Box::new(transforms::ElasticTransform::with(|o| {
            o.alpha(numbers(&a["alpha"])).sigma(numbers(&a["sigma"])).fill(numbers(&a["fill"]))
        })),
        "RandomApply" => Box::new(transforms::RandomApply::with(
            transforms::steps![
                transforms::ColorJitter::with(|o| o.brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1)),
                transforms::RandomHorizontalFlip::new()
            ],
            |o| o.p(p()),
        )),
        "AutoAugment" => Box::new(transforms::AutoAugment::with(|o| {
            let o = o.policy(word(&a["policy"])).interpolation(word(&a["interpolation"]));
            filled(o, a, |o, fill| o.fill(fill))
        })),
        "RandAugment" => Box::new(transforms::RandAugment::with(|o| {
            let o = o.num_ops(number(&a["num_ops"]) as i64).magnitude(number(&a["magnitude"]) as i64);
            filled(o.interpolation(word(&a["interpolation"])), a, |o, fill| o.fill(fill))
        })),
        "TrivialAugmentWide" => Box::new(transforms::TrivialAugmentWide::with(|o| {
            let o = o.num_magnitude_bins(number(&a["num_magnitude_bins"]) as i64);
            filled(o.interpolation(word(&a["interpolation"])), a, |o, fill| o.fill(fill))
        })),
        "MixUp" | "CutMix" => {
            let (Sample::Tensor(x), labels) = (x, torch::tensor([1, 3, 0])) else { panic!() };
            let options = |o: transforms::MixOptions| o.alpha(number(&a["alpha"])).num_classes(4);
            let (x, labels) = if op == "MixUp" {
                transforms::MixUp::with(options).call(x, labels)
            } else {
                transforms::CutMix::with(options).call(x, labels)
            };
            return vec![x.into(), labels.into()];
        }
        _ => panic!("no transform {op}"),
    };
    vec![t.call(x)]
}

/// Whether torchvision's message is ours. Where Python's own types or PyTorch's internals speak, any message will do.
fn same_message(ours: &str, theirs: &str) -> bool {
    ours.contains(theirs)
        || ["Argument #", "unexpected", "Padding size", "torch.Size", "Input type", "too many"]
            .iter()
            .any(|part| theirs.contains(part))
}

/// Which share of the values may be a level off, and whether by more. Images are exact but where places or weights come out of
/// float arithmetic whose order is LAPACK's or a BLAS's: a value on the edge between two levels, or between two pixels, falls
/// on either side.
fn leeway(op: &str, a: &Value, image: bool) -> (f64, bool) {
    let nearest = a["interpolation"] == "nearest";
    match op {
        "perspective" | "RandomPerspective" => (0.08, true),
        "gaussian_blur" | "GaussianBlur" | "ElasticTransform" => (0.03, false),
        _ if image => (0.0, false),
        "rotate" | "affine" | "RandomRotation" | "RandomAffine" if nearest => (0.04, true),
        "AutoAugment" | "RandAugment" | "TrivialAugmentWide" => (0.03, nearest),
        "resize" | "RandomResizedCrop" => (0.06, false),
        "rotate" | "affine" | "RandomRotation" | "RandomAffine" => (0.04, false),
        _ => (0.0, false),
    }
}

#[test]
fn every_transform_gives_what_torchvision_gives() {
    let path = std::env::var("FLAMBEAU_VISION_GOLDENS").map_or_else(|_| golden("transforms.json.gz"), Into::into);
    let cases = read_cases(&path);
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = Vec::new();
    let mut counts = [0; 3];
    for (i, case) in cases.iter().enumerate() {
        let (op, a) = (word(&case["op"]), &case["args"]);
        let x = input(&case["in"]);
        let found = catch_unwind(AssertUnwindSafe(|| {
            if let Some(seed) = case["seed"].as_u64() {
                torch::manual_seed(seed);
                let out = drawn(op, a, &x);
                let next = torch::rand_with(1, |o| o.dtype(torch::float64)).item();
                return (out, Some(next));
            }
            (functional(op, a, &x).unwrap_or_else(|| panic!("no function {op}")), None)
        }));
        let mut fail = |what: String| failures.push(format!("{i} {op} {a} of {}: {what}", case["in"]));
        match (found, case["error"].as_str()) {
            (Err(panic), wanted) => {
                let message = panic.downcast_ref::<String>().cloned();
                let message =
                    message.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
                match wanted {
                    None => fail(format!("panics: {message}")),
                    Some(wanted) if !same_message(&message, wanted) => {
                        fail(format!("says {message:?}, expected {wanted:?}"))
                    }
                    Some(_) => counts[1] += 1,
                }
            }
            (Ok(_), Some(wanted)) => fail(format!("no error, expected {wanted:?}")),
            (Ok((out, next)), None) => {
                let stored = case["out"].as_array().unwrap();
                if next != case["next"].as_f64() {
                    fail(format!("the generator goes on with {next:?}, expected {}", case["next"]));
                } else if out.len() != stored.len() {
                    fail(format!("{} results, expected {}", out.len(), stored.len()));
                }
                for (found, stored) in out.iter().zip(stored) {
                    let image = matches!(x, Sample::Image(_));
                    let (share, jumps) = leeway(op, a, image);
                    let what = difference(found, stored, share, jumps, 5e-6);
                    // Values of images are cut, so a place that is a pixel but for a rounding error is a level off everywhere.
                    let cut = image && op.ends_with("erspective") && a["interpolation"] != "nearest";
                    let what = what.filter(|_| !cut || difference(found, stored, 1.0, false, 0.0).is_some());
                    if let Some(what) = what {
                        fail(what);
                    }
                }
                counts[if matches!(x, Sample::Image(_)) { 2 } else { 0 }] += 1;
            }
        }
    }
    std::panic::set_hook(quiet);
    println!("{} on tensors, {} on images, {} errors", counts[0], counts[2], counts[1]);
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
