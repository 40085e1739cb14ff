//! Sliding blocks as columns and back: `F.unfold` and `F.fold`, as windows of a padded image.

use super::window::{Sizes, per_dim};
use super::{IntoDims, constant_pad, copy, squeeze, to_i64, unsqueeze};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::record;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{Array, Scalar};
use smallvec::smallvec;

/// Keyword arguments of `F.unfold` and `F.fold`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfoldOptions {
    /// Step between elements of a block.
    pub dilation: Sizes,
    /// Zeros on both sides.
    pub padding: Sizes,
    /// Step between blocks.
    pub stride: Sizes,
}

impl Default for UnfoldOptions {
    fn default() -> Self {
        UnfoldOptions { dilation: smallvec![1], padding: smallvec![0], stride: smallvec![1] }
    }
}

impl UnfoldOptions {
    /// Step between elements of a block; 1 by default.
    #[must_use]
    pub fn dilation(mut self, dilation: impl IntoDims) -> Self {
        self.dilation = dilation.into_dims();
        self
    }

    /// Zeros on both sides; 0 by default.
    #[must_use]
    pub fn padding(mut self, padding: impl IntoDims) -> Self {
        self.padding = padding.into_dims();
        self
    }

    /// Step between blocks; 1 by default.
    #[must_use]
    pub fn stride(mut self, stride: impl IntoDims) -> Self {
        self.stride = stride.into_dims();
        self
    }
}

/// The blocks of an image of `height` × `width`.
#[derive(Clone, Copy)]
struct Blocks {
    size: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    padding: [usize; 2],
    stride: [usize; 2],
    /// Blocks along each dimension.
    count: [usize; 2],
}

fn two(name: &str, sizes: &[i64]) -> Result<Sizes> {
    per_dim(sizes, 2, || format!("It is expected {name} equals to 2, but got size {}", sizes.len()))
}

fn positive(what: &str, name: &str, sizes: &[i64]) -> Result<[usize; 2]> {
    match sizes.iter().all(|&n| n > 0) {
        true => Ok([sizes[0] as usize, sizes[1] as usize]),
        false => Err(Error::runtime(format!(
            "{what} should be greater than zero, but got {name}_height: {} {name}_width: {}",
            sizes[0], sizes[1]
        ))),
    }
}

/// `(2, 3)`
fn pair<T: std::fmt::Display>([a, b]: [T; 2]) -> String {
    format!("({a}, {b})")
}

impl Blocks {
    fn new(size: [usize; 2], kernel: &[i64], options: &UnfoldOptions) -> Result<Self> {
        let kernel = positive("kernel size", "kernel", &two("kernel_size", kernel)?)?;
        let dilation = positive("dilation", "dilation", &two("dilation", &options.dilation)?)?;
        let padding = two("padding", &options.padding)?;
        let stride = positive("stride", "stride", &two("stride", &options.stride)?)?;
        if padding.iter().any(|&p| p < 0) {
            return Err(Error::runtime(format!(
                "padding should be non-negative, but got pad_height: {} pad_width: {}",
                padding[0], padding[1]
            )));
        }
        let padding = [padding[0] as usize, padding[1] as usize];
        let count: [i64; 2] = std::array::from_fn(|d| {
            let room = (size[d] + 2 * padding[d]) as i64 - (dilation[d] * (kernel[d] - 1)) as i64 - 1;
            room.div_euclid(stride[d] as i64) + 1
        });
        if count.iter().any(|&n| n < 1) {
            return Err(Error::runtime(format!(
                "Given input with spatial size {}, kernel_size={}, dilation={}, padding={}, calculated shape of the array of \
                 sliding blocks as {}, but its components must be at least one.",
                pair(size),
                pair(kernel),
                pair(dilation),
                pair(padding),
                pair(count)
            )));
        }
        Ok(Blocks { size, kernel, dilation, padding, stride, count: count.map(|n| n as usize) })
    }

    /// Zeros around the image, the last dimension first.
    fn pads(&self) -> [i64; 4] {
        let [h, w] = self.padding.map(|p| p as i64);
        [w, w, h, h]
    }

    /// The windows of padded images, `[n, c, kh, kw, oh, ow]`, as a view.
    fn windows(&self, padded: &Array) -> Result<Array> {
        let (shape, s) = (padded.shape(), padded.strides());
        let [(kh, kw), (oh, ow)] = [(self.kernel[0], self.kernel[1]), (self.count[0], self.count[1])];
        let strides = [
            s[0],
            s[1],
            s[2] * self.dilation[0],
            s[3] * self.dilation[1],
            s[2] * self.stride[0],
            s[3] * self.stride[1],
        ];
        Ok(padded.as_strided(&[shape[0], shape[1], kh, kw, oh, ow], &strides, padded.offset())?)
    }

