//! Convolutions of integers, which backends leave to their matrix product: blocks as columns, times the weight.

use crate::error::Result;
use crate::ops::to_i64;
use flambeau_tensor::backend::{ConvGeometry, Epilogue, ScatterOp};
use flambeau_tensor::ops::{copy_into, fill, matmul, scatter};
use flambeau_tensor::{Array, Dims, Scalar};

/// The lengths of one product per sample and group.
struct Columns<'a> {
    geometry: &'a ConvGeometry,
    /// Spatial lengths of the padded image.
    padded: Dims,
    kernel: &'a [usize],
    /// Spatial lengths of the positions that the kernel takes.
    positions: &'a [usize],
}

impl<'a> Columns<'a> {
    fn new(geometry: &'a ConvGeometry, image: &[usize], kernel: &'a [usize], positions: &'a [usize]) -> Self {
        let pads = &geometry.padding[3 - geometry.ndim..];
        let padded = image.iter().zip(pads).map(|(n, p)| n + 2 * p).collect();
        Columns { geometry, padded, kernel, positions }
    }

    /// Zeroed padded images, and the view of them without the padding.
    fn padded_image(&self, like: &Array, channels: usize, image: &[usize]) -> Result<(Array, Array)> {
        let mut shape: Dims = like.shape()[..1].into();
        shape.push(channels);
        shape.extend_from_slice(&self.padded);
        let padded = Array::empty(like.backend(), like.device(), &shape, like.dtype())?;
        fill(&padded, Scalar::Int(0))?;
        let mut inner = padded.clone();
        for (i, &n) in image.iter().enumerate() {
            let before = self.geometry.padding[3 - self.geometry.ndim + i];
            inner = inner.narrow(i as i64 + 2, before as i64, n as i64)?;
        }
        Ok((padded, inner))
    }

    /// The blocks of padded images as columns: `[samples · groups, channels / groups · kernel, positions]`.
    fn gather(&self, padded: &Array) -> Result<Array> {
        let first = 3 - self.geometry.ndim;
        let (outer, steps) = padded.strides().split_at(2);
        let mut shape: Dims = padded.shape()[..2].into();
        let mut strides: Dims = outer.into();
        shape.extend_from_slice(self.kernel);
        strides.extend(steps.iter().enumerate().map(|(i, s)| s * self.geometry.dilation[first + i]));
        shape.extend_from_slice(self.positions);
        strides.extend(steps.iter().enumerate().map(|(i, s)| s * self.geometry.stride[first + i]));
        let (n, c) = (shape[0], shape[1]);
        let blocks = padded.as_strided(&shape, &strides, padded.offset())?.copy()?;
        let rows = c / self.geometry.groups * self.kernel.iter().product::<usize>();
        Ok(blocks.view(&to_i64(&[n * self.geometry.groups, rows, self.positions.iter().product()]))?)
    }

    /// Where in its padded plane each element of one channel's columns lies.
    fn offsets(&self) -> Vec<i64> {
        let first = 3 - self.geometry.ndim;
        // Kernel dimensions come first in a column, positions last, as in `gather`.
        let along = |lengths: &[usize], steps: &[usize; 3], from: Vec<usize>| {
            let mut all = from;
            for (i, &n) in lengths.iter().enumerate() {
                let plane: usize = self.padded[i + 1..].iter().product();
                let step = steps[first + i] * plane;
                all = all.iter().flat_map(|&p| (0..n).map(move |k| p + k * step)).collect();
            }
            all
        };
        let kernel = along(self.kernel, &self.geometry.dilation, vec![0]);
        along(self.positions, &self.geometry.stride, kernel).into_iter().map(|p| p as i64).collect()
    }
}

/// A weight `[a, b, …]` as one matrix per group and sample, `[samples · groups, a / groups, b · kernel]`.
fn matrices(weight: &Array, samples: usize, groups: usize) -> Result<Array> {
    let rows = weight.shape()[0] / groups;
    let columns: usize = weight.shape()[1..].iter().product();
    let all = weight.view(&to_i64(&[1, groups, rows, columns]))?.expand(&to_i64(&[samples, groups, rows, columns]))?;
    Ok(all.contiguous()?.view(&to_i64(&[samples * groups, rows, columns]))?)
}

/// The convolution of dense integers into a dense `out`.
pub(super) fn forward(x: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
    let (image, n) = (&x.shape()[2..], x.shape()[0]);
    let columns = Columns::new(g, image, &weight.shape()[2..], &out.shape()[2..]);
    let (padded, inner) = columns.padded_image(x, x.shape()[1], image)?;
    copy_into(x, &inner)?;
    let weight = matrices(weight, n, g.groups)?;
    let product = out.view(&[(n * g.groups) as i64, weight.shape()[1] as i64, -1])?;
    Ok(matmul(&weight, &columns.gather(&padded)?, 1.into(), 0.into(), Epilogue::default(), &product)?)
}

/// The transposed convolution of dense integers into a dense `out`.
pub(super) fn transposed(x: &Array, weight: &Array, g: &ConvGeometry, out: &Array) -> Result<()> {
    let (n, channels) = (x.shape()[0], out.shape()[1]);
    let columns = Columns::new(g, &out.shape()[2..], &weight.shape()[2..], &x.shape()[2..]);
    let (padded, inner) = columns.padded_image(out, channels, &out.shape()[2..])?;
    let weight = matrices(weight, n, g.groups)?.transpose(1, 2)?;
    let x = x.view(&[(n * g.groups) as i64, weight.shape()[2] as i64, -1])?;
    let shape = [x.shape()[0], weight.shape()[1], x.shape()[2]];
    let blocks = Array::empty(x.backend(), x.device(), &shape, x.dtype())?;
    matmul(&weight, &x, 1.into(), 0.into(), Epilogue::default(), &blocks)?;
    let offsets = columns.offsets();
    let lines = [(n * channels) as i64, offsets.len() as i64];
    let at = Array::from_slice(x.backend(), x.device(), &offsets, &[1, offsets.len()])?.expand(&lines)?.contiguous()?;
    let sums = padded.view(&[lines[0], -1])?;
    scatter(ScatterOp::Add, 1, &at, &blocks.view(&lines)?, &sums)?;
    Ok(copy_into(&inner, out)?)
}
