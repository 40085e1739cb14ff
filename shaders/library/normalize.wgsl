// Elements that are normalised together, in [outer, means, inner].

// The position of element e of the outer * inner of mean m.
fn element_of(e: u32, m: u32) -> u32 {
    if (p.outer == 1u) {
        return m * p.inner + e;
    }
    return (e / p.inner * p.means + m) * p.inner + e % p.inner;
}

// The place of its weight and bias: they repeat after `cycle` means, and each mean has `per_mean` of them, for `step`
// neighbouring elements each.
fn parameter_of(e: u32, m: u32) -> u32 {
    let of_mean = m % p.cycle * p.per_mean;
    if (p.per_mean == 1u) {
        return of_mean;
    }
    return of_mean + e % p.inner / p.step;
}
