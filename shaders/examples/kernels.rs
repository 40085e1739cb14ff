//! What the main loops of the large kernels are made of: the text that a GPU's driver gets, counted without a GPU.
//!
//! ```text
//! cargo xtask kernels [--out DIR]
//! ```
//!
//! For each kernel: the size of its SPIR-V as the launcher has it made (unchecked), and of the loop with the most
//! multiply-adds: operations, loads and access chains per multiply-add of four numbers, barriers. `--out` also writes the texts
//! and the SPIR-V, for other tools.

use flambeau_shaders::{Kernel, Target};
use flambeau_tensor::DType;
use naga::back::spv;
use std::error::Error;
use std::path::Path;

/// The kernels that are looked at: a name for the row, and the kernel.
fn kernels() -> Vec<(String, Kernel)> {
    let fast = |[m, n, k, down, across]: [u32; 5], a: bool, b: bool| {
        Kernel::new("matmul/fast", DType::F32)
            .with_type("O", DType::F32)
            .with("BM", m)
            .with("BN", n)
            .with("BK", k)
            .with("RM", down)
            .with("CN", across)
            .with("A_ALONG_K", a)
            .with("B_ALONG_K", b)
    };
    let mut all = Vec::new();
    for tile in [[128, 128, 8, 4, 2], [128, 128, 8, 2, 2], [64, 64, 16, 2, 1], [16, 64, 16, 1, 1]] {
        for (layout, a, b) in [("NN", true, false), ("NT", true, true), ("TN", false, false)] {
            let [m, n, k, ..] = tile;
            let threads = 32 * (m / (16 * tile[3])) * (n / (32 * tile[4]));
            all.push((format!("matmul_fast_{m}x{n}x{k}_{threads}_{layout}"), fast(tile, a, b)));
        }
    }
    let tile = Kernel::new("matmul/tile", DType::F32).with_type("O", DType::F32);
    all.push((
        "matmul_tile_128x128x8".into(),
        tile.with("BM", 128u32).with("BN", 128u32).with("BK", 8u32).with("RM", 2u32).with("CN", 2u32),
    ));
    let conv = Kernel::new("conv/gemm", DType::F32).with_type("S", DType::F32);
    all.push(("conv_gemm_128x128".into(), conv.with("MODE", 0u32).with("TILE_M", 128u32).with("TILE_N", 128u32)));
    all
}

/// The SPIR-V of a text, with as few checks as the launcher asks for.
fn words(text: &str) -> Result<Vec<u32>, Box<dyn Error>> {
    let module = naga::front::wgsl::parse_str(text)?;
    let all = naga::valid::Capabilities::all();
    let info = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), all).validate(&module)?;
    let unchecked = naga::proc::BoundsCheckPolicy::Unchecked;
    let policies = naga::proc::BoundsCheckPolicies {
        index: unchecked,
        buffer: unchecked,
        image_load: unchecked,
        binding_array: unchecked,
    };
    let options = spv::Options {
        lang_version: (1, 4),
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: policies,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    Ok(spv::write_vec(&module, &info, &options, None)?)
}

/// Numbers of the instructions that are told apart.
mod op {
    pub const LOAD: u32 = 61;
    pub const ACCESS_CHAIN: u32 = 65;
    pub const VECTOR_TIMES_SCALAR: u32 = 142;
    pub const LOOP_MERGE: u32 = 246;
    pub const LABEL: u32 = 248;
    pub const CONTROL_BARRIER: u32 = 224;
}

/// What a loop is made of.
struct Loop {
    operations: usize,
    products: usize,
    loads: usize,
    chains: usize,
    barriers: usize,
}

/// The loop with the most multiply-adds of four numbers.
fn main_loop(words: &[u32]) -> Option<Loop> {
    const HEADER: usize = 5;
    let mut instructions = Vec::new();
    let mut at = HEADER;
    while at < words.len() {
        let length = (words[at] >> 16) as usize;
        instructions.push(&words[at..at + length]);
        at += length;
    }
    let number = |i: &&[u32]| i[0] & 0xffff;
    let loops =
        instructions.iter().enumerate().filter(|(_, i)| number(i) == op::LOOP_MERGE).filter_map(|(start, merge)| {
            let end = instructions.iter().position(|i| number(i) == op::LABEL && i[1] == merge[1])?;
            let inside = instructions.get(start..end)?;
            let count = |wanted: u32| inside.iter().filter(|i| number(i) == wanted).count();
            Some(Loop {
                operations: inside.len(),
                products: count(op::VECTOR_TIMES_SCALAR),
                loads: count(op::LOAD),
                chains: count(op::ACCESS_CHAIN),
                barriers: count(op::CONTROL_BARRIER),
            })
        });
    loops.filter(|l| l.products > 0).max_by_key(|l| l.products)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let out = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--out"), Some(folder)) => Some(folder),
        (None, _) => None,
        _ => return Err("usage: kernels [--out DIR]".into()),
    };
    println!(
        "| kernel | SPIR-V, bytes | main loop: operations per 4 multiply-adds | loads | access chains | barriers |"
    );
    println!("|:--|--:|--:|--:|--:|--:|");
    for (name, kernel) in kernels() {
        let text = kernel.source(&Target::FULL, 0)?;
        let words = words(&text)?;
        if let Some(folder) = &out {
            std::fs::create_dir_all(folder)?;
            let path = Path::new(folder).join(&name);
            std::fs::write(path.with_extension("wgsl"), &text)?;
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            std::fs::write(path.with_extension("spv"), bytes)?;
        }
        let Some(l) = main_loop(&words) else {
            println!("| {name} | {} | no loop of products | | | |", 4 * words.len());
            continue;
        };
        let per = |n: usize| n as f64 / l.products as f64;
        println!(
            "| {name} | {} | {:.2} | {:.2} | {:.2} | {} |",
            4 * words.len(),
            per(l.operations),
            per(l.loads),
            per(l.chains),
            l.barriers
        );
    }
    Ok(())
}
