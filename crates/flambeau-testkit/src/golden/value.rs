//! Tensors, arguments and tolerances as the golden files hold them.

use flambeau_tensor::DType;
use serde_json::{Map, Value};

use super::{Parsed, field, list, optional};

/// Elements in row-major order (or, of a [`ViewSpec`], the base storage). Floats of every width are f64 here, which holds each exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of a floating-point dtype.
    Float(Vec<f64>),
    /// Of an integer dtype.
    Int(Vec<i64>),
    /// Of dtype bool.
    Bool(Vec<bool>),
}

impl Values {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Values::Float(v) => v.len(),
            Values::Int(v) => v.len(),
            Values::Bool(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a tensor lies in its base storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSpec {
    /// Elements from one index to the next, per dim; 0 where expanded.
    pub strides: Vec<usize>,
    /// The element of the storage at index (0, …, 0).
    pub offset: usize,
}

/// A tensor of a golden file.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenTensor {
    /// The dtype.
    pub dtype: DType,
    /// The shape.
    pub shape: Vec<usize>,
    /// The elements; with `view`, those of the base storage.
    pub values: Values,
    /// Absent for a dense tensor. Else the argument is `as_strided(shape, strides, offset)` of the one-dimensional `values`, made a leaf.
    pub view: Option<ViewSpec>,
    /// A leaf whose gradient [`super::Case::grads`] lists.
    pub requires_grad: bool,
}

/// Two results that differ.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(String);

/// The same words as `Display`: what `unwrap`, and `?` in `main`, print.
impl std::fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl GoldenTensor {
    pub(super) fn parse(v: &Value) -> Parsed<Self> {
        let map = v.as_object().ok_or_else(|| format!("{v} is not a tensor"))?;
        let dtype = field(map, "t", dtype)?;
        let values = field(map, "v", |v| match dtype {
            DType::Bool => list(|v| v.as_bool().ok_or_else(|| format!("{v} is not a bool")))(v).map(Values::Bool),
            DType::F64 => list(float)(v).map(Values::Float),
            // The file holds the shortest decimal of the f32.
            DType::F32 | DType::F16 | DType::BF16 => {
                list(|v| float(v).map(|x| f64::from(x as f32)))(v).map(Values::Float)
            }
            DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64 => list(int)(v).map(Values::Int),
        })?;
        let shape = field(map, "s", list(size))?;
        let view = match optional(map, "st", list(size))? {
            Some(strides) => Some(ViewSpec { strides, offset: field(map, "o", size)? }),
            None => None,
        };
        let elements: usize = shape.iter().product();
        let fits = match &view {
            None => values.len() == elements,
            Some(view) => {
                let last = shape.iter().zip(&view.strides).map(|(n, s)| n.saturating_sub(1) * s).sum::<usize>();
                view.strides.len() == shape.len() && (elements == 0 || view.offset + last < values.len())
            }
        };
        if !fits {
            return Err(format!("{} values for shape {shape:?} {view:?}", values.len()));
        }
        Ok(GoldenTensor { dtype, shape, values, view, requires_grad: map.contains_key("g") })
    }

    /// Compares a result, given in row-major order, with this one: dtype and shape equal, values within `tolerance`. NaN equals NaN,
    /// and a zero equals only a zero of its sign: PyTorch prints `-0.`.
    pub fn compare(
        &self,
        dtype: DType,
        shape: &[usize],
        actual: &Values,
        tolerance: Tolerance,
    ) -> Result<(), Mismatch> {
        if dtype != self.dtype {
            return Err(Mismatch(format!("dtype {dtype}, expected {}", self.dtype)));
        }
        if shape != self.shape {
            return Err(Mismatch(format!("shape {shape:?}, expected {:?}", self.shape)));
        }
        let bad = match (actual, &self.values) {
            (Values::Float(a), Values::Float(e)) => first_difference(a, e, |a, e| tolerance.accepts(*a, *e)),
            (Values::Int(a), Values::Int(e)) => first_difference(a, e, |a, e| a == e),
            (Values::Bool(a), Values::Bool(e)) => first_difference(a, e, |a, e| a == e),
            _ => Some("values of another kind".to_owned()),
        };
        bad.map_or(Ok(()), |text| Err(Mismatch(text)))
    }
}

/// Says where and how `actual` first leaves `expected`, and how often it does.
fn first_difference<T: std::fmt::Debug>(actual: &[T], expected: &[T], same: impl Fn(&T, &T) -> bool) -> Option<String> {
    if actual.len() != expected.len() {
        return Some(format!("{} elements, expected {}", actual.len(), expected.len()));
    }
    let bad: Vec<usize> = (0..expected.len()).filter(|&i| !same(&actual[i], &expected[i])).collect();
    let i = *bad.first()?;
    Some(format!(
        "element {i} is {:?}, expected {:?} ({} of {} differ)",
        actual[i],
        expected[i],
        bad.len(),
        expected.len()
    ))
}

/// How far a float may be from PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// Not at all: the op moves, selects, compares or rounds.
    Exact,
    /// `|actual − expected| ≤ atol + rtol·|expected|`.
    Close {
        /// The relative part.
        rtol: f64,
        /// The absolute part.
        atol: f64,
    },
}

