//! What files of tensors hold: names, dtypes, shapes, strides, shared memory, first values, and what else is in them.
//!
//! `cargo run --release --example inspect -- FILE…` reads files of `torch.save` (`.pth`, `.pt`, `.bin`), safetensors (and an
//! `.index.json` of several), and NumPy's `.npy` and `.npz`. Of a file that it cannot read it says why in one line, and the
//! program ends with status 1.

use clap::Parser;
use flambeau_examples::options;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use torch::{Tensor, Value};

#[derive(Parser)]
#[command(name = "inspect")]
struct Options {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let options: Options = options::parse();
    let mut code = ExitCode::SUCCESS;
    for path in &options.files {
        match read(path) {
            // Whoever reads the list may stop before its end, as `head` does.
            Ok(listing) => drop(std::io::stdout().write_all(listing.text(path).as_bytes())),
            Err(error) => {
                eprintln!("inspect: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// What a file holds, a line for each tensor and each plain value.
#[derive(Default)]
struct Listing {
    kind: String,
    rows: Vec<[String; 4]>,
    tensors: usize,
    numbers: usize,
    /// The first name of each storage, by its address; the tensors, so that no address comes twice.
    storages: HashMap<usize, (String, Tensor)>,
}

fn read(path: &Path) -> Result<Listing, Box<dyn Error>> {
    let mut start = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(9).read_to_end(&mut start));
    opened.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let mut listing = Listing::default();
    if start.starts_with(b"\x93NUMPY") {
        listing.kind = "NumPy array".into();
        listing.add_tensor("", &torch::numpy::load(path)?.into_tensor()?);
    } else if start.starts_with(b"PK") && is_npz(path) {
        listing.kind = "NumPy archive".into();
        let npz = torch::numpy::load(path)?;
        for name in npz.files() {
            listing.add_tensor(name, &npz.get(name)?);
        }
    } else if start.get(8) == Some(&b'{') || path.extension().is_some_and(|end| end == "safetensors") {
        listing.kind = "safetensors".into();
        let file = torch::safetensors::safe_open(path)?;
        for (key, text) in file.metadata().into_iter().flatten() {
            listing.add_value(&format!("metadata[{key:?}]"), "str", format!("{text:?}"));
        }
        for name in file.offset_keys() {
            listing.add_tensor(&name, &file.get_tensor(&name)?);
        }
    } else {
        let value = torch::load(path)?;
        listing.kind = format!("PyTorch {}", value.type_name());
        listing.add("", &value);
    }
    Ok(listing)
}

/// Whether a zip archive holds arrays, and not what `torch.save` wrote.
fn is_npz(path: &Path) -> bool {
    let Ok(npz) = torch::numpy::load(path) else { return false };
    let arrays = npz.files().iter().any(|name| npz.contains_key(&format!("{name}.npy")));
    npz.files().is_empty() || arrays && !npz.files().iter().any(|name| name.ends_with("data.pkl"))
}

impl Listing {
    /// Adds a value of a file of `torch.save`, and what is in it.
    fn add(&mut self, name: &str, value: &Value) {
        match value {
            Value::Tensor(tensor) => self.add_tensor(name, tensor),
            Value::Dict(dict) if !dict.items.is_empty() => {
                for (key, value) in dict.iter() {
                    match key {
                        Value::Str(key) if name.is_empty() => self.add(key, value),
                        Value::Str(key) => self.add(&format!("{name}[{key:?}]"), value),
                        key => self.add(&format!("{name}[{key}]"), value),
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) if items.iter().any(holds_tensors) => {
                for (i, value) in items.iter().enumerate() {
                    self.add(&format!("{name}[{i}]"), value);
                }
            }
            Value::Str(text) => self.add_value(name, "str", format!("{text:?}")),
            plain => self.add_value(name, plain.type_name(), plain.to_string()),
        }
    }

    fn add_value(&mut self, name: &str, class: &str, shown: String) {
        let shown = match shown.char_indices().nth(60) {
            Some((end, _)) => format!("{}…", &shown[..end]),
            None => shown,
        };
        self.push(name, [class.into(), String::new(), shown.replace('\n', " ")]);
    }

    fn add_tensor(&mut self, name: &str, x: &Tensor) {
        self.tensors += 1;
        self.numbers += x.numel();
        let mut shape = format!("{:?}", x.size().to_vec());
        if !x.is_contiguous() {
            write!(shape, " strides {:?}", x.stride()).expect("a String takes all");
        }
        let mut shown = first_values(x);
        if x.is_parameter() {
            shown += "  parameter";
        }
        let address = x.array().storage().host_ptr().addr();
        match self.storages.get(&address) {
            Some((first, _)) => shown += &format!("  shares memory with {first}"),
            None => drop(self.storages.insert(address, (name.to_owned(), x.shallow_clone()))),
        }
        let dtype = x.dtype().to_string();
        self.push(name, [dtype.trim_start_matches("torch.").into(), shape, shown]);
    }

    /// A line; a name is on one line, whatever it has in it.
    fn push(&mut self, name: &str, columns: [String; 3]) {
        let printed = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        let [class, shape, shown] = columns;
        self.rows.push([name.chars().map(printed).collect(), class, shape, shown]);
    }

    /// A title, and the rows in columns.
    fn text(&self, path: &Path) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let counts = format!("{}, {}", plural(self.tensors, "tensor"), plural(self.numbers, "number"));
        let mut text = format!("{}: {}, {counts}\n", path.display(), self.kind);
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [name, class, shape] = [width(0), width(1), width(2)];
        for row in &self.rows {
            let line = format!("  {:name$}  {:class$}  {:shape$}  {}", row[0], row[1], row[2], row[3]);
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

fn holds_tensors(value: &Value) -> bool {
    match value {
        Value::Tensor(_) => true,
        Value::Dict(dict) => dict.iter().any(|(_, value)| holds_tensors(value)),
        Value::List(items) | Value::Tuple(items) => items.iter().any(holds_tensors),
        _ => false,
    }
}

/// The first numbers of the first row.
fn first_values(x: &Tensor) -> String {
    if x.numel() == 0 {
        return "no values".into();
    }
    let mut row = x.detach();
    while row.dim() > 1 {
        row = row.select(0, 0);
    }
    let row = row.reshape(-1);
    let row = row.narrow(0, 0, row.numel().min(4)).contiguous();
    let shown: Vec<String> = if row.dtype() == torch::bool {
        row.to_vec::<bool>().iter().map(|&b| if b { "True" } else { "False" }.into()).collect()
    } else if row.dtype() == torch::float64 {
        row.to_vec::<f64>().iter().map(|x| format!("{x:?}")).collect()
    } else if row.dtype().is_floating_point() {
        row.float().to_vec::<f32>().iter().map(|x| format!("{x:?}")).collect()
    } else {
        row.long().to_vec::<i64>().iter().map(ToString::to_string).collect()
    };
    let more = if x.numel() > shown.len() { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
