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
        let maps = root().join("target/feature_maps.png");
        let text = example("feature_maps", &["--seed", &seed, "--out", &maps.display().to_string()])?;
        same_but_last_digits(&text, &std::fs::read_to_string(expected.join(format!("feature_maps_{seed}.txt")))?)?;
    }
    let text = example("custom_function", &[])?;
    println!("examples: custom_function: {}", text.lines().rev().take(2).collect::<Vec<_>>().join("; "));
    inspected(&expected)?;
    refusals()?;
    println!(
        "examples: tensors, cnn, regression, polynomial, char_rnn, gat and feature_maps print what PyTorch prints"
    );
    for seed in ["0", "7"] {
        let text = example("cnn", &["--seed", seed, "--device", "wgpu"])?;
        let expected = std::fs::read_to_string(expected.join(format!("cnn_{seed}.txt")))?;
        // What PyTorch adds to a tensor on a GPU, on the same line or, where that is full, on the next.
        let text = text.replace(",\n       device='wgpu:0'", "").replace(", device='wgpu:0'", "");
        same_but_last_digits(&text, &expected)?;
    }
    println!("examples: cnn prints the same on wgpu:0");
    example("tensors", &["--device", "wgpu"])?;
    trainings(&expected)?;
    mnist(&expected, "cpu")?;
    mnist(&expected, "wgpu")?;
    for device in ["cpu", "wgpu"] {
        let text = example("soak", &["--steps", "1000", "--device", device])?;
        println!("examples: soak took 1000 steps; {}", text.lines().last().unwrap_or_default());
    }
    Ok(())
}

/// Files whose content `inspect` prints, within the folder of the files that PyTorch, safetensors and NumPy wrote.
const INSPECTED: [&str; 4] = ["views.pth", "safetensors/tied.safetensors", "numpy/stored.npz", "numpy/fortran_f4.npy"];

fn inspected(expected: &Path) -> Result<()> {
    let files = INSPECTED.map(|file| format!("crates/flambeau-serialize/goldens/{file}"));
    let text = example("inspect", &files.each_ref().map(String::as_str))?;
    same_text(&text, &std::fs::read_to_string(expected.join("inspect.txt"))?)?;
    println!("examples: inspect prints what {} files hold", files.len());
    Ok(())
}

/// Six steps of a program on digits.
const SIX_STEPS: &[&str] =
    &["--data", "synthetic", "--epochs", "1", "--steps", "6", "--log-interval", "1", "--test-images", "500"];
const GPT: &[&str] = &["--steps", "12", "--log-interval", "1", "--eval-interval", "100", "--sample", "60"];
// Where rounding grows from step to step, in PyTorch's own kernels too, both compute in float64.
const TRANSFER_LEARNING: &[&str] =
    &["--double", "--size", "64", "--pictures", "16", "--epochs", "2", "--steps", "4", "--log-interval", "1"];
const RESNET_CIFAR: &[&str] =
    &["--double", "--batch-size", "16", "--test-images", "64", "--epochs", "2", "--steps", "4", "--log-interval", "1"];
const ONE_CYCLE: &[&str] = &[
    "--double",
    "--batch-size=16",
    "--test-images=64",
    "--epochs=1",
    "--steps=4",
    "--log-interval=1",
    "--one-cycle",
    "--label-smoothing=0.1",
    "--ema=0.9",
];
const STYLE_TRANSFER: &[&str] =
    &["--double", "--size", "32", "--num-steps", "8", "--log-interval", "1", "--out", "target/styled.png"];
const SUPER_RESOLUTION: &[&str] =
    &["--crop", "96", "--pictures", "16", "--epochs", "2", "--steps", "4", "--log-interval", "1"];

/// A few steps of the programs that train: the example, what its expected texts are called, and its options.
const TRAININGS: [(&str, &str, &[&str]); 17] = [
    ("gpt", "gpt", GPT),
    ("word_lm", "word_lm_LSTM", &["--model", "LSTM", "--epochs", "1", "--steps", "6", "--log-interval", "1"]),
    (
        "word_lm",
        "word_lm_Transformer",
        &["--model", "Transformer", "--epochs", "1", "--steps", "6", "--log-interval", "1"],
    ),
    ("reinforce", "reinforce", &["--episodes", "12"]),
    ("actor_critic", "actor_critic", &["--episodes", "12"]),
    ("time_series", "time_series", &["--steps", "2", "--waves", "10", "--length", "60"]),
    ("mnist_cnn", "mnist_cnn", SIX_STEPS),
    ("vae", "vae", SIX_STEPS),
    ("dcgan", "dcgan", SIX_STEPS),
    ("siamese", "siamese", SIX_STEPS),
    ("mnist_rnn", "mnist_rnn", SIX_STEPS),
    ("vit", "vit", SIX_STEPS),
    ("transfer_learning", "transfer_learning", TRANSFER_LEARNING),
    ("resnet_cifar", "resnet_cifar_multistep", RESNET_CIFAR),
    ("resnet_cifar", "resnet_cifar_onecycle", ONE_CYCLE),
    ("style_transfer", "style_transfer", STYLE_TRANSFER),
    ("super_resolution", "super_resolution", SUPER_RESOLUTION),
];

