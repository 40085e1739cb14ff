//! Jacobi's methods for one matrix: singular values by rotating columns, eigenvalues of symmetric matrices by rotating both sides.

/// How often all pairs of columns are rotated at most. About ten rounds are enough for matrices of hundreds of columns.
const ROUNDS: usize = 80;

/// A rotation's tangent, by which two numbers become independent: the smaller root of t² + 2 θ t − 1.
fn tangent(theta: f64) -> f64 {
    let t = 1.0 / (theta.abs() + theta.hypot(1.0));
    if theta < 0.0 { -t } else { t }
}

/// U, S and Vᵀ of one matrix, each row by row.
pub(super) struct Svd {
    pub left: Vec<f64>,
    pub singular: Vec<f64>,
    pub right: Vec<f64>,
}

/// Two columns of one list, each of `n` numbers.
fn pair(columns: &mut [f64], n: usize, p: usize, q: usize) -> (&mut [f64], &mut [f64]) {
    let (before, after) = columns.split_at_mut(q * n);
    (&mut before[p * n..(p + 1) * n], &mut after[..n])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn rotate(a: &mut [f64], b: &mut [f64], c: f64, s: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
    }
}

/// The decomposition of `a`, m × n row by row, with `columns` of U and `rows` of Vᵀ, at least the smaller side each.
pub(super) fn svd_of(a: &[f64], m: usize, n: usize, columns: usize, rows: usize) -> Svd {
    // Columns of the taller of A and Aᵀ.
    let tall = m >= n;
    let (long, short) = if tall { (m, n) } else { (n, m) };
    let at = |column: usize, i: usize| if tall { a[i * n + column] } else { a[column * n + i] };
    let scale = a.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let unit = if scale > 0.0 { scale } else { 1.0 };
    let mut b: Vec<f64> = (0..short).flat_map(|j| (0..long).map(move |i| at(j, i) / unit)).collect();
    let mut v: Vec<f64> = (0..short * short).map(|i| f64::from(u8::from(i / short == i % short))).collect();
    for _ in 0..ROUNDS {
        let mut turned = false;
        for p in 0..short {
            for q in p + 1..short {
                let (x, y) = pair(&mut b, long, p, q);
                let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
                if xy == 0.0 || xy.abs() <= f64::EPSILON * (xx * yy).sqrt() {
                    continue;
                }
                turned = true;
                let t = tangent((yy - xx) / (2.0 * xy));
                let c = 1.0 / t.hypot(1.0);
                rotate(x, y, c, c * t);
                let (x, y) = pair(&mut v, short, p, q);
                rotate(x, y, c, c * t);
            }
        }
        if !turned {
            break;
        }
    }
    let sizes: Vec<f64> = b.chunks(long.max(1)).map(|x| dot(x, x).sqrt()).collect();
    let mut order: Vec<usize> = (0..short).collect();
    order.sort_by(|&p, &q| sizes[q].total_cmp(&sizes[p]));
    let largest = order.first().map_or(0.0, |&j| sizes[j]);
    let of_long: Vec<Vec<f64>> = order
        .iter()
        // What is left of a column by rounding has no direction.
        .filter(|&&j| sizes[j] > largest * f64::EPSILON * 1e-3)
        .map(|&j| b[j * long..(j + 1) * long].iter().map(|x| x / sizes[j]).collect())
        .collect();
    let of_short: Vec<Vec<f64>> = order.iter().map(|&j| v[j * short..(j + 1) * short].to_vec()).collect();
    let singular = order.iter().map(|&j| sizes[j] * unit).collect();
    let (of_left, of_right) = if tall { (of_long, of_short) } else { (of_short, of_long) };
    let (of_left, of_right) = (completed(of_left, m, columns), completed(of_right, n, rows));
    let left = (0..m).flat_map(|i| of_left.iter().map(move |column| column[i])).collect();
    Svd { left, singular, right: of_right.concat() }
}

/// Orthonormal vectors and as many others, orthogonal to them, as there are to be.
fn completed(mut vectors: Vec<Vec<f64>>, n: usize, count: usize) -> Vec<Vec<f64>> {
    let mut axis = 0;
    while vectors.len() < count && axis < n {
        let mut next = vec![0.0; n];
        next[axis] = 1.0;
        axis += 1;
        // Twice, as the first time leaves rounding errors.
        for _ in 0..2 {
            for v in &vectors {
                let share = dot(&next, v);
                next.iter_mut().zip(v).for_each(|(x, v)| *x -= share * v);
            }
        }
        let size = dot(&next, &next).sqrt();
        // Of the axes that are left, one is always further than this from the space of those that are there.
        if size > 0.5 / (n as f64).sqrt() {
            vectors.push(next.iter().map(|x| x / size).collect());
        }
    }
    vectors
}

/// The eigenvalues of a symmetric matrix from small to large, and the eigenvectors in the columns of a matrix, row by row. Only one
/// triangle of `a` is looked at, the upper one if `upper`.
pub(super) fn eigen_of(a: &[f64], n: usize, upper: bool) -> (Vec<f64>, Vec<f64>) {
    let at = |i: usize, j: usize| if (i < j) == upper { a[i * n + j] } else { a[j * n + i] };
    let mut a: Vec<f64> = (0..n * n).map(|i| at(i / n, i % n)).collect();
    let mut v: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    if a.iter().any(|x| !x.is_finite()) {
        return (vec![f64::NAN; n], vec![f64::NAN; n * n]);
    }
    let whole = dot(&a, &a).sqrt();
    for _ in 0..ROUNDS {
        let beside: f64 = (0..n * n).filter(|i| i / n != i % n).map(|i| a[i] * a[i]).sum();
        if beside.sqrt() <= whole * f64::EPSILON * 1e-2 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let t = tangent((a[q * n + q] - a[p * n + p]) / (2.0 * apq));
                let c = 1.0 / t.hypot(1.0);
                let (x, y) = pair(&mut a, n, p, q);
                rotate(x, y, c, c * t);
                for row in a.chunks_mut(n) {
                    (row[p], row[q]) = (c * row[p] - c * t * row[q], c * t * row[p] + c * row[q]);
                }
                (a[p * n + q], a[q * n + p]) = (0.0, 0.0);
                let (x, y) = pair(&mut v, n, p, q);
                rotate(x, y, c, c * t);
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&p, &q| a[p * n + p].total_cmp(&a[q * n + q]));
    let values = order.iter().map(|&j| a[j * n + j]).collect();
    let v = &v;
    let vectors = (0..n).flat_map(|i| order.iter().map(move |&j| v[j * n + i])).collect();
    (values, vectors)
}
