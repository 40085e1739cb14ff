//! The layering of the crates, read from `cargo metadata`, and the size of the dependency tree.

use crate::command::{Result, capture, cargo};
use serde_json::Value;
use std::collections::BTreeSet;

/// The floors from the ground up: a crate may use crates of lower floors only. `flambeau-macros` is a tool of all of them.
const FLOORS: [&[&str]; 14] = [
    &["flambeau-macros"],
    &["flambeau-tensor"],
    &["flambeau-shaders"],
    &["flambeau-wgpu"],
    &["flambeau-cpu"],
    &["flambeau-device"],
    &["flambeau-autograd"],
    &["flambeau-nn", "flambeau-optim", "flambeau-data", "flambeau-distributions", "flambeau-metrics"],
    &["flambeau-serialize"],
    &["flambeau-vision", "flambeau-tensorboard"],
    &["flambeau-plot"],
    &["flambeau"],
    &["flambeau-testkit"],
    &["flambeau-examples", "flambeau-benches", "xtask"],
];

/// The most crates that the facade may need without optional features.
const MOST_CRATES_CPU_ONLY: usize = 60;
/// The most crates that it may need with the GPU and everything else that is on by default.
const MOST_CRATES: usize = 140;

pub fn run() -> Result<()> {
    let text = capture(cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let floor_of = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().ok_or("cargo metadata lists no packages")? {
        let name = package["name"].as_str().ok_or("a package has no name")?;
        let Some(floor) = floor_of(name) else {
            wrong.push(format!("{name} stands on no floor"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let for_tests_only = dependency["kind"].as_str() == Some("dev");
            if !for_tests_only && floor_of(used).is_some_and(|below| below >= floor) {
                wrong.push(format!("{name} (floor {floor}) uses {used} of the same or a higher floor"));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    let count = crates(&["--no-default-features"])?;
    let with_defaults = crates(&[])?;
    println!("floors: every crate uses lower floors only");
    println!(
        "crates: {count} CPU only (at most {MOST_CRATES_CPU_ONLY}), {with_defaults} with default features (at most {MOST_CRATES})"
    );
    if count > MOST_CRATES_CPU_ONLY {
        return Err(format!("the CPU-only tree has {count} crates, more than {MOST_CRATES_CPU_ONLY}").into());
    }
    if with_defaults > MOST_CRATES {
        return Err(format!("the tree has {with_defaults} crates, more than {MOST_CRATES}").into());
    }
    Ok(())
}

/// How many crates a user of the facade builds.
fn crates(features: &[&str]) -> Result<usize> {
    let mut args =
        vec!["tree", "--package", "flambeau", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    args.extend(features);
    let tree = capture(cargo(&args))?;
    // The same crate is printed once per user, with a mark; name and version tell it apart.
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(name).filter(|n| !n.is_empty()).collect::<BTreeSet<_>>().len())
}
