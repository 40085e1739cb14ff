//! Convolutions, pooling and padding.

use flambeau_autograd::ops::{
    self, AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateOptions, MaxPoolOptions, MaxUnpoolOptions,
    PadOptions, Padding, UnfoldOptions,
};
use flambeau_autograd::{Result, Tensor};
use flambeau_tensor::Scalar;

use crate::args::{Args, CallError, CallResult, Value};
use crate::golden::Arg;
use crate::opinfo::{OpInfo, one, two};

type Conv<O> = fn(&Tensor, &Tensor, Option<&Tensor>, &O) -> Result<Tensor>;

fn conv(a: &Args, f: Conv<ConvOptions>) -> CallResult {
    let mut options = ConvOptions::default();
    if let Some(stride) = a.opt_ints(3, "stride")? {
        options = options.stride(stride);
    }
    if let Some(Value::Plain(Arg::Str(name))) = a.get(4, "padding") {
        options = options.padding(name.as_str());
    } else if let Some(padding) = a.opt_ints(4, "padding")? {
        options = options.padding(Padding::Sizes(padding.into()));
    }
    if let Some(dilation) = a.opt_ints(5, "dilation")? {
        options = options.dilation(dilation);
    }
    options = options.groups(a.int(6, "groups", 1)?);
    one(f(a.x()?, a.tensor(1, "weight")?, a.opt_tensor(2, "bias")?, &options))
}

fn conv_transpose(a: &Args, f: Conv<ConvTransposeOptions>) -> CallResult {
    let mut options = ConvTransposeOptions::default();
    if let Some(stride) = a.opt_ints(3, "stride")? {
        options = options.stride(stride);
    }
    if let Some(padding) = a.opt_ints(4, "padding")? {
        options = options.padding(padding);
    }
    if let Some(padding) = a.opt_ints(5, "output_padding")? {
        options = options.output_padding(padding);
    }
    options = options.groups(a.int(6, "groups", 1)?);
    if let Some(dilation) = a.opt_ints(7, "dilation")? {
        options = options.dilation(dilation);
    }
    one(f(a.x()?, a.tensor(1, "weight")?, a.opt_tensor(2, "bias")?, &options))
}

fn avg_pool(a: &Args, f: fn(&Tensor, &[i64], &AvgPoolOptions) -> Result<Tensor>) -> CallResult {
    let mut options = AvgPoolOptions::default();
    if let Some(stride) = a.opt_ints(2, "stride")?.filter(|s| !s.is_empty()) {
        options = options.stride(stride);
    }
    if let Some(padding) = a.opt_ints(3, "padding")? {
        options = options.padding(padding);
    }
    options = options.ceil_mode(a.bool(4, "ceil_mode", false)?);
    options = options.count_include_pad(a.bool(5, "count_include_pad", true)?);
    options = options.divisor_override(a.opt_int(6, "divisor_override")?);
    one(f(a.x()?, &a.ints(1, "kernel_size")?, &options))
}

type MaxPool = fn(&Tensor, &[i64], &MaxPoolOptions) -> Result<(Tensor, Tensor)>;
type MaxPoolValues = fn(&Tensor, &[i64], &MaxPoolOptions) -> Result<Tensor>;

fn max_pool(a: &Args, values: MaxPoolValues, both: MaxPool) -> CallResult {
    let mut options = MaxPoolOptions::default();
    if let Some(stride) = a.opt_ints(2, "stride")?.filter(|s| !s.is_empty()) {
        options = options.stride(stride);
    }
    if let Some(padding) = a.opt_ints(3, "padding")? {
        options = options.padding(padding);
    }
    if let Some(dilation) = a.opt_ints(4, "dilation")? {
        options = options.dilation(dilation);
    }
    options = options.ceil_mode(a.bool(5, "ceil_mode", false)?);
    let kernel = a.ints(1, "kernel_size")?;
    match a.bool(6, "return_indices", false)? {
        true => two(both(a.x()?, &kernel, &options)),
        false => one(values(a.x()?, &kernel, &options)),
    }
}

/// An adaptive max pool that tells where its values stood.
type IndexedPool = fn(&Tensor, &[Option<i64>]) -> Result<(Tensor, Tensor)>;

fn adaptive_max_pool(a: &Args, f: IndexedPool) -> CallResult {
    let mut both = two(f(a.x()?, &output_size(a)?))?;
    if !a.bool(2, "return_indices", false)? {
        both.pop();
    }
    Ok(both)
}

