//! Parameters by name: the fields of a kernel's `struct Params`, and whether a host's values are theirs.
//!
//! A field is one word, `name: u32`. A line `// fields: Group` stands for the fields of a struct of `library/params.wgsl`, and
//! `// map: parameters`, which comes last, for those of a program ([`Parameter`]).

use crate::library;
use crate::map::{Frame, Map, Walk, hides_zero, scalar_words};
use flambeau_tensor::pointwise::Node;
use std::fmt::Write as _;

/// The fields of a kernel's `Params`, in their order.
#[derive(Clone, Debug)]
pub struct Fields {
    kernel: &'static str,
    names: Vec<String>,
    /// How many come first that are not a program's.
    own: usize,
}

impl Fields {
    /// Those of a kernel's text, in which `map` holds a program's.
    ///
    /// # Panics
    /// When there is no such struct, or it has a field twice, one of another type, or one behind a program's.
    pub(crate) fn of(kernel: &'static str, text: &str, map: Option<&str>) -> Fields {
        let body = text.split_once("struct Params {\n").and_then(|(_, rest)| rest.split_once("\n}\n"));
        let (body, _) = body.unwrap_or_else(|| panic!("{kernel}.wgsl has no struct Params"));
        let (own, behind) = body.split_once("    // map: parameters").unwrap_or((body, ""));
        assert!(behind.trim().is_empty(), "{kernel}.wgsl has fields behind a program's parameters");
        let mut fields = Fields { kernel, names: Vec::new(), own: 0 };
        own.lines().for_each(|line| fields.add(expand(kernel, line)));
        fields.own = fields.names.len();
        fields.add(map.unwrap_or_default());
        fields
    }

    /// Adds the fields of these lines.
    fn add(&mut self, lines: &str) {
        let kernel = self.kernel;
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
            let name = line.strip_suffix(": u32,");
            let name =
                name.unwrap_or_else(|| panic!("{kernel}.wgsl: parameters are words, `name: u32,`, not `{line}`"));
            assert!(!self.names.iter().any(|n| n == name), "{kernel}.wgsl has the parameter `{name}` twice");
            self.names.push(name.to_owned());
        }
    }

    /// The fields' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many of them, from the first on, the file itself has; the others are a program's.
    pub fn own(&self) -> usize {
        self.own
    }

    /// Whether a host's values are those of the fields: `given` has the name of each in its two parts (`"stride", "_z"`), but
    /// for the words of a program, which come last; `words` is how many there are in all.
    ///
    /// # Errors
    /// The first difference, with the kernel's and the field's name.
    pub fn check<'a>(
        &self,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
        words: usize,
    ) -> Result<(), String> {
        let is = |field: &str, (base, suffix): (&str, &str)| field.strip_prefix(base) == Some(suffix);
        let own = &self.names[..self.own];
        let same = given.clone().count() == own.len() && given.clone().zip(own).all(|(g, f)| is(f, g));
        if same && words == self.names.len() {
            return Ok(());
        }
        let kernel = self.kernel;
        let given: Vec<String> = given.map(|(base, suffix)| format!("{base}{suffix}")).collect();
        let twice = given.iter().enumerate().find(|(i, name)| given[..*i].contains(name)).map(|(_, name)| name);
        if let Some(name) = twice {
            return Err(format!("{kernel}: the parameter `{name}` is given twice"));
        }
        if let Some(name) = given.iter().find(|name| !own.contains(name)) {
            return Err(format!("{kernel}: there is no parameter `{name}`"));
        }
        if let Some(name) = own.iter().find(|name| !given.contains(name)) {
            return Err(format!("{kernel}: the parameter `{name}` is not given"));
        }
        match given.iter().zip(own).find(|(given, field)| given != field) {
            Some((given, field)) => Err(format!("{kernel}: `{given}` is given where the parameter `{field}` stands")),
            None => Err(format!("{kernel}: {words} words are given for the {} parameters", self.names.len())),
        }
    }
}

