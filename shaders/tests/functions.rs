//! Every scalar function of the library, for every compute type, as WGSL that naga accepts.

use flambeau_shaders::{compute_type, functions, with_library};
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::{BinaryOp, UnaryOp};

/// Panics unless `text` is a valid module.
fn validate(text: &str) {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(text)));
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    validator.validate(&module).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(text)));
}

/// Panics unless a kernel may call `function` with `arguments` values of its compute type.
fn check(function: &str, arguments: usize, compute: DType) {
    let c = compute_type(compute);
    let values = ["values[0]", "values[1]"][..arguments].join(", ");
    let body = format!(
        "@group(0) @binding(0) var<storage, read_write> values: array<{c}>;\n\
         @compute @workgroup_size(1) fn main() {{ values[0] = {function}({values}); }}\n"
    );
    let text = with_library(&body);
    assert!(text.contains(&format!("fn {function}(")), "{function} is missing");
    validate(&text);
}

#[test]
fn every_function_is_valid() {
    for compute in DType::ALL {
        for op in UnaryOp::ALL {
            if let Some(function) = functions::unary(op, compute) {
                check(&function, 1, compute);
            }
        }
        for op in BinaryOp::ALL {
            if let Some(function) = functions::binary(op, compute) {
                check(&function, 2, compute);
            }
        }
    }
}

#[test]
fn functions_exist_where_they_have_a_meaning() {
    assert_eq!(functions::binary(BinaryOp::FloorDiv, DType::BF16).as_deref(), Some("op_floor_div_f32"));
    assert_eq!(functions::unary(UnaryOp::IsNan, DType::U8).as_deref(), Some("op_is_nan_i32"));
    assert_eq!(functions::unary(UnaryOp::Exp, DType::I64), None);
    assert_eq!(functions::unary(UnaryOp::BitwiseNot, DType::F64), None);
    assert_eq!(functions::binary(BinaryOp::BitwiseXor, DType::F32), None);
    assert_eq!(functions::binary(BinaryOp::Sub, DType::Bool).as_deref(), Some("op_logical_xor_i32"));
}

/// The library is searched by name, so a name may occur but once, and every file must be part of it.
#[test]
fn names_are_unique_and_known() {
    let mut names = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/library")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in text.lines().filter(|l| l.starts_with("fn ")) {
            let name = line["fn ".len()..].split('(').next().unwrap().to_owned();
            assert!(with_library(&name).contains(&format!("fn {name}(")), "{name}'s file is not in the library");
            assert!(names.insert(name.clone()), "{name} occurs twice");
        }
    }
    assert!(names.len() > 200, "{}", names.len());
}

/// What drivers get wrong is computed by the library's own functions; what else it asks of them is tested when a device is
/// opened.
#[test]
fn no_text_calls_a_drivers_own_function() {
    const REFUSED: [&str; 32] = [
        "round",
        "floor",
        "ceil",
        "trunc",
        "fract",
        "sign",
        "exp",
        "exp2",
        "log",
        "log2",
        "pow",
        "sqrt",
        "inverseSqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "atan2",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "ldexp",
        "frexp",
        "modf",
        "mix",
        "smoothstep",
        "saturate",
    ];
    // Roots are within a few units wherever the self-test passes; the rest of these files is exact.
    const WITH_ROOTS: [&str; 6] =
        ["functions_f32", "functions_f64", "angles_f32", "angles_f64", "philox", "normalize/forward"];
    let mut calls = 0;
    let library = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/library")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    });
    let kernels = flambeau_shaders::KERNELS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    for (name, text) in library.chain(kernels) {
        for line in text.lines().map(|line| line.split("//").next().unwrap()) {
            for (at, _) in line.match_indices('(') {
                let word = line[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                calls += 1;
                let root = word == "sqrt" && (WITH_ROOTS.contains(&name.as_str()) || name == "self_test");
                assert!(root || !REFUSED.contains(&word), "{name} calls {word}: {line}");
            }
        }
    }
    assert!(calls > 1000, "{calls}");
}
