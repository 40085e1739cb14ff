//! What PyTorch refuses in a convolution, in its order and words.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::nn::window::{Sizes, cpp_name, per_dim, three, type_text};
use flambeau_tensor::DType;
use flambeau_tensor::backend::ConvGeometry;
use smallvec::smallvec;

/// A call's numbers before they are checked.
pub(super) struct ConvNumbers<'a> {
    /// Spatial dimensions that the function's name promises.
    pub ndim: usize,
    pub stride: &'a [i64],
    pub padding: &'a [i64],
    pub dilation: &'a [i64],
    pub groups: i64,
}

impl ConvNumbers<'_> {
    /// The geometry and the output padding of a batched call, or what PyTorch says of it, in PyTorch's order.
    pub(super) fn check(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        output_padding: &[i64],
        transposed: bool,
    ) -> Result<(ConvGeometry, Sizes)> {
        let (from, kernel) = (x.size(), weight.size());
        let ndim = kernel.len().saturating_sub(2);
        if ndim == 0 {
            return Err(Error::runtime("weight should have at least three dimensions"));
        }
        if self.groups <= 0 {
            return Err(Error::runtime("non-positive groups is not supported"));
        }
        let expand = |name: &str, sizes: &[i64]| {
            // One number stands for all dimensions of the function, not of the weight.
            let given = if sizes.len() == 1 { Sizes::from_elem(sizes[0], self.ndim) } else { sizes.into() };
            per_dim(&given, ndim, || list_message(name, ndim, &given))
        };
        let stride = expand("stride", self.stride)?;
        let padding = expand("padding", self.padding)?;
        let dilation = expand("dilation", self.dilation)?;
        let extra = expand("output_padding", output_padding)?;
        let refuse = |bad: bool, message: &str| if bad { Err(Error::runtime(message)) } else { Ok(()) };
        refuse(padding.iter().any(|&p| p < 0), "negative padding is not supported")?;
        refuse(extra.iter().any(|&p| p < 0), "negative output_padding is not supported")?;
        refuse(stride.iter().any(|&s| s <= 0), "non-positive stride is not supported")?;
        refuse(dilation.iter().any(|&d| d < 0), "dilation should be greater than zero")?;
        refuse(dilation.contains(&0), &format!("dilation should be greater than zero, but got {dilation:?}"))?;
        if from.len() != kernel.len() {
            return Err(wrong_dims(x, weight));
        }
        let groups = self.groups as usize;
        self.check_channels(x, weight, bias, groups, transposed)?;
        if !transposed {
            check_kernel(&from[2..], &kernel[2..], &padding, &dilation)?;
        }
        check_empty(x, weight, transposed)?;
        if transposed && extra.iter().zip(stride.iter().zip(&dilation)).any(|(e, (s, d))| e >= s && e >= d) {
            return Err(output_padding_message(&extra, &stride, &dilation));
        }
        check_dtypes(x, weight, bias)?;
        let geometry = ConvGeometry {
            ndim,
            stride: three(&stride, 1),
            padding: three(&padding, 0),
            dilation: three(&dilation, 1),
            groups,
        };
        Ok((geometry, extra))
    }

    fn check_channels(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        groups: usize,
        transposed: bool,
    ) -> Result<()> {
        let (from, kernel) = (x.size(), weight.size());
        if kernel[0] < groups {
            return Err(Error::runtime(format!(
                "Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size {} \
                 instead",
                text(&kernel)
            )));
        }
        if kernel[0] % groups != 0 {
            return Err(Error::runtime(format!(
                "Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size \
                 [{}] instead",
                text(&kernel)
            )));
        }
        let (given, channels, outputs) = match transposed {
            true => ("transposed=1".to_owned(), kernel[0], kernel[1] * groups),
            false => (format!("groups={groups}"), kernel[1] * groups, kernel[0]),
        };
        if from[1] != channels {
            return Err(Error::runtime(format!(
                "Given {given}, weight of size {}, expected input{} to have {channels} channels, but got {} channels instead",
                text(&kernel),
                text(&from),
                from[1]
            )));
        }
        match bias {
            Some(b) if *b.size() != [outputs] => Err(Error::runtime(format!(
                "Given {}weight of size {}, expected bias to be 1-dimensional with {outputs} elements, but got bias of size \
                 {} instead",
                if transposed { "transposed=1, " } else { "" },
                text(&kernel),
                text(&b.size())
            ))),
            _ => Ok(()),
        }
    }
}

pub(super) fn text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

pub(super) fn wrong_dims(x: &Tensor, weight: &Tensor) -> Error {
    let n = weight.dim();
    Error::runtime(format!(
        "Expected {n}-dimensional input for {n}-dimensional weight{}, but got {}-dimensional input of size {} instead",
        text(&weight.size()),
        x.dim(),
        text(&x.size())
    ))
}

pub(super) fn list_message(name: &str, ndim: usize, given: &[i64]) -> String {
    format!(
        "expected {name} to be a single integer value or a list of {ndim} values to match the convolution dimensions, but got \
         {name}={given:?}"
    )
}

