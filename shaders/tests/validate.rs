//! naga accepts every kernel, for all its types and settings.

use flambeau_shaders::map::{Frame, Map, Operand, Walk};
use flambeau_shaders::{KERNELS, Kernel, Target, functions};
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{BinaryOp, IDENTITY, Node, Pointwise, UnaryOp};
use smallvec::SmallVec;

/// What a kernel is tried with. One without a row is tried in every dtype, with its file's settings of 0 as flags and its `K` as the
/// order keys' type.
struct Row {
    name: &'static str,
    dtypes: &'static [DType],
    /// The further types of the kernel for its element type.
    types: fn(DType) -> Vec<(&'static str, DType)>,
    /// Values of each setting; all combinations are tried.
    settings: &'static [(&'static str, &'static [u32])],
}

/// The row of each kernel that needs none written.
fn plain_rows() -> impl Iterator<Item = Row> {
    // The frames of programs have tests of their own.
    let mapped = ["pointwise", "reduce/columns", "reduce/lines"];
    let plain =
        KERNELS.iter().filter(move |(name, _)| !mapped.contains(name) && ROWS.iter().all(|row| row.name != *name));
    plain.map(|&(name, text)| {
        let flags = text.lines().filter_map(|line| line.strip_prefix("const ")?.strip_suffix(": u32 = 0;"));
        let settings = flags.map(|flag| (flag, FLAG)).collect::<Vec<_>>().leak();
        Row { name, dtypes: ALL, types: if text.contains("\nalias K = ") { key } else { alone }, settings }
    })
}

const ALL: &[DType] = &DType::ALL;
const FLOATS: &[DType] = &[DType::F16, DType::BF16, DType::F32, DType::F64];
const WIDE: &[DType] = &[DType::F32, DType::F64];
const NUMBERS: &[DType] = MAX_POOLED;
const FLAG: &[u32] = &[0, 1];
const LANES: &[u32] = &[1, 64];

const MODES: &[u32] = &[0, 1, 2];
const MAX_POOLED: &[DType] =
    &[DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64];

/// No further types.
fn alone(_: DType) -> Vec<(&'static str, DType)> {
    Vec::new()
}

/// The integer that order keys of a dtype are.
fn key(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("K", if matches!(dtype, DType::I64 | DType::F64) { DType::I64 } else { DType::I32 })]
}

/// The type that partial results are kept in.
fn wide(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("S", if dtype.is_floating_point() || dtype == DType::I64 { dtype.compute() } else { DType::I32 })]
}

/// Parameters in f32, and statistics.
fn statistics(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("W", DType::F32), ("S", dtype.compute())]
}

/// The type of matrix products: split ones leave their parts in f32.
fn product(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("O", if dtype.is_floating_point() { dtype.compute() } else { dtype })]
}

/// A result of the elements' own type.
fn result(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("O", dtype)]
}

/// A result, and the type of its parts.
fn finished(dtype: DType) -> Vec<(&'static str, DType)> {
    [result(dtype), sums(dtype)].concat()
}

