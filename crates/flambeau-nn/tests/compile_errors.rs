//! What the compiler says to the likeliest mistakes with modules. The files beside the programs hold its words, which change
//! from one compiler to the next, so they are compared on the toolchain that the project is developed with only;
//! `TRYBUILD=overwrite` writes them anew.

use std::process::Command;

/// The toolchain whose words the files have.
const TOOLCHAIN: &str = "rustc 1.95.0 ";

#[test]
fn likely_mistakes_are_told_readably() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("rustc runs").stdout;
    if !String::from_utf8_lossy(&version).starts_with(TOOLCHAIN) {
        eprintln!("skipped: the messages are those of {TOOLCHAIN}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_errors/*.rs");
}
