//! What WGSL's compilers leave undone, done to the text: loops are written out, conditions of constants decided, and private
//! arrays become variables. WGSL has no unroll hint, and a private array is kept in registers only if its indices are
//! constants.

use crate::constant::{constant, evaluate};

/// Writes out the loops whose first line ends in `// unroll`, and decides the conditions whose first line ends in `// static`:
///
/// ```wgsl
/// for (var i = 0u; i < N; i += 1u) { // unroll
///     if (WIDE == 1u) { // static
///         sum[i] += x[i];
///     } else {
///         sum[i] -= x[i];
///     }
/// }
/// ```
///
/// N and the condition are expressions of numbers and of the text's `const`s (see [`evaluate`]). A block ends at the next line
/// with a brace at the same indentation. Inside a loop, the word `i` becomes `0u`, `1u`, …
///
/// An array that is declared as `var sum: array<vec4<f32>, N>; // registers`, and that all code indexes by such expressions,
/// becomes N variables `sum_0`, `sum_1`, … So do values, `let x[i] = …;`, of a loop marked `// unroll in place`, whose rounds share
/// the scope that the loop stands in.
pub(crate) fn unroll(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    write_out(&lines, &|name| constant(text, name), &mut out);
    registers(out)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// How many lines there are before the one that closes a block of this indentation, and before the one that ends its first
/// part, which may be an `else`.
fn block(lines: &[&str], indent: usize) -> (usize, usize) {
    let closes = |l: &&str| indentation(l) == indent && l.trim_start().starts_with('}');
    let first = lines.iter().position(closes).expect("a block ends at its own indentation");
    match lines[first].trim() {
        "} else {" => (first, first + 1 + block(&lines[first + 1..], indent).0),
        _ => (first, first),
    }
}

fn write_out(lines: &[&str], constant: &dyn Fn(&str) -> u32, out: &mut String) {
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        let body = &lines[i + 1..];
        if let Some((variable, count, in_place)) = repeated(line, constant) {
            let indent = indentation(line);
            let (end, _) = block(body, indent);
            let round = body[..end].join("\n");
            let pad = " ".repeat(indent);
            for k in 0..count {
                let round = replace_word(&round, variable, &format!("{k}u"));
                let [open, close] =
                    if in_place { ["", ""] } else { ["{\n", "}\n"] }.map(|brace| format!("{pad}{brace}"));
                out.push_str(&open);
                write_out(&round.lines().collect::<Vec<_>>(), constant, out);
                out.push_str(&close);
            }
            i += end + 2;
        } else if let Some(condition) = line.trim().strip_suffix("{ // static") {
            let (end, last) = block(body, indentation(line));
            let condition = condition.trim().strip_prefix("if ").expect("a condition");
            let chosen = match evaluate(condition, constant) {
                0 => body.get(end + 1..last).unwrap_or_default(),
                _ => &body[..end],
            };
            write_out(chosen, constant, out);
            i += last + 2;
        } else {
            out.push_str(line);
            out.push('\n');
            i += 1;
        }
    }
}

/// The variable and the number of rounds of a loop that is to be unrolled, and whether in place.
fn repeated<'a>(line: &'a str, constant: &dyn Fn(&str) -> u32) -> Option<(&'a str, u32, bool)> {
    let (head, mark) = line.trim().strip_prefix("for (var ")?.split_once("{ // unroll")?;
    let variable = head.split(' ').next()?;
    let bound = head.split("; ").nth(1)?.split_once(" < ")?.1;
    Some((variable, evaluate(bound, constant), mark == " in place"))
}

/// Variables in place of the arrays that are declared as registers.
fn registers(text: String) -> String {
    const MARK: &str = "// registers";
    let constant = |name: &str| constant(&text, name);
    let mut out = String::with_capacity(text.len());
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        let Some(declared) = line.trim_end().strip_suffix(MARK) else {
            let declared = line.trim_start().strip_prefix("let ").and_then(|l| l.split(' ').next()?.split_once('['));
            names.extend(declared.map(|(name, _)| name).filter(|name| !names.contains(name)));
            let mut line = line.to_owned();
            for name in &names {
                line = name_registers(&line, name, &constant);
            }
            out.push_str(&line);
            out.push('\n');
            continue;
        };
        let (name, array) = declared.split_once(": array<").expect("an array");
        let (pad, name) = name.split_once("var ").expect("a variable");
        let (element, count) = array.rsplit_once(">;").expect("a declaration").0.rsplit_once(", ").expect("a length");
        for i in 0..evaluate(count, &constant) {
            out.push_str(&format!("{pad}var {name}_{i}: {element};\n"));
        }
        names.push(name);
    }
    out
}

