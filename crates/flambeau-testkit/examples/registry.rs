//! Prints what `cargo xtask compat` needs to know of each operation: its name, its forms, its other names, whether it has an
//! in-place form, its derivatives (0: none; 1: a first one; 2: a second one, held to finite differences by a test), and the
//! dtypes of its first tensor in which it was compared with PyTorch.

use flambeau_autograd::registry;
use flambeau_tensor::DType;
use flambeau_testkit::golden::{CaseKind, load_op};
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops;

/// Dtypes that go together, and their word in the table.
const GROUPS: [(&str, &[DType]); 4] = [
    ("bool", &[DType::Bool]),
    ("int", &[DType::U8, DType::I8, DType::I16, DType::I32, DType::I64]),
    ("half", &[DType::F16, DType::BF16]),
    ("float", &[DType::F32, DType::F64]),
];

/// A group's word where all of it was compared, and else the dtypes that were.
fn dtypes(rows: &[&OpInfo]) -> String {
    let cases = rows.iter().flat_map(|row| load_op(row.name).unwrap_or_else(|e| panic!("{e}")));
    let compared: Vec<DType> = cases
        .filter(|case| case.kind != CaseKind::Error)
        .filter_map(|case| case.args.iter().flat_map(|arg| arg.tensors_within()).next().map(|t| t.dtype))
        .collect();
    let words = GROUPS.iter().flat_map(|&(group, members)| {
        let there: Vec<_> = members.iter().filter(|dtype| compared.contains(dtype)).collect();
        match there.len() == members.len() {
            true => vec![group.to_owned()],
            false => there.iter().map(|dtype| dtype.name().to_owned()).collect(),
        }
    });
    words.collect::<Vec<_>>().join(", ")
}

fn main() {
    let rows = ops::all();
    for op in registry::all() {
        // Rows of a variant (`max.reduction_with_dim`) count for what the variant belongs to.
        let of_op =
            |row: &&OpInfo| OpInfo::registered_name(row.name) == op.name || row.name.split('.').next() == Some(op.name);
        let rows: Vec<_> = rows.iter().filter(of_op).collect();
        let twice = rows.first().is_none_or(|row| row.skip_gradgradcheck.is_none());
        let order = match (op.differentiable, twice) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let (forms, aliases) = (op.forms.join(","), op.aliases.join(","));
        println!("{}\t{forms}\t{aliases}\t{}\t{order}\t{}", op.name, op.in_place, dtypes(&rows));
    }
}
