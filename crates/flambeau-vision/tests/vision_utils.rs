//! torchvision.utils: goldens/utils.py.

mod common;

use common::{difference, golden, input, integers, number, numbers, read_cases};
use flambeau_vision::transforms::Sample;
use flambeau_vision::utils::{self, Color};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use torch::Tensor;

fn colour(value: &Value) -> Color {
    match value {
        Value::String(name) => name.as_str().into(),
        list => {
            let rgb: Vec<u8> = integers(list).into_iter().map(|v| v as u8).collect();
            <[u8; 3]>::try_from(rgb).unwrap().into()
        }
    }
}

/// Whether the value is one colour, where it is any.
fn one(value: &Value) -> bool {
    value.is_string() || value[0].is_number()
}

fn points(value: &Value) -> Tensor {
    let rows = value.as_array().unwrap();
    let numbers: Vec<i64> = rows.iter().flat_map(|row| row.as_array().unwrap()).flat_map(integers).collect();
    let n = numbers.len();
    torch::from_vec(numbers, [n]).view((rows.len(), -1, 2))
}

fn run(op: &str, a: &Value, x: &Tensor) -> Tensor {
    match op {
        "make_grid" => utils::make_grid_with(x, |o| {
            let flag = |name: &str| a[name].as_bool().unwrap();
            let o = o.nrow(number(&a["nrow"]) as i64).padding(number(&a["padding"]) as i64);
            let o = o.normalize(flag("normalize")).scale_each(flag("scale_each")).pad_value(number(&a["pad_value"]));
            if a["value_range"].is_null() { o } else { o.value_range(numbers(&a["value_range"])) }
        }),
        "draw_bounding_boxes" => {
            let boxes: Vec<f64> = a["boxes"].as_array().unwrap().iter().flat_map(numbers).collect();
            let boxes = torch::from_vec(boxes, [a["boxes"].as_array().unwrap().len(), 4]);
            utils::draw_bounding_boxes_with(x, boxes, |o| {
                let o = o.fill(a["fill"].as_bool().unwrap()).width(number(&a["width"]) as i64);
                match &a["colors"] {
                    Value::Null => o,
                    c if one(c) => o.colors(colour(c)),
                    c => o.colors(c.as_array().unwrap().iter().map(colour).collect::<Vec<_>>()),
                }
            })
        }
        "draw_segmentation_masks" => {
            let Sample::Tensor(masks) = input(&a["masks"]) else { panic!() };
            utils::draw_segmentation_masks_with(x, masks.eq(0), |o| {
                let o = o.alpha(number(&a["alpha"]));
                match &a["colors"] {
                    Value::Null => o,
                    c if one(c) => o.colors(colour(c)),
                    c => o.colors(c.as_array().unwrap().iter().map(colour).collect::<Vec<_>>()),
                }
            })
        }
        "draw_keypoints" => utils::draw_keypoints_with(x, points(&a["points"]), |o| {
            let mut o = o.radius(number(&a["radius"]) as i64).width(number(&a["width"]) as i64);
            if !a["colors"].is_null() {
                o = o.colors(colour(&a["colors"]));
            }
            if let Some(pairs) = a["connectivity"].as_array() {
                let pairs = pairs.iter().map(integers).map(|p| (p[0] as usize, p[1] as usize));
                o = o.connectivity(pairs.collect::<Vec<_>>());
            }
            if let Some(rows) = a["visibility"].as_array() {
                let seen: Vec<bool> =
                    rows.iter().flat_map(|row| row.as_array().unwrap()).map(|v| v.as_bool().unwrap()).collect();
                let n = seen.len();
                o = o.visibility(&torch::from_vec(seen, [n]).view((rows.len(), -1)));
            }
            o
        }),
        _ => utils::flow_to_image(x.mul(3).sub(1.5)),
    }
}

