//! How a kernel walks several strided operands of one shape together.

use crate::dims::{Dims, is_contiguous, numel};
use smallvec::SmallVec;

/// Operands that [`Plan::is_dense`] knows by a bit.
const MASKED: usize = u64::BITS as usize;

/// A shape whose dimensions were dropped, sorted and merged as far as all operands allow, and each operand's strides in it.
#[derive(Debug)]
pub struct Plan {
    /// Lengths, the innermost last; at least one.
    pub shape: Dims,
    /// Each operand's strides, in elements.
    pub strides: SmallVec<[Dims; 4]>,
    /// Bit k: operand k's elements lie side by side in the order of the walk, across all rows.
    flat: u64,
}

impl Plan {
    /// For kernels that may visit the elements in any order: dimensions are sorted by the first operand's strides (then
    /// by the others'), so that what lies side by side in memory is visited side by side.
    pub fn unordered(shape: &[usize], operands: &[&[usize]]) -> Plan {
        let mut order: Dims = (0..shape.len()).filter(|&d| shape[d] != 1).collect();
        let key = |d: usize| operands.iter().map(move |strides| stride(strides, d));
        // Stable, so that equal strides keep the row-major order.
        order.sort_by(|&a, &b| key(b).cmp(key(a)));
        Plan::grouped(shape, operands, &[&order]).0
    }

    /// Visits the dimensions in the order of `groups`, the last innermost, and merges neighbours within a group. Also
    /// returns how many dimensions each group is left with. Strides that an operand lacks count as zero, and dimensions that
    /// the shape lacks are left out.
    pub fn grouped(shape: &[usize], operands: &[&[usize]], groups: &[&[usize]]) -> (Plan, SmallVec<[usize; 3]>) {
        let mut merged =
            Plan { shape: Dims::new(), strides: SmallVec::from_elem(Dims::new(), operands.len()), flat: 0 };
        let mut counts = SmallVec::new();
        for group in groups {
            let start = merged.shape.len();
            for &d in group.iter() {
                let Some(&n) = shape.get(d) else { continue };
                if n == 1 {
                    continue;
                }
                let last = merged.shape.len();
                // Products wrap only where a length is zero, and nothing is walked.
                let fits = |k: usize| merged.strides[k][last - 1] == stride(operands[k], d).wrapping_mul(n);
                if last > start && (0..operands.len()).all(fits) {
                    merged.shape[last - 1] = merged.shape[last - 1].wrapping_mul(n);
                    for (k, strides) in merged.strides.iter_mut().enumerate() {
                        strides[last - 1] = stride(operands[k], d);
                    }
                } else {
                    merged.shape.push(n);
                    for (k, strides) in merged.strides.iter_mut().enumerate() {
                        strides.push(stride(operands[k], d));
                    }
                }
            }
            counts.push(merged.shape.len() - start);
        }
        if merged.shape.is_empty() {
            merged.shape.push(1);
            merged.strides.iter_mut().for_each(|s| s.push(0));
        }
        merged.note_flat();
        (merged, counts)
    }

    /// Moves the first `n` operands, or all, behind the others.
    pub fn rotate_left(&mut self, n: usize) {
        let count = self.strides.len();
        if n == 0 || n >= count {
            return;
        }
        self.strides.rotate_left(n);
        if count <= MASKED {
            let (low, high) = (self.flat & ((1 << n) - 1), self.flat >> n);
            self.flat = high | low << (count - n);
        } else {
            self.note_flat();
        }
    }

    /// Notes which operands are dense; those past the mask are taken for strided ones.
    fn note_flat(&mut self) {
        self.flat = 0;
        for (k, strides) in self.strides.iter().enumerate().take(MASKED) {
            self.flat |= u64::from(is_contiguous(&self.shape, strides)) << k;
        }
    }

    /// Whether operand `k` repeats one dense row, as a broadcast bias does.
    pub fn repeats_a_row(&self, k: usize) -> bool {
        let (last, outer) = (self.shape.len() - 1, &self.strides[k]);
        outer[last] == 1 && outer[..last].iter().all(|&s| s == 0)
    }

