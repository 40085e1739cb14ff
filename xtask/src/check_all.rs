//! The long checks, for the end of an issue: what `.ci/run` has no time for. Each step builds in a folder of its own under
//! `target`, since it compiles everything with other flags.

use crate::command::{Result, capture, cargo, root};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

/// What a step came to.
enum Outcome {
    /// With what it counted.
    Passed(String),
    /// With the reason.
    Skipped(String),
}

type Step = (&'static str, fn() -> Result<Outcome>);

const STEPS: [Step; 7] = [
    ("address-sanitizer", address_sanitizer),
    ("planted-overread", planted_overread),
    ("loom", loom),
    ("overflow-checks", overflow_checks),
    ("no-default-features", no_default_features),
    ("fuzz", fuzz),
    ("msrv", msrv),
];

/// Crates that build without optional features; the testkit, the shaders and the GPU backend are the GPU's.
const CPU_ONLY: [&str; 10] = [
    "flambeau-tensor",
    "flambeau-cpu",
    "flambeau-device",
    "flambeau-autograd",
    "flambeau-nn",
    "flambeau-optim",
    "flambeau-data",
    "flambeau-distributions",
    "flambeau-serialize",
    "flambeau",
];

/// Runs the steps whose names contain one of `only` (all, where it is empty), then says what each came to.
pub fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|wanted| !STEPS.iter().any(|(name, _)| name.contains(wanted.as_str()))) {
        return Err(format!("no step is called {unknown}; there are {}", STEPS.map(|(name, _)| name).join(", ")).into());
    }
    let mut lines = Vec::new();
    let mut failed = 0;
    for (name, step) in STEPS {
        if !only.is_empty() && !only.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs();
        lines.push(match result {
            Ok(Outcome::Passed(what)) => format!("{name}: passed, {what} ({seconds} s)"),
            Ok(Outcome::Skipped(why)) => format!("{name}: skipped, {why} ({seconds} s)"),
            Err(error) => {
                failed += 1;
                format!("{name}: FAILED, {error} ({seconds} s)")
            }
        });
        println!("{}", lines.last().map_or("", String::as_str));
    }
    println!("\n=== summary\n{}", lines.join("\n"));
    if failed > 0 { Err(format!("{failed} of {} steps failed", lines.len()).into()) } else { Ok(()) }
}

/// Reads and writes outside a storage, in the tests of the crates that touch memory. Each storage is then an allocation
/// of its own and of its exact size.
fn address_sanitizer() -> Result<Outcome> {
    let Some(mut command) = sanitized("")? else { return Ok(no_nightly()) };
    command.args(["--no-fail-fast", "--quiet", "--lib", "--tests"]);
    command.args(["--package", "flambeau-tensor", "--package", "flambeau-cpu", "--package", "flambeau-autograd"]);
    tests(command)
}

/// The sanitizer finds a read of one element too many: a test that does so on purpose must fail, by the sanitizer's word.
fn planted_overread() -> Result<Outcome> {
    let Some(mut command) = sanitized(" --cfg flambeau_planted_overread")? else { return Ok(no_nightly()) };
    command.args(["--quiet", "--package", "flambeau-cpu", "--test", "planted_overread"]);
    let (success, output) = watch(command)?;
    match (success, output.contains("ERROR: AddressSanitizer")) {
        (false, true) => Ok(Outcome::Passed("the planted overread was found".into())),
        (false, false) => Err("the planted overread did not fail by the sanitizer's word".into()),
        (true, _) => Err("the planted overread went unnoticed".into()),
    }
}

fn no_nightly() -> Outcome {
    Outcome::Skipped("the sanitizer needs a nightly toolchain (`rustup toolchain install nightly`)".into())
}

/// `cargo test` under the sanitizer; `None` without a nightly toolchain.
fn sanitized(more: &str) -> Result<Option<Command>> {
    let Some(version) = rustc("nightly") else { return Ok(None) };
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let mut command = toolchain("nightly", &["test", "--target", host, "--target-dir", "target/asan"]);
    command.env("RUSTFLAGS", format!("-Zsanitizer=address --cfg flambeau_exact_alloc{more}"));
    // Worker threads live until the process ends, and what statics hold is no leak.
    command.env("ASAN_OPTIONS", "detect_leaks=0");
    Ok(Some(command))
}

/// The access word and the pool of threads, under every order of their steps.
fn loom() -> Result<Outcome> {
    let mut counts = Vec::new();
    for target in [&["--lib", "models"][..], &["--test", "loom_access"]] {
        let mut command = cargo(&["test", "--quiet", "--target-dir", "target/loom", "--package", "flambeau-cpu"]);
        // The kernels' speed does not matter here, and optimising them takes minutes.
        for name in ["flambeau-tensor", "flambeau-cpu"] {
            command.args(["--config", &format!("profile.dev.package.{name}.opt-level=0")]);
        }
        command.args(target).env("RUSTFLAGS", "--cfg loom");
        match tests(command)? {
            Outcome::Passed(count) => counts.push(count),
            skipped => return Ok(skipped),
        }
    }
    Ok(Outcome::Passed(format!("pool: {}; access word: {}", counts[0], counts[1])))
}