/// Their losses are as near to PyTorch's as PyTorch's are to its own with another number of threads.
fn trainings(expected: &Path) -> Result<()> {
    for (name, text, args) in TRAININGS {
        let theirs = |threads| std::fs::read_to_string(expected.join(format!("{text}_{threads}.txt")));
        let furthest = as_near_as_threads(&example(name, args)?, &theirs(1)?, &theirs(2)?)
            .map_err(|error| format!("{text}: {error}"))?;
        println!("examples: {text} prints what PyTorch prints; furthest number {furthest:.1e} off");
    }
    resumed()
}

/// A run that is broken off and resumed prints what the whole run prints, to the last digit.
fn resumed() -> Result<()> {
    let checkpoint = std::env::temp_dir().join(format!("flambeau-gpt-{}.pt", std::process::id()));
    let path = checkpoint.to_string_lossy();
    let whole = example("gpt", GPT)?;
    example("gpt", &["--steps", "5", "--decay-steps", "12", "--eval-interval", "100", "--out", &path])?;
    let rest = example("gpt", &[&["--resume", &path], GPT].concat());
    std::fs::remove_file(&checkpoint)?;
    let whole = whole.find("step 5: loss").map(|at| &whole[at..]).ok_or("gpt printed no fifth step")?;
    let rest = rest?;
    same_text(rest.split_once('\n').ok_or("gpt printed nothing")?.1, whole)?;
    println!("examples: gpt goes on from a checkpoint bit for bit");
    resumed_mnist()
}

/// Two epochs of mnist leave the same file as one epoch and, from its checkpoint, another.
fn resumed_mnist() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("flambeau-mnist-{}", std::process::id()));
    let train = |name: &str, epochs: &str| -> Result<Vec<u8>> {
        // Files of one name, for it is in the file.
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let (out, checkpoint) = (folder.join("simple_nn.pth"), folder.join("checkpoint.pth"));
        let (out, checkpoint) = (out.to_string_lossy(), checkpoint.to_string_lossy());
        let options =
            ["--data", "synthetic", "--gamma", "0.7", "--epochs", epochs, "--out", &out, "--resume", &checkpoint];
        example("mnist", &options)?;
        Ok(std::fs::read(&*out)?)
    };
    let whole = train("whole", "2")?;
    let half = train("parts", "1")?;
    let resumed = train("parts", "2")?;
    std::fs::remove_dir_all(&folder)?;
    if whole != resumed || whole == half {
        return Err("mnist: two epochs, and one and from its checkpoint another, leave different files".into());
    }
    println!("examples: mnist goes on from a checkpoint bit for bit");
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
        ("gpt", &["--eval-interval", "0"], "gpt: invalid value '0' for '--eval-interval <EVAL_INTERVAL>': must be at"),
        ("gpt", &["--data", "/no/such/file"], "gpt: cannot read /no/such/file: "),
        ("gpt", &["--out", "/no/such/folder/x.pt"], "gpt: cannot write --out /no/such/"),
        ("vae", &["--device", "wgpu:99"], "vae: "),
        ("reinforce", &["--plot", "/no/such/folder/x.svg"], "reinforce: cannot write --plot /no/such/"),
        ("soak", &["--steps", "0"], "soak: invalid value '0' for '--steps <STEPS>': must be at least 1"),
        ("soak", &["--device", "wgpu:99"], "soak: "),
        ("cnn", &["--seed", "1.5"], "cnn: invalid value '1.5' for '--seed <SEED>'"),
        ("cnn", &["--device", "wgpu:99"], "cnn: "),
        ("tensors", &["--seed", "x"], "tensors: invalid value 'x' for '--seed <SEED>'"),
        ("tensors", &["--device", "wgpu:99"], "tensors: "),
        ("feature_maps", &["--image", "/no/such/file"], "feature_maps: cannot read --image /no/such/file: "),
        ("feature_maps", &["--weights", "/no/such.pth"], "feature_maps: cannot open /no/such.pth: "),
        ("transfer_learning", &["--data", "/no/such/folder"], "transfer_learning: "),
        ("transfer_learning", &["--size", "8"], "transfer_learning: invalid value '8' for '--size <SIZE>'"),
        ("transfer_learning", &["--plot", "/no/such/folder/x.svg"], "transfer_learning: cannot write --plot /no/such/"),
        ("resnet_cifar", &["--data", "/no/such/folder"], "resnet_cifar: "),
        (
            "resnet_cifar",
            &["--ema", "1.5"],
            "resnet_cifar: invalid value '1.5' for '--ema <EMA>': must be a number from 0",
        ),
        ("style_transfer", &["--style", "/no/such/file"], "style_transfer: cannot read --style /no/such/file: "),
        ("style_transfer", &["--out", "/no/such/folder/x.png"], "style_transfer: cannot write --out /no/such/"),
        ("super_resolution", &["--data", "/no/such/folder"], "super_resolution: cannot read /no/such/folder/train: "),
        ("super_resolution", &["--upscale-factor", "1"], "super_resolution: invalid value '1' for '--upscale-factor "),
        ("inspect", &["/no/such/file"], "inspect: cannot open /no/such/file: "),
        ("inspect", &["crates/flambeau-serialize/goldens/numpy/refused_texts.npy"], "inspect: cannot load "),
        ("inspect", &["Cargo.toml"], "inspect: cannot load Cargo.toml: it is not a file of torch.save"),
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

