//! Letters of three by five dots.

/// The height of a letter in dots.
pub const HEIGHT: i64 = 5;
/// From one letter to the next, in dots.
const ADVANCE: i64 = 4;

/// Rows from top to bottom, an octal digit each. Small letters look as capital ones; what is not here is a full block.
#[rustfmt::skip]
const GLYPHS: [(char, u16); 60] = [
    (' ', 0o00000), ('A', 0o25755), ('B', 0o65656), ('C', 0o34443), ('D', 0o65556), ('E', 0o74647), ('F', 0o74644), ('G', 0o34553),
    ('H', 0o55755), ('I', 0o72227), ('J', 0o11152), ('K', 0o55655), ('L', 0o44447), ('M', 0o57755), ('N', 0o65555), ('O', 0o75557),
    ('P', 0o65644), ('Q', 0o25563), ('R', 0o65655), ('S', 0o34216), ('T', 0o72222), ('U', 0o55557), ('V', 0o55552), ('W', 0o55775),
    ('X', 0o55255), ('Y', 0o55222), ('Z', 0o71247), ('0', 0o25552), ('1', 0o26227), ('2', 0o61247), ('3', 0o71317), ('4', 0o55711),
    ('5', 0o74616), ('6', 0o34757), ('7', 0o71122), ('8', 0o75757), ('9', 0o75716), ('.', 0o00002), (',', 0o00024), (':', 0o02020),
    (';', 0o02024), ('!', 0o22202), ('?', 0o71202), ('-', 0o00700), ('_', 0o00007), ('+', 0o02720), ('=', 0o07070), ('*', 0o05250),
    ('/', 0o11244), ('\\', 0o44211), ('(', 0o12221), (')', 0o42224), ('[', 0o64446), (']', 0o31113), ('<', 0o12421), ('>', 0o42124),
    ('%', 0o51245), ('#', 0o57575), ('\'', 0o22000), ('"', 0o55000),
];

/// How wide a text is, in dots.
pub fn width(text: &str) -> i64 {
    text.chars().count() as i64 * ADVANCE
}

/// Calls `put` with each dot of a text.
pub fn dots(text: &str, mut put: impl FnMut(i64, i64)) {
    for (i, letter) in text.chars().enumerate() {
        let letter = letter.to_ascii_uppercase();
        let rows = GLYPHS.iter().find(|(known, _)| *known == letter).map_or(0o77777, |glyph| glyph.1);
        for dot in (0..15).filter(|dot| rows >> (14 - dot) & 1 == 1) {
            put(i as i64 * ADVANCE + dot % 3, dot / 3);
        }
    }
}