#[test]
fn pictures_are_torchvisions() {
    let cases = read_cases(&golden("utils.json.gz"));
    let mut failures = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let (op, a) = (case["op"].as_str().unwrap(), &case["args"]);
        let Sample::Tensor(x) = input(&case["in"]) else { panic!() };
        let found = catch_unwind(AssertUnwindSafe(|| run(op, a, &x)));
        let what = match found {
            Err(panic) => Some(format!("panics: {:?}", panic.downcast_ref::<String>())),
            Ok(out) => {
                let share = if op == "flow_to_image" { 0.05 } else { 0.0 };
                difference(&Sample::Tensor(out), &case["out"], share, false, 1e-6)
            }
        };
        failures.extend(what.map(|what| format!("{i} {op} {a} of {}: {what}", case["in"])));
    }
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn a_grid_is_saved_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let x = torch::rand([4, 3, 5, 6]);
    let path = folder.path().join("grid.png");
    utils::save_image_with(&x, &path, |o| o.nrow(2).padding(1)).unwrap();
    let bytes = utils::make_grid_with(&x, |o| o.nrow(2).padding(1)).mul(255).add(0.5).to(torch::uint8);
    assert!(flambeau_vision::io::read_image(&path).unwrap().equal(&bytes));
    let list = [torch::zeros([1, 4, 4]), torch::ones([1, 4, 4])];
    utils::save_image(&list, folder.path().join("two.jpg")).unwrap();
    assert_eq!(flambeau_vision::io::read_image(folder.path().join("two.jpg")).unwrap().size(), [3, 8, 14]);
    assert!(utils::save_image(&x, folder.path().join("grid.gif")).is_err());
    // Four channels are RGBA.
    utils::save_image(torch::rand([2, 4, 5, 6]), &path).unwrap();
    assert_eq!(flambeau_vision::io::read_image(&path).unwrap().size(), [4, 9, 18]);
}

#[test]
fn wrong_arguments_say_what_torchvision_says() {
    let message = |call: &dyn Fn() -> Tensor| {
        let panic = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    let image = torch::zeros_with([3, 9, 9], |o| o.dtype(torch::uint8));
    let boxes = torch::tensor([[0, 0, 4, 4], [1, 1, 3, 3]]);
    let said = message(&|| utils::draw_bounding_boxes(torch::zeros([1, 3, 4, 4]), &boxes));
    assert!(said.contains("Pass individual images, not batches"), "{said}");
    let said = message(&|| utils::draw_bounding_boxes_with(&image, &boxes, |o| o.colors(["red"])));
    assert!(
        said.contains("Number of colors must be equal or larger than the number of objects, but got 1 < 2."),
        "{said}"
    );
    let said = message(&|| utils::draw_bounding_boxes_with(&image, &boxes, |o| o.colors("reddish")));
    assert!(said.contains("unknown color specifier: 'reddish'"), "{said}");
    let said = message(&|| utils::draw_bounding_boxes(&image, torch::tensor([[4, 0, 1, 1]])));
    assert!(said.contains("(xmin, ymin, xmax, ymax) format"), "{said}");
    let said = message(&|| utils::draw_segmentation_masks(&image, torch::zeros([9, 9])));
    assert!(said.contains("The masks must be of dtype bool"), "{said}");
    let said = message(&|| utils::flow_to_image(torch::zeros([3, 4, 4])));
    assert!(said.contains("Input flow should have shape (2, H, W) or (N, 2, H, W)"), "{said}");
}

/// Far coordinates take no time, and those that are none are refused.
#[test]
fn coordinates_may_lie_anywhere() {
    let image = torch::zeros_with([3, 9, 9], |o| o.dtype(torch::uint8));
    for bad in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
        let boxes = torch::tensor([[0.0, 0.0, bad, 5.0]]);
        assert!(catch_unwind(AssertUnwindSafe(|| utils::draw_bounding_boxes(&image, boxes))).is_err());
        let points = torch::tensor([[[bad, 3.0], [2.0, 2.0]]]);
        assert!(catch_unwind(AssertUnwindSafe(|| utils::draw_keypoints(&image, points))).is_err());
    }
    let ones = |x: Tensor| x.ne(0).any_dim(0, false).sum().item() as i64;
    let far = |x: f64| torch::tensor([[[-x, 3.0], [x, 3.0]]]);
    for x in [30.0, 1e10, 1e18, 1e30] {
        let lines = utils::draw_keypoints_with(&image, far(x), |o| o.connectivity([(0, 1)]).width(1).colors("red"));
        assert_eq!(ones(lines), 9);
        let boxes = torch::tensor([[2.0, 3.0, x, x]]);
        let boxes = utils::draw_bounding_boxes_with(&image, boxes, |o| o.colors("red").width(2));
        assert_eq!(ones(boxes), 2 * 7 + 2 * 4);
        let all = torch::tensor([[-x, -x, x, x]]);
        assert_eq!(ones(utils::draw_bounding_boxes_with(&image, &all, |o| o.colors("red"))), 0);
        assert_eq!(ones(utils::draw_bounding_boxes_with(&image, &all, |o| o.colors("red").fill(true))), 81);
    }
}