impl Tolerance {
    /// Whether `actual` passes for `expected`; NaN only for NaN, infinities only for themselves, a zero only for one of its sign
    /// or, where numbers need not be equal, for another number near it.
    pub fn accepts(self, actual: f64, expected: f64) -> bool {
        if actual == expected {
            return actual != 0.0 || actual.is_sign_negative() == expected.is_sign_negative();
        }
        if actual.is_nan() && expected.is_nan() {
            return true;
        }
        match self {
            Tolerance::Exact => false,
            Tolerance::Close { rtol, atol } => {
                actual.is_finite() && expected.is_finite() && (actual - expected).abs() <= atol + rtol * expected.abs()
            }
        }
    }

    /// `"tol": [rtol, atol]` of a case; without it, exact.
    pub(super) fn of(map: &Map<String, Value>) -> Parsed<Self> {
        match optional(map, "tol", list(float))?.as_deref() {
            None => Ok(Tolerance::Exact),
            Some(&[rtol, atol]) => Ok(Tolerance::Close { rtol, atol }),
            Some(other) => Err(format!("tol: {other:?} is not [rtol, atol]")),
        }
    }
}

/// A Python argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// A `torch.dtype`.
    DType(DType),
    /// `start:stop:step`, of an index.
    Slice(Option<i64>, Option<i64>, Option<i64>),
    /// `...`, of an index.
    Ellipsis,
    /// A `torch.memory_format`, by its name.
    MemoryFormat(String),
    /// A tensor.
    Tensor(GoldenTensor),
    /// A list or tuple.
    List(Vec<Arg>),
}

impl Arg {
    pub(super) fn parse(v: &Value) -> Parsed<Self> {
        match v {
            Value::Null => Ok(Arg::None),
            Value::Bool(b) => Ok(Arg::Bool(*b)),
            Value::String(s) => Ok(Arg::Str(s.clone())),
            Value::Number(n) if n.is_f64() => float(v).map(Arg::Float),
            Value::Number(_) => int(v).map(Arg::Int),
            Value::Array(_) => list(Arg::parse)(v).map(Arg::List),
            Value::Object(map) => match map.iter().next() {
                _ if map.contains_key("t") => GoldenTensor::parse(v).map(Arg::Tensor),
                Some((key, v)) if map.len() == 1 => match key.as_str() {
                    "float" => float(v).map(Arg::Float),
                    "dtype" => dtype(v).map(Arg::DType),
                    "ellipsis" => Ok(Arg::Ellipsis),
                    "memory_format" => super::string(v).map(Arg::MemoryFormat),
                    "slice" => match list(|v| if v.is_null() { Ok(None) } else { int(v).map(Some) })(v)?[..] {
                        [start, stop, step] => Ok(Arg::Slice(start, stop, step)),
                        _ => Err(format!("{v} is not a slice")),
                    },
                    _ => Err(format!("unknown value {key}")),
                },
                _ => Err(format!("unknown value {v}")),
            },
        }
    }

    /// The int, if it is one. A bool is none.
    pub fn as_int(&self) -> Option<i64> {
        if let Arg::Int(i) = self { Some(*i) } else { None }
    }

