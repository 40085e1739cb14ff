// Classes as targets: int64, one of them ignored, the others below the number of classes.

// Whether a target is the one that counts for nothing.
fn is_ignored(w: vec2<u32>) -> bool {
    return w.x == p.ignore_low && w.y == p.ignore_high;
}
