//! Sliding blocks as columns and back: `F.unfold` and `F.fold`, as windows of a padded image.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::nn::activation::hard::floats_only;
use crate::ops::nn::window::{Sizes, per_dim};
use crate::ops::{constant_pad, copy, squeeze, to_i64, unsqueeze};
use crate::options;
use flambeau_macros::op;
use flambeau_tensor::backend::ScatterOp;
use flambeau_tensor::dims::wrap_dim;
use flambeau_tensor::{Array, DType, Scalar};
use smallvec::smallvec;

options! {
    /// Options of `F::unfold` and `F::fold`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    UnfoldOptions {
        /// Step between elements of a block (1).
        dilation: Sizes = smallvec![1],
        /// Zeros on both sides (0).
        padding: Sizes = smallvec![0],
        /// Step between blocks (1).
        stride: Sizes = smallvec![1],
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

/// What `F.unfold` and `F.fold` say of their windows, checked in either order.
struct Steps {
    kernel: [usize; 2],
    dilation: [usize; 2],
    padding: [usize; 2],
    stride: [usize; 2],
}

impl Steps {
    fn new(kernel: &[i64], options: &UnfoldOptions, stride_first: bool) -> Result<Self> {
        let kernel = two("kernel_size", kernel)?;
        let (dilation, padding) = (two("dilation", &options.dilation)?, two("padding", &options.padding)?);
        let stride = two("stride", &options.stride)?;
        let kernel = positive("kernel size", "kernel", &kernel)?;
        let checked = || positive("stride", "stride", &stride);
        if stride_first {
            checked()?;
        }
        let dilation = positive("dilation", "dilation", &dilation)?;
        if padding.iter().any(|&p| p < 0) {
            return Err(Error::runtime(format!(
                "padding should be non-negative, but got pad_height: {} pad_width: {}",
                padding[0], padding[1]
            )));
        }
        let padding = [padding[0] as usize, padding[1] as usize];
        Ok(Steps { kernel, dilation, padding, stride: checked()? })
    }

    /// How many blocks lie along the dimensions of an image; none or less where the kernel is larger.
    fn count(&self, size: [i64; 2]) -> [i64; 2] {
        std::array::from_fn(|d| {
            let span = (self.dilation[d] * (self.kernel[d] - 1)) as i64;
            let room = size[d] + 2 * self.padding[d] as i64 - span - 1;
            room.div_euclid(self.stride[d] as i64) + 1
        })
    }

    fn blocks(self, size: [usize; 2], count: [i64; 2]) -> Blocks {
        let Steps { kernel, dilation, padding, stride } = self;
        Blocks { size, kernel, dilation, padding, stride, count: count.map(|n| n as usize) }
    }
}

impl Blocks {
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

/// Each block of `[n, c, h, w]` or `[c, h, w]` as a column, `[n, c·kh·kw, blocks]`: `F.unfold`. Options: `dilation`, `padding`,
/// `stride`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]);
/// let columns = F::unfold(&x, [2, 2]);
/// assert_eq!(columns.size(), [4, 2]);
/// assert_eq!(columns.to_vec::<f32>(), [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 5.0, 6.0]);
/// ```
///
/// # Errors
/// When the blocks do not fit the image.
#[op(functional, forms(unfold(kernel_size: &[i64], options: &UnfoldOptions) = (kernel_size, options)))]
pub fn im2col(x: &Tensor, kernel_size: &[i64], options: &UnfoldOptions) -> Result<Tensor> {
    let steps = Steps::new(kernel_size, options, false)?;
    let (shape, n) = (x.size(), x.dim());
    for d in [1, 2] {
        wrap_dim(d, n)?;
    }
    if !matches!(n, 3 | 4) || shape[n - 3..].contains(&0) {
        return Err(Error::runtime(format!(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but \
             got: {:?}",
            &shape[..]
        )));
    }
    let size = [shape[n - 2], shape[n - 1]];
    let count = steps.count(size.map(|n| n as i64));
    if count.iter().any(|&n| n < 1) {
        return Err(Error::runtime(format!(
            "Given input with spatial size {}, kernel_size={}, dilation={}, padding={}, calculated shape of the array of \
             sliding blocks as {}, but its components must be at least one.",
            pair(size),
            pair(steps.kernel),
            pair(steps.dilation),
            pair(steps.padding),
            pair(count)
        )));
    }
    if x.dtype() != DType::Bool {
        floats_only(x, "im2col_out_cpu")?;
    }
    columns(x, steps.blocks(size, count))
}

/// The columns of one image or a batch.
fn columns(x: &Tensor, blocks: Blocks) -> Result<Tensor> {
    let data = x.detach();
    let images = if x.dim() == 3 { unsqueeze(&data, 0)? } else { data };
    let shape = images.size();
    let [n, c] = [shape[0] as i64, shape[1] as i64];
    let padded = constant_pad(&images, &blocks.pads(), 0)?;
    let (inner, count) =
        (blocks.kernel.iter().product::<usize>() as i64, blocks.count.iter().product::<usize>() as i64);
    let padded = padded.array().contiguous()?;
    let out = match padded.numel() {
        0 => copy::empty(&[shape[0], shape[1] * inner as usize, count as usize], x.dtype(), x.device())?,
        _ => blocks.windows(&padded)?.copy()?.view(&[n, c * inner, count])?,
    };
    let out = if x.dim() == 3 { out.view(&[c * inner, count])? } else { out };
    Ok(record("Im2ColBackward0", &[x], &[], out, move |g| Ok(smallvec![Some(image(&g.grad(0)?, blocks)?)])))
}

/// Adds the columns of `[n, c·kh·kw, blocks]` or `[c·kh·kw, blocks]` up to images of `output_size`, the transpose of
/// `F::unfold`: `F.fold`. Options: `dilation`, `padding`, `stride`.
///
/// ```
/// use torch::nn::functional as F;
/// let columns = torch::ones([4, 2]);
/// let image = F::fold(&columns, [2, 3], [2, 2]);
/// assert_eq!(image.size(), [1, 2, 3]);
/// assert_eq!(image.to_vec::<f32>(), [1.0, 2.0, 1.0, 1.0, 2.0, 1.0]);
/// ```
///
/// # Errors
/// When the columns are not those of such images.
#[op(functional, forms(
    fold(output_size: &[i64], kernel_size: &[i64], options: &UnfoldOptions) = (output_size, kernel_size, options),
))]
pub fn col2im(x: &Tensor, output_size: &[i64], kernel_size: &[i64], options: &UnfoldOptions) -> Result<Tensor> {
    let output_size = two("output_size", output_size)?;
    let steps = Steps::new(kernel_size, options, true)?;
    let (shape, n) = (x.size(), x.dim());
    if !matches!(n, 2 | 3) || shape[n - 2..].contains(&0) {
        return Err(Error::runtime(format!(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, \
             but got: {:?}",
            &shape[..]
        )));
    }
    let (rows, length) = (shape[n - 2], shape[n - 1]);
    if !rows.is_multiple_of(steps.kernel.iter().product()) {
        return Err(Error::runtime(format!(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got \
             input.size(1)={rows} and kernel_size={}.",
            pair(steps.kernel)
        )));
    }
    let size = [output_size[0], output_size[1]];
    let count = steps.count(size);
    let given = || {
        format!(
            "Given output_size={}, kernel_size={}, dilation={}, padding={}, stride={}",
            pair(size),
            pair(steps.kernel),
            pair(steps.dilation),
            pair(steps.padding),
            pair(steps.stride)
        )
    };
    let ([h, w], expected) = (count, count[0].wrapping_mul(count[1]));
    if length as i64 != expected {
        return Err(Error::runtime(format!(
            "{}, expected size of input's dimension 2 to match the calculated number of sliding blocks {h} * {w} = \
             {expected}, but got input.size(2)={length}.",
            given()
        )));
    }
    if h < 1 || w < 1 {
        return Err(Error::runtime(format!(
            "{}, calculated shape of the array of sliding blocks as {}, which is too small (non-positive)",
            given(),
            pair(count)
        )));
    }
    floats_only(x, "col2im_out_cpu")?;
    let size = size.map(|n| n as usize);
    image(x, steps.blocks(size, count))
}

/// The image, or the batch of images, that columns add up to.
fn image(x: &Tensor, blocks: Blocks) -> Result<Tensor> {
    let single = x.dim() == 2;
    let data = x.detach();
    let data = if single { unsqueeze(&data, 0)? } else { data };
    let (shape, inner) = (data.size(), blocks.kernel.iter().product::<usize>());
    let (n, c) = (shape[0], shape[1] / inner);
    let [h, w]: [usize; 2] = std::array::from_fn(|d| blocks.size[d] + 2 * blocks.padding[d]);
    let array = data.array();
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
    let out = constant_pad(&padded, &crop, 0)?;
    let out = if single { squeeze(&out, Some(&[0]))? } else { out };
    let out = out.array().clone();
    Ok(record("Col2ImBackward0", &[x], &[], out, move |g| Ok(smallvec![Some(columns(&g.grad(0)?, blocks)?)])))
}
