//! `docs/compat.md`: every documented name of PyTorch, and where it stands here.
//!
//! What is here is read off the facade's documentation (`cargo doc`), so that only what a user can reach counts; what an
//! operation can do is read off the registry.

use crate::command::{Result, capture, cargo, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

const NAMES: &str = include_str!("../data/pytorch_names.txt");
const TABLE: &str = "docs/compat.md";

/// What the table says of operations that can be differentiated 0, 1 and 2 times.
const ORDERS: [&str; 3] = ["", "1", "2"];

/// An operation as the testkit's example `registry` prints it.
struct Operation {
    forms: Vec<String>,
    in_place: bool,
    /// How many times it can be differentiated: 0, 1 or 2.
    order: u8,
    /// In which dtypes of its first tensor it was compared with PyTorch.
    dtypes: String,
}

/// What the facade's documentation lists: `nn::functional::relu`, `Tensor::relu`, without the leading `torch::`.
fn reachable() -> Result<BTreeSet<String>> {
    capture(cargo(&["doc", "--package", "flambeau", "--no-deps", "--quiet"]))?;
    let folder = root().join("target/doc/torch");
    let mut names = BTreeSet::new();
    let all = fs::read_to_string(folder.join("all.html"))?;
    for link in all.split("href=\"").skip(1).filter_map(|s| s.split_once('"').map(|(link, _)| link)) {
        let Some((path, file)) = link.strip_suffix(".html").map(|p| p.rsplit_once('/').unwrap_or(("", p))) else {
            continue;
        };
        let Some((kind, name)) = file.split_once('.').filter(|(kind, _)| *kind != "derive") else { continue };
        let module = path.replace('/', "::");
        let full = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if kind == "struct" || kind == "enum" {
            let page = fs::read_to_string(folder.join(link))?;
            let methods = page.split("id=\"method.").skip(1).filter_map(|s| s.split_once('"'));
            names.extend(methods.map(|(method, _)| format!("{full}::{method}")));
        }
        names.insert(full);
    }
    Ok(names)
}

/// The registry, by every name that an operation has.
fn operations() -> Result<BTreeMap<String, Operation>> {
    let text = capture(cargo(&["run", "--quiet", "--package", "flambeau-testkit", "--example", "registry"]))?;
    let mut all = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, forms, aliases, in_place, order, dtypes] = fields[..] else {
            return Err(format!("the registry printed {line:?}").into());
        };
        let list = |text: &str| text.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        for name in std::iter::once(name.to_owned()).chain(list(aliases)) {
            let (in_place, order, dtypes) = (in_place == "true", order.parse()?, dtypes.to_owned());
            all.insert(name, Operation { forms: list(forms), in_place, order, dtypes });
        }
    }
    Ok(all)
}

/// The name that stands for one of PyTorch's: a word of Rust has a line behind it, `where_`.
fn of_rust(name: &str) -> String {
    if matches!(name, "where" | "in" | "type") { format!("{name}_") } else { name.to_owned() }
}

/// The table as it should be.
fn table() -> Result<String> {
    let (reachable, operations) = (reachable()?, operations()?);
    let mut modules: Vec<(&str, Vec<&str>)> = Vec::new();
    for (module, name) in NAMES.lines().filter_map(|line| line.split_once(' ')) {
        match modules.last_mut() {
            Some((last, names)) if *last == module => names.push(name),
            _ => modules.push((module, vec![name])),
        }
    }
    let mut text = String::from(
        "# Names of PyTorch, and where they stand here\n\n\
         Made by `cargo xtask compat` from PyTorch's documented names (`xtask/data`), the documentation of the facade and the\n\
         registry of operations; do not edit. A name stands under the same path as in Python (`torch::nn::functional::relu`).\n\
         Operations run on the CPU and on wgpu, in every dtype that PyTorch has for them of bool, uint8, int8 to int64, float16,\n\
         bfloat16, float32 and float64. Forms: what stands for Python's overloads and optional arguments. Gradients: 2 where the\n\
         second derivative is there too. Compared: the dtypes of the first tensor in which the tests hold the operation to\n\
         PyTorch's values, on both devices (int: uint8 and int8 to int64; half: float16 and bfloat16; float: float32 and\n\
         float64); empty where tests of their own do (creation, random streams, forms of another operation).\n\n",
    );
    let mut summary = String::from("| module | there | of |\n|---|---|---|\n");
    let mut sections = String::new();
    for (module, names) in modules {
        let rust = module.strip_prefix("torch").unwrap_or(module).trim_start_matches('.').replace('.', "::");
        let path = |name: &str| match rust.as_str() {
            "" => name.to_owned(),
            _ => format!("{rust}::{name}"),
        };
        let there = |name: &str| reachable.contains(&path(name)) || reachable.contains(&path(&of_rust(name)));
        let (here, missing): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| there(name));
        writeln!(summary, "| {module} | {} | {} |", here.len(), names.len())?;
        writeln!(sections, "\n## {module}\n")?;
        if !here.is_empty() {
            writeln!(sections, "| name | forms | in place | gradients | compared |\n|---|---|---|---|---|")?;
        }
        for name in here {
            let operation = operations
                .get(name)
                .or_else(|| operations.get(name.trim_end_matches('_')))
                .or_else(|| operations.get(&of_rust(name)));
            let dtypes = operation.map_or("", |op| &op.dtypes);
            let (forms, in_place, order) = match operation {
                // An in-place name stands for the operation's own in-place form.
                Some(op) if name.ends_with('_') && op.in_place => (String::new(), "", ORDERS[usize::from(op.order)]),
                Some(op) => {
                    let others: Vec<_> = op.forms.iter().filter(|f| *f != name).map(|f| format!("`{f}`")).collect();
                    (others.join(", "), if op.in_place { "yes" } else { "" }, ORDERS[usize::from(op.order)])
                }
                None => (String::new(), "", ""),
            };
            writeln!(sections, "| `{name}` | {forms} | {in_place} | {order} | {dtypes} |")?;
        }
        if !missing.is_empty() {
            let missing: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
            writeln!(sections, "\nNot there ({}): {}.", missing.len(), missing.join(", "))?;
        }
    }
    text.push_str(&summary);
    text.push_str(&sections);
    Ok(text)
}

/// Writes the table, or with `check` says whether the one that is there is the right one.
pub fn run(check: bool) -> Result<()> {
    let (path, text) = (root().join(TABLE), table()?);
    let old = fs::read_to_string(&path).unwrap_or_default();
    match (old == text, check) {
        (true, _) => println!("{TABLE} is up to date"),
        (false, true) => return Err(format!("{TABLE} is not what `cargo xtask compat` writes: run it").into()),
        (false, false) => {
            fs::write(&path, text)?;
            println!("{TABLE} written");
        }
    }
    Ok(())
}