/// The line with `name_3` for `name[3u]`.
fn name_registers(line: &str, name: &str, constant: &dyn Fn(&str) -> u32) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = find_word(rest, name) {
        let (before, after) = rest.split_at(at + name.len());
        out.push_str(before);
        rest = after;
        // A comment may use the word.
        if let Some((expression, after)) = after.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            out.push_str(&format!("_{}", evaluate(expression, constant)));
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// Where a word stands by itself, not as a field.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |&(at, _): &(usize, &str)| {
        !text[..at].chars().next_back().is_some_and(|c| inside(c) || c == '.')
            && !text[at + word.len()..].chars().next().is_some_and(inside)
    };
    text.match_indices(word).find(alone).map(|(at, _)| at)
}

fn replace_word(text: &str, word: &str, with: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_word(rest, word) {
        out.push_str(&rest[..at]);
        out.push_str(with);
        rest = &rest[at + word.len()..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::unroll;

    /// The statements of a text.
    fn statements(text: &str) -> Vec<String> {
        text.lines().map(|l| l.trim().to_owned()).filter(|l| l.ends_with(';') && !l.starts_with("const")).collect()
    }

    #[test]
    fn nested_loops_become_their_bodies() {
        let text = "const A: u32 = 8;\nconst N: u32 = A / 4;\nfn f() {\n    for (var i = 0u; i < N; i += 1u) { // unroll\n        \
                    for (var j = 0u; j < 2u; j += 1u) { // unroll\n            x[i * N + j] = ij;\n        }\n    }\n}\n";
        assert_eq!(
            statements(&unroll(text)),
            ["x[0u * N + 0u] = ij;", "x[0u * N + 1u] = ij;", "x[1u * N + 0u] = ij;", "x[1u * N + 1u] = ij;"]
        );
    }

    #[test]
    fn conditions_of_constants_are_decided() {
        let text = |wide: u32| {
            format!(
                "const WIDE: u32 = {wide}u;\nfn f() {{\n    for (var i = 0u; i < 2u; i += 1u) {{ // unroll\n        \
                 if (WIDE * i == 1u) {{ // static\n            a(i);\n        }} else {{\n            b(i);\n        }}\n    }}\n    \
                 if (WIDE == 1u) {{ // static\n        c();\n    }}\n}}\n"
            )
        };
        assert_eq!(statements(&unroll(&text(0))), ["b(0u);", "b(1u);"]);
        assert_eq!(statements(&unroll(&text(1))), ["b(0u);", "a(1u);", "c();"]);
    }

    #[test]
    fn values_of_rounds_in_place_stay() {
        let text = "fn f() {\n    for (var c = 0u; c < 2u; c += 1u) { // unroll in place\n        let y[c] = b[c * 8u];\n    }\n    \
                    s = y[1u] + x.y * y[0u];\n}\n";
        let written = ["let y_0 = b[0u * 8u];", "let y_1 = b[1u * 8u];", "s = y_1 + x.y * y_0;"];
        assert_eq!(statements(&unroll(text)), written);
    }

    #[test]
    fn arrays_of_registers_become_variables() {
        let text = "const N: u32 = 2u;\nfn f() {\n    var s: array<vec4<f32>, N>; // registers\n    \
                    for (var i = 0u; i < N; i += 1u) { // unroll\n        s[i] += ss[i] * s[(i + 1u) % N].x;\n    }\n}\n";
        assert_eq!(
            statements(&unroll(text)),
            ["var s_0: vec4<f32>;", "var s_1: vec4<f32>;", "s_0 += ss[0u] * s_1.x;", "s_1 += ss[1u] * s_0.x;"]
        );
    }
}
