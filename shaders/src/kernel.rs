//! Kernels from files.

use crate::library::{has, words};
use crate::map::Map;
use crate::params::{Fields, expand};
use crate::unroll::unroll;
use crate::{Missing, Target, compute_type, element, with_library};
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::Node;
use smallvec::SmallVec;
use std::fmt::{self, Write as _};

/// Every kernel file: its name and its text.
pub static KERNELS: &[(&str, &str)] = &[
    ("arg_reduce", include_str!("../kernels/arg_reduce.wgsl")),
    ("check_index", include_str!("../kernels/check_index.wgsl")),
    ("conv/direct", include_str!("../kernels/conv/direct.wgsl")),
    ("conv/gemm", include_str!("../kernels/conv/gemm.wgsl")),
    ("conv/sum", include_str!("../kernels/conv/sum.wgsl")),
    ("conv/thin_weight_grad", include_str!("../kernels/conv/thin_weight_grad.wgsl")),
    ("ctc/alpha", include_str!("../kernels/ctc/alpha.wgsl")),
    ("ctc/beta", include_str!("../kernels/ctc/beta.wgsl")),
    ("ctc/gradient", include_str!("../kernels/ctc/gradient.wgsl")),
    ("gather", include_str!("../kernels/gather.wgsl")),
    ("matmul/fast", include_str!("../kernels/matmul/fast.wgsl")),
    ("matmul/finish", include_str!("../kernels/matmul/finish.wgsl")),
    ("matmul/tile", include_str!("../kernels/matmul/tile.wgsl")),
    ("matmul/vector", include_str!("../kernels/matmul/vector.wgsl")),
    ("normalize/backward", include_str!("../kernels/normalize/backward.wgsl")),
    ("normalize/forward", include_str!("../kernels/normalize/forward.wgsl")),
    ("normalize/parameters", include_str!("../kernels/normalize/parameters.wgsl")),
    ("nll", include_str!("../kernels/nll.wgsl")),
    ("nll_backward", include_str!("../kernels/nll_backward.wgsl")),
    ("nll_finish", include_str!("../kernels/nll_finish.wgsl")),
    ("nonzero/coordinates", include_str!("../kernels/nonzero/coordinates.wgsl")),
    ("nonzero/count", include_str!("../kernels/nonzero/count.wgsl")),
    ("nonzero/offsets", include_str!("../kernels/nonzero/offsets.wgsl")),
    ("nonzero/positions", include_str!("../kernels/nonzero/positions.wgsl")),
    ("pointwise", include_str!("../kernels/pointwise.wgsl")),
    ("pool/average", include_str!("../kernels/pool/average.wgsl")),
    ("pool/max", include_str!("../kernels/pool/max.wgsl")),
    ("pool/max_backward", include_str!("../kernels/pool/max_backward.wgsl")),
    ("random/float", include_str!("../kernels/random/float.wgsl")),
    ("random/integer", include_str!("../kernels/random/integer.wgsl")),
    ("reduce/columns", include_str!("../kernels/reduce/columns.wgsl")),
    ("reduce/lines", include_str!("../kernels/reduce/lines.wgsl")),
    ("resample", include_str!("../kernels/resample.wgsl")),
    ("scan", include_str!("../kernels/scan.wgsl")),
    ("scan_totals", include_str!("../kernels/scan_totals.wgsl")),
    ("scatter/combine", include_str!("../kernels/scatter/combine.wgsl")),
    ("scatter/combine_atomic", include_str!("../kernels/scatter/combine_atomic.wgsl")),
    ("scatter/set", include_str!("../kernels/scatter/set.wgsl")),
    ("scatter/set_winners", include_str!("../kernels/scatter/set_winners.wgsl")),
    ("scatter/winners", include_str!("../kernels/scatter/winners.wgsl")),
    ("search", include_str!("../kernels/search.wgsl")),
    ("self_test", include_str!("../kernels/self_test.wgsl")),
    ("softmax", include_str!("../kernels/softmax.wgsl")),
    ("softmax_backward", include_str!("../kernels/softmax_backward.wgsl")),
    ("sort", include_str!("../kernels/sort.wgsl")),
    ("sort_merge", include_str!("../kernels/sort_merge.wgsl")),
    ("sort_take", include_str!("../kernels/sort_take.wgsl")),
    ("sort_tile", include_str!("../kernels/sort_tile.wgsl")),
];

