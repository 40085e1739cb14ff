//! Texts as Python writes them.

/// `repr(text)` of a Python string: in single quotes, or in double ones around an apostrophe; control characters are escaped.
///
/// ```
/// # use flambeau_tensor::print::py_str;
/// assert_eq!(["a\tb", "it's", "\\"].map(py_str), ["'a\\tb'", "\"it's\"", "'\\\\'"]);
/// ```
pub fn py_str(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