    /// The number as a float, if it is an int or a float.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Arg::Int(i) => Some(*i as f64),
            Arg::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The bool, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Arg::Bool(b) = self { Some(*b) } else { None }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Arg::Str(s) = self { Some(s) } else { None }
    }

    /// The dtype, if it is one.
    pub fn as_dtype(&self) -> Option<DType> {
        if let Arg::DType(d) = self { Some(*d) } else { None }
    }

    /// The tensor, if it is one.
    pub fn as_tensor(&self) -> Option<&GoldenTensor> {
        if let Arg::Tensor(t) = self { Some(t) } else { None }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Arg]> {
        if let Arg::List(l) = self { Some(l) } else { None }
    }

    /// The ints of a list of nothing else, or one int as a list of one: what PyTorch's `int...` parameters accept.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        match self {
            Arg::Int(i) => Some(vec![*i]),
            _ => self.as_list()?.iter().map(Arg::as_int).collect(),
        }
    }

    /// The tensors of a list of nothing else.
    pub fn as_tensors(&self) -> Option<Vec<&GoldenTensor>> {
        self.as_list()?.iter().map(Arg::as_tensor).collect()
    }

    /// Every tensor in it, lists searched from left to right: the order in which [`super::Case::grads`] lists those that require a gradient.
    pub fn tensors_within(&self) -> Vec<&GoldenTensor> {
        match self {
            Arg::Tensor(t) => vec![t],
            Arg::List(l) => l.iter().flat_map(Arg::tensors_within).collect(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn int(v: &Value) -> Parsed<i64> {
    v.as_i64().ok_or_else(|| format!("{v} is not an int"))
}

/// A number, or the name of one that JSON lacks.
pub(super) fn float(v: &Value) -> Parsed<f64> {
    match v.as_str() {
        Some("nan") => Ok(f64::NAN),
        Some("inf") => Ok(f64::INFINITY),
        Some("-inf") => Ok(f64::NEG_INFINITY),
        _ => v.as_f64().ok_or_else(|| format!("{v} is not a number")),
    }
}

pub(super) fn size(v: &Value) -> Parsed<usize> {
    v.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| format!("{v} is not a size"))
}

pub(super) fn dtype(v: &Value) -> Parsed<DType> {
    DType::ALL.into_iter().find(|d| v.as_str() == Some(d.name())).ok_or_else(|| format!("{v} is not a dtype"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Arg> {
        Arg::parse(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn every_kind_of_argument_is_read() {
        assert_eq!(parse("null"), Ok(Arg::None));
        assert_eq!(parse("3"), Ok(Arg::Int(3)));
        assert_eq!(parse("3.0"), Ok(Arg::Float(3.0)));
        assert_eq!(parse("1e+30"), Ok(Arg::Float(1e30)));
        assert_eq!(parse(r#"{"float":"-inf"}"#), Ok(Arg::Float(f64::NEG_INFINITY)));
        assert_eq!(parse(r#"{"dtype":"bfloat16"}"#), Ok(Arg::DType(DType::BF16)));
        assert_eq!(parse(r#"{"slice":[null,-1,2]}"#), Ok(Arg::Slice(None, Some(-1), Some(2))));
        assert_eq!(parse("[1,[2]]"), Ok(Arg::List(vec![Arg::Int(1), Arg::List(vec![Arg::Int(2)])])));
        assert_eq!(parse("[1,2]").unwrap().as_ints(), Some(vec![1, 2]));
        assert_eq!(parse("[1,2.0]").unwrap().as_ints(), None);
    }

    #[test]
    fn tensors_keep_signs_of_zero_nan_and_views() {
        let t = parse(r#"{"t":"float32","s":[2],"v":[0,-0.0,"nan","inf"],"st":[2],"o":1,"g":1}"#).unwrap();
        let t = t.as_tensor().unwrap();
        let Values::Float(v) = &t.values else { panic!("{t:?}") };
        assert!(v[0].is_sign_positive() && v[1].is_sign_negative() && v[2].is_nan() && v[3] == f64::INFINITY);
        assert_eq!((&t.view, t.requires_grad), (&Some(ViewSpec { strides: vec![2], offset: 1 }), true));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in [
            r#"{"t":"float32","s":[2],"v":[1]}"#,
            r#"{"t":"float31","s":[1],"v":[1]}"#,
            r#"{"t":"int64","s":[1],"v":[1.5]}"#,
            r#"{"t":"bool","s":[1],"v":[1]}"#,
            r#"{"t":"float32","s":[2],"v":[1,2],"st":[2],"o":0}"#,
            r#"{"slice":[1,2]}"#,
            r#"{"other":1}"#,
            "{}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tolerance_tells_nan_infinities_and_distance_apart() {
        let close = Tolerance::Close { rtol: 1e-3, atol: 1e-6 };
        assert!(close.accepts(1.0005, 1.0) && !close.accepts(1.002, 1.0));
        assert!(close.accepts(f64::NAN, f64::NAN) && !close.accepts(f64::NAN, 1.0) && !close.accepts(1.0, f64::NAN));
        assert!(close.accepts(f64::INFINITY, f64::INFINITY) && !close.accepts(f64::INFINITY, f64::NEG_INFINITY));
        assert!(!close.accepts(1e300, f64::INFINITY) && !close.accepts(f64::INFINITY, 1e300));
        assert!(Tolerance::Exact.accepts(1.0, 1.0) && !Tolerance::Exact.accepts(1.0, 1.0 + f64::EPSILON));
        for tolerance in [Tolerance::Exact, close] {
            assert!(tolerance.accepts(0.0, 0.0) && tolerance.accepts(-0.0, -0.0), "{tolerance:?}");
            assert!(!tolerance.accepts(0.0, -0.0) && !tolerance.accepts(-0.0, 0.0), "{tolerance:?}");
        }
        assert!(close.accepts(1e-9, -0.0) && close.accepts(0.0, -1e-9));
    }

    #[test]
    fn compare_reports_dtype_shape_and_the_first_element() {
        let t = GoldenTensor::parse(&serde_json::from_str(r#"{"t":"float64","s":[2],"v":[1,2]}"#).unwrap()).unwrap();
        let say = |d, s: &[usize], v: &[f64]| {
            t.compare(d, s, &Values::Float(v.to_vec()), Tolerance::Exact).map_err(|e| e.to_string())
        };
        assert_eq!(say(DType::F64, &[2], &[1.0, 2.0]), Ok(()));
        assert_eq!(say(DType::F32, &[2], &[1.0, 2.0]), Err("dtype torch.float32, expected torch.float64".into()));
        assert_eq!(say(DType::F64, &[1, 2], &[1.0, 2.0]), Err("shape [1, 2], expected [2]".into()));
        assert_eq!(say(DType::F64, &[2], &[1.0, 3.0]), Err("element 1 is 3.0, expected 2.0 (1 of 2 differ)".into()));
    }
}
