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
