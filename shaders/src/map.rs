//! Pointwise programs as WGSL.

use crate::element::{compute_type, extension, load, store, stored_type};
use crate::{Missing, Target, functions};
use flambeau_tensor::pointwise::{BinaryOp, Node, NodeId, Structure};
use flambeau_tensor::{DType, Finding, Scalar};
use smallvec::SmallVec;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};

/// How the elements of an operand are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Walk {
    /// The i-th element lies at the i-th place.
    Dense,
    /// One element for all.
    Single,
    /// By strides in the shape that all operands were merged to.
    Strided,
}

/// An array of a mapped kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// What it holds.
    pub dtype: DType,
    /// How its elements are found.
    pub walk: Walk,
}

/// What a mapped kernel does with the program's values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// Stores them, `lanes` (1 or 4) neighbours per thread and step, at positions in a shape of `rank` dimensions.
    Store {
        /// Elements per step; 4 needs dense operands of 32-bit elements.
        lanes: u8,
        /// Dimensions of the merged shape.
        rank: u8,
    },
    /// Stores them for several lists of operands: one launch for all parameters of an optimizer.
    Lists {
        /// How many lists there are.
        lists: u8,
        /// For each output the input that it is stored to, if it has no binding of its own.
        targets: SmallVec<[Option<u8>; 4]>,
    },
    /// Combines them over `reduced` dimensions; `kept` dimensions lead to the results.
    Reduce {
        /// Dimensions of the merged results.
        kept: u8,
        /// Dimensions of the merged lines.
        reduced: u8,
    },
}

/// A program with everything that its text depends on: part of a kernel's key. Shapes, strides and scalars are runtime
/// parameters.
#[derive(Clone, Debug)]
pub struct Map {
    /// The program.
    pub structure: &'static Structure,
    /// The dtype that it computes in.
    pub compute: DType,
    /// The arrays that it reads.
    pub inputs: SmallVec<[Operand; 4]>,
    /// The arrays that are written. A reduction writes one.
    pub outputs: SmallVec<[Operand; 2]>,
    /// What happens to the values.
    pub frame: Frame,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.structure, other.structure)
            && self.compute == other.compute
            && self.inputs == other.inputs
            && self.outputs == other.outputs
            && self.frame == other.frame
    }
}

impl Eq for Map {}

impl Hash for Map {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.structure.id.hash(state);
        self.compute.hash(state);
        self.inputs.hash(state);
        self.outputs.hash(state);
        self.frame.hash(state);
    }
}

/// Words that one runtime scalar takes among the parameters.
pub const fn scalar_words(compute: DType) -> usize {
    match compute {
        DType::I64 | DType::F64 => 2,
        _ => 1,
    }
}

/// The words of a number in a compute dtype, low first; the second counts where [`scalar_words`] says so.
pub fn number_words(compute: DType, scalar: Scalar) -> [u32; 2] {
    let low_high = |bits: u64| [bits as u32, (bits >> 32) as u32];
    match compute {
        DType::Bool => [u32::from(scalar.to_bool()), 0],
        DType::U8 | DType::I8 | DType::I16 | DType::I32 => [scalar.cast(compute).to_i64() as u32, 0],
        DType::I64 => low_high(scalar.to_i64() as u64),
        DType::F16 | DType::BF16 | DType::F32 => [scalar.to_f32().to_bits(), 0],
        DType::F64 => low_high(scalar.to_f64().to_bits()),
    }
}

/// The divisors of a program's divisions and remainders of integers, of which none may be zero.
pub fn divisors(structure: &Structure, compute: DType) -> impl Iterator<Item = NodeId> {
    let divides = |op| matches!(op, BinaryOp::Div | BinaryOp::FloorDiv | BinaryOp::Remainder | BinaryOp::Fmod);
    let float = compute.is_floating_point();
    structure.nodes.iter().filter_map(move |node| match *node {
        Node::Binary(op, _, b) if !float && divides(op) => Some(b),
        _ => None,
    })
}

