//! Loops written out: WGSL has no unroll hint, and a private array is kept in registers only if its indices are constants.

/// Writes out the loops whose first line ends in `// unroll`:
///
/// ```wgsl
/// for (var i = 0u; i < N; i += 1u) { // unroll
///     sum[i] += x[i];
/// }
/// ```
///
/// N is a number or a `const` of the text (a number, or a product or quotient of such). The loop ends at the next line
/// with a brace at the same indentation. Inside, the word `i` becomes `0u`, `1u`, …
pub(crate) fn unroll(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    write_out(&lines, &|name| constant(text, name), &mut out);
    out
}

/// The value of `const name: u32 = …;`.
fn constant(text: &str, name: &str) -> u32 {
    let prefix = format!("const {name}: u32 = ");
    let line = text.lines().find_map(|l| l.strip_prefix(&prefix));
    let value = line.unwrap_or_else(|| panic!("an unrolled loop needs the constant {name}")).trim();
    evaluate(text, value.split(';').next().unwrap_or(value))
}

/// Products and quotients, from the left.
fn evaluate(text: &str, expression: &str) -> u32 {
    let mut value = 1;
    let mut divide = false;
    for word in expression.split_inclusive(['*', '/']) {
        let factor = word.trim_end_matches(['*', '/']).trim();
        let digits = factor.trim_end_matches('u');
        let factor = digits.parse().unwrap_or_else(|_| constant(text, factor));
        value = if divide { value / factor } else { value * factor };
        divide = word.ends_with('/');
    }
    value
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn write_out(lines: &[&str], constant: &dyn Fn(&str) -> u32, out: &mut String) {
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        let Some((variable, count)) = header(line, constant) else {
            out.push_str(line);
            out.push('\n');
            i += 1;
            continue;
        };
        let indent = indentation(line);
        let body = &lines[i + 1..];
        let end = body.iter().position(|l| indentation(l) == indent && l.trim_start().starts_with('}'));
        let end = end.expect("an unrolled loop ends at its own indentation");
        let mut inner = String::new();
        write_out(&body[..end], constant, &mut inner);
        let pad = " ".repeat(indent);
        for k in 0..count {
            out.push_str(&format!("{pad}{{\n{}{pad}}}\n", replace_word(&inner, variable, &format!("{k}u"))));
        }
        i += end + 2;
    }
}

/// The variable and the number of rounds of a loop that is to be unrolled.
fn header<'a>(line: &'a str, constant: &dyn Fn(&str) -> u32) -> Option<(&'a str, u32)> {
    let head = line.trim().strip_suffix("// unroll")?.trim_end().strip_prefix("for (var ")?;
    let variable = head.split(' ').next()?;
    let bound = head.split("; ").nth(1)?.rsplit(' ').next()?;
    let count = bound.trim_end_matches('u').parse().unwrap_or_else(|_| constant(bound));
    Some((variable, count))
}

fn replace_word(text: &str, word: &str, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        let before = rest[..at].chars().next_back().is_some_and(inside);
        let after = rest[at + word.len()..].chars().next().is_some_and(inside);
        out.push_str(&rest[..at]);
        out.push_str(if before || after { word } else { with });
        rest = &rest[at + word.len()..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::unroll;

    #[test]
    fn nested_loops_become_their_bodies() {
        let text = "const A: u32 = 8;\nconst N: u32 = A / 4;\nfn f() {\n    for (var i = 0u; i < N; i += 1u) { // unroll\n        \
                    for (var j = 0u; j < 2u; j += 1u) { // unroll\n            x[i * N + j] = ij;\n        }\n    }\n}\n";
        let flat: Vec<String> =
            unroll(text).lines().map(|l| l.trim().to_owned()).filter(|l| l.starts_with('x')).collect();
        assert_eq!(
            flat,
            ["x[0u * N + 0u] = ij;", "x[0u * N + 1u] = ij;", "x[1u * N + 0u] = ij;", "x[1u * N + 1u] = ij;"]
        );
    }
}
