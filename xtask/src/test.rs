//! Every test that the README promises.

use crate::command::{Result, cargo, tee};
use std::collections::BTreeMap;

/// Each level that this machine has runs the kernels' tests once; the widest is the default of the whole run.
const NARROWER_LEVELS: [&str; 2] = ["portable", "avx2"];

pub fn run() -> Result<()> {
    crate::vulkan::run()?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast", "--quiet", "--", "--nocapture"]);
    // Tests that expect a panic print its message; their stack traces would bury the rest.
    command.env("RUST_BACKTRACE", "0");
    let mut output = tee(command)?;
    for level in NARROWER_LEVELS {
        if level == "avx2" && !has_avx2() {
            let line = "skipped: kernels under FLAMBEAU_SIMD=avx2, this machine has no AVX2\n";
            print!("{line}");
            output.push_str(line);
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

/// Adds up what the test programs printed: the results of the test runner, lines `count: 345 golden cases` of our own, and
/// lines `skipped: what and why`.
fn summary(output: &str) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut skips: BTreeMap<&str, u64> = BTreeMap::new();
    for line in output.lines() {
        if let Some((_, rest)) = line.split_once("count: ")
            && let Some((number, what)) = rest.split_once(' ')
            && let Ok(number) = number.parse::<u64>()
        {
            *counts.entry(what.trim().to_owned()).or_default() += number;
        } else if let Some((_, reason)) = line.split_once("skipped: ") {
            *skips.entry(reason.trim()).or_default() += 1;
        }
    }
    let (passed, ignored) = passed_and_ignored(output);
    println!("\ntests: {passed} passed, {ignored} ignored");
    let gpu_cases: u64 = counts.iter().filter(|(what, _)| what.starts_with("GPU cases: ")).map(|(_, n)| n).sum();
    println!("GPU cases in all: {gpu_cases}");
    for (what, number) in counts {
        println!("{what}: {number}");
    }
    for (reason, times) in skips {
        println!("skipped {times} times: {reason}");
    }
}

/// How many tests passed and how many are switched off, by the lines `test result: ok. 12 passed; …` of the test runner.
pub fn passed_and_ignored(output: &str) -> (u64, u64) {
    let (mut passed, mut ignored) = (0, 0);
    for rest in output.lines().filter_map(|line| Some(line.split_once("test result: ")?.1.split_once(". ")?.1)) {
        for part in rest.split("; ") {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => passed += number,
                Some("ignored") => ignored += number,
                _ => {}
            }
        }
    }
    (passed, ignored)
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_added_up() {
        let output = "running 3 tests\n\
                      test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                      x: test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 7 filtered out\n";
        assert_eq!(super::passed_and_ignored(output), (15, 3));
    }
}
