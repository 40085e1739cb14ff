//! Prints what `cargo xtask compat` needs to know of each operation: its name, its forms, its other names, whether it has an
//! in-place form, and its derivatives (0: none; 1: a first one; 2: a second one, held to finite differences by a test).

use flambeau_autograd::registry;
use flambeau_testkit::opinfo::OpInfo;
use flambeau_testkit::ops;

fn main() {
    let rows = ops::all();
    for op in registry::all() {
        let row = rows.iter().find(|row| OpInfo::registered_name(row.name) == op.name);
        let twice = row.is_none_or(|row| row.skip_gradgradcheck.is_none());
        let order = match (op.differentiable, twice) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        };
        let (forms, aliases) = (op.forms.join(","), op.aliases.join(","));
        println!("{}\t{forms}\t{aliases}\t{}\t{order}", op.name, op.in_place);
    }
}
