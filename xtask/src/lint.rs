//! Words that must not be in shipped code.

use crate::command::{Result, root};
use std::path::Path;

/// Written in two parts, so that this file does not hold what it looks for. The last six switch a test off: with a reason
/// or without, under a condition, and in documentation.
const FORBIDDEN: [(&str, &str); 8] = [
    ("tod", "o!("),
    ("unimple", "mented!("),
    ("#[igno", "re]"),
    ("#[igno", "re ="),
    ("#[igno", "re="),
    (", igno", "re)]"),
    ("```igno", "re"),
    ("```rust,igno", "re"),
];

pub fn run() -> Result<()> {
    let mut found = Vec::new();
    for folder in ["crates", "shaders", "examples", "benches", "xtask"] {
        visit(&root().join(folder), &mut found)?;
    }
    if !found.is_empty() {
        return Err(found.join("\n").into());
    }
    println!("lint: no unfinished work, no switched-off test");
    Ok(())
}

fn visit(path: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() {
            visit(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path)?;
            let lines = text.lines().enumerate().filter(|(_, line)| forbidden(line));
            found.extend(lines.map(|(i, line)| format!("{}:{}: {}", path.display(), i + 1, line.trim())));
        }
    }
    Ok(())
}

fn forbidden(line: &str) -> bool {
    FORBIDDEN.iter().any(|(head, tail)| line.contains(&format!("{head}{tail}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_switch_a_test_off_is_found() {
        for (head, tail) in [
            ("#[ign", "ore]"),
            ("    #[ign", "ore = \"slow\"]"),
            ("#[ign", "ore=\"slow\"]"),
            ("#[cfg_attr(miri, ign", "ore)]"),
            ("/// ```ign", "ore"),
            ("/// ```rust,ign", "ore"),
            ("to", "do!()"),
        ] {
            assert!(forbidden(&format!("{head}{tail}")), "{head}{tail}");
        }
        for line in ["let ignored = 3;", "#[must_use]", "\"--ignored\"", "// ignore = this", "ignore(index)]"] {
            assert!(!forbidden(line), "{line}");
        }
    }
}