/// The tests as a release builds them, but an overflow panics.
fn overflow_checks() -> Result<Outcome> {
    let mut command = cargo(&["test", "--release", "--target-dir", "target/overflow", "--workspace", "--no-fail-fast"]);
    command.args(["--quiet", "--lib", "--tests"]).env("RUSTFLAGS", "-C overflow-checks=on");
    tests(command)
}

fn no_default_features() -> Result<Outcome> {
    let mut command = cargo(&["test", "--no-default-features", "--target-dir", "target/no-default", "--no-fail-fast"]);
    command.arg("--quiet").args(CPU_ONLY.iter().flat_map(|name| ["--package", name]));
    tests(command)
}

/// How many inputs each fuzz target reads here; `cargo fuzz run TARGET` goes on for ever.
const FUZZ_RUNS: u32 = 100_000;

/// Each fuzz target on the files of the matrix and on what libFuzzer makes of them.
fn fuzz() -> Result<Outcome> {
    let folder = root().join("fuzz");
    if rustc("nightly").is_none() {
        return Ok(Outcome::Skipped("fuzzing needs a nightly toolchain (`rustup toolchain install nightly`)".into()));
    }
    let mut version = toolchain("nightly", &["fuzz", "--version"]);
    version.stderr(Stdio::null());
    if capture(version).is_err() {
        return Ok(Outcome::Skipped("it needs cargo-fuzz (`cargo install cargo-fuzz`)".into()));
    }
    let (filled, _) = watch({
        let mut corpus = toolchain("nightly", &["run", "--quiet", "--bin", "corpus"]);
        corpus.current_dir(&folder);
        corpus
    })?;
    if !filled {
        return Err("the corpus could not be written".into());
    }
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(folder.join("fuzz_targets"))? {
        let path = entry?.path();
        targets.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    targets.sort();
    for target in &targets {
        let mut command = toolchain("nightly", &["fuzz", "run", target, "--"]);
        command.arg(format!("-runs={FUZZ_RUNS}")).args(["-timeout=10", "-rss_limit_mb=2048"]).current_dir(&folder);
        if !watch(command)?.0 {
            return Err(format!("{target} found an input, which lies in fuzz/artifacts/{target}").into());
        }
    }
    Ok(Outcome::Passed(format!("{} targets, {FUZZ_RUNS} inputs each", targets.len())))
}

/// Whether the oldest compiler that `Cargo.toml` promises accepts the code.
fn msrv() -> Result<Outcome> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml"))?;
    let promised = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let version = promised.ok_or("the workspace names no rust-version")?;
    if rustc(version).is_none() {
        return Ok(Outcome::Skipped(format!("no toolchain {version} (`rustup toolchain install {version}`)")));
    }
    let mut command = toolchain(version, &["check", "--workspace", "--all-targets", "--quiet"]);
    command.args(["--target-dir", "target/msrv"]);
    let (success, _) = watch(command)?;
    if success {
        Ok(Outcome::Passed(format!("Rust {version}")))
    } else {
        Err(format!("Rust {version} refuses it").into())
    }
}

/// `rustc -vV` of a toolchain, if it is installed.
fn rustc(name: &str) -> Option<String> {
    let mut command = Command::new("rustup");
    command.args(["run", name, "rustc", "-vV"]).stderr(Stdio::null());
    capture(command).ok()
}

/// `cargo` of another toolchain than the one that runs this program, whose settings cargo has put into the environment.
fn toolchain(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", name, "cargo"]).args(args).current_dir(root());
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// Runs tests; at least one must have run.
fn tests(mut command: Command) -> Result<Outcome> {
    command.env("RUST_BACKTRACE", "0");
    let (success, output) = watch(command)?;
    let (passed, ignored) = crate::test::passed_and_ignored(&output);
    match success {
        false => Err(format!("{passed} tests passed, others did not").into()),
        true if passed == 0 => Err("no test has run".into()),
        true if ignored == 0 => Ok(Outcome::Passed(format!("{passed} tests"))),
        true => Ok(Outcome::Passed(format!("{passed} tests, {ignored} ignored"))),
    }
}

/// Runs a command, shows its output as it comes, and returns whether it succeeded, with both of its streams.
fn watch(mut command: Command) -> Result<(bool, String)> {
    println!("$ {}", crate::command::describe(&command));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let errors = thread::spawn(move || echo(stderr));
    let mut output = echo(stdout);
    output.push_str(&errors.join().expect("printing does not panic"));
    Ok((child.wait()?.success(), output))
}

/// Prints lines as they come, and returns them.
fn echo(stream: impl std::io::Read) -> String {
    let mut text = String::new();
    for line in BufReader::new(stream).split(b'\n').map_while(std::result::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    text
}
