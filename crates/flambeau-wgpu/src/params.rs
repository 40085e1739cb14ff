//! The parameters of a launch, each given with the name of its field in the kernel's `struct Params`.

use flambeau_shaders::map::number_words;
use flambeau_shaders::{Fields, Kernel, Parameter};
use flambeau_tensor::{Array, Scalar};
use smallvec::SmallVec;

/// The words of a kernel's parameters, in the order of its fields. A call says by a function how they are filled, so that
/// names cost nothing where nobody looks at them: a pipeline is only made, and in a debug build a launch only recorded, for
/// names that are the fields'.
#[derive(Default)]
pub(crate) struct Params {
    words: Words,
    /// The name of each value, and what it ends in for each of the value's words; where they are asked for.
    names: Option<Names>,
}

pub(crate) type Words = SmallVec<[u32; 32]>;
type Names = Vec<(&'static str, Suffixes)>;
type Suffixes = &'static [&'static str];

/// What parameters are made of. Each word has a field of its own: uniform buffers would pad arrays.
pub(crate) trait Value {
    /// What the names of its words' fields end in.
    const SUFFIXES: Suffixes;
    /// Its words.
    fn words(self) -> impl AsRef<[u32]>;
}

impl Value for u32 {
    const SUFFIXES: Suffixes = &[""];
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        [self]
    }
}

/// Lengths and positions fit 32 bits: the callers see to that.
impl Value for usize {
    const SUFFIXES: Suffixes = &[""];
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        [self as u32]
    }
}

/// The words of a number of 64 bits or of a kernel's own type.
impl Value for [u32; 2] {
    const SUFFIXES: Suffixes = &["_low", "_high"];
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        self
    }
}

impl Value for u64 {
    const SUFFIXES: Suffixes = <[u32; 2]>::SUFFIXES;
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        [self as u32, (self >> 32) as u32]
    }
}

/// One for each spatial dimension.
impl Value for [usize; 3] {
    const SUFFIXES: Suffixes = &["_z", "_y", "_x"];
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        self.map(|n| n as u32)
    }
}

/// Where a batch of matrices begins, and its strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrices(pub [usize; 4]);

impl Value for Matrices {
    const SUFFIXES: Suffixes = &["_offset", "_batch", "_row", "_column"];
    #[inline]
    fn words(self) -> impl AsRef<[u32]> {
        self.0.map(|n| n as u32)
    }
}

