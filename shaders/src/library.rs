//! Functions that kernels share: the text of those that a kernel names is put before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The files of the library. A function that exists for several compute types has one version per type, `name_f32` and so
/// on; everything else has one name in all files.
const FILES: &[&str] = &[
    include_str!("../library/common.wgsl"),
    include_str!("../library/casts.wgsl"),
    include_str!("../library/reduce.wgsl"),
    include_str!("../library/classes.wgsl"),
    include_str!("../library/keys.wgsl"),
    include_str!("../library/lines.wgsl"),
    include_str!("../library/matmul.wgsl"),
    include_str!("../library/normalize.wgsl"),
    include_str!("../library/sorting.wgsl"),
    include_str!("../library/special.wgsl"),
    include_str!("../library/integers.wgsl"),
    include_str!("../library/pairs.wgsl"),
    include_str!("../library/functions_f32.wgsl"),
    include_str!("../library/rounding_f32.wgsl"),
    include_str!("../library/exponentials_f32.wgsl"),
    include_str!("../library/angles_f32.wgsl"),
    include_str!("../library/functions_f64.wgsl"),
    include_str!("../library/rounding_f64.wgsl"),
    include_str!("../library/exponentials_f64.wgsl"),
    include_str!("../library/angles_f64.wgsl"),
    include_str!("../library/windows.wgsl"),
    include_str!("../library/philox.wgsl"),
    include_str!("../library/params.wgsl"),
];

/// The files that are the same in two types: written in the first, and read once more with the second in its place. Their numbers
/// have a type, `f32(0.5)`.
const IN_TWO_TYPES: &[(&str, [&str; 2])] = &[
    (include_str!("../library/bessel.wgsl"), ["f32", "f64"]),
    (include_str!("../library/ctc.wgsl"), ["f32", "f64"]),
    (include_str!("../library/functions_float.wgsl"), ["f32", "f64"]),
    (include_str!("../library/functions_integer.wgsl"), ["i32", "i64"]),
];

/// Top-level items by name.
static ITEMS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let second = |(text, [a, b]): &(&str, [&str; 2])| -> &'static str { text.replace(a, b).leak() };
    let twice = IN_TWO_TYPES.iter().flat_map(|file| [file.0, second(file)]);
    FILES.iter().copied().chain(twice).flat_map(items).collect()
});

/// The top-level `fn`, `const`, `struct` and `alias` items of a text: each starts at the beginning of a line.
fn items(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut starts: Vec<usize> = Vec::new();
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        if ["fn ", "const ", "struct ", "alias "].iter().any(|k| line.starts_with(k)) {
            starts.push(position);
        }
        position += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&a, b)| {
            let item = &text[a..b];
            let name = words(item).nth(1).expect("an item has a name");
            (name, item)
        })
        .collect()
}

/// The identifiers and numbers of a text, without comments.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split("//").next().unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|w| !w.is_empty())
}

/// Whether the library has an item of that name.
pub(crate) fn has(name: &str) -> bool {
    ITEMS.contains_key(name)
}

/// The library's item of that name.
pub(crate) fn item(name: &str) -> Option<&'static str> {
    ITEMS.get(name).copied()
}

/// `text` after the library's items that it uses, directly or through others.
pub fn with_library(text: &str) -> String {
    let mut needed = BTreeSet::new();
    let mut open: Vec<&str> = words(text).collect();
    while let Some(word) = open.pop() {
        if let Some((name, item)) = ITEMS.get_key_value(word)
            && needed.insert(*name)
        {
            open.extend(words(item));
        }
    }
    let mut out: String = needed.iter().map(|name| ITEMS[name]).collect();
    out.push_str(text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_comes_along_with_what_it_needs() {
        let text = with_library("fn main() { let x = f16_of(1.0); }");
        assert!(text.contains("fn f16_of"), "{text}");
        assert!(!text.contains("fn bf16_of"), "{text}");
        assert_eq!(with_library("fn f() {} // f16_of"), "fn f() {} // f16_of");
    }
}