/// Those of [`divisors`] that only the kernel knows: the host sees scalars and constants.
fn unknown_divisors(structure: &Structure, compute: DType) -> impl Iterator<Item = NodeId> {
    let known = |i: &NodeId| matches!(structure.nodes[*i as usize], Node::Scalar(_) | Node::Const(_));
    divisors(structure, compute).filter(move |i| !known(i))
}

/// Whether a program of floats computes with a constant zero or with one value twice so that a driver which assumes that there
/// is no NaN, no infinity and no negative zero may see the result: x · 0, 0 / x, x + 0, x − x, x / x; or whether it joins
/// operations of which a driver might make one, a product and a sum that then round once. Its text gets a parameter `zero`
/// that the driver cannot look into.
pub fn hides_zero(structure: &Structure, compute: DType) -> bool {
    let zero = |i: NodeId| matches!(structure.nodes[i as usize], Node::Const(s) if s.to_f64() == 0.0);
    let seen = |node: &Node| match *node {
        Node::Binary(BinaryOp::Sub | BinaryOp::Div, a, b) => a == b || zero(a) || zero(b),
        Node::Binary(BinaryOp::Mul | BinaryOp::Add, a, b) => zero(a) || zero(b),
        Node::Round(_) => matches!(compute, DType::F32 | DType::F64),
        _ => false,
    };
    compute.is_floating_point() && structure.nodes.iter().any(seen)
}

/// The expression that turns a computed value of one dtype into one of another.
fn cast(from: DType, to: DType, x: &str) -> String {
    let (a, b) = (compute_type(from), compute_type(to));
    if to == DType::Bool {
        return match from {
            DType::Bool => x.to_owned(),
            // Not `!= 0`: that is false for NaN.
            _ => format!("select(1i, 0i, is_zero_{a}({x}))"),
        };
    }
    let value = if a == b { x.to_owned() } else { format!("cast_{a}_{b}({x})") };
    if from == to || from == DType::Bool { value } else { wrap(to, value) }
}

/// Small integers keep within their range.
fn wrap(dtype: DType, x: String) -> String {
    match dtype {
        DType::Bool | DType::U8 | DType::I8 | DType::I16 => format!("({})", store(dtype, &format!("({x})"))),
        _ => x,
    }
}

impl Map {
    /// The arrays that have a binding, by name.
    fn arrays(&self) -> impl Iterator<Item = (String, Operand)> {
        let names = |prefix: &'static str| move |(i, o): (usize, &Operand)| (format!("{prefix}{i}"), *o);
        let out = if matches!(self.frame, Frame::Reduce { .. }) { "out" } else { "out0" };
        let outputs = self.outputs.iter().enumerate().map(names("out"));
        let bound = |j: usize| !matches!(&self.frame, Frame::Lists { targets, .. } if targets[j].is_some());
        let outputs = outputs.enumerate().filter(move |(j, _)| bound(*j)).map(|(_, output)| output);
        self.inputs
            .iter()
            .enumerate()
            .map(names("in"))
            .chain(outputs.map(move |(name, o)| if name == "out0" { (out.to_owned(), o) } else { (name, o) }))
    }

    /// Whether the kernel notes what it finds in the device's status words: of integers divided by zero, and of elements that a
    /// program without outputs is asked about.
    pub fn reports(&self) -> bool {
        self.outputs.is_empty() || unknown_divisors(self.structure, self.compute).next().is_some()
    }

