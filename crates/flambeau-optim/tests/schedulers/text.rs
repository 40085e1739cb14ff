//! Python's prints, compared word by word and number by number.

/// Cuts a print into numbers and what is between them.
fn pieces(text: &str) -> Vec<&str> {
    let is_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    let (mut pieces, mut start) = (Vec::new(), 0);
    let mut inside = false;
    for (i, c) in text.char_indices() {
        if is_number(c) != inside {
            pieces.push(&text[start..i]);
            (start, inside) = (i, !inside);
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// Fails unless both prints are the same, but for the last digits of floats: mathematical functions differ there between
/// systems.
pub fn same(ours: &str, theirs: &str) -> Result<(), String> {
    compare(ours, theirs, true)
}

/// [`same`], where an integer may be a float too.
pub fn near(ours: &str, theirs: &str) -> Result<(), String> {
    compare(ours, theirs, false)
}

fn compare(ours: &str, theirs: &str, kinds: bool) -> Result<(), String> {
    let (a, b) = (pieces(ours), pieces(theirs));
    if a.len() != b.len() {
        return Err("of another form".into());
    }
    for (a, b) in a.into_iter().zip(b) {
        let integer = |x: &str| x.parse::<i64>().is_ok();
        let near = match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) if !kinds || integer(a) == integer(b) => {
                x == y || (y.is_finite() && (x - y).abs() <= 1e-15 + 1e-12 * y.abs())
            }
            _ => false,
        };
        if a != b && !near {
            return Err(format!("{a:?} where PyTorch has {b:?}"));
        }
    }
    Ok(())
}

#[test]
fn prints_are_told_apart() {
    assert!(same("{'a': [0.1, 1], 'b': None}", "{'a': [0.10000000000000002, 1], 'b': None}").is_ok());
    for other in ["{'a': [0.1, 1.0]}", "{'a': [0.11, 1]}", "{'b': [0.1, 1]}", "{'a': [0.1]}", "{'a': [inf, 1]}"] {
        assert!(same("{'a': [0.1, 1]}", other).is_err(), "{other}");
    }
    assert!(near("[1.0, 0.5]", "[1, 0.5]").is_ok() && near("[1.0, 0.5]", "[1, 0.25]").is_err());
}
