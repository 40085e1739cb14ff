//! Sizes, corners and matrices: the arithmetic that images and tensors share.

use crate::error::{Error, Result};

/// The size of a crop from one integer or two; the message is torchvision's.
pub(crate) fn two(size: &[i64], message: &str) -> Result<[i64; 2]> {
    match *size {
        [n] => Ok([n, n]),
        [h, w] => Ok([h, w]),
        _ => Err(Error::Value(message.into())),
    }
}

/// [`two`] as crops say it.
pub(crate) fn crop_size(size: &[i64]) -> Result<[i64; 2]> {
    two(size, "Please provide only two dimensions (h, w) for size.")
}

/// Height and width after a resize to `size`: one integer is the shorter edge.
pub(crate) fn resized(h: usize, w: usize, size: &[i64], max_size: Option<i64>) -> Result<[i64; 2]> {
    let requested = match *size {
        [n] => n,
        [h, w] if max_size.is_none() => return Ok([h, w]),
        [_, _] => {
            return Err(Error::Value(
                "max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be an int \
                 or a sequence of length 1 in torchscript mode."
                    .into(),
            ));
        }
        _ => {
            let n = size.len();
            return Err(Error::Value(format!(
                "Size must be an int or a 1 or 2 element tuple/list, not a {n} element tuple/list"
            )));
        }
    };
    let (short, long) = (w.min(h) as i64, w.max(h) as i64);
    let (mut new_short, mut new_long) = (requested, (requested * long) as f64 / short as f64);
    if let Some(max) = max_size {
        if max <= requested {
            return Err(Error::Value(format!(
                "max_size = {max} must be strictly greater than the requested size for the smaller edge size = [{requested}]"
            )));
        }
        if new_long as i64 > max {
            new_short = ((max * new_short) as f64 / (new_long as i64) as f64) as i64;
            new_long = max as f64;
        }
    }
    let new_long = new_long as i64;
    Ok(if w <= h { [new_long, new_short] } else { [new_short, new_long] })
}

/// Padding from one integer, two or four, as `[left, top, right, bottom]`.
pub(crate) fn sides(padding: &[i64]) -> Result<[i64; 4]> {
    match *padding {
        [n] => Ok([n; 4]),
        [x, y] => Ok([x, y, x, y]),
        [left, top, right, bottom] => Ok([left, top, right, bottom]),
        _ => {
            let n = padding.len();
            Err(Error::Value(format!("Padding must be an int or a 1, 2, or 4 element tuple, not a {n} element tuple")))
        }
    }
}

/// The matrix from output places to source places of a turn, a shift, a scale and two shears around a centre; angles in
/// degrees.
pub(crate) fn inverse_affine(
    [cx, cy]: [f64; 2],
    angle: f64,
    [tx, ty]: [f64; 2],
    scale: f64,
    [shear_x, shear_y]: [f64; 2],
) -> [f64; 6] {
    let (rot, sx, sy) = (angle.to_radians(), shear_x.to_radians(), shear_y.to_radians());
    // Turn and shears, whose determinant is 1.
    let a = (rot - sy).cos() / sy.cos();
    let b = -(rot - sy).cos() * sx.tan() / sy.cos() - rot.sin();
    let c = (rot - sy).sin() / sy.cos();
    let d = -(rot - sy).sin() * sx.tan() / sy.cos() + rot.cos();
    let mut m = [d, -b, 0.0, -c, a, 0.0].map(|v| v / scale);
    m[2] += m[0] * (-cx - tx) + m[1] * (-cy - ty);
    m[5] += m[3] * (-cx - tx) + m[4] * (-cy - ty);
    m[2] += cx;
    m[5] += cy;
    m
}

/// The coefficients of the perspective that takes each end point to its start point, in float32: a system of eight equations,
/// by elimination with pivots.
pub(crate) fn perspective_coefficients(start: &[[i64; 2]], end: &[[i64; 2]]) -> Result<[f64; 8]> {
    if start.len() != 4 || end.len() != 4 {
        return Err(Error::Value(format!(
            "Please provide exactly four corners, got {} startpoints and {} endpoints.",
            start.len(),
            end.len()
        )));
    }
    let mut rows: Vec<[f64; 9]> = Vec::with_capacity(8);
    for (&[u, v], &[x, y]) in start.iter().zip(end) {
        let [u, v, x, y] = [u, v, x, y].map(|n| n as f64);
        rows.push([x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u]);
        rows.push([0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v]);
    }
    for column in 0..8 {
        let largest = (column..8).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()));
        rows.swap(column, largest.unwrap_or(column));
        let pivot = rows[column];
        if pivot[column] == 0.0 {
            return Err(Error::Value(
                "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not \
                 have full rank (error code: 7)."
                    .into(),
            ));
        }
        for row in rows.iter_mut().skip(column + 1) {
            let factor = row[column] / pivot[column];
            row.iter_mut().zip(pivot).for_each(|(v, p)| *v -= factor * p);
        }
    }
    let mut solution = [0.0; 8];
    for i in (0..8).rev() {
        let known: f64 = (i + 1..8).map(|j| rows[i][j] * solution[j]).sum();
        solution[i] = (rows[i][8] - known) / rows[i][i];
    }
    Ok(solution.map(|v| f64::from(v as f32)))
}
