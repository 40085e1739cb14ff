//! The examples at small settings: what they print is held against what PyTorch prints (`examples/expected`, with the
//! scripts that made it).

use crate::command::{Result, capture, cargo, root};
use std::path::Path;

pub fn run() -> Result<()> {
    let expected = root().join("examples/expected");
    for seed in [0, 7] {
        let seed = seed.to_string();
        let text = example("tensors", &["--seed", &seed])?;
        same_text(&text, &std::fs::read_to_string(expected.join(format!("tensors_{seed}.txt")))?)?;
        let text = example("cnn", &["--seed", &seed])?;
        same_but_last_digits(&text, &std::fs::read_to_string(expected.join(format!("cnn_{seed}.txt")))?)?;
        for name in ["regression", "polynomial", "char_rnn", "gat"] {
            let text = example(name, &["--seed", &seed])?;
            same_but_last_digits(&text, &std::fs::read_to_string(expected.join(format!("{name}_{seed}.txt")))?)?;
        }
    }
    let text = example("custom_function", &[])?;
    println!("examples: custom_function: {}", text.lines().rev().take(2).collect::<Vec<_>>().join("; "));
    refusals()?;
    println!("examples: tensors, cnn, regression, polynomial, char_rnn and gat print what PyTorch prints");
    for seed in ["0", "7"] {
        let text = example("cnn", &["--seed", seed, "--device", "wgpu"])?;
        let expected = std::fs::read_to_string(expected.join(format!("cnn_{seed}.txt")))?;
        // What PyTorch adds to a tensor on a GPU, on the same line or, where that is full, on the next.
        let text = text.replace(",\n       device='wgpu:0'", "").replace(", device='wgpu:0'", "");
        same_but_last_digits(&text, &expected)?;
    }
    println!("examples: cnn prints the same on wgpu:0");
    example("tensors", &["--device", "wgpu"])?;
    mnist(&expected, "cpu")?;
    mnist(&expected, "wgpu")?;
    for device in ["cpu", "wgpu"] {
        let text = example("soak", &["--steps", "1000", "--device", device])?;
        println!("examples: soak took 1000 steps; {}", text.lines().last().unwrap_or_default());
    }
    Ok(())
}

fn example(name: &str, args: &[&str]) -> Result<String> {
    let mut all = vec!["run", "--release", "--quiet", "--example", name, "--"];
    all.extend(args);
    capture(cargo(&all))
}

/// Options out of range, and files that cannot be written: each is refused in one line, before anything is computed.
fn refusals() -> Result<()> {
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "mnist",
            &["--batch-size", "0"],
            "mnist: invalid value '0' for '--batch-size <BATCH_SIZE>': must be at least 1",
        ),
        ("mnist", &["--batch-size", "18446744073709551615"], "mnist: invalid value '18446744073709551615' for"),
        ("mnist", &["--epochs", "0"], "mnist: invalid value '0' for '--epochs <EPOCHS>': must be at least 1"),
        (
            "mnist",
            &["--epochs", "-3"],
            "mnist: invalid value '-3' for '--epochs <EPOCHS>': must be a whole number of at",
        ),
        ("mnist", &["--lr", "nan"], "mnist: invalid value 'nan' for '--lr <LR>': must be a finite number that is not"),
        (
            "mnist",
            &["--lr", "-0.1"],
            "mnist: invalid value '-0.1' for '--lr <LR>': must be a finite number that is not",
        ),
        ("mnist", &["--lr", "inf"], "mnist: invalid value 'inf' for '--lr <LR>'"),
        ("mnist", &["--seed", "x"], "mnist: invalid value 'x' for '--seed <SEED>'"),
        ("mnist", &["--device", "abacus"], "mnist: invalid value 'abacus' for '--device <DEVICE>'"),
        ("mnist", &["--device", "wgpu:99"], "mnist: "),
        ("mnist", &["--data", "/no/such/folder"], "mnist: "),
        ("mnist", &["--data", "synthetic", "--out", "/no/such/folder/x.pth"], "mnist: cannot write --out /no/such/"),
        ("mnist", &["--data", "synthetic", "--out", "/"], "mnist: cannot write --out /: "),
        ("mnist", &["--data", "synthetic", "--plot", "/no/such/folder/x.svg"], "mnist: cannot write --plot /no/such/"),
        ("mnist", &["--data", "synthetic", "--out", "same", "--plot", "same"], "mnist: --out and --plot name the same"),
        ("mnist", &["--speed", "11"], "mnist: unexpected argument '--speed' found"),
        ("soak", &["--steps", "0"], "soak: invalid value '0' for '--steps <STEPS>': must be at least 1"),
        ("soak", &["--device", "wgpu:99"], "soak: "),
        ("cnn", &["--seed", "1.5"], "cnn: invalid value '1.5' for '--seed <SEED>'"),
        ("cnn", &["--device", "wgpu:99"], "cnn: "),
        ("tensors", &["--seed", "x"], "tensors: invalid value 'x' for '--seed <SEED>'"),
        ("tensors", &["--device", "wgpu:99"], "tensors: "),
    ];
    for (name, args, expected) in cases {
        let mut all = vec!["run", "--release", "--quiet", "--example", name, "--"];
        all.extend(*args);
        let output = cargo(&all).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let one_line = said.trim_end().lines().count() == 1 && output.stdout.is_empty();
        if output.status.success() || !one_line || !said.starts_with(expected) {
            let printed = String::from_utf8_lossy(&output.stdout);
            return Err(
                format!("{name} {args:?} ended with {}, printed {printed:?} and said {said:?}", output.status).into()
            );
        }
    }
    println!("examples: {} options out of range are refused in one line", cases.len());
    Ok(())
}

