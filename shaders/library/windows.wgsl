// Windows of convolutions and poolings along one dimension.

// How many steps of length b cover a.
fn ceil_div(a: u32, b: u32) -> u32 {
    return (a + b - 1u) / b;
}

// The greatest common divisor of a and b > 0.
fn common_divisor(a: u32, b: u32) -> u32 {
    var x = a;
    var y = b;
    while (x != 0u) {
        let rest = y % x;
        y = x;
        x = rest;
    }
    return y;
}

// ⌊i · n / o⌋ for i ≤ o, through a product of 64 bits where 32 do not hold it.
fn scaled_position(i: u32, n: u32, o: u32) -> u32 {
    if (o == 1u) {
        return i * n;
    }
    if (i <= 0xffffu && n <= 0xffffu) {
        return i * n / o;
    }
    // i · n = i · (q · o + r): the quotient's digits follow from i · r < o², bit after bit.
    let q = n / o;
    let r = n % o;
    var quotient = 0u;
    var rest = 0u;
    for (var bit = 32u; bit > 0u; bit--) {
        quotient *= 2u;
        let doubled = rest >= o - rest;
        rest = select(rest + rest, rest - (o - rest), doubled);
        quotient += select(0u, 1u, doubled);
        if ((i >> (bit - 1u) & 1u) == 1u) {
            let over = rest >= o - r;
            rest = select(rest + r, rest - (o - r), over);
            quotient += select(0u, 1u, over);
        }
    }
    return i * q + quotient;
}

// ⌈i · n / o⌉ for i ≤ o.
fn scaled_position_up(i: u32, n: u32, o: u32) -> u32 {
    if (o == 1u) {
        return i * n;
    }
    let down = scaled_position(i, n, o);
    // The products' low words tell whether the division was exact.
    return down + select(1u, 0u, down * o == i * n);
}

// The windows that reach over element `at`, from the first to before the second: window i covers the `span` elements from
// i · stride − padding on.
fn windows_around(at: u32, span: u32, stride: u32, padding: u32, count: u32) -> vec2<u32> {
    let place = at + padding;
    if (count == 1u) {
        return vec2<u32>(0u, select(0u, 1u, place < span));
    }
    let last = min(place / stride + 1u, count);
    let missed = max(place + 1u, span) - span;
    return vec2<u32>(min(ceil_div(missed, stride), last), last);
}

// Row-major digits of i: a plane and the coordinates (z, y, x) in planes of the given lengths.
fn place_in_planes(i: u32, lengths: vec3<u32>) -> vec4<u32> {
    let line = i / lengths.z;
    let slice = line / lengths.y;
    var plane = slice;
    if (lengths.x != 1u) {
        plane = slice / lengths.x;
    }
    return vec4<u32>(plane, slice - plane * lengths.x, line - slice * lengths.y, i - line * lengths.z);
}
