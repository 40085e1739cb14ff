//! Numbers as Python and C++ write them.

use crate::Scalar;

/// `repr(x)` of a Python float: the fewest digits that read back as `x`, `1e-05` below 10⁻⁴ and `1e+16` from 10¹⁶ on.
///
/// ```
/// # use flambeau_tensor::print::py_float;
/// assert_eq!([2.2, 2.0, 1e-5, 1e16].map(py_float), ["2.2", "2.0", "1e-05", "1e+16"]);
/// assert_eq!(py_float(1222024500838107.25), "1222024500838107.2");
/// ```
pub fn py_float(x: f64) -> String {
    if let Some(name) = not_finite(x) {
        return name.into();
    }
    let (mantissa, exponent) = shortest(x);
    if (-4..16).contains(&exponent) {
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
        let decimals = (digits - 1 - exponent).max(1) as usize;
        return format!("{x:.decimals$}");
    }
    with_exponent(&mantissa, exponent)
}

/// The fewest digits that read back as `x`, and of as many the nearest: of two that are equally near the even one, as Python
/// has it. Rust's own shortest form takes the larger.
fn shortest(x: f64) -> (String, i32) {
    let text = format!("{x:e}");
    let digits = text.bytes().take_while(|&b| b != b'e').filter(u8::is_ascii_digit).count();
    let even = format!("{x:.*e}", digits - 1);
    split_exponent(if even.parse() == Ok(x) { &even } else { &text })
}

/// A double as a C++ stream writes it by default, with six significant digits (`%g`): numbers in PyTorch's messages.
pub fn cpp_double(x: f64) -> String {
    if let Some(name) = not_finite(x) {
        return name.into();
    }
    let (mantissa, exponent) = split_exponent(&format!("{x:.5e}"));
    if (-4..6).contains(&exponent) {
        let decimals = (5 - exponent) as usize;
        return trim_zeros(&format!("{x:.decimals$}")).into();
    }
    with_exponent(trim_zeros(&mantissa), exponent)
}

/// Writes a number as Python's `format(number, spec)` does: width, fill, sign and zeros are the formatter's, a precision
/// means `.4f`, and without one a float has the fewest digits that read back as it.
pub fn format_number(value: Scalar, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    let text = match (value, f.precision()) {
        (_, Some(precision)) => fixed(value.to_f64(), precision),
        (Scalar::Float(x), None) => py_float(x),
        (Scalar::Bool(_) | Scalar::Int(_), None) => value.to_i64().to_string(),
    };
    let digits = text.trim_start_matches('-');
    f.pad_integral(digits.len() == text.len(), "", digits)
}

/// `f"{x:.{precision}f}"`.
pub(super) fn fixed(x: f64, precision: usize) -> String {
    not_finite(x).map_or_else(|| format!("{x:.precision$}"), Into::into)
}

/// `f"{x:.{precision}e}"`.
pub(super) fn scientific(x: f64, precision: usize) -> String {
    if let Some(name) = not_finite(x) {
        return name.into();
    }
    let (mantissa, exponent) = split_exponent(&format!("{x:.precision$e}"));
    with_exponent(&mantissa, exponent)
}

fn not_finite(x: f64) -> Option<&'static str> {
    if x.is_nan() {
        Some("nan")
    } else if x.is_infinite() {
        Some(if x > 0.0 { "inf" } else { "-inf" })
    } else {
        None
    }
}

/// Mantissa and exponent of Rust's `1.5e-7`.
fn split_exponent(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.into(), exponent.parse().unwrap_or(0))
}

/// C's form: a sign and at least two digits.
fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `python3 -c "print([repr(x) for x in (...)])"`.
    #[test]
    fn python_repr() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.25e100, "1.25e+100"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (x, text) in cases {
            assert_eq!(py_float(x), text);
        }
    }

    /// `python3 -c "print(['%g' % x for x in (...)])"`.
    #[test]
    fn stream_of_a_double() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (1.234_567_89e-7, "1.23457e-07"),
            (-1e8, "-1e+08"),
            (999_999.5, "1e+06"),
            (123_456.4, "123456"),
            (60000.0, "60000"),
            (0.0001, "0.0001"),
            (f64::INFINITY, "inf"),
        ];
        for (x, text) in cases {
            assert_eq!(cpp_double(x), text);
        }
    }

    proptest! {
        #[test]
        fn repr_reads_back(bits: u64) {
            let x = f64::from_bits(bits);
            prop_assume!(!x.is_nan());
            prop_assert_eq!(py_float(x).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
