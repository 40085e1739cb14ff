//! NumPy's descriptions of element types.

use super::literal::Literal;
use crate::blocks::Order;
use flambeau_tensor::DType;

/// The element type that a header's `descr` names, and the order of its bytes; for one that no tensor has, what it is and
/// what to do about it.
pub(super) fn parse(descr: &Literal) -> Result<(DType, Order), String> {
    let text = match descr {
        Literal::Str(text) => text,
        Literal::List(_) => {
            let remedy = "save each field as an array of its own: np.savez(path, **{n: a[n] for n in a.dtype.names})";
            return Err(format!("it holds records (a structured dtype, {descr}); {remedy}"));
        }
        Literal::Tuple(_) => {
            return Err(format!("its dtype {descr} is an array within each element; save a plain array"));
        }
        other => return Err(format!("descr is not a valid dtype descriptor: {other}")),
    };
    let (order, code) = match text.chars().next() {
        Some('>') => (Order::Big, &text[1..]),
        Some('<' | '=' | '|') => (Order::Little, &text[1..]),
        _ => (Order::Little, text.as_str()),
    };
    match DTYPES.iter().find(|(_, names)| names.contains(&code)) {
        Some((dtype, _)) => Ok((*dtype, order)),
        None => Err(refusal(text, code)),
    }
}

/// Our dtypes under the names that `np.dtype` takes for them.
const DTYPES: [(DType, &[&str]); 9] = [
    (DType::Bool, &["b1", "?", "bool", "bool_"]),
    (DType::I8, &["i1", "b", "int8", "byte"]),
    (DType::U8, &["u1", "B", "uint8", "ubyte"]),
    (DType::I16, &["i2", "h", "int16", "short"]),
    (DType::I32, &["i4", "i", "int32", "intc"]),
    (DType::I64, &["i8", "l", "q", "p", "n", "int64", "int", "long", "longlong", "intp"]),
    (DType::F16, &["f2", "e", "float16", "half"]),
    (DType::F32, &["f4", "f", "float32", "single"]),
    (DType::F64, &["f8", "d", "float64", "double", "float"]),
];

/// Why an array of that type is not read.
fn refusal(text: &str, code: &str) -> String {
    let (what, remedy) = match code {
        "u2" | "H" | "uint16" => ("unsigned integers of 16 bits", "save a.astype(np.int32)"),
        "u4" | "I" | "uint32" => ("unsigned integers of 32 bits", "save a.astype(np.int64)"),
        "u8" | "L" | "Q" | "P" | "uint64" => ("unsigned integers of 64 bits", "save a.astype(np.int64)"),
        "c8" | "c16" | "c32" | "F" | "D" | "G" | "complex64" | "complex128" => {
            ("complex numbers", "save a.real and a.imag")
        }
        "f16" | "f12" | "f10" | "g" | "longdouble" | "float128" => {
            ("numbers of type longdouble", "save a.astype(np.float64)")
        }
        _ => match code.chars().next() {
            Some('O') => (
                "Python objects (Object arrays cannot be loaded when allow_pickle=False)",
                "they would be unpickled, which can run code; save an array of numbers",
            ),
            Some('U') => ("texts", "save them as a list in a file of torch.save"),
            Some('S' | 'a' | 'c') => ("byte strings", "save np.frombuffer(a, np.uint8)"),
            Some('M') => ("dates (datetime64)", "save a.astype(np.int64)"),
            Some('m') => ("spans of time (timedelta64)", "save a.astype(np.int64)"),
            Some('V') => ("raw bytes (void), as NumPy writes bfloat16", "save a.astype(np.float32)"),
            _ => return format!("descr is not a valid dtype descriptor: '{text}'"),
        },
    };
    format!("it holds {what}, of dtype '{text}', which no tensor can; in Python, {remedy}")
}

/// NumPy's name of a dtype; none for bfloat16, which NumPy has not.
pub(super) fn name(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::BF16 => return None,
    })
}

/// The dtype of a name of NumPy's without its byte order: `f4`.
pub(crate) fn of_code(code: &str) -> Option<DType> {
    DType::ALL.into_iter().find(|&dtype| name(dtype).is_some_and(|name| name[1..] == *code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for dtype in DType::ALL {
            if let Some(name) = name(dtype) {
                assert_eq!(parse(&Literal::Str(name.into())), Ok((dtype, Order::Little)));
            }
        }
        assert_eq!(parse(&Literal::Str(">f4".into())), Ok((DType::F32, Order::Big)));
    }
}
