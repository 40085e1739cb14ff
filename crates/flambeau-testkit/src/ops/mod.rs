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

pub use special::only_special;

/// Every row.
pub fn all() -> Vec<OpInfo> {
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