/// A kernel file with its types and settings: what a pipeline is made from, and the key that it is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    name: &'static str,
    types: SmallVec<[(&'static str, DType); 2]>,
    settings: SmallVec<[(&'static str, u32); 4]>,
    map: Option<Map>,
}

impl Kernel {
    /// The kernel in `kernels/<name>.wgsl`, its element type `T` being `dtype`.
    pub fn new(name: &'static str, dtype: DType) -> Self {
        Kernel { name, types: SmallVec::from_iter([("T", dtype)]), settings: SmallVec::new(), map: None }
    }

    /// The kernel in `kernels/<name>.wgsl` with a program in it, and no element type of its own.
    pub fn mapped(name: &'static str, map: Map) -> Self {
        Kernel { name, types: SmallVec::new(), settings: SmallVec::new(), map: Some(map) }
    }

    /// Puts a program in the file's places `// map: parameters` and `// map: functions`.
    #[must_use]
    pub fn with_map(mut self, map: Map) -> Self {
        self.map = Some(map);
        self
    }

    /// Names a second element type: the file's line `alias <name> = …;`.
    #[must_use]
    pub fn with_type(mut self, name: &'static str, dtype: DType) -> Self {
        self.types.push((name, dtype));
        self
    }

    /// Changes a setting: the file's line `const <name>: u32 = …;`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<u32>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// The file's name, for labels.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The program in it, if it has one.
    pub fn map(&self) -> Option<&Map> {
        self.map.as_ref()
    }

    /// The file's text.
    fn text(&self) -> &'static str {
        let file = KERNELS.iter().find(|(name, _)| *name == self.name);
        file.unwrap_or_else(|| panic!("no kernel {}", self.name)).1
    }

    /// The parameters, by name.
    ///
    /// # Panics
    /// When the file does not exist or has no such parameters as [`Fields`] describes.
    pub fn fields(&self) -> Fields {
        Fields::of(self.name, self.text(), self.map.as_ref().map(Map::fields).as_deref())
    }

    /// The text for a target. `read_write` has a bit for each binding that must be declared `read_write` although the
    /// kernel only reads it, because the dispatch writes the same buffer.
    ///
    /// # Errors
    /// When the target lacks a feature that a type needs.
    ///
    /// # Panics
    /// When the file does not exist or has no line for a type or setting: the caller and the file disagree.
    pub fn source(&self, target: &Target, read_write: u64) -> Result<String, Missing> {
        let text = self.text();
        let mut body = String::with_capacity(2 * text.len());
        let mut enables: SmallVec<[&str; 2]> = SmallVec::new();
        enables.extend(self.map.iter().flat_map(Map::extensions));
        let (mut types, mut settings) = (self.types.clone(), self.settings.clone());
        for line in text.lines() {
            if let Some(position) = types.iter().position(|(n, _)| line.starts_with(&format!("alias {n} = "))) {
                let (name, dtype) = types.remove(position);
                enables.extend(element::extension(dtype));
                body.push_str(&element::declare(name, dtype, target, self.map.is_some())?);
            } else if let Some(i) = settings.iter().position(|(n, _)| line.starts_with(&format!("const {n}: u32 = "))) {
                let (name, value) = settings.remove(i);
                writeln!(body, "const {name}: u32 = {value}u;").expect("a string takes all");
            } else if let (Some(map), Some(what)) = (&self.map, line.trim_start().strip_prefix("// map: ")) {
                match what {
                    "parameters" => body.push_str(&map.fields()),
                    _ => body.push_str(&map.functions(target)?),
                }
            } else {
                body.push_str(expand(self.name, line));
                body.push('\n');
            }
        }
        assert!(types.is_empty() && settings.is_empty(), "{}.wgsl has no {types:?} {settings:?}", self.name);
        // `lowest_C()` is `lowest_f32()`, and so on.
        if let Some((_, dtype)) = self.types.iter().find(|(n, _)| *n == "T") {
            body = body.replace("_C(", &format!("_{}(", compute_type(*dtype)));
        }
        let body = unroll(&body);
        let body = if target.i64 { body } else { in_pairs(&body, self.map.is_some())? };
        Ok(finish(&body, &enables, target, read_write))
    }
}

/// The text with pairs of words in place of 64-bit integers (see `library/pairs.wgsl`), for targets without them. Only
/// programs can do with that: they compute by calling functions, of which the simple ones exist for pairs.
fn in_pairs(body: &str, mapped: bool) -> Result<String, Missing> {
    let missing = Missing { dtype: DType::I64, feature: "SHADER_INT64" };
    let needs = |word: &str| word.contains("i64") && !has(&word.replace("i64", "pair"));
    if words(body).any(|word| needs(word) || !mapped && word.contains("i64")) {
        return Err(missing);
    }
    // A kernel that computes with a type that the target can only store has no `C`.
    if words(body).any(|word| word == "C") && !body.contains("alias C = ") {
        return Err(missing);
    }
    Ok(body.replace("i64", "pair"))
}

/// What a trace shows: name, types, settings, and a program's functions in their order.
impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (_, dtype) in &self.types {
            write!(f, " {dtype:?}")?;
        }
        for (name, value) in &self.settings {
            write!(f, " {name}={value}")?;
        }
        let Some(map) = &self.map else { return Ok(()) };
        write!(f, " {} arrays in {:?}:", map.inputs.len(), map.compute)?;
        for node in &map.structure.nodes {
            match node {
                Node::Unary(op, _) => write!(f, " {op:?}")?,
                Node::Binary(op, _, _) => write!(f, " {op:?}")?,
                Node::Where(..) => f.write_str(" Where")?,
                Node::Round(_) => f.write_str(" Round")?,
                Node::Input(_) | Node::Scalar(_) | Node::Const(_) => {}
            }
        }
        Ok(())
    }
}

/// Adds extensions and the library, and declares bindings and parameters as the target and the dispatch need them.
pub(crate) fn finish(body: &str, enables: &[&str], target: &Target, read_write: u64) -> String {
    let mut body = body.to_owned();
    let mut bindings = 0;
    while let Some(at) = body.find(&format!("@binding({bindings})")) {
        if read_write >> bindings & 1 == 1 {
            let end = at + body[at..].find('\n').unwrap_or(body.len() - at);
            let line = body[at..end].replace("var<storage, read>", "var<storage, read_write>");
            body.replace_range(at..end, &line);
        }
        bindings += 1;
    }
    if !target.immediates {
        let uniform = format!("@group(0) @binding({bindings}) var<uniform> p: Params;");
        body = body.replace("var<immediate> p: Params;", &uniform);
    }
    let mut text = String::new();
    for (i, enable) in enables.iter().enumerate() {
        if !enables[..i].contains(enable) {
            text.push_str(enable);
        }
    }
    text.push_str(&with_library(&body));
    text
}
