//! Charts: what stands in the SVG, that the PNG has it too, and the range test.

use flambeau_autograd::{from_vec, no_grad, tensor};
use flambeau_nn::{self as nn, Module, functional as F};
use flambeau_optim::SGD;
use flambeau_plot::{Chart, Epoch, LrFinder, Score, lr_finder_with};

/// The texts of an SVG, in their order.
fn texts(svg: &str) -> Vec<String> {
    let parts = svg.split("<text").skip(1).filter_map(|part| part.split_once('>')?.1.split_once("</text>"));
    parts.map(|(text, _)| text.trim().to_owned()).collect()
}

fn history(epochs: usize) -> Vec<Epoch> {
    let at = |e: f64| Score { loss: 0.4 / e, accuracy: 1.0 - 0.1 / e };
    (1..=epochs).map(|e| Epoch { train: at(e as f64), test: at(0.9 * e as f64) }).collect()
}

#[test]
fn each_epoch_has_one_tick_and_each_value_a_point() {
    for epochs in [1, 2, 5, 12, 13, 30, 100] {
        let svg = Chart::training(&history(epochs)).svg().unwrap();
        let texts = texts(&svg);
        if epochs <= 12 {
            // Both panels number the epochs, each once.
            for number in (1..=epochs).map(|n| n.to_string()) {
                assert_eq!(texts.iter().filter(|t| **t == number).count(), 2, "{number} of {epochs}: {texts:?}");
            }
        }
        assert_eq!(svg.matches("<circle").count(), 4 * epochs + 2, "two curves in two panels, and the legend");
        assert!(["train", "test", "Loss", "Accuracy"].iter().all(|t| texts.contains(&t.to_string())), "{texts:?}");
        // Grid lines are horizontal and few.
        assert!(svg.matches("#E1E1E1").count() <= 16, "{}", svg.matches("#E1E1E1").count());
    }
}

#[test]
fn a_run_that_diverged_is_drawn_too() {
    let mut history = history(3);
    history[1].train.loss = f64::NAN;
    history[2].test.loss = f64::INFINITY;
    assert_eq!(Chart::training(&history).svg().unwrap().matches("<circle").count(), 4 * 3 - 2 + 2);
    assert!(Chart::training(&[]).svg().is_ok());
    assert!(Chart::curves::<&str>("none", "step", []).png().is_ok());
    assert!(Chart::curves("nothing", "step", [("nan", vec![(0.0, f64::NAN)])]).svg().is_ok());
}

#[test]
fn one_panel_has_its_own_names_and_numbers() {
    let points = |n: i32, y: f64| (0..n).map(|x| (f64::from(x), y * f64::from(x))).collect::<Vec<_>>();
    let curves = [("loss", points(2000, -1e-3)), ("validation", points(5, 1.0)), ("third", points(3, 1.0))];
    let svg = Chart::curves("Loss", "step", curves).svg().unwrap();
    let texts = texts(&svg);
    for text in ["loss", "validation", "third", "step", "Loss", "0", "200", "1800"] {
        assert!(texts.contains(&text.to_owned()), "{text}: {texts:?}");
    }
    assert_eq!(svg.matches("<circle").count(), 5 + 3 + 3, "a curve of 2000 points has no circles; the legend has");
}

#[test]
fn a_confusion_matrix_has_names_counts_and_shades() {
    let svg = Chart::confusion_matrix(tensor([[8, 2, 0], [1, 9, 0], [0, 0, 3]]), ["cat", "dog"]).svg().unwrap();
    let texts = texts(&svg);
    assert_eq!(texts.iter().filter(|t| *t == "dog").count(), 2);
    for text in ["predicted", "true", "2", "8", "9", "3"] {
        assert!(texts.contains(&text.to_owned()), "{text}: {texts:?}");
    }
    // The largest number is darkest, none is white.
    assert!(svg.contains("#08306B") && svg.matches("#FFFFFF").count() >= 4, "{svg}");
    let shares = Chart::confusion_matrix(tensor([[0.75, 0.25], [0.0, 1.0]]), ["a", "b"]).svg().unwrap();
    assert!(shares.contains("0.75"));
    let many = flambeau_autograd::eye(60);
    assert!(Chart::confusion_matrix(many, Vec::<String>::new()).png().is_ok());
}

#[test]
#[should_panic(expected = "a confusion matrix has the shape (C, C), got [2, 3]")]
fn a_confusion_matrix_is_square() {
    Chart::confusion_matrix(tensor([[1, 2, 3], [4, 5, 6]]), ["a"]);
}

