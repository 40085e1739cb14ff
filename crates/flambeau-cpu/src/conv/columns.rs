//! The column matrix of a convolution: one row per input channel and kernel element, one column per output position. Only a
//! tile of it, a range of positions, ever exists.

use std::ops::Range;

use super::shape::ConvShape;
use crate::simd::{Kernel, Simd, dispatch};

/// A tile of the column matrix: `channels.len() · kernel` rows of `positions.len()` elements.
pub(super) struct ColumnTile<'a> {
    pub shape: &'a ConvShape,
    /// How many input channels.
    pub channels: usize,
    /// Output positions, flat in the output's spatial plane.
    pub positions: Range<usize>,
    /// Elements from one row of the tile to the next.
    pub stride: usize,
}

/// Copies a tile of columns out of the input; padding gives zeros.
///
/// # Safety
/// `input` has the tile's channels; `columns` has room for the tile.
pub(super) unsafe fn gather<T: Copy + Default>(tile: ColumnTile, input: *const T, columns: *mut T) {
    dispatch(Gather { tile, input, columns })
}

/// Adds a tile of columns to the elements of the input that they came from; columns of padding vanish.
///
/// # Safety
/// As [`gather`].
pub(super) unsafe fn scatter<T: Copy + std::ops::AddAssign>(tile: ColumnTile, columns: *const T, input: *mut T) {
    dispatch(Scatter { tile, columns, input })
}

struct Gather<'a, T> {
    tile: ColumnTile<'a>,
    input: *const T,
    columns: *mut T,
}

impl<T: Copy + Default> Kernel for Gather<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (shape, len) = (self.tile.shape, self.tile.positions.len());
        let step = shape.stride[2];
        for row in 0..self.tile.channels * shape.kernel_len() {
            let columns = self.columns.wrapping_add(row * self.tile.stride);
            if shape.padding != [0; 3] {
                // SAFETY: the caller's room for the tile; zero bits are zero in every number type.
                unsafe { columns.write_bytes(0, len) }
            }
            let (channel, mut pieces) = Pieces::of_row(&self.tile, row);
            let plane = self.input.wrapping_add(channel * shape.input_len());
            while let Some(piece) = pieces.next() {
                // SAFETY: a piece lies within the tile's row and within the channel's plane.
                unsafe {
                    let (source, target) = (plane.add(piece.source), columns.add(piece.column));
                    if step == 1 {
                        source.copy_to_nonoverlapping(target, piece.len);
                    } else {
                        for j in 0..piece.len {
                            *target.add(j) = *source.add(j * step);
                        }
                    }
                }
            }
        }
    }
}

struct Scatter<'a, T> {
    tile: ColumnTile<'a>,
    columns: *const T,
    input: *mut T,
}

impl<T: Copy + std::ops::AddAssign> Kernel for Scatter<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let shape = self.tile.shape;
        let step = shape.stride[2];
        for row in 0..self.tile.channels * shape.kernel_len() {
            let columns = self.columns.wrapping_add(row * self.tile.stride);
            let (channel, mut pieces) = Pieces::of_row(&self.tile, row);
            let plane = self.input.wrapping_add(channel * shape.input_len());
            while let Some(piece) = pieces.next() {
                // SAFETY: a piece lies within the tile's row and within the channel's plane.
                unsafe {
                    let (target, source) = (plane.add(piece.source), columns.add(piece.column));
                    if step == 1 {
                        for j in 0..piece.len {
                            *target.add(j) += *source.add(j);
                        }
                    } else {
                        for j in 0..piece.len {
                            *target.add(j * step) += *source.add(j);
                        }
                    }
                }
            }
        }
    }
}

/// Part of a column row that lies in one line of the input: column `column + j` is element `source + j · stride`.
struct Piece {
    column: usize,
    source: usize,
    len: usize,
}

/// The pieces of one row of a tile, in order; what lies between them is padding.
struct Pieces<'a> {
    shape: &'a ConvShape,
    output: [usize; 3],
    /// Input coordinate that output position 0 reads, per dimension.
    origin: [isize; 3],
    /// Columns of a line of the output that read within the line of the input.
    inside: Range<usize>,
    /// Output coordinates where the next piece may begin.
    at: [usize; 3],
    column: usize,
    columns: usize,
}

impl<'a> Pieces<'a> {
    /// The channel and the pieces of row `row` of a tile.
    #[inline(always)]
    fn of_row(tile: &ColumnTile<'a>, row: usize) -> (usize, Pieces<'a>) {
        let shape = tile.shape;
        let [_, kh, kw] = shape.kernel;
        let (channel, element) = (row / shape.kernel_len(), row % shape.kernel_len());
        let place = [element / (kh * kw), element / kw % kh, element % kw];
        let mut origin = [0; 3];
        for (d, origin) in origin.iter_mut().enumerate() {
            *origin = (place[d] * shape.dilation[d]) as isize - shape.padding[d] as isize;
        }
        let output = shape.output();
        let stride = shape.stride[2] as isize;
        // The first column `x` with `x · stride + origin ≥ bound`.
        let from = |bound: isize| ((bound - origin[2]).max(0) + stride - 1) / stride;
        let inside = from(0) as usize..(from(shape.input[2] as isize) as usize).min(output[2]);
        let start = tile.positions.start;
        let at = [start / (output[1] * output[2]), start / output[2] % output[1], start % output[2]];
        (channel, Pieces { shape, output, origin, inside, at, column: 0, columns: tile.positions.len() })
    }

    #[inline(always)]
    fn next(&mut self) -> Option<Piece> {
        while self.column < self.columns {
            let [z, y, x] = self.at;
            let column = self.column;
            let end = self.output[2].min(x + (self.columns - column));
            self.column += end - x;
            self.at = if y + 1 < self.output[1] { [z, y + 1, 0] } else { [z + 1, 0, 0] };
            let depth = (z * self.shape.stride[0]) as isize + self.origin[0];
            let line = (y * self.shape.stride[1]) as isize + self.origin[1];
            let (first, last) = (x.max(self.inside.start), end.min(self.inside.end));
            let within = |i: isize, d: usize| i >= 0 && i < self.shape.input[d] as isize;
            if first < last && within(depth, 0) && within(line, 1) {
                let start = (first * self.shape.stride[2]) as isize + self.origin[2];
                let line = depth as usize * self.shape.input[1] + line as usize;
                let source = line * self.shape.input[2] + start as usize;
                return Some(Piece { column: column + first - x, source, len: last - first });
            }
        }
        None
    }
}