/// The line, or the fields that it stands for.
///
/// # Panics
/// When the library has no such group.
pub(crate) fn expand<'a>(kernel: &str, line: &'a str) -> &'a str {
    let Some(group) = line.trim_start().strip_prefix("// fields: ") else { return line };
    let item = library::item(group).unwrap_or_else(|| panic!("{kernel}.wgsl: no group of fields {group}"));
    let fields = item.split_once("{\n").and_then(|(_, rest)| rest.split_once("\n}"));
    fields.unwrap_or_else(|| panic!("{kernel}.wgsl: {group} is no struct")).0
}

/// A parameter of a mapped kernel: a word. Arrays are counted from the first input to the last output; dimensions are those
/// of the shape that all were merged to, of a reduction the kept ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// The length of a dimension; that of the first one is not asked for.
    Length {
        /// The dimension.
        dim: usize,
    },
    /// How many elements a list and those before it have.
    End {
        /// The list.
        list: usize,
    },
    /// Where an array begins.
    Offset {
        /// The list, where there are several.
        list: usize,
        /// The array.
        array: usize,
    },
    /// How far neighbours along a dimension lie apart in an array.
    Stride {
        /// The array.
        array: usize,
        /// The dimension.
        dim: usize,
    },
    /// A zero that the driver cannot see; see [`hides_zero`].
    Zero,
    /// A word of a runtime scalar, in the compute dtype; see [`number_words`](crate::map::number_words).
    Scalar {
        /// Which scalar.
        number: usize,
        /// 0 for the low word, 1 for the high one.
        word: usize,
    },
}

impl Map {
    /// Gives the parameters in their order: both a kernel's fields and a launch's words are made from these.
    pub fn parameters(&self, mut give: impl FnMut(Parameter)) {
        let (inputs, arrays) = (self.inputs.len(), self.inputs.len() + self.outputs.len());
        match &self.frame {
            &Frame::Store { rank, .. } => {
                (1..rank.into()).for_each(|dim| give(Parameter::Length { dim }));
                for (array, operand) in self.inputs.iter().chain(&self.outputs).enumerate() {
                    give(Parameter::Offset { list: 0, array });
                    let strides = if operand.walk == Walk::Strided { rank } else { 0 };
                    (0..strides.into()).for_each(|dim| give(Parameter::Stride { array, dim }));
                }
            }
            Frame::Lists { lists, targets } => {
                for list in 0..usize::from(*lists) {
                    give(Parameter::End { list });
                    let bound = |array: &usize| *array < inputs || targets[*array - inputs].is_none();
                    (0..arrays).filter(bound).for_each(|array| give(Parameter::Offset { list, array }));
                }
            }
            &Frame::Reduce { kept, reduced } => {
                let (kept, rank) = (usize::from(kept), usize::from(kept + reduced));
                (1..kept).chain(kept + 1..rank).for_each(|dim| give(Parameter::Length { dim }));
                for array in 0..arrays {
                    give(Parameter::Offset { list: 0, array });
                    let strides = if array < inputs { rank } else { kept };
                    (0..strides).for_each(|dim| give(Parameter::Stride { array, dim }));
                }
            }
        }
        if hides_zero(self.structure, self.compute) {
            give(Parameter::Zero);
        }
        let scalar = |node: &Node| if let Node::Scalar(k) = node { Some(usize::from(*k) + 1) } else { None };
        for number in 0..self.structure.nodes.iter().filter_map(scalar).max().unwrap_or(0) {
            (0..scalar_words(self.compute)).for_each(|word| give(Parameter::Scalar { number, word }));
        }
    }