impl Params {
    /// Adds values.
    #[inline]
    pub fn with<V: Value, const N: usize>(&mut self, values: [(&'static str, V); N]) -> &mut Self {
        for (name, value) in values {
            self.add(name, V::SUFFIXES, value.words().as_ref());
        }
        self
    }

    /// Adds where arrays begin: that of `("x", …)` is the field `x_offset`.
    #[inline]
    pub fn offsets<const N: usize>(&mut self, arrays: [(&'static str, &Array); N]) -> &mut Self {
        for (name, array) in arrays {
            self.add(name, &["_offset"], &[array.offset() as u32]);
        }
        self
    }

    /// Adds what a program's kernel wants: of its arrays what `place` says, and the scalars.
    #[inline]
    pub fn map(&mut self, kernel: &Kernel, scalars: &[Scalar], place: impl Fn(Parameter) -> usize) -> &mut Self {
        let map = kernel.map().expect("a kernel around a program");
        map.parameters(|parameter| {
            self.words.push(match parameter {
                Parameter::Zero => 0,
                Parameter::Scalar { number, word } => number_words(map.compute, scalars[number])[word],
                _ => place(parameter) as u32,
            });
        });
        self
    }

    #[inline]
    fn add(&mut self, name: &'static str, suffixes: Suffixes, words: &[u32]) {
        words.iter().for_each(|&word| self.words.push(word));
        if self.names.is_some() {
            self.note(name, suffixes);
        }
    }

    #[cold]
    fn note(&mut self, name: &'static str, suffixes: Suffixes) {
        self.names.get_or_insert_default().push((name, suffixes));
    }

    /// The words that a call gives.
    pub fn words(give: &dyn Fn(&mut Params)) -> Words {
        let mut params = Params::default();
        give(&mut params);
        params.words
    }

    /// The words and their names; those of a program's parameters are the kernel's by construction.
    fn named(give: &dyn Fn(&mut Params)) -> (Words, Names) {
        let mut params = Params { names: Some(Vec::new()), ..Params::default() };
        give(&mut params);
        (params.words, params.names.unwrap_or_default())
    }

    /// Sees to it that a call's names are those of a kernel's fields.
    ///
    /// # Panics
    /// When they are not: the caller and the kernel disagree.
    pub fn check(give: &dyn Fn(&mut Params), fields: &Fields) {
        let (words, names) = Params::named(give);
        let given = names.iter().flat_map(|&(name, suffixes)| suffixes.iter().map(move |&suffix| (name, suffix)));
        if let Err(wrong) = fields.check(given, words.len()) {
            panic!("{wrong}");
        }
    }
}

#[cfg(test)]
pub(crate) use tests::belong_to;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::{index_params, move_params};
    use crate::lines::Lines;
    use crate::pool::plane_params;
    use flambeau_cpu::CPU;
    use flambeau_tensor::{DType, Device, Finding};

    /// The names that words were given.
    fn names(give: &dyn Fn(&mut Params)) -> Vec<String> {
        let (words, names) = Params::named(give);
        let names: Vec<String> =
            names.iter().flat_map(|(name, ends)| ends.iter().map(move |end| format!("{name}{end}"))).collect();
        assert_eq!((names.len(), &words), (words.len(), &Params::words(give)), "{names:?}");
        names
    }

    /// Whether these parameters are neighbours in a kernel's; it needs no GPU to know.
    #[track_caller]
    pub(crate) fn belong_to(give: &dyn Fn(&mut Params), kernels: &[&'static str]) {
        let given = names(give);
        for kernel in kernels {
            let fields = Kernel::new(kernel, DType::F32).fields();
            let found = fields.names().windows(given.len()).any(|neighbours| neighbours == given);
            assert!(found, "{kernel} has no {given:?} in {:?}", fields.names());
        }
    }

    #[test]
    fn shared_groups_are_those_of_their_kernels() {
        let lines = Lines { count: 6, n: 5, inner: 2 };
        let along =
            ["arg_reduce", "scan", "scan_totals", "softmax", "softmax_backward", "sort", "sort_take", "sort_tile"];
        belong_to(
            &|p| {
                lines.params(p);
            },
            &along,
        );
        let array = Array::empty(&CPU, Device::Cpu, &[2, 3, 4, 5], DType::I64).unwrap();
        let moving = ["gather", "scatter/combine", "scatter/combine_atomic", "scatter/set", "scatter/set_winners"];
        belong_to(
            &|p| {
                index_params(p, 6, lines, 3, &array);
            },
            &["scatter/winners"],
        );
        let moved = |p: &mut Params| {
            move_params(index_params(p, 6, lines, 3, &array), &array, &array, Finding::Place, 1);
        };
        belong_to(&moved, &moving);
        let pooling = ["pool/average", "pool/max", "pool/max_backward", "resample"];
        belong_to(
            &|p| {
                plane_params(p, &array, &array);
            },
            &pooling,
        );
    }

    #[test]
    fn values_are_split_in_words() {
        let give = |p: &mut Params| {
            p.with([("a", 1u32)]).with([("b", 2usize)]).with([("c", 5u64 << 32 | 7)]).with([("d", [8, 9])]);
            p.with([("e", [10usize, 11, 12])]).with([("f", Matrices([13, 14, 15, 16]))]);
        };
        assert_eq!(Params::words(&give)[..], [1, 2, 7, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        let expected = "a b c_low c_high d_low d_high e_z e_y e_x f_offset f_batch f_row f_column";
        assert_eq!(names(&give).join(" "), expected);
    }
}
