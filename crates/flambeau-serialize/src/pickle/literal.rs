//! Opcodes that stand for a number, a text or bytes.

use super::{opcode as op, unpickler::Unpickler};
use crate::{Result, Value};

/// The longest integer in decimal digits: their conversion takes the square of their number in time. CPython's own bound.
const MAX_DIGITS: usize = 4300;

impl Unpickler<'_, '_> {
    /// The value of an opcode that is none of the machine's others.
    pub(super) fn literal(&mut self, opcode: u8) -> Result<Value> {
        Ok(match opcode {
            op::BININT => Value::Int(i32::from_le_bytes(self.input.array()?).into()),
            op::BININT1 => Value::Int(self.input.byte()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.input.array()?).into()),
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.input.array()?)),
            op::LONG1 | op::LONG4 => {
                let len = self.count(opcode)?;
                integer(self.input.take(len)?)
            }
            op::INT | op::LONG => {
                let line = self.text_line()?;
                match line.trim().trim_end_matches('L') {
                    // How protocols 0 and 1 write truth values.
                    "00" if opcode == op::INT => Value::Bool(false),
                    "01" if opcode == op::INT => Value::Bool(true),
                    digits => decimal(digits).ok_or_else(|| self.corrupt("an integer has no digits"))?,
                }
            }
            op::FLOAT => {
                // Python writes `nan` and `inf` as Rust reads them.
                let line = self.text_line()?;
                Value::Float(line.trim().parse().map_err(|_| self.corrupt("a float is no number"))?)
            }
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 => {
                let len = self.count(opcode)?;
                let text = text(self.input.take(len)?);
                text.ok_or_else(|| self.corrupt("a string is not UTF-8"))?
            }
            op::UNICODE => {
                let text = raw_unicode(self.input.line()?);
                text.ok_or_else(|| self.corrupt("a string has a broken escape"))?
            }
            op::BINSTRING | op::SHORT_BINSTRING => {
                let len = self.count(opcode)?;
                python2(self.input.take(len)?.to_vec())
            }
            op::STRING => {
                let bytes = quoted(self.input.line()?);
                python2(bytes.ok_or_else(|| self.corrupt("a string has no quotes or a broken escape"))?)
            }
            op::BINBYTES | op::SHORT_BINBYTES | op::BINBYTES8 => {
                let len = self.count(opcode)?;
                Value::Bytes(self.input.take(len)?.to_vec())
            }
            op::BYTEARRAY8 => {
                let len = self.count(opcode)?;
                Value::ByteArray(self.input.take(len)?.to_vec())
            }
            other => {
                return Err(self.unsupported(format!(
                    "pickle opcode {other:#04x} at byte {} is not one that torch.save writes; save a plain state_dict again",
                    self.input.position() - 1
                )));
            }
        })
    }

    /// The length after an opcode that gives its width.
    fn count(&mut self, opcode: u8) -> Result<usize> {
        let len = match opcode {
            op::LONG1 | op::SHORT_BINUNICODE | op::SHORT_BINSTRING | op::SHORT_BINBYTES => {
                u64::from(self.input.byte()?)
            }
            op::BINUNICODE8 | op::BINBYTES8 | op::BYTEARRAY8 => u64::from_le_bytes(self.input.array()?),
            _ => u64::from(u32::from_le_bytes(self.input.array()?)),
        };
        usize::try_from(len).map_err(|_| self.corrupt("it ends too early"))
    }
}

/// An integer in two's complement, little-endian.
pub(super) fn integer(digits: &[u8]) -> Value {
    let negative = digits.last().is_some_and(|&b| b >= 0x80);
    let fill = if negative { 0xff } else { 0 };
    // What only repeats the sign says nothing.
    let mut len = digits.len();
    while len > 1 && digits[len - 1] == fill && (digits[len - 2] >= 0x80) == negative {
        len -= 1;
    }
    if len > 8 {
        return Value::BigInt(digits[..len].to_vec());
    }
    let mut bytes = [fill; 8];
    bytes[..len].copy_from_slice(&digits[..len]);
    Value::Int(i64::from_le_bytes(bytes))
}