    /// A parameter's name in the kernel.
    fn name(&self, parameter: Parameter) -> String {
        let array_name = |array: usize| match (array.checked_sub(self.inputs.len()), &self.frame) {
            (None, _) => format!("in{array}"),
            (Some(_), Frame::Reduce { .. }) => "out".to_owned(),
            (Some(output), _) => format!("out{output}"),
        };
        // Of a reduction, what a dimension is called, and its number among such.
        let role = |dim: usize| match self.frame {
            Frame::Reduce { kept, .. } if dim < kept.into() => ("kept", dim),
            Frame::Reduce { kept, .. } => ("reduced", dim - usize::from(kept)),
            _ => ("size", dim),
        };
        match (parameter, &self.frame) {
            (Parameter::Length { dim }, _) => {
                let (role, dim) = role(dim);
                format!("{role}{dim}")
            }
            (Parameter::End { list }, _) => format!("end{list}"),
            (Parameter::Offset { list, array }, Frame::Lists { .. }) => format!("{}_{list}_offset", array_name(array)),
            (Parameter::Offset { array, .. }, _) => format!("{}_offset", array_name(array)),
            (Parameter::Stride { array, dim }, Frame::Reduce { .. }) => {
                let (role, dim) = role(dim);
                format!("{}_{role}_stride{dim}", array_name(array))
            }
            (Parameter::Stride { array, dim }, _) => format!("{}_stride{dim}", array_name(array)),
            (Parameter::Zero, _) => "zero".to_owned(),
            (Parameter::Scalar { number, word }, _) => format!("scalar{number}_{}", ["low", "high"][word]),
        }
    }

    /// The parameters as fields of a struct.
    pub(crate) fn fields(&self) -> String {
        let mut text = String::new();
        self.parameters(|p| writeln!(text, "    {}: u32,", self.name(p)).expect("a string takes all"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "struct Params {\n    rows: u32,\n    // Why.\n    scale_low: u32,\n    scale_high: u32,\n}\n";

    fn check(given: &[(&str, &str)]) -> Result<(), String> {
        Fields::of("some", TEXT, None).check(given.iter().copied(), given.len())
    }

    #[test]
    fn differences_are_named() {
        let scale = [("scale", "_low"), ("scale", "_high")];
        let [low, high] = scale;
        let rows = ("rows", "");
        assert_eq!(check(&[rows, low, high]), Ok(()));
        let refused = |given: &[(&str, &str)]| check(given).unwrap_err();
        assert_eq!(refused(&[rows, low, high, rows]), "some: the parameter `rows` is given twice");
        assert_eq!(refused(&[("row", ""), low, high]), "some: there is no parameter `row`");
        assert_eq!(refused(&[low, high]), "some: the parameter `rows` is not given");
        assert_eq!(refused(&[low, rows, high]), "some: `scale_low` is given where the parameter `rows` stands");
        let words = Fields::of("some", TEXT, None).check([rows, low, high].into_iter(), 4).unwrap_err();
        assert_eq!(words, "some: 4 words are given for the 3 parameters");
    }

    #[test]
    #[should_panic(expected = "some.wgsl: parameters are words, `name: u32,`, not `rows: f32,`")]
    fn a_field_of_another_type_is_refused() {
        Fields::of("some", &TEXT.replace("rows: u32", "rows: f32"), None);
    }

    #[test]
    #[should_panic(expected = "some.wgsl has the parameter `rows` twice")]
    fn a_field_that_stands_twice_is_refused() {
        Fields::of("some", &TEXT.replace("scale_low", "rows"), None);
    }

    #[test]
    #[should_panic(expected = "some.wgsl: no group of fields Nothing")]
    fn a_group_that_is_missing_is_refused() {
        Fields::of("some", &TEXT.replace("// Why.", "// fields: Nothing"), None);
    }

    #[test]
    fn a_programs_parameters_come_last() {
        let text = "struct Params {\n    n: u32,\n    // map: parameters\n}\n";
        let fields = Fields::of("some", text, Some("    size1: u32,\n    in0_offset: u32,\n"));
        assert_eq!((fields.own(), fields.names().len()), (1, 3));
        assert_eq!(fields.check([("n", "")].into_iter(), 3), Ok(()));
        assert!(fields.check([("n", "")].into_iter(), 2).is_err());
        let behind = text.replace("parameters\n", "parameters\n    m: u32,\n");
        assert!(std::panic::catch_unwind(|| Fields::of("some", &behind, Some(""))).is_err());
    }
}