type MaxUnpool = fn(&Tensor, &Tensor, &[i64], &MaxUnpoolOptions) -> Result<Tensor>;

fn max_unpool(a: &Args, f: MaxUnpool) -> CallResult {
    let mut options = MaxUnpoolOptions::default();
    if let Some(stride) = a.opt_ints(3, "stride")?.filter(|s| !s.is_empty()) {
        options = options.stride(stride);
    }
    if let Some(padding) = a.opt_ints(4, "padding")? {
        options = options.padding(padding);
    }
    if let Some(size) = a.opt_ints(5, "output_size")? {
        options = options.output_size(size);
    }
    one(f(a.x()?, a.tensor(1, "indices")?, &a.ints(2, "kernel_size")?, &options))
}

fn output_size(a: &Args) -> CallResult<Vec<Option<i64>>> {
    match a.get(1, "output_size") {
        Some(Value::Plain(Arg::List(list))) => {
            let int = |arg: &Arg| match arg {
                Arg::None => Ok(None),
                arg => arg.as_int().map(Some).ok_or_else(|| CallError::NotExpressible(format!("{arg:?}"))),
            };
            list.iter().map(int).collect()
        }
        _ => Ok(vec![Some(a.need_int(1, "output_size")?)]),
    }
}

fn pad(a: &Args) -> CallResult {
    let mut options = PadOptions::default();
    if let Some(mode) = a.opt_str(2, "mode")? {
        options = options.mode(mode);
    }
    if let Some(value) = a.opt_scalar(3, "value")? {
        options = options.value(value);
    }
    one(ops::pad(a.x()?, &a.ints(1, "pad")?, &options))
}

fn interpolate(a: &Args) -> CallResult {
    let options = InterpolateOptions {
        size: a.opt_ints(1, "size")?.map(Into::into),
        scale_factor: a.opt_float(2, "scale_factor")?.map(|s| [s].into_iter().collect()),
        mode: a.opt_str(3, "mode")?.unwrap_or("nearest").parse()?,
        align_corners: a.get(4, "align_corners").is_some().then(|| a.bool(4, "align_corners", false)).transpose()?,
        recompute_scale_factor: a.bool(5, "recompute_scale_factor", false)?,
        antialias: a.bool(6, "antialias", false)?,
    };
    one(ops::interpolate(a.x()?, &options))
}

fn unfold(a: &Args) -> CallResult {
    let mut options = UnfoldOptions::default();
    if let Some(dilation) = a.opt_ints(2, "dilation")? {
        options = options.dilation(dilation);
    }
    if let Some(padding) = a.opt_ints(3, "padding")? {
        options = options.padding(padding);
    }
    if let Some(stride) = a.opt_ints(4, "stride")? {
        options = options.stride(stride);
    }
    one(ops::im2col(a.x()?, &a.ints(1, "kernel_size")?, &options))
}

fn grid_sample(a: &Args) -> CallResult {
    let mode = a.opt_str(2, "mode")?.unwrap_or("bilinear");
    let padding = a.opt_str(3, "padding_mode")?.unwrap_or("zeros");
    let align = a.get(4, "align_corners").is_some().then(|| a.bool(4, "align_corners", false)).transpose()?;
    one(ops::grid_sample(a.x()?, a.tensor(1, "grid")?, mode, padding, align))
}

const HALF_PLACES: &str =
    "PyTorch's vectors compute places and weights in the grid's half precision; here they are float32";
const FIXED_POINT: &str = "PyTorch weighs bytes in fixed point; here they are computed in f32 and rounded";

