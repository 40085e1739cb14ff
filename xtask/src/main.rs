//! Tasks of the workspace: `cargo xtask test` runs every test that the README promises; see `cargo xtask help`.

mod check_all;
mod command;
mod compat;
mod examples;
mod floors;
mod gpu_report;
mod kernels;
mod lint;
mod peers;
mod test;
mod vulkan;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Tasks of the flambeau workspace")]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Unit, property, golden and documentation tests of all crates, the kernels under each SIMD level.
    Test,
    /// The examples at small settings, their output compared with PyTorch's.
    Examples,
    /// Which crate may depend on which, and how many crates there are in all.
    Floors,
    /// Words of unfinished work and tests that are switched off.
    Lint,
    /// Writes `docs/compat.md`: every documented name of PyTorch, and where it stands here.
    Compat {
        /// Only say whether the file is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Whether the Vulkan loader and a driver are installed, and how to install them.
    Vulkan,
    /// The long checks: AddressSanitizer, loom models, overflow checks, no default features, fuzzing, the oldest Rust.
    CheckAll {
        /// Only the steps whose names contain this; may be repeated.
        #[arg(long)]
        only: Vec<String>,
    },
    /// The same work here and in PyTorch, in turn, with the ratio (needs a Python with torch).
    Peers {
        /// The Python to run PyTorch with.
        #[arg(long, default_value = "python3")]
        python: String,
        /// Threads for both.
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
    /// What the main loops of the large GPU kernels are made of, without a GPU.
    Kernels {
        /// Folder that the texts and their SPIR-V are written to.
        #[arg(long)]
        out: Option<String>,
    },
    /// One table of the GPU at hand, written to `benches/reports`, beside PyTorch where it has CUDA.
    GpuReport {
        /// The Python to run PyTorch with; $PYTHON or python3 if not given.
        #[arg(long)]
        python: Option<String>,
        /// Print JSON in place of the table.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let result = match Options::parse().task {
        Task::Test => test::run(),
        Task::Examples => examples::run(),
        Task::Floors => floors::run(),
        Task::Lint => lint::run(),
        Task::Compat { check } => compat::run(check),
        Task::Vulkan => vulkan::run(),
        Task::CheckAll { only } => check_all::run(&only),
        Task::Peers { python, threads } => peers::run(&python, threads),
        Task::Kernels { out } => kernels::run(out.as_deref()),
        Task::GpuReport { python, json } => gpu_report::run(python.as_deref(), json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
