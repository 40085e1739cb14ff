//! Resizing by weights: each output is a sum over several neighbours along each dimension. So are bicubic interpolation, and the
//! kinds that shrink without aliasing, where an output is a mean of all inputs that it covers.

use crate::Tensor;
use crate::error::Result;
use crate::make::scalars_on;
use crate::ops::index::lines::{as_one, take_lines};
use crate::ops::{sum_map, to_dtype, to_i64, view, zeros};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Device, Scalar};
use smallvec::smallvec;
use std::sync::{Arc, LazyLock};

/// How the weight of a neighbour falls with its distance.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Filter {
    Triangle,
    Cubic,
    Lanczos,
}

/// The cubic convolution kernel of a distance within two elements; `a` is its slope at one.
fn cubic(x: f64, a: f64) -> f64 {
    match x.abs() {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
        _ => 0.0,
    }
}

impl Filter {
    /// Beyond this distance weights are zero.
    fn support(self) -> f64 {
        match self {
            Filter::Triangle => 1.0,
            Filter::Cubic => 2.0,
            Filter::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            let x = x * std::f64::consts::PI;
            if x == 0.0 { 1.0 } else { x.sin() / x }
        };
        match self {
            Filter::Triangle => (1.0 - x.abs()).max(0.0),
            Filter::Cubic => cubic(x, -0.5),
            Filter::Lanczos if x.abs() < 3.0 => sinc(x) * sinc(x / 3.0),
            Filter::Lanczos => 0.0,
        }
    }

    /// PyTorch's names of a resizing and of its gradient.
    fn names(self, antialias: bool) -> [&'static str; 2] {
        match (self, antialias) {
            (Filter::Cubic, false) => ["UpsampleBicubic2DBackward0", "UpsampleBicubic2DBackwardBackward0"],
            (Filter::Cubic, true) => ["UpsampleBicubic2DAaBackward0", "UpsampleBicubic2DAaBackwardBackward0"],
            (Filter::Triangle, _) => ["UpsampleBilinear2DAaBackward0", "UpsampleBilinear2DAaBackwardBackward0"],
            (Filter::Lanczos, _) => ["UpsampleLanczos2DAaBackward0", "UpsampleLanczos2DAaBackwardBackward0"],
        }
    }
}

/// One dimension's lengths; `scale` is output over input as the caller asked for it.
pub(super) struct Axis {
    pub from: usize,
    pub to: usize,
    pub scale: Option<f64>,
    pub align_corners: bool,
}

/// For each output the inputs that it is a sum of, with their weights.
type Rows = Vec<Vec<(usize, f64)>>;

impl Axis {
    /// How far apart the outputs' centres are in inputs, in the type that PyTorch computes places in.
    fn step(&self, round: impl Fn(f64) -> f64) -> f64 {
        match (self.align_corners, self.scale) {
            (true, _) if self.to > 1 => round((self.from as f64 - 1.0) / (self.to as f64 - 1.0)),
            (true, _) => 0.0,
            (_, Some(scale)) if scale > 0.0 => round(1.0 / scale),
            _ => round(self.from as f64 / self.to as f64),
        }
    }