static ROWS: &[Row] = &[
    Row { name: "ctc/alpha", dtypes: WIDE, types: alone, settings: &[] },
    Row { name: "ctc/beta", dtypes: WIDE, types: alone, settings: &[] },
    Row { name: "ctc/gradient", dtypes: WIDE, types: alone, settings: &[("ZERO_INFINITY", FLAG)] },
    Row {
        name: "matmul/fast",
        dtypes: &[DType::F32],
        types: result,
        settings: &[("A_ALONG_K", FLAG), ("B_ALONG_K", FLAG), ("RM", &[2, 4])],
    },
    Row { name: "matmul/finish", dtypes: NUMBERS, types: finished, settings: &[] },
    Row {
        name: "matmul/tile",
        dtypes: NUMBERS,
        types: product,
        settings: &[("A_ALONG_K", FLAG), ("B_ALONG_K", FLAG), ("BM", &[32, 64]), ("BN", &[32, 64])],
    },
    Row { name: "matmul/vector", dtypes: NUMBERS, types: result, settings: &[("LANES", &[8, 64])] },
    Row { name: "check_index", dtypes: &[DType::I32], types: alone, settings: &[("WRAP", FLAG)] },
    Row { name: "nonzero/count", dtypes: ALL, types: alone, settings: &[("WORDS", &[1, 2])] },
    Row { name: "nonzero/coordinates", dtypes: &[DType::I32], types: alone, settings: &[] },
    Row { name: "nonzero/offsets", dtypes: &[DType::I32], types: alone, settings: &[] },
    Row { name: "nonzero/positions", dtypes: ALL, types: alone, settings: &[("WORDS", &[1, 2])] },
    Row { name: "random/float", dtypes: FLOATS, types: alone, settings: &[("KIND", MODES), ("PAIRS", &[1, 2])] },
    Row {
        name: "random/integer",
        dtypes: &[
            DType::Bool,
            DType::U8,
            DType::I8,
            DType::I16,
            DType::I32,
            DType::F16,
            DType::BF16,
            DType::F32,
            DType::F64,
        ],
        types: alone,
        settings: &[("BERNOULLI", FLAG), ("WIDE", FLAG), ("WORDS", &[1, 2])],
    },
    Row { name: "scatter/combine", dtypes: ALL, types: alone, settings: &[("OP", &[0, 1, 2, 3])] },
    Row {
        name: "scatter/combine_atomic",
        dtypes: &[DType::Bool, DType::U8, DType::I8, DType::I16, DType::I32, DType::F32],
        types: alone,
        settings: &[("OP", &[0, 1, 2, 3])],
    },
    Row { name: "scatter/winners", dtypes: &[DType::I32], types: alone, settings: &[("VOTE", FLAG)] },
    Row { name: "conv/direct", dtypes: FLOATS, types: alone, settings: &[("MODE", FLAG), ("BIAS", FLAG)] },
    Row {
        name: "conv/gemm",
        dtypes: FLOATS,
        types: sums,
        settings: &[("MODE", MODES), ("BIAS", FLAG), ("TILE_M", &[32, 128]), ("TILE_N", &[128])],
    },
    Row { name: "conv/sum", dtypes: FLOATS, types: sums, settings: &[("BIAS", FLAG)] },
    Row { name: "conv/thin_weight_grad", dtypes: FLOATS, types: sums, settings: &[] },
    Row {
        name: "pool/average",
        dtypes: FLOATS,
        types: alone,
        settings: &[("ADAPTIVE", FLAG), ("BACKWARD", FLAG), ("COUNT_PAD", FLAG), ("FIXED", FLAG)],
    },
    Row { name: "pool/max", dtypes: MAX_POOLED, types: alone, settings: &[] },
    Row { name: "pool/max_backward", dtypes: FLOATS, types: alone, settings: &[] },
    Row { name: "resample", dtypes: FLOATS, types: alone, settings: &[("BACKWARD", FLAG)] },
    Row {
        name: "arg_reduce",
        dtypes: ALL,
        types: key,
        settings: &[("MIN", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row {
        name: "nll",
        dtypes: FLOATS,
        types: wide,
        settings: &[("WEIGHTED", FLAG), ("SUMMED", FLAG), ("LAST", FLAG), ("MEAN", FLAG)],
    },
    Row {
        name: "nll_backward",
        dtypes: FLOATS,
        types: alone,
        settings: &[("WEIGHTED", FLAG), ("MEAN", FLAG), ("LOGITS", FLAG)],
    },
    Row {
        name: "normalize/backward",
        dtypes: FLOATS,
        types: statistics,
        settings: &[("WEIGHT", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row {
        name: "normalize/forward",
        dtypes: FLOATS,
        types: statistics,
        settings: &[("WEIGHT", FLAG), ("BIAS", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row { name: "normalize/parameters", dtypes: FLOATS, types: wide, settings: &[("LANES", LANES), ("COLUMNS", FLAG)] },
    Row { name: "nll_finish", dtypes: FLOATS, types: wide, settings: &[("MEAN", FLAG)] },
    Row {
        name: "scan",
        dtypes: ALL,
        types: wide,
        settings: &[("PROD", FLAG), ("CARRIED", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row {
        name: "scan_totals",
        dtypes: ALL,
        types: wide,
        settings: &[("PROD", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row { name: "self_test", dtypes: &[DType::F32, DType::F64], types: alone, settings: &[] },
    Row {
        name: "softmax",
        dtypes: FLOATS,
        types: alone,
        settings: &[("LOG", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row {
        name: "softmax_backward",
        dtypes: FLOATS,
        types: alone,
        settings: &[("LOG", FLAG), ("LANES", LANES), ("COLUMNS", FLAG)],
    },
    Row { name: "sort", dtypes: ALL, types: key, settings: &[("LARGEST", FLAG), ("SIZE", &[2, 256])] },
    Row { name: "sort_merge", dtypes: &[DType::I32, DType::I64], types: alone, settings: &[] },
];

/// The type that sums are kept in.
fn sums(dtype: DType) -> Vec<(&'static str, DType)> {
    vec![("S", dtype.compute())]
}

/// Every combination of the settings' values.
fn combinations(settings: &[(&'static str, &'static [u32])]) -> Vec<Vec<(&'static str, u32)>> {
    settings.iter().fold(vec![Vec::new()], |rows, (name, values)| {
        rows.iter().flat_map(|row| values.iter().map(|v| [row.as_slice(), &[(*name, *v)]].concat())).collect()
    })
}

/// naga accepts the text, and its parameters are the words that the host is told of.
fn validate(kernel: &Kernel, target: &Target) -> Result<(), String> {
    let text = kernel.source(target, 0).map_err(|e| e.to_string())?;
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all())
        .validate(&module)
        .map_err(|e| e.emit_to_string(&text))?;
    let (_, params) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("p")).ok_or("no p")?;
    let naga::TypeInner::Struct { members, .. } = &module.types[params.ty].inner else {
        return Err("no struct".into());
    };
    let word = naga::TypeInner::Scalar(naga::Scalar::U32);
    let names = kernel.fields().names().to_vec();
    let is_word = |(i, m): (usize, &naga::StructMember)| m.offset == 4 * i as u32 && module.types[m.ty].inner == word;
    let same = names.iter().map(String::as_str).eq(members.iter().map(|m| m.name.as_deref().unwrap_or_default()));
    if same && members.iter().enumerate().all(is_word) { Ok(()) } else { Err(format!("{names:?} in {text}")) }
}

#[test]
fn every_kernel_is_valid() {
    let mut count = 0;
    let plain: Vec<Row> = plain_rows().collect();
    for row in ROWS.iter().chain(&plain) {
        for &dtype in row.dtypes {
            for settings in combinations(row.settings) {
                let mut kernel = Kernel::new(row.name, dtype);
                for (name, dtype) in (row.types)(dtype) {
                    kernel = kernel.with_type(name, dtype);
                }
                for &(name, value) in &settings {
                    kernel = kernel.with(name, value);
                }
                for target in [Target::FULL, Target { immediates: false, ..Target::FULL }] {
                    if let Err(e) = validate(&kernel, &target) {
                        panic!("{} {dtype} {settings:?}: {e}", row.name);
                    }
                    count += 1;
                }
            }
        }
    }
    println!("{count} kernel texts are valid");
}

/// A kernel around one program.
fn mapped(program: &Pointwise, compute: DType, dtypes: [DType; 3], frame: Frame) -> Map {
    let walks = [Walk::Dense, Walk::Strided, Walk::Dense];
    let operand =
        |i: usize| Operand { dtype: dtypes[i], walk: if frame_is_wide(&frame) { Walk::Dense } else { walks[i] } };
    Map {
        structure: program.structure(compute),
        compute,
        inputs: (0..program.num_inputs()).map(operand).collect(),
        outputs: SmallVec::from_iter([operand(2)]),
        frame,
    }
}

fn frame_is_wide(frame: &Frame) -> bool {
    !matches!(frame, Frame::Store { lanes: 1, .. })
}

fn valid(kernel: &Kernel, what: &str) {
    for target in [Target::FULL, Target { immediates: false, ..Target::FULL }] {
        if let Err(error) = validate(kernel, &target) {
            panic!("{what}: {error}");
        }
    }
}

/// Every scalar function in every dtype, one element and four at a time, with inputs and outputs of other dtypes.
#[test]
fn every_program_is_valid() {
    let unary = UnaryOp::ALL.into_iter().map(|op| (format!("{op:?}"), Pointwise::new(|b| b.input(0).unary(op))));
    let two = |op| Pointwise::new(move |b| b.input(0).binary(op, b.input(1) * b.scalar(0)));
    let binary = BinaryOp::ALL.into_iter().map(|op| (format!("{op:?}"), two(op)));
    let mut count = 0;
    let rounds = Pointwise::new(|b| (b.input(0) * b.input(1)).rounded() + b.scalar(0));
    for (name, program) in unary.chain(binary).chain([("Round".to_owned(), rounds)]) {
        for compute in DType::ALL {
            let exists = program.nodes().iter().all(|node| match *node {
                Node::Unary(op, _) => functions::unary(op, compute).is_some(),
                Node::Binary(op, _, _) => functions::binary(op, compute).is_some(),
                _ => true,
            });
            if !exists {
                continue;
            }
            for (i, other) in DType::ALL.into_iter().enumerate() {
                let frame = Frame::Store { lanes: 1, rank: 3 };
                let dtypes = if i % 2 == 0 { [compute, other, compute] } else { [other, compute, other] };
                let kernel = Kernel::mapped("pointwise", mapped(&program, compute, dtypes, frame));
                valid(&kernel, &format!("{name} in {compute} with {other}"));
                count += 2;
            }
            let targets = SmallVec::from_iter([Some(0)]);
            for frame in [Frame::Store { lanes: 4, rank: 1 }, Frame::Lists { lists: 3, targets }] {
                if flambeau_shaders::stored_size(compute) == 4 {
                    let kernel = Kernel::mapped("pointwise", mapped(&program, compute, [compute; 3], frame));
                    valid(&kernel, &format!("{name} in {compute}"));
                    count += 2;
                }
            }
        }
    }
    println!("{count} pointwise texts are valid");
}

/// Where one operation ends and the next begins: f16 and bf16 round, and wider floats are hidden from a compiler that would make
/// one instruction of a product and a sum.
#[test]
fn programs_keep_their_boundaries() {
    let program = Pointwise::new(|b| (b.input(0) * b.input(1)).rounded() + b.scalar(0));
    for (compute, mark) in [
        (DType::F16, "rounded_f16(v"),
        (DType::BF16, "rounded_bf16(v"),
        (DType::F32, "hidden_f32(v"),
        (DType::F64, "hidden_f64(v"),
    ] {
        let map = mapped(&program, compute, [compute; 3], Frame::Store { lanes: 1, rank: 1 });
        let text = Kernel::mapped("pointwise", map).source(&Target::FULL, 0).unwrap();
        assert!(text.contains(mark), "{compute}: {text}");
        assert_eq!(text.contains("zero: u32,\n"), mark.starts_with("hidden"), "{compute}: {text}");
    }
    let integers = mapped(&program, DType::I32, [DType::I32; 3], Frame::Store { lanes: 1, rank: 1 });
    assert!(!integers.structure.nodes.iter().any(|node| matches!(node, Node::Round(_))));
}

#[test]
fn every_reduction_is_valid() {
    let mut count = 0;
    for dtype in DType::ALL {
        for result in [dtype, DType::Bool, DType::I64, DType::F32] {
            for (op, split) in (0u32..6).flat_map(|op| [(op, 0u32), (op, 1)]) {
                for name in ["reduce/columns", "reduce/lines"] {
                    let frame = Frame::Reduce { kept: 2, reduced: 2 };
                    let map = mapped(&IDENTITY, dtype, [dtype, dtype, result], frame);
                    let kernel = Kernel::new(name, result).with_map(map).with("OP", op).with("SPLIT", split);
                    valid(&kernel, &format!("{name} {op} of {dtype} in {result}"));
                    count += 2;
                }
            }
        }
    }
    println!("{count} reduction texts are valid");
}

#[test]
fn a_missing_feature_is_named() {
    let target = Target { i64: false, f16: false, ..Target::FULL };
    let kernel =
        |dtype| Kernel::mapped("pointwise", mapped(&IDENTITY, dtype, [dtype; 3], Frame::Store { lanes: 1, rank: 1 }));
    assert!(kernel(DType::F32).source(&target, 0).is_ok());
    let words = kernel(DType::F16).source(&target, 0).unwrap_err().to_string();
    assert!(words.contains("SHADER_F16"), "{words}");
}
