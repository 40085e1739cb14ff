//! What may be wrong with the elements that an operation gets, in PyTorch's words, and which indices an operation takes. A
//! kernel on a device notes a [`Finding`]; the next readback is its error.

use crate::Error;

/// Something wrong with an element. Each operation has its own words for an index outside its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Of `x[…]` and what writes there, and of `index_fill`; the detail is the index' place among the tensors.
    Subscript,
    /// Of `gather` and the scatters, and of `index_add`; the detail is the dimension.
    Place,
    /// Of `index_select` and `embedding`.
    Line,
    /// Of `index_select` along the second dimension, or of nothing.
    LineOfMany,
    /// Of `index_copy`; the detail is the dimension.
    CopiedLine,
    /// Of `take` and `put`.
    Element,
    /// Of `embedding` with a largest norm; the detail is the rows' length.
    Row,
    /// A class that is none.
    Target,
    /// The same of `multi_margin_loss`.
    MarginTarget,
    /// A class below zero, of `one_hot`.
    NegativeClass,
    /// A class beyond the last, of `one_hot`.
    LargeClass,
    /// An integer divided by zero.
    ZeroDivision,
    /// An input of `binary_cross_entropy` outside [0, 1].
    NoProbability,
    /// A probability of `bernoulli` outside [0, 1].
    NoChance,
    /// An index of `searchsorted`'s sorter.
    Sorter,
    /// A label of `multilabel_margin_loss`.
    Label,
}

impl Finding {
    /// Every one, in the order of the enum.
    pub const ALL: [Finding; 16] = [
        Finding::Subscript,
        Finding::Place,
        Finding::Line,
        Finding::LineOfMany,
        Finding::CopiedLine,
        Finding::Element,
        Finding::Row,
        Finding::Target,
        Finding::MarginTarget,
        Finding::NegativeClass,
        Finding::LargeClass,
        Finding::ZeroDivision,
        Finding::NoProbability,
        Finding::NoChance,
        Finding::Sorter,
        Finding::Label,
    ];

    /// The number that stands for it in a device's memory.
    pub fn code(self) -> u32 {
        self as u32
    }

    /// The error for an index (or class) among `n`; the detail is what the finding says it is.
    pub fn error(self, index: i64, n: usize, detail: usize) -> Error {
        let outside = || format!("index {index} is out of bounds for dimension {detail} with size {n}");
        match self {
            Finding::Subscript => Error::Index(outside()),
            Finding::Place => Error::runtime(outside()),
            Finding::Line => Error::Index("index out of range in self".to_owned()),
            Finding::LineOfMany => {
                Error::runtime(format!("INDICES element is out of DATA bounds, id={index} axis_dim={n}"))
            }
            Finding::CopiedLine => Error::Index(format!("index_copy_(): {}", outside())),
            Finding::Element => {
                Error::Index(format!("out of range: tried to access index {index} on a tensor of {n} elements."))
            }
            Finding::Row => Error::Index(format!(
                "select(): index {index} out of range for tensor of size [{n}, {detail}] at dimension 0"
            )),
            Finding::Target => Error::Index(format!("Target {index} is out of bounds.")),
            Finding::MarginTarget => Error::runtime("target out of range"),
            Finding::NegativeClass => Error::runtime("Class values must be non-negative."),
            Finding::LargeClass => Error::runtime("Class values must be smaller than num_classes."),
            Finding::ZeroDivision => Error::runtime("ZeroDivisionError"),
            Finding::NoProbability => Error::runtime("all elements of input should be between 0 and 1"),
            Finding::NoChance => Error::runtime(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so, \
                 please report an enhancement request to PyTorch.)",
            ),
            Finding::Sorter => Error::runtime("torch.searchsorted(): sorter index out of range"),
            Finding::Label => Error::runtime("argument #2 'target' is out of range"),
        }
    }
}

/// Which indices of a dimension an operation takes, and what it says of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRule {
    /// The dimension's length.
    pub n: usize,
    /// Whether −1 is the last one, and so on.
    pub wraps: bool,
    /// What an index outside is.
    pub finding: Finding,
    /// The finding's detail.
    pub detail: usize,
}

impl IndexRule {
    /// The rule of an operation that refuses negative indices.
    pub fn strict(n: usize, finding: Finding, detail: usize) -> Self {
        IndexRule { n, wraps: false, finding, detail }
    }

    /// The rule of an operation that counts negative indices from the end.
    pub fn wrapping(n: usize, finding: Finding, detail: usize) -> Self {
        IndexRule { n, wraps: true, finding, detail }
    }

    /// The place that an index names.
    ///
    /// # Errors
    /// When it names none.
    pub fn place(&self, index: i64) -> Result<usize, Error> {
        // A length is below 2⁶³, so that the sum of it and a negative number does not wrap.
        let place = if index < 0 && self.wraps { index + self.n as i64 } else { index };
        let place = usize::try_from(place).ok().filter(|&place| place < self.n);
        place.ok_or_else(|| self.finding.error(index, self.n, self.detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_places_in_the_list() {
        for (i, finding) in Finding::ALL.into_iter().enumerate() {
            assert_eq!(finding.code() as usize, i);
        }
    }

    #[test]
    fn a_place_is_within_the_dimension() {
        for n in [0usize, 1, 5] {
            let (wrapping, strict) =
                (IndexRule::wrapping(n, Finding::Subscript, 1), IndexRule::strict(n, Finding::Place, 0));
            for i in (-12i64..12).chain([i64::MIN, i64::MAX, -(1 << 32), 1 << 32]) {
                let (inside, beside) = ((0..n as i64).contains(&i), (-(n as i64)..0).contains(&i));
                assert_eq!(strict.place(i).ok(), inside.then_some(i as usize));
                let expected = if beside { Some((i + n as i64) as usize) } else { inside.then_some(i as usize) };
                assert_eq!(wrapping.place(i).ok(), expected);
            }
        }
        let words = IndexRule::wrapping(5, Finding::Subscript, 1).place(7).unwrap_err();
        assert_eq!(words, Error::Index("index 7 is out of bounds for dimension 1 with size 5".into()));
        let words = IndexRule::strict(5, Finding::Place, 0).place(-1).unwrap_err();
        assert_eq!(words, Error::Runtime("index -1 is out of bounds for dimension 0 with size 5".into()));
    }
}