    /// Sums over all inputs that an output covers: the filter is as wide as two outputs, or two inputs where those are larger.
    fn antialiased(&self, filter: Filter, round: impl Fn(f64) -> f64) -> Rows {
        let step = self.step(round);
        let width = step.max(1.0);
        let reach = filter.support() * width;
        let row = |i: usize| {
            let centre = step * (i as f64 + 0.5);
            let first = ((centre - reach + 0.5) as i64).max(0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(self.from);
            let weight = |j: usize| filter.weight((j as f64 - centre + 0.5) / width);
            let total: f64 = (first..end).map(weight).sum();
            (first..end).map(|j| (j, weight(j) / total)).collect()
        };
        (0..self.to).map(row).collect()
    }

    /// Sums over four neighbours; beyond the edge that is repeated.
    fn cubic(&self, round: impl Fn(f64) -> f64) -> Rows {
        let step = self.step(&round);
        let last = self.from as i64 - 1;
        let row = |i: usize| {
            let i = i as f64;
            let place = if self.align_corners { round(step * i) } else { round(round(step * (i + 0.5)) - 0.5) };
            let low = (place.floor() as i64).min(last);
            let t = round(place - low as f64).clamp(0.0, 1.0);
            let tap = |k: i64| ((low + k).clamp(0, last) as usize, cubic(t - k as f64, -0.75));
            (-1..3).map(tap).collect()
        };
        (0..self.to).map(row).collect()
    }
}

/// The rows of the transposed map: for each input the outputs that took it.
fn transposed(rows: &Rows, from: usize) -> Rows {
    let mut out: Rows = vec![Vec::new(); from];
    for (i, row) in rows.iter().enumerate() {
        for &(j, weight) in row {
            match out[j].last_mut() {
                Some((last, sum)) if *last == i => *sum += weight,
                _ => out[j].push((i, weight)),
            }
        }
    }
    out
}

/// Places and weights on a device, one line for each neighbour, `[neighbours, outputs]`; what is no neighbour has the weight 0.
struct Taps {
    index: Tensor,
    weight: Tensor,
    count: usize,
    /// Whether all outputs have equally many neighbours.
    full: bool,
}

impl Taps {
    fn new(rows: &Rows, dtype: DType, device: Device) -> Result<Self> {
        let count = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let tap =
            |k: usize, row: &Vec<(usize, f64)>| row.get(k).copied().unwrap_or((row.first().map_or(0, |t| t.0), 0.0));
        let all: Vec<(usize, f64)> = (0..count).flat_map(|k| rows.iter().map(move |row| tap(k, row))).collect();
        let index: Vec<Scalar> = all.iter().map(|&(j, _)| Scalar::Int(j as i64)).collect();
        let weight: Vec<Scalar> = all.iter().map(|&(_, w)| Scalar::Float(w)).collect();
        let shape = [count, rows.len()];
        Ok(Taps {
            index: scalars_on(&index, &[all.len()], DType::I64, device)?,
            weight: scalars_on(&weight, &shape, dtype, device)?,
            count,
            full: rows.iter().all(|row| row.len() == count),
        })
    }

    /// The weighted sums along a dimension.
    fn apply(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        let outputs = self.weight.size()[1];
        let mut shape = to_i64(&x.size());
        let inner = shape.len() - dim - 1;
        shape[dim] = outputs as i64;
        shape.insert(dim, self.count as i64);
        let neighbours = view(&take_lines(x, dim, &self.index)?, &shape)?;
        let mut weights = vec![self.count as i64, outputs as i64];
        weights.extend(std::iter::repeat_n(1, inner));
        let weights = view(&self.weight, &weights)?;
        let program = if self.full { &PRODUCT } else { &WEIGHTED };
        sum_map("", Some(program), &[&neighbours, &weights], &[], &[dim as i64], false, None)
    }
}

static PRODUCT: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) * b.input(1)));

/// x · w, and nothing for the weight zero, so that x may be infinite there.
static WEIGHTED: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).eq(0.0).select(0.0, b.input(0) * b.input(1))));

/// A dimension that is resized: the map and its transpose.
struct Resized {
    dim: usize,
    maps: [Taps; 2],
    /// Whether the length stays as it is.
    same: bool,
}

/// `[n, c, h, w]` resized along both spatial dimensions.
pub(super) fn resize(x: &Tensor, axes: [Axis; 2], filter: Filter, antialias: bool) -> Result<Tensor> {
    let dtype = x.dtype();
    let floats = dtype.is_floating_point();
    if antialias && !matches!(dtype, DType::F32 | DType::F64) || !floats {
        let op = if antialias { "compute_index_ranges_weights" } else { "compute_indices_weights_cubic" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype }.into());
    }
    let round = |x: f64| if dtype == DType::F64 { x } else { f64::from(x as f32) };
    let mut resized = Vec::new();
    // The width first, as PyTorch.
    for (d, axis) in axes.iter().enumerate().rev() {
        let rows = if antialias { axis.antialiased(filter, round) } else { axis.cubic(round) };
        let taps = |rows: &Rows| Taps::new(rows, dtype.compute(), x.device());
        resized.push(Resized {
            dim: d + 2,
            maps: [taps(&rows)?, taps(&transposed(&rows, axis.from))?],
            same: axis.from == axis.to,
        });
    }
    apply(x, Arc::new(resized), 0, antialias, filter.names(antialias))
}

