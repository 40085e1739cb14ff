//! Python's literals, in which an `.npy` header is written.

/// A value of a header. What stands for numbers with a fraction, sets and the like is not read: no header has them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    /// `None`.
    None,
    /// `True`, `False`.
    Bool(bool),
    /// `3`, and Python 2's `3L`.
    Int(i128),
    /// `'<f4'`, and Python 2's `u'<f4'`.
    Str(String),
    /// `(2, 3)`.
    Tuple(Vec<Literal>),
    /// `[('x', '<f4')]`.
    List(Vec<Literal>),
    /// `{'shape': (2, 3)}`.
    Dict(Vec<(Literal, Literal)>),
}

impl Literal {
    /// Reads a whole text; what is wrong with it, if it is no literal.
    pub fn parse(text: &str) -> Result<Literal, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let value = parser.value()?;
        parser.skip_space();
        if parser.rest.is_empty() { Ok(value) } else { Err(format!("{} follows the value", parser.shown())) }
    }
}

/// The deepest that values may stand within each other.
const MAX_DEPTH: usize = 32;

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
    }

    /// Whether that text comes next, which is then behind.
    fn take(&mut self, text: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The start of the rest, for an error.
    fn shown(&self) -> String {
        if self.rest.is_empty() {
            "its end".into()
        } else {
            format!("{:?}", self.rest.chars().take(20).collect::<String>())
        }
    }

    fn value(&mut self) -> Result<Literal, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("its values stand in more than {MAX_DEPTH} others"));
        }
        self.skip_space();
        let value = match self.rest.chars().next() {
            Some('{') => self.dict()?,
            Some('[') => {
                self.take("[");
                Literal::List(self.items("]")?.0)
            }
            Some('(') => {
                self.take("(");
                match self.items(")")? {
                    // Brackets around one value without a comma group, and make no tuple.
                    (items, false) if items.len() == 1 => items.into_iter().next().unwrap_or(Literal::None),
                    (items, _) => Literal::Tuple(items),
                }
            }
            Some('+' | '-' | '0'..='9') => self.int()?,
            _ => self.word_or_string()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    /// Values up to the closing bracket, and whether the last has a comma behind it.
    fn items(&mut self, close: &str) -> Result<(Vec<Literal>, bool), String> {
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.take(close) {
            if !items.is_empty() && !comma {
                return Err(format!("{} stands where a comma or {close} should", self.shown()));
            }
            items.push(self.value()?);
            comma = self.take(",");
        }
        Ok((items, comma))
    }

    fn dict(&mut self) -> Result<Literal, String> {
        self.take("{");
        let (mut items, mut comma) = (Vec::new(), true);
        while !self.take("}") {
            if !comma {
                return Err(format!("{} stands where a comma or }} should", self.shown()));
            }
            let key = self.value()?;
            if !self.take(":") {
                return Err(format!("{} stands where a colon should", self.shown()));
            }
            items.push((key, self.value()?));
            comma = self.take(",");
        }
        Ok(Literal::Dict(items))
    }

    fn int(&mut self) -> Result<Literal, String> {
        let sign = self.rest.len() - self.rest.trim_start_matches(['+', '-']).len();
        let digits = self.rest[sign..].len() - self.rest[sign..].trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (text, rest) = self.rest.split_at(sign + digits);
        let padded = digits > 1 && text[sign..].starts_with('0');
        let int = text.parse().ok().filter(|_| !padded);
        let int = int.ok_or_else(|| format!("{} is no whole number", self.shown()))?;
        // Python 2 wrote a long integer so.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        Ok(Literal::Int(int))
    }

    fn word_or_string(&mut self) -> Result<Literal, String> {
        for (word, value) in [("None", Literal::None), ("True", Literal::Bool(true)), ("False", Literal::Bool(false))] {
            if self.take(word) {
                return Ok(value);
            }
        }
        let body = self.rest.trim_start_matches(['u', 'U']);
        let quote = body.chars().next().filter(|c| matches!(c, '\'' | '"') && self.rest.len() - body.len() <= 1);
        let quote = quote.ok_or_else(|| format!("{} is no literal", self.shown()))?;
        let mut text = String::new();
        let mut chars = body[1..].chars();
        loop {
            match chars.next() {
                None | Some('\n') => return Err(format!("the string at {} does not end", self.shown())),
                Some(c) if c == quote => break,
                Some('\\') => text.push(self.escape(&mut chars)?),
                Some(c) => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(Literal::Str(text))
    }

    /// What a backslash begins.
    fn escape(&self, chars: &mut std::str::Chars<'_>) -> Result<char, String> {
        let wrong = || format!("the string at {} has an escape that is not known", self.shown());
        let digits = match chars.next().ok_or_else(wrong)? {
            c @ ('\\' | '\'' | '"') => return Ok(c),
            'n' => return Ok('\n'),
            't' => return Ok('\t'),
            'r' => return Ok('\r'),
            '0' => return Ok('\0'),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Err(wrong()),
        };
        let code: String = chars.by_ref().take(digits).collect();
        let code = u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits && !code.starts_with('+'));
        code.and_then(char::from_u32).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Literal {
    /// As Python prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |items: &[Literal]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Literal::None => f.write_str("None"),
            Literal::Bool(true) => f.write_str("True"),
            Literal::Bool(false) => f.write_str("False"),
            Literal::Int(int) => write!(f, "{int}"),
            Literal::Str(text) => f.write_str(&flambeau_tensor::print::py_str(text)),
            Literal::Tuple(items) if items.len() == 1 => write!(f, "({},)", items[0]),
            Literal::Tuple(items) => write!(f, "({})", list(items)),
            Literal::List(items) => write!(f, "[{}]", list(items)),
            Literal::Dict(items) => {
                let items: Vec<String> = items.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{{}}}", items.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_python_prints_them() {
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
            "[('x', '<f4', (2,)), ('y', [('z', '|u1')])]",
            "(None, True, -7, ())",
            "'a\\\\b\\'\"'",
        ] {
            assert_eq!(Literal::parse(text).unwrap().to_string(), text);
        }
        let int = |n| Literal::Int(n);
        assert_eq!(Literal::parse(" (3L, 4L,) \n").unwrap(), Literal::Tuple(vec![int(3), int(4)]));
        assert_eq!(Literal::parse("(3)").unwrap(), int(3));
        assert_eq!(Literal::parse(r#"u"\x41\u00fc""#).unwrap(), Literal::Str("Aü".into()));
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        let deep = "(".repeat(100_000);
        for text in [
            "",
            "{",
            "(1 2)",
            "{'a' 1}",
            "{'a': 1 'b': 2}",
            "'a",
            "'\\q'",
            "__import__('os')",
            "1 + 1",
            "+-3",
            "[,]",
            "(,)",
            &deep,
        ] {
            assert!(Literal::parse(text).is_err(), "{text}");
        }
    }
}