fn same_text(ours: &str, theirs: &str) -> Result<()> {
    for (i, (a, b)) in ours.lines().zip(theirs.lines()).enumerate() {
        if a != b {
            return Err(format!("line {}: printed\n{a}\nPyTorch prints\n{b}", i + 1).into());
        }
    }
    if ours != theirs { Err("the outputs differ in length".into()) } else { Ok(()) }
}

/// Equal, except that a number may differ by one in its last printed digit.
fn same_but_last_digits(ours: &str, theirs: &str) -> Result<()> {
    let words = |text: &str| -> Vec<String> {
        let mut words = vec![String::new()];
        let mut in_number = false;
        for c in text.chars() {
            let number = c.is_ascii_digit() || matches!(c, '.' | '-' | ' ');
            if number != in_number {
                words.push(String::new());
                in_number = number;
            }
            words.last_mut().expect("it has one").push(c);
        }
        words.iter().flat_map(|w| w.split(' ')).filter(|w| !w.is_empty()).map(ToOwned::to_owned).collect()
    };
    let (a, b) = (words(ours), words(theirs));
    if a.len() != b.len() {
        return Err(format!("printed\n{ours}\nPyTorch prints\n{theirs}").into());
    }
    for (a, b) in a.iter().zip(&b) {
        if a == b {
            continue;
        }
        let close = match (a.parse::<f64>(), b.parse::<f64>(), a.split_once('.'), b.split_once('.')) {
            (Ok(x), Ok(y), Some((_, d)), Some((_, e))) => {
                d.len() == e.len() && (x - y).abs() < 1.5 * 10f64.powi(-(d.len() as i32))
            }
            _ => false,
        };
        if !close {
            return Err(format!("printed {a}, PyTorch prints {b}").into());
        }
    }
    Ok(())
}

/// Two epochs on the synthetic digits against PyTorch's run (on the CPU) on the same images.
fn mnist(expected: &Path, device: &str) -> Result<()> {
    let out = std::env::temp_dir().join(format!("flambeau-mnist-{}.pth", std::process::id()));
    let plot = out.with_extension("svg");
    let (out_arg, plot_arg) = (out.to_string_lossy(), plot.to_string_lossy());
    let args = ["--data", "synthetic", "--epochs", "2", "--device", device, "--out", &out_arg, "--plot", &plot_arg];
    let text = example("mnist", &args)?;
    let reference = std::fs::read_to_string(expected.join("mnist_synthetic.txt"))?;
    for line in reference.lines() {
        let theirs = figures(line).ok_or("the expected output has a line without figures")?;
        let prefix = line.split(',').next().unwrap_or_default();
        let ours =
            text.lines().find(|l| l.starts_with(prefix)).and_then(figures).ok_or_else(|| format!("no {prefix}"))?;
        println!(
            "{device}: {prefix}: mean {} (PyTorch {}), accuracy {} (PyTorch {})",
            ours.0, theirs.0, ours.1, theirs.1
        );
        if (ours.0 - theirs.0).abs() > 5e-4 || (ours.1 - theirs.1).abs() > 3e-3 {
            return Err("the training run left PyTorch's".into());
        }
    }
    let saved = std::fs::metadata(&out)?.len();
    let drawn = std::fs::read_to_string(&plot)?;
    std::fs::remove_file(&out)?;
    std::fs::remove_file(&plot)?;
    if saved < 400_000 || !drawn.contains("<svg") {
        return Err("the weights or the plot were not written".into());
    }
    println!("examples: mnist learns on {device} as PyTorch does");
    Ok(())
}

/// Mean loss and accuracy of a line `Epoch [1/2], Loss: …, mean M, test accuracy A, …`.
fn figures(line: &str) -> Option<(f64, f64)> {
    let after = |mark: &str| -> Option<f64> { line.split_once(mark)?.1.split(',').next()?.trim().parse().ok() };
    Some((after("mean ")?, after("accuracy ")?))
}
