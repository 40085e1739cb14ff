//! The rows, by family.

mod binary;
mod classification;
mod contraction;
mod conv;
mod copy;
mod create;
mod index;
mod join;
mod linalg;
mod loss;
mod nn;
mod norm;
mod reduce;
mod sort;
mod special;
mod unary;
mod view;

use crate::opinfo::OpInfo;
use flambeau_autograd::registry;

pub use special::only_special;

/// Every row: those written here, and one for each further operation of the registry that has goldens.
///
/// # Panics
/// When the golden files cannot be read.
pub fn all() -> Vec<OpInfo> {
    let mut rows = written();
    for name in crate::golden::op_names().unwrap_or_else(|e| panic!("{e}")) {
        let call = registry::find(OpInfo::registered_name(&name)).and_then(|op| op.call);
        if let Some(call) = call.filter(|_| rows.iter().all(|row| row.name != name)) {
            rows.push(OpInfo::registered(name.leak(), call));
        }
    }
    rows
}

/// The rows that say more than the registry: another order of arguments, what differs on purpose, what is lacking.
fn written() -> Vec<OpInfo> {
    let families = [
        unary::ROWS,
        binary::ROWS,
        reduce::ROWS,
        view::ROWS,
        copy::ROWS,
        create::ROWS,
        join::ROWS,
        index::ROWS,
        sort::ROWS,
        linalg::ROWS,
        nn::ROWS,
        loss::ROWS,
        conv::ROWS,
        classification::ROWS,
        contraction::ROWS,
        norm::ROWS,
    ];
    families.concat()
}