fn decimal(text: &str) -> Option<Value> {
    if let Ok(int) = text.parse() {
        return Some(Value::Int(int));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Nine digits at a time into words of 32 bits, the lowest first.
    let mut words: Vec<u32> = Vec::new();
    let mut rest = digits;
    while !rest.is_empty() {
        let (group, after) = rest.split_at((rest.len() - 1) % 9 + 1);
        rest = after;
        let mut carry: u64 = group.parse().ok()?;
        for word in &mut words {
            let sum = u64::from(*word) * 1_000_000_000 + carry;
            (*word, carry) = (sum as u32, sum >> 32);
        }
        if carry > 0 {
            words.push(carry as u32);
        }
    }
    let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.push(0);
    if text.len() > digits.len() {
        let mut carry = true;
        for byte in &mut bytes {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    Some(integer(&bytes))
}

/// Python 2's `str`: text in practice, bytes otherwise.
fn python2(bytes: Vec<u8>) -> Value {
    String::from_utf8(bytes).map_or_else(|e| Value::Bytes(e.into_bytes()), Value::Str)
}

/// UTF-8 with Python's `surrogatepass`: lone halves of surrogate pairs stand as three bytes each.
fn text(bytes: &[u8]) -> Option<Value> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(Value::Str(text.to_owned()));
    }
    let mut rest = bytes;
    while let Err(e) = std::str::from_utf8(rest) {
        let after = &rest[e.valid_up_to()..];
        match after {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => rest = &after[3..],
            _ => return None,
        }
    }
    Some(Value::SurrogateStr(bytes.to_vec()))
}

/// Appends a code point, a surrogate's as `surrogatepass` encodes it; false if there is none of that number.
fn push_code(bytes: &mut Vec<u8>, code: u32) -> bool {
    match char::from_u32(code) {
        Some(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        None if code <= 0xffff => bytes.extend([0xed, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]),
        None => return false,
    }
    true
}

/// Python's `raw-unicode-escape`: Latin-1, with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Option<Value> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [first, after @ ..] = rest {
        rest = after;
        let digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                push_code(&mut bytes, u32::from(*first));
                // Of two backslashes the second starts no escape.
                if let (b'\\', [b'\\', after @ ..]) = (first, rest) {
                    bytes.push(b'\\');
                    rest = after;
                }
                continue;
            }
        };
        let hex = std::str::from_utf8(after.get(1..=digits)?).ok()?;
        if !push_code(&mut bytes, u32::from_str_radix(hex, 16).ok()?) {
            return None;
        }
        rest = &after[digits + 1..];
    }
    text(&bytes)
}

/// A quoted Python 2 string with escapes.
fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let (&quote, inner) = line.split_first()?;
    let (&last, inner) = inner.split_last()?;
    if quote != last || !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        let byte = match escape {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'\\' | b'\'' | b'"' => escape,
            b'x' => {
                let hex = std::str::from_utf8(after.get(..2)?).ok()?;
                rest = &after[2..];
                u8::from_str_radix(hex, 16).ok()?
            }
            b'0'..=b'7' => {
                let more = after.iter().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
                let octal = after[..more].iter().fold(u32::from(escape - b'0'), |n, b| n * 8 + u32::from(b - b'0'));
                rest = &after[more..];
                octal as u8
            }
            other => {
                bytes.push(b'\\');
                other
            }
        };
        bytes.push(byte);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_integers_have_any_length() {
        assert_eq!(decimal("-9223372036854775808"), Some(Value::Int(i64::MIN)));
        assert_eq!(decimal("18446744073709551615"), Some(Value::BigInt([[0xff; 8].as_slice(), &[0]].concat())));
        assert_eq!(decimal("-18446744073709551616"), Some(Value::BigInt([[0; 8].as_slice(), &[0xff]].concat())));
        assert_eq!(decimal("-00000000000000000000000000012"), Some(Value::Int(-12)));
        for bad in ["", "-", "1x", "--1", "0x10", &"9".repeat(MAX_DIGITS + 1)] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn escapes_are_pythons() {
        // pickle.dumps(x, 0) in Python 3 and in Python 2.
        assert_eq!(raw_unicode(b"a\\u005cb \xfc \\U0001f600"), Some(Value::Str("a\\b ü 😀".into())));
        assert_eq!(raw_unicode(b"\\ud800"), Some(Value::SurrogateStr(vec![0xed, 0xa0, 0x80])));
        assert_eq!(raw_unicode(b"\\\\u0041"), Some(Value::Str("\\\\u0041".into())));
        assert_eq!(raw_unicode(b"\\u12"), None);
        assert_eq!(raw_unicode(b"\\Uffffffff"), None);
        assert_eq!(quoted(b"'a\\n\\x41\\101\\q\\''").as_deref(), Some(&b"a\nAA\\q'"[..]));
        for bad in [&b"'"[..], b"a", b"'a\"", b"'\\", b"'\\x4'", b"'\\'"] {
            assert_eq!(quoted(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn only_surrogates_may_break_utf8() {
        assert_eq!(text(b"a\xed\xb2\x80b"), Some(Value::SurrogateStr(b"a\xed\xb2\x80b".to_vec())));
        for bad in [&b"\xff"[..], b"\xed\xa0", b"\xc0\x80", b"\xed\xa0\x80\xff"] {
            assert_eq!(text(bad), None, "{}", bad.escape_ascii());
        }
    }
}