    /// Where each element of the columns of one padded plane comes from.
    fn positions(&self) -> Vec<i64> {
        let width = self.size[1] + 2 * self.padding[1];
        let mut all = Vec::with_capacity(self.kernel.iter().chain(&self.count).product());
        for kh in 0..self.kernel[0] {
            for kw in 0..self.kernel[1] {
                for oh in 0..self.count[0] {
                    for ow in 0..self.count[1] {
                        let y = oh * self.stride[0] + kh * self.dilation[0];
                        let x = ow * self.stride[1] + kw * self.dilation[1];
                        all.push((y * width + x) as i64);
                    }
                }
            }
        }
        all
    }
}

/// Each block of `[n, c, h, w]` or `[c, h, w]` as a column: `[n, c·kh·kw, blocks]`: `F.unfold`.
pub fn im2col(x: &Tensor, kernel: &[i64], options: &UnfoldOptions) -> Result<Tensor> {
    match x.dim() {
        3 => squeeze(&im2col(&unsqueeze(x, 0)?, kernel, options)?, Some(&[0])),
        4 => {
            let size = x.size();
            columns(x, Blocks::new([size[2], size[3]], kernel, options)?)
        }
        n => {
            wrap_dim(2, n)?;
            Err(Error::runtime(format!(
                "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, \
                 but got: {:?}",
                &x.size()[..]
            )))
        }
    }
}

fn columns(x: &Tensor, blocks: Blocks) -> Result<Tensor> {
    let padded = constant_pad(&x.detach(), &blocks.pads(), 0)?;
    let shape = x.size();
    let [n, c] = [shape[0] as i64, shape[1] as i64];
    let (inner, count) =
        (blocks.kernel.iter().product::<usize>() as i64, blocks.count.iter().product::<usize>() as i64);
    let padded = padded.array().contiguous()?;
    let out = match padded.numel() {
        0 => copy::empty(&[shape[0], shape[1] * inner as usize, count as usize], x.dtype(), x.device())?,
        _ => blocks.windows(&padded)?.copy()?.view(&[n, c * inner, count])?,
    };
    Ok(record("Im2ColBackward0", &[x], &[], out, move |g| Ok(smallvec![Some(image(&g.grad(0)?, blocks)?)])))
}

/// Adds the columns of `[n, c·kh·kw, blocks]` or `[c·kh·kw, blocks]` up to images of `output_size`: `F.fold`.
pub fn col2im(x: &Tensor, output_size: &[i64], kernel: &[i64], options: &UnfoldOptions) -> Result<Tensor> {
    let output_size = positive("output_size", "output", &two("output_size", output_size)?)?;
    match x.dim() {
        2 => return squeeze(&col2im(&unsqueeze(x, 0)?, &to_i64(&output_size), kernel, options)?, Some(&[0])),
        3 => {}
        _ => {
            return Err(Error::runtime(format!(
                "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for \
                 input, but got: {:?}",
                &x.size()[..]
            )));
        }
    }
    let blocks = Blocks::new(output_size, kernel, options)?;
    let (shape, inner) = (x.size(), blocks.kernel.iter().product::<usize>());
    if shape[1] % inner != 0 {
        return Err(Error::runtime(format!(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={} \
             and kernel_size={}.",
            shape[1],
            pair(blocks.kernel)
        )));
    }
    let expected: usize = blocks.count.iter().product();
    if shape[2] != expected {
        return Err(Error::runtime(format!(
            "Given output_size={}, kernel_size={}, dilation={}, padding={}, stride={}, expected size of input's dimension 2 \
             to match the calculated number of sliding blocks {} * {} = {expected}, but got input.size(2)={}.",
            pair(output_size),
            pair(blocks.kernel),
            pair(blocks.dilation),
            pair(blocks.padding),
            pair(blocks.stride),
            blocks.count[0],
            blocks.count[1],
            shape[2]
        )));
    }
    image(x, blocks)
}

fn image(x: &Tensor, blocks: Blocks) -> Result<Tensor> {
    let (shape, inner) = (x.size(), blocks.kernel.iter().product::<usize>());
    let (n, c) = (shape[0], shape[1] / inner);
    let [h, w]: [usize; 2] = std::array::from_fn(|d| blocks.size[d] + 2 * blocks.padding[d]);
    let array = x.array();
    let sums = Array::full(array.backend(), array.device(), &[n * c, h * w], x.dtype(), Scalar::Int(0))?;
    if x.numel() > 0 {
        let positions = blocks.positions();
        let lines = [(n * c) as i64, positions.len() as i64];
        let at = Array::from_slice(array.backend(), array.device(), &positions, &[1, positions.len()])?;
        let source = array.contiguous()?.view(&lines)?;
        flambeau_tensor::ops::scatter(ScatterOp::Add, 1, &at.expand(&lines)?.contiguous()?, &source, &sums)?;
    }
    let padded = Tensor::from(sums.view(&to_i64(&[n, c, h, w]))?);
    let crop = blocks.pads().map(|p| -p);
    let out = constant_pad(&padded, &crop, 0)?.array().clone();
    Ok(record("Col2ImBackward0", &[x], &[], out, move |g| Ok(smallvec![Some(columns(&g.grad(0)?, blocks)?)])))
}
