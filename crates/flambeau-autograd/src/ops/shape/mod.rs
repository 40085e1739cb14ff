//! Views, reordered and joined tensors.

pub(crate) mod join;
pub(crate) mod reorder;
pub(crate) mod split;
pub(crate) mod turn;
pub(crate) mod view;

pub use join::*;
pub use reorder::*;
pub use split::*;
pub use turn::*;
pub use view::*;

flambeau_macros::operations! {
    join {
        cat stack hstack vstack dstack column_stack broadcast_tensors meshgrid cartesian_prod combinations block_diag repeat tile
        repeat_interleave repeat_interleave_each
    }
    reorder { flip roll movedim }
    split { split split_sizes chunk unbind tensor_split tensor_split_at hsplit vsplit dsplit }
    view {
        as_strided expand expand_as broadcast_to view view_as reshape_as reshape flatten permute transpose t slice narrow select unsqueeze
        squeeze unfold diagonal resize_
    }
    turn { rot90 fliplr flipud }
}