    /// Whether operand `k`'s next `n` elements at the cursor lie side by side.
    pub fn is_dense(&self, k: usize, cursor: &Cursor, n: usize) -> bool {
        k < MASKED && self.flat >> k & 1 == 1 || self.inner_stride(k) == 1 && n <= cursor.left_in_row(self)
    }

    /// How many elements there are.
    pub fn numel(&self) -> usize {
        numel(&self.shape)
    }

    /// The length of the innermost dimension.
    pub fn row(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }

    /// An operand's stride along the innermost dimension.
    pub fn inner_stride(&self, operand: usize) -> usize {
        self.strides[operand][self.shape.len() - 1]
    }

    /// The position of the `index`th element; the start where there are none.
    pub fn seek(&self, index: usize) -> Cursor {
        let mut coords = Dims::from_elem(0, self.shape.len());
        let mut offsets = SmallVec::from_elem(0, self.strides.len());
        let mut rest = index;
        for d in (0..self.shape.len()).rev() {
            // A length of zero has no position but the first.
            let n = self.shape[d].max(1);
            coords[d] = rest % n;
            rest /= n;
            for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                *offset += coords[d] * strides[d];
            }
        }
        Cursor { coords, offsets }
    }
}

/// An operand's stride along a dimension.
#[inline]
fn stride(strides: &[usize], d: usize) -> usize {
    strides.get(d).copied().unwrap_or(0)
}

/// A position in a [`Plan`].
#[derive(Clone, Debug)]
pub struct Cursor {
    coords: Dims,
    /// Each operand's offset from its first element, in elements.
    pub offsets: SmallVec<[usize; 6]>,
}

impl Cursor {
    /// How many elements are left in the innermost dimension.
    pub fn left_in_row(&self, plan: &Plan) -> usize {
        let last = self.coords.len() - 1;
        plan.shape[last] - self.coords[last]
    }

    /// Moves on by `n` elements, at most to the end of the row; from there to the start of the next one.
    pub fn advance(&mut self, plan: &Plan, n: usize) {
        let mut d = self.coords.len() - 1;
        let mut step = n;
        loop {
            self.coords[d] += step;
            for (offset, strides) in self.offsets.iter_mut().zip(&plan.strides) {
                *offset += step * strides[d];
            }
            if self.coords[d] < plan.shape[d] || d == 0 {
                return;
            }
            for (offset, strides) in self.offsets.iter_mut().zip(&plan.strides) {
                *offset -= plan.shape[d] * strides[d];
            }
            self.coords[d] = 0;
            d -= 1;
            step = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_dimensions_merge_and_permuted_ones_are_sorted() {
        let plan = Plan::unordered(&[2, 3, 4], &[&[12, 4, 1], &[12, 4, 1]]);
        assert_eq!(plan.shape.as_slice(), [24]);
        let plan = Plan::unordered(&[2, 3, 4], &[&[1, 2, 6], &[1, 2, 6]]);
        assert_eq!((plan.shape.as_slice(), plan.strides[1].as_slice()), (&[24][..], &[1][..]));
        let plan = Plan::unordered(&[5, 7], &[&[7, 1], &[0, 1]]);
        assert_eq!(plan.shape.as_slice(), [5, 7]);
        let plan = Plan::unordered(&[1, 1], &[&[1, 1]]);
        assert_eq!(plan.shape.as_slice(), [1]);
    }

    #[test]
    fn a_cursor_visits_what_seek_finds() {
        let plan = Plan::unordered(&[3, 4, 5], &[&[20, 5, 1], &[1, 15, 3], &[0, 1, 0]]);
        let mut cursor = plan.seek(0);
        for i in 0..plan.numel() {
            assert_eq!(cursor.offsets, plan.seek(i).offsets, "{i}");
            cursor.advance(&plan, 1);
        }
    }
}
