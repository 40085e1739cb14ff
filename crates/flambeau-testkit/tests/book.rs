//! The book is whole: every page is in its table of contents, every page with samples is compiled, and the cheat sheet's blocks stand
//! line beside line.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

#[test]
fn every_page_is_listed_and_its_samples_are_compiled() {
    let (contents, compiled) = (read("docs/SUMMARY.md"), read("crates/flambeau-testkit/src/lib.rs"));
    let mut pages = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".md") || name == "SUMMARY.md" {
            continue;
        }
        pages += 1;
        assert!(contents.contains(&format!("({name})")), "docs/SUMMARY.md does not list {name}");
        if read(&format!("docs/{name}")).contains("```rust") {
            assert!(compiled.contains(&format!("\"docs/{name}\"")), "the samples of docs/{name} are not compiled");
        }
    }
    assert!(pages >= 15, "{pages} pages");
}

/// The lines of each block of a language, without those that rustdoc hides.
fn blocks(page: &str, language: &str) -> Vec<usize> {
    let fence = format!("```{language}\n");
    let bodies = page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap());
    bodies.map(|body| body.lines().filter(|line| !line.starts_with("# ")).count()).collect()
}

#[test]
fn the_cheat_sheet_is_line_beside_line() {
    let page = read("docs/cheat-sheet.md");
    let (python, rust) = (blocks(&page, "python"), blocks(&page, "rust"));
    assert_eq!(python, rust);
    let lines: usize = python.iter().sum();
    assert!(lines >= 300, "{lines} lines");
}
