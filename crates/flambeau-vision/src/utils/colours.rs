//! Colours of boxes, masks and points.

use super::colour_names::NAMES;
use crate::error::{Error, Result};
use crate::options::Setting;

/// Colours as options take them: one for all objects, or one for each. A colour is `[r, g, b]`, a name (`"red"`), or
/// `"#rrggbb"`.
#[derive(Clone, Debug, PartialEq)]
pub enum Colors {
    /// One for all.
    One(Color),
    /// One for each.
    Each(Vec<Color>),
}

/// One colour.
#[derive(Clone, Debug, PartialEq)]
pub enum Color {
    /// Red, green, blue.
    Rgb([u8; 3]),
    /// By name or digits, as Pillow reads them.
    Named(String),
}

impl Color {
    /// Red, green and blue.
    pub(super) fn rgb(&self) -> Result<[u8; 3]> {
        match self {
            Color::Rgb(rgb) => Ok(*rgb),
            Color::Named(name) => parse(name),
        }
    }
}

fn parse(name: &str) -> Result<[u8; 3]> {
    let unknown = || Error::Value(format!("unknown color specifier: '{name}'"));
    let lower = name.to_ascii_lowercase();
    if let Ok(found) = NAMES.binary_search_by(|(known, _)| (*known).cmp(&lower)) {
        let [_, rgb @ ..] = NAMES[found].1.to_be_bytes();
        return Ok(rgb);
    }
    let digits: Option<Vec<u8>> =
        lower.strip_prefix('#').and_then(|hex| hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect());
    match digits.as_deref() {
        Some(&[r, g, b]) => Ok([r, g, b].map(|d| d * 17)),
        Some(&[a, b, c, d, e, f]) => Ok([a << 4 | b, c << 4 | d, e << 4 | f]),
        _ => numbered(&lower).ok_or_else(unknown),
    }
}

/// `rgb(255, 0, 0)`.
fn numbered(text: &str) -> Option<[u8; 3]> {
    let inner = text.strip_prefix("rgb(")?.strip_suffix(')')?;
    let numbers: Option<Vec<u8>> = inner.split(',').map(|n| n.trim().parse().ok()).collect();
    numbers?.try_into().ok()
}

/// One colour for each of so many objects: those given, or torchvision's palette.
pub(super) fn for_objects(colors: Option<&Colors>, count: usize) -> Result<Vec<[u8; 3]>> {
    const PALETTE: [usize; 3] = [(1 << 25) - 1, (1 << 15) - 1, (1 << 21) - 1];
    match colors {
        None => Ok((0..count).map(|i| PALETTE.map(|p| (i * p % 255) as u8)).collect()),
        Some(Colors::One(color)) => Ok(vec![color.rgb()?; count]),
        Some(Colors::Each(list)) if list.len() < count => Err(Error::Value(format!(
            "Number of colors must be equal or larger than the number of objects, but got {} < {count}.",
            list.len()
        ))),
        Some(Colors::Each(list)) => list.iter().take(count).map(Color::rgb).collect(),
    }
}

impl From<&str> for Color {
    fn from(name: &str) -> Self {
        Color::Named(name.to_owned())
    }
}

impl From<[u8; 3]> for Color {
    fn from(rgb: [u8; 3]) -> Self {
        Color::Rgb(rgb)
    }
}

impl From<(u8, u8, u8)> for Color {
    fn from((r, g, b): (u8, u8, u8)) -> Self {
        Color::Rgb([r, g, b])
    }
}

impl Setting<Option<Colors>> for &str {
    fn setting(self) -> Option<Colors> {
        Some(Colors::One(self.into()))
    }
}

impl Setting<Option<Colors>> for (u8, u8, u8) {
    fn setting(self) -> Option<Colors> {
        Some(Colors::One(self.into()))
    }
}

impl Setting<Option<Colors>> for Color {
    fn setting(self) -> Option<Colors> {
        Some(Colors::One(self))
    }
}

impl<C: Into<Color>, const N: usize> Setting<Option<Colors>> for [C; N] {
    fn setting(self) -> Option<Colors> {
        Some(Colors::Each(self.into_iter().map(Into::into).collect()))
    }
}

impl<C: Into<Color>> Setting<Option<Colors>> for Vec<C> {
    fn setting(self) -> Option<Colors> {
        Some(Colors::Each(self.into_iter().map(Into::into).collect()))
    }
}