/// The numbers of a text, and what stands between them.
fn words(text: &str) -> Vec<String> {
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
}

/// Equal to the first of two texts, except that a number may be twice as far from it as the second text's number is, a millionth
/// of it, or one in its last printed digit. Says how far the furthest number is.
fn as_near_as_threads(ours: &str, one: &str, two: &str) -> Result<f64> {
    let [a, b, c] = [ours, one, two].map(words);
    if a.len() != b.len() || b.len() != c.len() {
        return Err(format!("printed\n{ours}\nPyTorch prints\n{one}").into());
    }
    let mut furthest = 0.0;
    for ((a, b), c) in a.iter().zip(&b).zip(&c) {
        let numbers = [a, b, c].map(|x| x.parse::<f64>());
        let off = match (numbers, a.split_once('.'), b.split_once('.')) {
            _ if a == b => 0.0,
            ([Ok(x), Ok(y), Ok(z)], Some((_, d)), Some((_, e))) if d.len() == e.len() => {
                let last = 1.5 * 10f64.powi(-(d.len() as i32));
                let allowed = (2.0 * (y - z).abs()).max(1e-6 * y.abs().max(1.0)).max(last);
                if (x - y).abs() <= allowed { (x - y).abs() } else { f64::INFINITY }
            }
            _ => f64::INFINITY,
        };
        if off == f64::INFINITY {
            return Err(format!("printed {a}, PyTorch prints {b}, and {c} with two threads").into());
        }
        furthest = f64::max(furthest, off);
    }
    Ok(furthest)
}

/// Equal, except that a number may differ by one in its last printed digit.
fn same_but_last_digits(ours: &str, theirs: &str) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_twice_as_far_as_another_number_of_threads_is() {
        let near = |ours, one, two| as_near_as_threads(ours, one, two).ok();
        assert_eq!(near("loss 2.5000000, step 3", "loss 2.5000000, step 3", "loss 2.5000000, step 3"), Some(0.0));
        assert!(near("loss 2.5000020", "loss 2.5000000", "loss 2.5000000").is_some(), "a millionth of 2.5");
        assert!(near("loss 2.5000030", "loss 2.5000000", "loss 2.5000000").is_none());
        assert!(near("loss 2.5000030", "loss 2.5000000", "loss 2.5000015").is_some(), "twice the threads' difference");
        assert!(near("loss 0.25", "loss 0.26", "loss 0.26").is_some(), "the last printed digit");
        assert!(near("loss 0.25", "loss 0.27", "loss 0.27").is_none());
        for other in ["loss 2.5", "test 2.5000000", "loss 2.5000000 3", "loss nan"] {
            assert!(near(other, "loss 2.5000000", "loss 2.5000000").is_none(), "{other}");
        }
        assert!(near("step 4", "step 3", "step 3").is_none(), "whole numbers are equal");
    }
}
