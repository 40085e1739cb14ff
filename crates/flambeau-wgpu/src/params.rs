//! The parameters of a launch, each given with the name of its field in the kernel's `struct Params`.

use flambeau_shaders::map::{Map, number_words};
use flambeau_shaders::{Fields, Parameter};
use flambeau_tensor::{Array, Scalar};
use smallvec::SmallVec;

/// The words of a kernel's parameters, in the order of its fields. A pipeline is only made, and in a debug build a launch only
/// recorded, for words whose names are the fields'.
#[derive(Default)]
pub(crate) struct Params {
    words: SmallVec<[u32; 32]>,
    /// The name of each value, and what it ends in for each of the value's words.
    names: SmallVec<[(&'static str, Suffixes); 20]>,
}

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
    pub fn map(&mut self, map: &Map, scalars: &[Scalar], place: impl Fn(Parameter) -> usize) -> &mut Self {
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
        self.names.push((name, suffixes));
        self.words.extend_from_slice(words);
    }

    /// The words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Sees to it that the names are those of a kernel's fields.
    ///
    /// # Panics
    /// When they are not: the caller and the kernel disagree.
    pub fn check(&self, fields: &Fields) {
        let given = self.names.iter().flat_map(|&(name, suffixes)| suffixes.iter().map(move |&suffix| (name, suffix)));
        if let Err(wrong) = fields.check(given, self.words.len()) {
            panic!("{wrong}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::{index_params, move_params};
    use crate::lines::Lines;
    use crate::pool::plane_params;
    use flambeau_cpu::CPU;
    use flambeau_shaders::Kernel;
    use flambeau_tensor::{DType, Device, Finding};

    /// The names that words were given.
    fn names(params: &Params) -> Vec<String> {
        params.names.iter().flat_map(|(name, ends)| ends.iter().map(move |end| format!("{name}{end}"))).collect()
    }

    /// Whether these parameters are neighbours in a kernel's; it needs no GPU to know.
    #[track_caller]
    pub(crate) fn belong_to(params: &Params, kernels: &[&'static str]) {
        let given = names(params);
        assert_eq!(given.len(), params.words.len());
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
        belong_to(&lines.params(), &along);
        let array = Array::empty(&CPU, Device::Cpu, &[2, 3, 4, 5], DType::I64).unwrap();
        let moving = ["gather", "scatter/combine", "scatter/combine_atomic", "scatter/set", "scatter/set_winners"];
        let mut index = index_params(6, lines, 3, &array);
        belong_to(&index, &["scatter/winners"]);
        move_params(&mut index, &array, &array, Finding::Place, 1);
        belong_to(&index, &moving);
        let mut planes = Params::default();
        plane_params(&mut planes, &array, &array);
        belong_to(&planes, &["pool/average", "pool/max", "pool/max_backward", "resample"]);
    }

    #[test]
    fn values_are_split_in_words() {
        let mut params = Params::default();
        params.with([("a", 1u32)]).with([("b", 2usize)]).with([("c", 5u64 << 32 | 7)]).with([("d", [8, 9])]);
        params.with([("e", [10usize, 11, 12])]).with([("f", Matrices([13, 14, 15, 16]))]);
        assert_eq!(params.words(), [1, 2, 7, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        let expected = "a b c_low c_high d_low d_high e_z e_y e_x f_offset f_batch f_row f_column";
        assert_eq!(names(&params).join(" "), expected);
    }
}

#[cfg(test)]
pub(crate) use tests::belong_to;