fn output_padding_message(extra: &[i64], stride: &[i64], dilation: &[i64]) -> Error {
    let names: &[&str] = match extra.len() {
        3 => &["depth", "height", "width"],
        _ => &["height", "width"],
    };
    // One dimension runs as two in PyTorch.
    let two = |sizes: &[i64], fill: i64| if sizes.len() == 1 { smallvec![fill, sizes[0]] } else { Sizes::from(sizes) };
    let list = |what: &str, sizes: Sizes| {
        names.iter().zip(sizes).map(|(n, v)| format!("{what}_{n}: {v}")).collect::<Vec<_>>().join(" ")
    };
    Error::runtime(format!(
        "output padding must be smaller than either stride or dilation, but got {} {} {}",
        list("output_padding", two(extra, 0)),
        list("stride", two(stride, 1)),
        list("dilation", two(dilation, 1))
    ))
}

fn check_kernel(from: &[usize], kernel: &[usize], padding: &[i64], dilation: &[i64]) -> Result<()> {
    let padded: Vec<i64> = from.iter().zip(padding).map(|(&n, &p)| n as i64 + 2 * p).collect();
    let spans: Vec<i64> = kernel.iter().zip(dilation).map(|(&k, &d)| d * (k as i64 - 1) + 1).collect();
    if padded.iter().zip(&spans).all(|(n, span)| n >= span) {
        return Ok(());
    }
    Err(Error::runtime(format!(
        "Calculated padded input size per channel: ({}). Kernel size: ({}). Kernel size can't be greater than actual input \
         size",
        product(&padded),
        product(&spans)
    )))
}

fn check_dtypes(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    let (a, b) = (x.dtype(), weight.dtype());
    if a != b && matches!(a, DType::F16 | DType::BF16) {
        return Err(Error::runtime(format!(
            "Input type ({}) and weight type ({}) should be the same or input should be a MKLDNN tensor and weight is a dense \
             tensor",
            type_text(x),
            type_text(weight)
        )));
    }
    // PyTorch's volumes look at the weight first.
    let bias = bias.filter(|_| weight.dim() < 5 || a == b);
    if let Some(c) = bias.map(Tensor::dtype).filter(|c| *c != a) {
        return Err(Error::runtime(format!(
            "Input type ({}) and bias type ({}) should be the same",
            cpp_name(a),
            cpp_name(c)
        )));
    }
    match a == b {
        true => Ok(()),
        false => Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            a.scalar_type_name(),
            b.scalar_type_name()
        ))),
    }
}

/// What PyTorch refuses of empty inputs and kernels when there is something to compute: only the batch may be empty. One
/// dimension runs as two.
fn check_empty(x: &Tensor, weight: &Tensor, transposed: bool) -> Result<()> {
    let (from, kernel) = (x.size(), weight.size());
    let planes = |shape: &[usize]| match *shape {
        [n, c, l] => vec![n, c, 1, l],
        _ => shape.to_vec(),
    };
    if from[0] == 0 {
        return Ok(());
    }
    if from[2..].contains(&0) {
        let shape = planes(&from);
        return Err(Error::runtime(format!(
            "Only zero batch or zero channel inputs are supported, but got input shape: {shape:?}"
        )));
    }
    let without_outputs = transposed && kernel[1] == 0;
    match (&planes(&kernel)[2..], kernel[2..].contains(&0)) {
        (_, false) if !without_outputs => Ok(()),
        (&[_, _, _], _) if transposed => Err(Error::runtime(format!(
            "non-empty 5D (n_output_plane x n_input_plane x kernel_depth x kernel_height x kernel_width) tensor expected for \
             weight, but got: {:?}",
            &kernel[..]
        ))),
        (&[h, w], true) => Err(Error::runtime(format!(
            "kernel size should be greater than zero, but got kernel_height: {h} kernel_width: {w}"
        ))),
        (&[t, h, w], true) => {
            Err(Error::runtime(format!("kernel size should be greater than zero, but got: {t} x {h} x {w} (TxHxW)")))
        }
        _ => Err(Error::runtime(format!("non-empty 2D or 4D weight tensor expected, but got: {:?}", planes(&kernel)))),
    }
}

/// The error of a transposed convolution without outputs. One dimension runs as two in PyTorch.
pub(super) fn too_small(from: &[usize], lengths: &[i64]) -> Error {
    let two = |lengths: Vec<i64>| if lengths.len() == 1 { vec![1, lengths[0]] } else { lengths };
    let from = two(from.iter().map(|&n| n as i64).collect());
    let lengths = &two(lengths.to_vec())[..];
    Error::runtime(format!(
        "Given input size per channel: ({}). Calculated output size per channel: ({}). Output size is too small",
        product(&from),
        product(lengths)
    ))
}

/// `3 x 4`
fn product(sizes: &[i64]) -> String {
    sizes.iter().map(i64::to_string).collect::<Vec<_>>().join(" x ")
}
