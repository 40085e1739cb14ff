//! The inverse cosine transform, in libjpeg's 13-bit fixed point ("islow"), and its ways to enlarge colours.

/// 2 bits are kept after the first pass, and 3 are the transform's own scale.
const BITS: i32 = 13;
const KEPT: i32 = 2;

/// Cut to 16 bits. In damaged files sums overflow, where libjpeg-turbo's vector instructions do the same.
fn cut(v: i32) -> i32 {
    i32::from(v as i16)
}

/// One pass over eight numbers.
fn pass(v: [i32; 8], shift: i32) -> [i32; 8] {
    // The even half.
    let z = (v[2] + v[6]).wrapping_mul(4433);
    let (a, b) = (z - v[6].wrapping_mul(15137), z + v[2].wrapping_mul(6270));
    let (sum, difference) = (cut(v[0] + v[4]) << BITS, cut(v[0] - v[4]) << BITS);
    let even = [sum + b, difference + a, difference - a, sum - b];
    // The odd half.
    let [mut o0, mut o1, mut o2, mut o3] = [v[7], v[5], v[3], v[1]];
    let (z1, z2, z3, z4) = (o0 + o3, o1 + o2, cut(o0 + o2), cut(o1 + o3));
    let z5 = (z3 + z4).wrapping_mul(9633);
    let (z1, z2) = (z1.wrapping_mul(-7373), z2.wrapping_mul(-20995));
    let (z3, z4) = (z3.wrapping_mul(-16069) + z5, z4.wrapping_mul(-3196) + z5);
    o0 = o0.wrapping_mul(2446) + z1 + z3;
    o1 = o1.wrapping_mul(16819) + z2 + z4;
    o2 = o2.wrapping_mul(25172) + z2 + z3;
    o3 = o3.wrapping_mul(12299) + z1 + z4;
    let odd = [o3, o2, o1, o0];
    let rounded = |v: i32| (v + (1 << (shift - 1))) >> shift;
    std::array::from_fn(|i| if i < 4 { rounded(even[i] + odd[i]) } else { rounded(even[7 - i] - odd[7 - i]) })
}

/// The 64 values of a block from its coefficients, both row by row.
pub(super) fn inverse(coefficients: &[i16], quantizers: &[u16; 64]) -> [u8; 64] {
    let mut middle = [0; 64];
    let level = coefficients[8..].iter().all(|&c| c == 0);
    for x in 0..8 {
        let value = |y: usize| i32::from(coefficients[8 * y + x].wrapping_mul(quantizers[8 * y + x] as i16));
        // Where no column has more than its mean, that is spread without a transform.
        let out = if level { [cut(value(0) << KEPT); 8] } else { pass(std::array::from_fn(value), BITS - KEPT) };
        (0..8).for_each(|y| middle[8 * y + x] = out[y]);
    }
    let mut values = [0; 64];
    for y in 0..8 {
        let row = std::array::from_fn(|x| middle[8 * y + x].clamp(-32768, 32767));
        let out = pass(row, BITS + KEPT + 3);
        (0..8).for_each(|x| values[8 * y + x] = (out[x] + 128).clamp(0, 255) as u8);
    }
    values
}

/// A component's samples, row by row.
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<u8>,
}

impl Plane {
    fn row(&self, y: usize) -> &[u8] {
        &self.values[y * self.width..(y + 1) * self.width]
    }

    /// The samples enlarged by whole factors to a picture's size: doubled ones by triangles, three quarters of the nearer
    /// sample and one quarter of the farther, as libjpeg does unless there are too few; others repeated.
    pub fn enlarged(self, across: usize, down: usize, width: usize, height: usize) -> Vec<u8> {
        let smooth = self.width > 2;
        let mut out = Vec::with_capacity(width * height);
        for y in 0..height {
            let near = (y / down).min(self.height - 1);
            // The row beyond the nearer one, on the side where this row lies.
            let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(self.height - 1) };
            let (this, other) = (self.row(near), self.row(far));
            let row: Vec<u8> = match (across, down) {
                (1, 1) => this.to_vec(),
                (2, 1) if smooth => doubled(this.iter().map(|&v| i32::from(v)).collect(), [1, 2], 2),
                (2, 2) if smooth => {
                    let sums = this.iter().zip(other).map(|(&a, &b)| 3 * i32::from(a) + i32::from(b));
                    doubled(sums.collect(), [8, 7], 4)
                }
                (1, 2) => {
                    let bias = if y % 2 == 0 { 1 } else { 2 };
                    this.iter()
                        .zip(other)
                        .map(|(&a, &b)| ((3 * i32::from(a) + i32::from(b) + bias) >> 2) as u8)
                        .collect()
                }
                _ => this.iter().flat_map(|&v| std::iter::repeat_n(v, across)).collect(),
            };
            out.extend((0..width).map(|x| row[x.min(row.len() - 1)]));
        }
        out
    }
}

/// Twice as many numbers: for each one, a value towards the last and one towards the next, with these halves to round by.
fn doubled(values: Vec<i32>, [left, right]: [i32; 2], shift: i32) -> Vec<u8> {
    let last = values.len() - 1;
    let mut out = Vec::with_capacity(2 * values.len());
    for (i, &v) in values.iter().enumerate() {
        // At an end the value stands for its neighbour.
        let (before, after) = (values[i.saturating_sub(1)], values[(i + 1).min(last)]);
        out.push(((3 * v + before + left) >> shift) as u8);
        out.push(((3 * v + after + right) >> shift) as u8);
    }
    out
}