#[test]
fn files_are_as_their_names_end() {
    let folder = tempfile::tempdir().unwrap();
    let chart = Chart::lr_schedule(&[0.1, 0.05, 0.025]);
    chart.save(folder.path().join("a.SVG")).unwrap();
    chart.save(folder.path().join("a.png")).unwrap();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.SVG").starts_with(b"<svg") && read("a.png").starts_with(b"\x89PNG"));
    let error = chart.save(folder.path().join("a.gif")).unwrap_err().to_string();
    assert!(error.ends_with("a.gif: a chart is saved as .svg or .png"), "{error}");
    assert!(chart.save(folder.path().join("none/a.svg")).unwrap_err().to_string().contains("none/a.svg"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_range_test_finds_where_the_loss_falls_and_leaves_no_trace() {
    let model = nn::Linear::with(2, 1, |o| o.bias(false));
    {
        let _guard = no_grad();
        model.weight.copy_(tensor([[3.0, -2.0]]));
    }
    let x = from_vec((0..40).map(|i| ((i * 7) % 11) as f32 / 5.0 - 1.0).collect(), [20, 2]);
    let y = x.sum_dim(1, true);
    let optimizer = SGD::with(model.parameters(), 0.25, |o| o.momentum(0.5));
    let mut step = || {
        optimizer.zero_grad();
        let loss = F::mse_loss(model.call(&x), &y);
        loss.backward();
        optimizer.step();
        loss.item()
    };
    let found = lr_finder_with(&model, &optimizer, |o| o.start_lr(1e-5).end_lr(1e3).num_iter(60), &mut step);
    assert_eq!(model.weight.to_vec::<f32>(), [3.0, -2.0]);
    // A momentum that was left behind would make the next step another than the first of a new optimizer: 0.25 times the gradient.
    step();
    let gradient = model.weight.grad().unwrap().to_vec::<f32>();
    let expected = [3.0 - 0.25 * gradient[0], -2.0 - 0.25 * gradient[1]];
    assert!(model.weight.to_vec::<f32>().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{expected:?}");
    assert_eq!(optimizer.param_groups()[0].lr(), 0.25);
    let LrFinder { lrs, losses, suggestion } = &found;
    assert_eq!((lrs.len(), lrs[0]), (losses.len(), 1e-5));
    assert!(lrs.len() < 60 && losses.last() > Some(&(5.0 * losses.iter().copied().fold(f64::MAX, f64::min))));
    for pair in lrs.windows(2) {
        assert!((pair[1] / pair[0] - 1e8f64.powf(1.0 / 59.0)).abs() < 1e-9);
    }
    // The suggestion is where a central difference is least, among those that count.
    let lr = suggestion.unwrap();
    let at = lrs.iter().position(|x| *x == lr).unwrap();
    assert!((10..losses.len() - 5).contains(&at) && losses[at + 1] < losses[at - 1], "{at} {losses:?}");
    assert!((1e-3..1.0).contains(&lr), "{lr}");
    assert!(Chart::lr_finder(&found).svg().unwrap().contains("1e-4"));
}

/// Writes a chart of each kind as PNG and SVG into the folder `FLAMBEAU_CHARTS`, to be looked at.
#[test]
fn charts_to_look_at() {
    let Some(folder) = std::env::var_os("FLAMBEAU_CHARTS") else { return };
    let folder = std::path::Path::new(&folder);
    std::fs::create_dir_all(folder).unwrap();
    let lrs: Vec<f64> = (0..80).map(|i| 1e-6 * 1e7f64.powf(f64::from(i) / 79.0)).collect();
    let losses =
        lrs.iter().map(|lr| 2.3 - 1.8 / (1.0 + (-4.0 * (lr.log10() + 2.2)).exp()) + (lr - 0.5).max(0.0)).collect();
    let found = LrFinder { lrs, losses, suggestion: None };
    let found = LrFinder { suggestion: Some(found.lrs[43]), ..found };
    let counts =
        from_vec((0..100i64).map(|i| if i / 10 == i % 10 { 900 + i } else { (i * 37) % 23 }).collect(), [10, 10]);
    let rates: Vec<f64> =
        (0..300).map(|i| 0.05 * (1.0 + (f64::from(i) * std::f64::consts::PI / 300.0).cos())).collect();
    for (name, chart) in [
        ("training", Chart::training(&history(12))),
        ("lr_finder", Chart::lr_finder(&found)),
        ("confusion", Chart::confusion_matrix(counts, Vec::<String>::new())),
        ("schedule", Chart::lr_schedule(&rates)),
    ] {
        for ending in ["png", "svg"] {
            chart.save(folder.join(format!("{name}.{ending}"))).unwrap();
        }
    }
}
