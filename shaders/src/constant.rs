//! Expressions of constants in a kernel's text.

/// The value of `const name: u32 = …;`.
///
/// # Panics
/// When the text has no such line.
pub(crate) fn constant(text: &str, name: &str) -> u32 {
    let prefix = format!("const {name}: u32 = ");
    let line = text.lines().find_map(|l| l.strip_prefix(&prefix));
    let value = line.unwrap_or_else(|| panic!("the text needs the constant {name}"));
    let value = value.split(';').next().unwrap_or(value);
    evaluate(value, &|name| constant(text, name))
}

/// The value of an expression of numbers, constants, `+ - * / % ==` and parentheses.
///
/// # Panics
/// When it is anything else.
pub(crate) fn evaluate(expression: &str, constant: &dyn Fn(&str) -> u32) -> u32 {
    let mut rest = expression;
    let value = equality(&mut rest, constant);
    assert!(rest.trim().is_empty(), "`{expression}` is no expression of constants: `{rest}` is left");
    value
}

/// Takes a sign from the front.
fn take(rest: &mut &str, sign: &str) -> bool {
    let after = rest.trim_start().strip_prefix(sign);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

fn equality(rest: &mut &str, constant: &dyn Fn(&str) -> u32) -> u32 {
    let left = sum(rest, constant);
    if take(rest, "==") { u32::from(left == sum(rest, constant)) } else { left }
}

fn sum(rest: &mut &str, constant: &dyn Fn(&str) -> u32) -> u32 {
    let mut value = product(rest, constant);
    loop {
        if take(rest, "+") {
            value += product(rest, constant);
        } else if take(rest, "-") {
            value -= product(rest, constant);
        } else {
            return value;
        }
    }
}

fn product(rest: &mut &str, constant: &dyn Fn(&str) -> u32) -> u32 {
    let mut value = factor(rest, constant);
    loop {
        if take(rest, "*") {
            value *= factor(rest, constant);
        } else if take(rest, "/") {
            value /= factor(rest, constant);
        } else if take(rest, "%") {
            value %= factor(rest, constant);
        } else {
            return value;
        }
    }
}

fn factor(rest: &mut &str, constant: &dyn Fn(&str) -> u32) -> u32 {
    if take(rest, "(") {
        let value = equality(rest, constant);
        assert!(take(rest, ")"), "a parenthesis is not closed before `{rest}`");
        return value;
    }
    let text = rest.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    *rest = after;
    word.trim_end_matches('u').parse().unwrap_or_else(|_| constant(word))
}

#[cfg(test)]
mod tests {
    use super::{constant, evaluate};

    #[test]
    fn expressions_of_constants_have_values() {
        let text = "const BM: u32 = 64u;\nconst ROWS: u32 = BM / 4 / 2;\n";
        let value = |expression| evaluate(expression, &|name| constant(text, name));
        assert_eq!([value("ROWS"), value("2u * (ROWS - 1u) + 7u % 4u"), value("7 - 2 - 1")], [8, 17, 4]);
        assert_eq!([value("(BM == 64u)"), value("BM / 2u == 31u")], [1, 0]);
    }

    #[test]
    #[should_panic(expected = "the text needs the constant BN")]
    fn an_unknown_name_is_told() {
        evaluate("BN / 4u", &|name| constant("", name));
    }
}