    /// The `enable` lines of all dtypes.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = &'static str> {
        self.inputs.iter().chain(&self.outputs).filter_map(|o| extension(o.dtype))
    }

    /// The bindings and functions.
    ///
    /// # Errors
    /// When the target lacks a feature that a dtype needs.
    pub(crate) fn functions(&self, target: &Target) -> Result<String, Missing> {
        for dtype in self.inputs.iter().chain(&self.outputs).map(|o| o.dtype) {
            target.check_storage(dtype)?;
        }
        target.check_storage(self.compute)?;
        let mut text = self.bindings();
        text.push_str(&self.compute_function());
        text.push_str(&match &self.frame {
            &Frame::Store { lanes, rank } => self.run_function(lanes, rank),
            Frame::Lists { lists, targets } => self.lists_function(*lists, targets),
            &Frame::Reduce { kept, reduced } => self.reduce_functions(kept, reduced),
        });
        Ok(text)
    }

    fn bindings(&self) -> String {
        let lists = if let Frame::Lists { lists, .. } = self.frame { Some(lists) } else { None };
        let wide = matches!(self.frame, Frame::Store { lanes: 4, .. });
        let mut text = String::new();
        let mut binding = 0;
        for list in 0..lists.unwrap_or(1) {
            for (i, (name, operand)) in self.arrays().enumerate() {
                let is_target = matches!(&self.frame, Frame::Lists { targets, .. } if targets.contains(&Some(i as u8)));
                let access = if i < self.inputs.len() && !is_target { "read" } else { "read_write" };
                let stored = stored_type(operand.dtype);
                let element = match wide && operand.walk == Walk::Dense {
                    true => format!("vec4<{stored}>"),
                    false => stored.to_owned(),
                };
                let name = if lists.is_some() { format!("{name}_{list}") } else { name };
                writeln!(text, "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{element}>;")
                    .expect("a string takes all");
                binding += 1;
            }
        }
        if self.reports() {
            writeln!(text, "@group(0) @binding({binding}) var<storage, read_write> status: array<atomic<u32>>;")
                .expect("a string takes all");
        }
        text
    }

    /// `fn compute(x0, x1, …) -> Results`.
    fn compute_function(&self) -> String {
        let ty = compute_type(self.compute);
        let args: Vec<String> = (0..self.inputs.len()).map(|i| format!("x{i}: {ty}")).collect();
        let fields: String = (0..self.structure.outputs.len()).map(|i| format!("    r{i}: {ty},\n")).collect();
        let mut text = format!("struct Results {{\n{fields}}}\nfn compute({}) -> Results {{\n", args.join(", "));
        let divisors: SmallVec<[NodeId; 4]> = unknown_divisors(self.structure, self.compute).collect();
        for (i, node) in self.structure.nodes.iter().enumerate() {
            if divisors.contains(&(i as NodeId)) {
                write_zero_check(&mut text, i, ty, &self.node(*node));
                continue;
            }
            writeln!(text, "    let v{i} = {};", self.node(*node)).expect("a string takes all");
        }
        let results: Vec<String> = self.structure.outputs.iter().map(|o| format!("v{o}")).collect();
        writeln!(text, "    return Results({});\n}}", results.join(", ")).expect("a string takes all");
        text
    }

    fn node(&self, node: Node) -> String {
        let ty = compute_type(self.compute);
        let name = |name: Option<String>, what: &dyn std::fmt::Debug| {
            name.unwrap_or_else(|| panic!("{what:?} of {}: the host checks this before", self.compute))
        };
        match node {
            Node::Input(i) => format!("x{i}"),
            Node::Scalar(k) => match scalar_words(self.compute) {
                1 => format!("number_{ty}(p.scalar{k}_low, 0u)"),
                _ => format!("number_{ty}(p.scalar{k}_low, p.scalar{k}_high)"),
            },
            Node::Const(s) => {
                let [low, high] = number_words(self.compute, s);
                let hidden =
                    if s.to_f64() == 0.0 && hides_zero(self.structure, self.compute) { " | p.zero" } else { "" };
                format!("number_{ty}({low}u{hidden}, {high}u)")
            }
            Node::Binary(op @ (BinaryOp::Sub | BinaryOp::Div), a, b) if a == b && self.compute.is_floating_point() => {
                format!("{}(v{a}, hidden_{ty}(v{b}, p.zero))", name(functions::binary(op, self.compute), &op))
            }
            Node::Unary(op, a) => {
                wrap(self.compute, format!("{}(v{a})", name(functions::unary(op, self.compute), &op)))
            }
            Node::Binary(op, a, b) => {
                wrap(self.compute, format!("{}(v{a}, v{b})", name(functions::binary(op, self.compute), &op)))
            }
            Node::Where(c, a, b) => format!("select(v{a}, v{b}, is_zero_{ty}(v{c}))"),
            Node::Round(a) => match self.compute {
                DType::F16 => format!("rounded_f16(v{a})"),
                DType::BF16 => format!("rounded_bf16(v{a})"),
                DType::F32 | DType::F64 => format!("hidden_{ty}(v{a}, p.zero)"),
                _ => format!("v{a}"),
            },
        }
    }

    /// `fn run(i)`: element i, or the four from 4 i.
    fn run_function(&self, lanes: u8, rank: u8) -> String {
        let mut text = String::from("fn run(i: u32) {\n");
        if self.arrays().any(|(_, o)| o.walk == Walk::Strided) {
            text.push_str(&coordinates("i", "c", "size", rank));
        }
        for (name, operand) in self.arrays() {
            let position = match operand.walk {
                Walk::Dense => format!("p.{name}_offset + i"),
                Walk::Single => format!("p.{name}_offset"),
                Walk::Strided => {
                    let terms: String = (0..rank).map(|d| format!(" + c{d} * p.{name}_stride{d}")).collect();
                    format!("p.{name}_offset{terms}")
                }
            };
            writeln!(text, "    let at_{name} = {position};").expect("a string takes all");
        }
        let parts: &[&str] = if lanes == 4 { &[".x", ".y", ".z", ".w"] } else { &[""] };
        for (k, operand) in self.inputs.iter().enumerate() {
            writeln!(text, "    let e{k} = in{k}[at_in{k}];").expect("a string takes all");
            for (lane, part) in parts.iter().enumerate() {
                let part = if operand.walk == Walk::Dense { part } else { "" };
                let value = self.loaded(*operand, &format!("e{k}{part}"));
                writeln!(text, "    let e{k}_{lane} = {value};").expect("a string takes all");
            }
        }
        for lane in 0..parts.len() {
            let args: Vec<String> = (0..self.inputs.len()).map(|k| format!("e{k}_{lane}")).collect();
            writeln!(text, "    let r_{lane} = compute({});", args.join(", ")).expect("a string takes all");
        }
        for (j, operand) in self.outputs.iter().enumerate() {
            let values: Vec<String> =
                (0..parts.len()).map(|lane| self.stored(*operand, &format!("r_{lane}.r{j}"))).collect();
            let value = match lanes {
                4 => format!("vec4<{}>({})", stored_type(operand.dtype), values.join(", ")),
                _ => values.concat(),
            };
            writeln!(text, "    out{j}[at_out{j}] = {value};").expect("a string takes all");
        }
        if self.outputs.is_empty() {
            let ty = compute_type(self.compute);
            let wrong: Vec<String> = (0..parts.len()).map(|lane| format!("!is_zero_{ty}(r_{lane}.r0)")).collect();
            let wrong = wrong.join(" || ");
            writeln!(text, "    if ({wrong}) {{ report(FINDING, vec2<u32>(0u, 0u), 0u, 0u); }}")
                .expect("a string takes all");
        }
        text.push_str("}\n");
        text
    }

    /// `fn run(i)`: element i of the lists laid end to end.
    fn lists_function(&self, lists: u8, targets: &[Option<u8>]) -> String {
        let mut text = String::from("fn run(i: u32) {\n");
        for list in 0..lists {
            let first = if list == 0 { "0u".to_owned() } else { format!("p.end{}", list - 1) };
            writeln!(text, "    if (i < p.end{list}) {{\n        let k = i - {first};").expect("a string takes all");
            let loads: Vec<String> = self
                .inputs
                .iter()
                .enumerate()
                .map(|(k, operand)| self.loaded(*operand, &format!("in{k}_{list}[p.in{k}_{list}_offset + k]")))
                .collect();
            writeln!(text, "        let r = compute({});", loads.join(", ")).expect("a string takes all");
            for (j, operand) in self.outputs.iter().enumerate() {
                let value = self.stored(*operand, &format!("r.r{j}"));
                let name = match targets[j] {
                    Some(input) => format!("in{input}_{list}"),
                    None => format!("out{j}_{list}"),
                };
                writeln!(text, "        {name}[p.{name}_offset + k] = {value};").expect("a string takes all");
            }
            text.push_str("        return;\n    }\n");
        }
        text.push_str("}\n");
        text
    }

    /// `fn bases(o)`, `fn value(bases, r)` and `fn out_position(o)`.
    fn reduce_functions(&self, kept: u8, reduced: u8) -> String {
        let out = self.outputs[0].dtype;
        let acc = compute_type(out);
        let count = self.inputs.len();
        let fields: String = (0..count).map(|k| format!("    in{k}: u32,\n")).collect();
        // A struct has a member even where the program reads no array.
        let mut text = format!("struct Bases {{\n{fields}    unused: u32,\n}}\nfn bases(o: u32) -> Bases {{\n");
        text.push_str(&coordinates("o", "c", "kept", kept));
        let position = |name: &str| {
            let terms: String = (0..kept).map(|d| format!(" + c{d} * p.{name}_kept_stride{d}")).collect();
            format!("p.{name}_offset{terms}")
        };
        let bases: String = (0..count).map(|k| format!("{}, ", position(&format!("in{k}")))).collect();
        writeln!(text, "    return Bases({bases}0u);\n}}\nfn out_position(o: u32) -> u32 {{")
            .expect("a string takes all");
        text.push_str(&coordinates("o", "c", "kept", kept));
        writeln!(text, "    return {};\n}}", position("out")).expect("a string takes all");
        writeln!(text, "fn value(line: Bases, r: u32) -> {acc} {{").expect("a string takes all");
        text.push_str(&coordinates("r", "d", "reduced", reduced));
        let mut args: Vec<String> = Vec::new();
        for (k, operand) in self.inputs.iter().enumerate() {
            let terms: String = (0..reduced).map(|d| format!(" + d{d} * p.in{k}_reduced_stride{d}")).collect();
            args.push(self.loaded(*operand, &format!("in{k}[line.in{k}{terms}]")));
        }
        let value = cast(self.compute, out, "mapped");
        writeln!(text, "    let mapped = compute({}).r0;\n    return {value};\n}}", args.join(", "))
            .expect("a string takes all");
        text
    }

    fn loaded(&self, operand: Operand, x: &str) -> String {
        cast(operand.dtype, self.compute, &load(operand.dtype, x))
    }

    fn stored(&self, operand: Operand, x: &str) -> String {
        let value = cast(self.compute, operand.dtype, x);
        match operand.dtype {
            // `cast` has put them in range.
            DType::Bool | DType::U8 | DType::I8 | DType::I16 => value,
            _ => store(operand.dtype, &value),
        }
    }
}

/// Statements that give the value `i` of a program and report it where it is zero: it divides integers.
fn write_zero_check(text: &mut String, i: usize, ty: &str, value: &str) {
    let code = Finding::ZeroDivision.code();
    writeln!(
        text,
        "    let v{i} = {value};\n    if (is_zero_{ty}(v{i})) {{ report({code}u, vec2<u32>(0u, 0u), 0u, 0u); }}"
    )
    .expect("a string takes all");
}

/// Statements that split the number `i` in coordinates `c0`, `c1`, … of a shape whose lengths, but the first, are the
/// parameters `size1`, …
fn coordinates(i: &str, c: &str, size: &str, rank: u8) -> String {
    let mut text = String::new();
    let mut rest = i.to_owned();
    for d in (1..rank).rev() {
        writeln!(text, "    let {c}{d} = {rest} % p.{size}{d};\n    let {c}_rest{d} = {rest} / p.{size}{d};")
            .expect("a string takes all");
        rest = format!("{c}_rest{d}");
    }
    if rank > 0 {
        writeln!(text, "    let {c}0 = {rest};").expect("a string takes all");
    }
    text
}