/// The map (0) or its transpose (1), each of which is the other's gradient.
fn apply(x: &Tensor, axes: Arc<Vec<Resized>>, map: usize, antialias: bool, names: [&'static str; 2]) -> Result<Tensor> {
    // Whatever the scale, PyTorch leaves a length that stays alone: in sums over all inputs in the forward direction only, in cubic
    // ones in the other only, and there if both stay.
    let all_stay = axes.iter().all(|axis| axis.same);
    let left_alone = |axis: &Resized| if antialias { map == 0 && axis.same } else { map == 1 && all_stay };
    let compute = || {
        let mut shape = x.size().to_vec();
        axes.iter().for_each(|axis| shape[axis.dim] = axis.maps[map].weight.size()[1]);
        if x.numel() == 0 {
            return zeros(&shape, x.dtype(), x.device());
        }
        if axes.iter().all(left_alone) {
            return Ok(x.array().copy()?.into());
        }
        let mut out = to_dtype(x, x.dtype().compute())?;
        for axis in axes.iter().filter(|axis| !left_alone(axis)) {
            out = axis.maps[map].apply(&out, axis.dim)?;
        }
        to_dtype(&out, x.dtype())
    };
    let own = axes.clone();
    as_one(names[map], &[x], &[], compute, move |c| {
        Ok(smallvec![Some(apply(&c.grad(0)?, own.clone(), 1 - map, antialias, names)?)])
    })
}

#[cfg(test)]
mod tests {
    use crate::ops::{InterpolateOptions, interpolate};
    use crate::{GradCheckOptions, Result, Tensor, arange, gradcheck, gradgradcheck};

    fn resized(options: InterpolateOptions) -> Tensor {
        let x = arange(12.0).view([1, 1, 3, 4]);
        interpolate(&x, &options.mode("bilinear").antialias(true)).unwrap()
    }

    fn check(options: InterpolateOptions, expected: &[f64]) {
        let found = resized(options).double().to_vec::<f64>();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
    }

    /// Beside PyTorch's `F.interpolate(torch.arange(12.).view(1, 1, 3, 4), mode="bilinear", antialias=True, …)`.
    #[test]
    fn values_are_pytorch_s() {
        let o = InterpolateOptions::default;
        check(o().size([2, 2]), &[2.2143, 3.7857, 7.2143, 8.7857]);
        check(o().size([2, 2]).align_corners(true), &[4.1071, 5.5238, 8.25, 9.6667]);
        check(o().scale_factor(0.6), &[2.1429, 3.7143]);
        check(o().scale_factor(0.6).recompute_scale_factor(true), &[4.7143, 6.2857]);
        let above = resized(o().scale_factor((2, 1.5))).double().to_vec::<f64>();
        assert_eq!(above[..3].iter().map(|x| (x * 1e4).round()).collect::<Vec<_>>(), [0.0, 5000.0, 11667.0]);
        let error = interpolate(&arange(4.0).view([1, 1, 4]), &o().size(2).mode("linear").antialias(true)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        );
    }

    #[test]
    fn every_kind_is_differentiable_twice() {
        let x = arange(24.0).double().mul(7).remainder(11).view([1, 2, 3, 4]).requires_grad_(true);
        let modes =
            [("bilinear", true), ("bicubic", true), ("lanczos", true), ("bicubic", false), ("nearest-exact", false)];
        for (mode, antialias) in modes {
            for size in [[2, 3], [5, 6], [3, 2]] {
                let f = |x: &[Tensor]| -> Result<Vec<Tensor>> {
                    let options = InterpolateOptions::default().size(size).mode(mode).antialias(antialias);
                    Ok(vec![interpolate(&x[0], &options)?.square()])
                };
                let told = format!("{mode} {antialias} {size:?}");
                gradcheck(&f, &[x.shallow_clone()], GradCheckOptions::default()).expect(&told);
                gradgradcheck(&f, &[x.shallow_clone()], GradCheckOptions::default()).expect(&told);
            }
        }
    }
}
