//! Every test that the README promises.

use crate::command::{Result, cargo, tee};

/// Each level that this machine has runs the kernels' tests once; the widest is the default of the whole run.
const NARROWER_LEVELS: [&str; 2] = ["portable", "avx2"];

pub fn run() -> Result<()> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--quiet", "--", "--nocapture"]);
    // Tests that expect a panic print its message; their stack traces would bury the rest.
    command.env("RUST_BACKTRACE", "0");
    let mut output = tee(command)?;
    for level in NARROWER_LEVELS {
        if level == "avx2" && !has_avx2() {
            println!("skipped: this machine has no AVX2");
            continue;
        }
        println!("kernels under FLAMBEAU_SIMD={level}");
        let mut command = cargo(&["test", "--package", "flambeau-cpu", "--quiet", "--lib", "--tests"]);
        command.env("FLAMBEAU_SIMD", level);
        output.push_str(&tee(command)?);
    }
    summary(&output);
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

/// Adds up what the test programs printed: `test result: ok. 12 passed; …` of the test runner, and lines
/// `count: 345 golden cases` of our own.
fn summary(output: &str) {
    let (mut passed, mut ignored) = (0u64, 0u64);
    let mut counts: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for line in output.lines() {
        if let Some(rest) = line.split_once("test result: ok. ").map(|(_, r)| r) {
            for part in rest.split("; ") {
                let mut words = part.split_whitespace();
                let number = words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
                match words.next() {
                    Some("passed") => passed += number,
                    Some("ignored") => ignored += number,
                    _ => {}
                }
            }
        } else if let Some((_, rest)) = line.split_once("count: ")
            && let Some((number, what)) = rest.split_once(' ')
            && let Ok(number) = number.parse::<u64>()
        {
            *counts.entry(what.trim().to_owned()).or_default() += number;
        }
    }
    println!("\ntests: {passed} passed, {ignored} ignored");
    let gpu_cases: u64 = counts.iter().filter(|(what, _)| what.starts_with("GPU cases: ")).map(|(_, n)| n).sum();
    println!("GPU cases in all: {gpu_cases}");
    for (what, number) in counts {
        println!("{what}: {number}");
    }
}