pub(super) const ROWS: &[OpInfo] = &[
    OpInfo::general("nn.functional.unfold", unfold),
    OpInfo::general("nn.functional.interpolate.bilinear", interpolate).differs(&[(21, FIXED_POINT), (22, FIXED_POINT)]),
    OpInfo::general("nn.functional.grid_sample", grid_sample).differs(&[
        (19, HALF_PLACES),
        (20, HALF_PLACES),
        (22, HALF_PLACES),
        (23, HALF_PLACES),
        (24, HALF_PLACES),
        (25, HALF_PLACES),
        (26, HALF_PLACES),
    ]),
    OpInfo::general("nn.functional.interpolate.area", interpolate),
    OpInfo::general("nn.functional.interpolate.bicubic", interpolate).differs(&[(21, FIXED_POINT), (22, FIXED_POINT)]),
    OpInfo::general("nn.functional.interpolate.linear", interpolate),
    OpInfo::general("nn.functional.interpolate.nearest", interpolate),
    OpInfo::general("nn.functional.interpolate.nearest-exact", interpolate),
    OpInfo::general("nn.functional.interpolate.trilinear", interpolate),
    OpInfo::general("nn.functional.pixel_shuffle", |a| {
        one(ops::pixel_shuffle(a.x()?, a.need_int(1, "upscale_factor")?))
    }),
    OpInfo::general("nn.functional.pixel_unshuffle", |a| {
        one(ops::pixel_unshuffle(a.x()?, a.need_int(1, "downscale_factor")?))
    }),
    OpInfo::general("nn.functional.adaptive_avg_pool1d", |a| one(ops::adaptive_avg_pool1d(a.x()?, &output_size(a)?))),
    OpInfo::general("nn.functional.adaptive_avg_pool2d", |a| one(ops::adaptive_avg_pool2d(a.x()?, &output_size(a)?))),
    OpInfo::general("nn.functional.adaptive_avg_pool3d", |a| one(ops::adaptive_avg_pool3d(a.x()?, &output_size(a)?))),
    OpInfo::general("nn.functional.adaptive_max_pool1d", |a| {
        adaptive_max_pool(a, ops::adaptive_max_pool1d_with_indices)
    }),
    OpInfo::general("nn.functional.adaptive_max_pool2d", |a| {
        adaptive_max_pool(a, ops::adaptive_max_pool2d_with_indices)
    }),
    OpInfo::general("nn.functional.adaptive_max_pool3d", |a| {
        adaptive_max_pool(a, ops::adaptive_max_pool3d_with_indices)
    }),
    OpInfo::general("nn.functional.avg_pool1d", |a| avg_pool(a, ops::avg_pool1d)),
    OpInfo::general("nn.functional.avg_pool2d", |a| avg_pool(a, ops::avg_pool2d)),
    OpInfo::general("nn.functional.avg_pool3d", |a| avg_pool(a, ops::avg_pool3d)),
    OpInfo::general("nn.functional.conv1d", |a| conv(a, ops::conv1d)),
    OpInfo::general("nn.functional.conv2d", |a| conv(a, ops::conv2d)),
    OpInfo::general("nn.functional.conv3d", |a| conv(a, ops::conv3d)),
    OpInfo::general("nn.functional.conv_transpose1d", |a| conv_transpose(a, ops::conv_transpose1d)),
    OpInfo::general("nn.functional.conv_transpose2d", |a| conv_transpose(a, ops::conv_transpose2d)),
    OpInfo::general("nn.functional.conv_transpose3d", |a| conv_transpose(a, ops::conv_transpose3d))
        .differs(&[(15, "PyTorch adds the taps in f16; here they are added in f32 and rounded once")]),
    OpInfo::general("nn.functional.max_pool1d", |a| max_pool(a, ops::max_pool1d, ops::max_pool1d_with_indices)),
    OpInfo::general("nn.functional.max_pool2d", |a| max_pool(a, ops::max_pool2d, ops::max_pool2d_with_indices)),
    OpInfo::general("nn.functional.max_pool3d", |a| max_pool(a, ops::max_pool3d, ops::max_pool3d_with_indices)),
    OpInfo::general("nn.functional.max_unpool1d", |a| max_unpool(a, ops::max_unpool1d))
        .no_gradcheck("the samples put two values at one place"),
    OpInfo::general("nn.functional.max_unpool2d", |a| max_unpool(a, ops::max_unpool2d)),
    OpInfo::general("nn.functional.max_unpool3d", |a| max_unpool(a, ops::max_unpool3d)),
    OpInfo::general("constant_pad_nd", |a| {
        one(ops::constant_pad(a.x()?, &a.ints(1, "pad")?, a.opt_scalar(2, "value")?.unwrap_or(Scalar::Int(0))))
    }),
    OpInfo::general("nn.functional.pad.circular", pad),
    OpInfo::general("nn.functional.pad.constant", pad),
    OpInfo::general("nn.functional.pad.reflect", pad),
    OpInfo::general("nn.functional.pad.replicate", pad),
];
