//! Every primitive, and every function of the common layer, with arguments that fit each other and with those that do not: an
//! error, never a panic, never an element outside. Under AddressSanitizer with `--cfg flambeau_exact_alloc` the last is seen.

mod hostile;

use flambeau_cpu::CPU;
use flambeau_tensor::backend::{
    AvgPoolDivisor, ClassTargets, ConvGeometry, Distribution, Epilogue, Extremum, LossReduction, NormBackward,
    NormLayout, PointwiseList, PoolGeometry, ReduceOp, ResampleMode, ScanOp, ScatterOp,
};
use flambeau_tensor::calls::*;
use flambeau_tensor::ops::{self, ReduceArgs};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::random::Generator;
use flambeau_tensor::{Array, Backend, DType, Device, Result};
use hostile::{Draw, elsewhere, hold, scalars};
use std::sync::LazyLock;

/// Programs of up to three inputs, two scalars and two results.
static PROGRAMS: LazyLock<[Pointwise; 7]> = LazyLock::new(|| {
    [
        Pointwise::new(|b| b.input(0) + b.input(1)),
        Pointwise::new(|b| b.input(0).exp()),
        Pointwise::new(|b| b.input(0) * b.scalar(0) + b.input(1) - b.input(0) * 2.0),
        Pointwise::new(|b| b.mask(0).select(b.input(1), b.input(2))),
        Pointwise::with_outputs(|b| vec![b.input(0) + b.scalar(0), b.input(1) * b.scalar(1)]),
        Pointwise::new(|b| b.scalar(0)),
        Pointwise::new(|b| b.input(0)),
    ]
});

fn program(d: &mut Draw) -> &'static Pointwise {
    &PROGRAMS[d.below(PROGRAMS.len())]
}

/// As many as a program takes, or sometimes one fewer or more.
fn about(d: &mut Draw, n: usize) -> usize {
    match d.below(16) {
        0 => n.saturating_sub(1),
        1 => n + 1,
        _ => n,
    }
}

/// The inputs and results of a program, in one shape.
fn arrays_of(d: &mut Draw, program: &Pointwise) -> (Vec<Array>, usize) {
    let shape = d.shape(0, 4);
    let (inputs, outs) = (about(d, program.num_inputs()), about(d, program.outputs().len()));
    let mut arrays: Vec<Array> = (0..inputs)
        .map(|_| {
            let dtype = d.dtype();
            d.array(&shape, dtype)
        })
        .collect();
    for _ in 0..outs {
        let dtype = d.dtype();
        arrays.push(d.array(&shape, dtype));
    }
    // A result may be the very view of an input.
    if inputs > 0 && outs > 0 && d.once_in(4) {
        arrays[inputs] = arrays[0].clone();
    }
    if !arrays.is_empty() {
        d.spoil(&mut arrays);
    }
    (arrays, inputs)
}

#[test]
fn programs() {
    hold(|d| {
        let (program, compute) = (program(d), d.dtype());
        let (arrays, inputs) = arrays_of(d, program);
        let n = about(d, program.num_scalars());
        let (scalars, refs) = (scalars(d, n), arrays.iter().collect::<Vec<_>>());
        let (inputs, outs) = refs.split_at(inputs);
        match d.below(3) {
            0 => Map { program, compute, inputs, scalars: &scalars, outs }.run(),
            1 => ops::pointwise_into(program, inputs, &scalars, outs),
            _ => ops::pointwise(program, inputs, &scalars).map(drop),
        }
    });
}

#[test]
fn programs_over_lists() {
    hold(|d| {
        let (program, compute) = (program(d), d.dtype());
        let mut lists: Vec<PointwiseList> = (0..d.below(4))
            .map(|_| {
                let (arrays, inputs) = arrays_of(d, program);
                let (inputs, outs) = arrays.split_at(inputs);
                PointwiseList { inputs: inputs.into(), outs: outs.into() }
            })
            .collect();
        if lists.len() > 1 && d.once_in(6) {
            lists[0] = lists[1].clone();
        }
        let n = about(d, program.num_scalars());
        let scalars = scalars(d, n);
        match d.once_in(2) {
            true => MapLists { program, compute, lists: &lists, scalars: &scalars }.run(),
            false => ops::pointwise_lists(program, &lists, &scalars),
        }
    });
}

#[test]
fn programs_that_no_call_can_have() {
    let x = Draw::new(1).dense(&[3], DType::F32);
    let many = vec![&x; 300];
    for n in [33, 64, 65, 255, 256, 257, 300] {
        let sum = Pointwise::new(|b| (1..n).fold(b.input(0), |sum, i| sum + b.input(i)));
        assert!(ops::pointwise(&sum, &many[..n], &[]).is_err(), "{n} inputs");
        let masks = Pointwise::new(|b| b.mask(n - 1).select(b.input(0), b.input(1)));
        assert!(ops::pointwise(&masks, &many[..n], &[]).is_err(), "mask {n}");
        assert!(ops::pointwise(&sum.gradient(0).program, &many[..n], &[]).is_err(), "the gradient of {n} inputs");
    }
    let most = Pointwise::new(|b| (1..32).fold(b.input(0), |sum, i| sum + b.input(i)));
    assert_eq!(ops::pointwise(&most, &many[..32], &[]).unwrap().shape(), [3]);
    assert!(ops::pointwise(&Pointwise::with_outputs(|_| vec![]), &[&x], &[]).is_err());
    assert!(ops::pointwise(&Pointwise::with_outputs(|b| vec![b.input(0); 70]), &[&x], &[]).is_err());
    assert!(
        ops::pointwise(&Pointwise::new(|b| b.input(0) + b.scalar(300)), &[&x], &scalars(&mut Draw::new(1), 301))
            .is_err()
    );
    let foreign: &'static flambeau_tensor::pointwise::Builder = Box::leak(Box::default());
    assert!(ops::pointwise(&Pointwise::new(|b| b.input(0) + foreign.input(1).exp().exp()), &[&x, &x], &[]).is_err());
    assert!(ops::pointwise(&Pointwise::new(|_| foreign.input(1)), &[&x, &x], &[]).is_err());
    let short = Pointwise::new(|b| b.input(0) * b.input(1)).with_gradient(|_, g, _, _| vec![g]);
    assert!(ops::pointwise(&short.gradient(1).program, &[&x, &x, &x], &[]).is_err());
    assert!(ops::fill(&elsewhere(&x), 1.0.into()).is_err());
}

/// A result that shares a byte with an operand, or two of whose elements share one, is refused by every primitive.
#[test]
fn overlaps_are_refused() -> Result<()> {
    let all = Draw::new(1).dense(&[5, 4], DType::F32);
    let (src, out) = (all.narrow(0, 0, 4)?, all.narrow(0, 1, 4)?);
    let wide = Draw::new(1).dense(&[9, 4], DType::I64);
    let (index, indices) = (wide.narrow(0, 0, 4)?, wide.narrow(0, 3, 4)?);
    let add = &PROGRAMS[0];
    let refused = [
        CopyTo { src: &src, out: &out }.run(),
        CopyTo { src: &src, out: &all.select(0, 4)?.expand(&[4, 4])? }.run(),
        Map { program: add, compute: DType::F32, inputs: &[&src, &src], scalars: &[], outs: &[&out] }.run(),
        Scan { op: ScanOp::Sum, src: &src, dim: 0, out: &out }.run(),
        Softmax { src: &src, dim: 1, log: false, out: &out }.run(),
        Gather { src: &src, dim: 0, index: &index, out: &out }.run(),
        Scatter { op: ScatterOp::Add, dim: 0, index: &index, src: &src, out: &out }.run(),
        Sort { first: Extremum::Max, src: &index, dim: 0, values: &indices, indices: &index.copy()? }.run(),
        Sort { first: Extremum::Max, src: &index.copy()?, dim: 0, values: &index, indices: &indices }.run(),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    Ok(())
}

/// A result that is an input as it stands, written beside another result over that input.
#[test]
fn results_that_are_inputs() -> Result<()> {
    let program = Pointwise::with_outputs(|b| vec![b.input(0) + 1.0, b.input(0)]);
    let first = Array::from_slice(&CPU, Device::Cpu, &[1.0f32, 2.0, 3.0], &[3])?;
    let second = Array::from_slice(&CPU, Device::Cpu, &[0.0f32; 3], &[3])?;
    ops::pointwise_into(&program, &[&first], &[], &[&first, &second])?;
    assert_eq!((first.to_vec::<f32>()?, second.to_vec::<f32>()?), (vec![2.0, 3.0, 4.0], vec![1.0, 2.0, 3.0]));
    ops::pointwise_into(&PROGRAMS[6], &[&first], &[], &[&first])?;
    assert_eq!(first.to_vec::<f32>()?, [2.0, 3.0, 4.0]);
    Ok(())
}

#[test]
fn copies() {
    hold(|d| {
        let (shape, from, to) = (d.shape(0, 4), d.dtype(), d.dtype());
        let mut a = [d.array(&shape, from), d.array(&shape, to)];
        d.spoil(&mut a);
        let [src, out] = &a;
        match d.once_in(2) {
            true => CopyTo { src, out }.run(),
            false => ops::copy_into(src, out),
        }
    });
}

#[test]
fn reductions() {
    hold(|d| {
        let (program, compute, op) = (program(d), d.dtype(), d.pick(&ReduceOp::ALL));
        let shape = d.shape(0, 4);
        let dims: Vec<usize> = (0..d.below(shape.len() + 1)).map(|_| d.dim(shape.len())).collect();
        let kept: Vec<usize> = shape.iter().enumerate().map(|(k, &n)| if dims.contains(&k) { 1 } else { n }).collect();
        let n = about(d, program.num_inputs());
        let mut arrays: Vec<Array> = (0..n)
            .map(|_| {
                let dtype = d.dtype();
                d.array(&shape, dtype)
            })
            .collect();
        if d.once_in(2) {
            let refs: Vec<&Array> = arrays.iter().collect();
            let dims: Vec<i64> = dims.iter().map(|&k| (k as i64).wrapping_sub(d.below(4) as i64)).collect();
            let args = ReduceArgs { op, map: Some(program), dims: &dims, keepdim: d.once_in(2), dtype: Some(compute) };
            return ops::reduce(args, &refs, &scalars(d, 2)).map(drop);
        }
        let dtype = d.dtype();
        arrays.push(d.array(&kept, dtype));
        d.spoil(&mut arrays);
        let refs: Vec<&Array> = arrays.iter().collect();
        let (out, inputs) = refs.split_last().unwrap();
        let scalars = scalars(d, 2);
        Reduce { op, program, compute, inputs, scalars: &scalars, dims: &dims, out }.run()
    });
}

/// A shape with another length at a dimension, if it has that.
fn with_length(shape: &[usize], dim: usize, n: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(length) = shape.get_mut(dim) {
        *length = n;
    }
    shape
}

#[test]
fn extrema() {
    hold(|d| {
        let (shape, dtype, which) = (d.shape(0, 4), d.dtype(), d.pick(&[Extremum::Max, Extremum::Min]));
        let dim = d.dim(shape.len());
        let kept = with_length(&shape, dim, 1);
        let mut a = [d.array(&shape, dtype), d.dense(&kept, dtype), d.dense(&kept, DType::I64)];
        d.spoil(&mut a);
        let [src, values, indices] = &a;
        let values = d.once_in(2).then_some(values);
        ArgReduce { which, src, dim, values, indices }.run()?;
        ops::arg_reduce(which, src, dim).map(drop)
    });
}

#[test]
fn scans() {
    hold(|d| {
        let (shape, from, to, op) = (d.shape(0, 4), d.dtype(), d.dtype(), d.pick(&[ScanOp::Sum, ScanOp::Prod]));
        let dim = d.dim(shape.len());
        let mut a = [d.array(&shape, from), d.dense(&shape, to)];
        d.spoil(&mut a);
        let [src, out] = &a;
        Scan { op, src, dim, out }.run()?;
        ops::scan(op, src, dim, to).map(drop)
    });
}

#[test]
fn sorts() {
    hold(|d| {
        let (shape, dtype, first) = (d.shape(0, 4), d.dtype(), d.pick(&[Extremum::Max, Extremum::Min]));
        let dim = d.dim(shape.len());
        let k = d.below(shape.get(dim).copied().unwrap_or(1) + 2);
        let kept = with_length(&shape, dim, k);
        let mut a = [d.array(&shape, dtype), d.dense(&kept, dtype), d.dense(&kept, DType::I64)];
        d.spoil(&mut a);
        let [src, values, indices] = &a;
        Sort { first, src, dim, values, indices }.run()?;
        ops::sort(first, src, dim, k).map(drop)
    });
}

#[test]
fn searches() {
    hold(|d| {
        let (shape, dtype, places) = (d.shape(1, 4), d.dtype(), d.pick(&[DType::I64, DType::I32]));
        let (n, one_line) = (d.below(7), d.once_in(2));
        let line = if one_line { vec![n] } else { with_length(&shape, shape.len() - 1, n) };
        let mut a = [d.dense(&line, dtype), d.dense(&shape, dtype), d.dense(&shape, places)];
        d.spoil(&mut a);
        let ([boundaries, values, out], right) = (&a, d.once_in(2));
        SearchSorted { boundaries, values, right, out }.run()?;
        let found = out.to_dtype(DType::I64)?.to_vec::<i64>()?;
        let n = boundaries.shape()[boundaries.ndim() - 1] as i64;
        assert!(found.iter().all(|place| (0..=n).contains(place)), "{found:?} of {n}");
        Ok(())
    });
}

#[test]
fn softmaxes() {
    hold(|d| {
        let (shape, dtype, log) = (d.shape(0, 4), d.float(), d.once_in(2));
        let dim = d.dim(shape.len());
        let mut a = [d.array(&shape, dtype), d.dense(&shape, dtype), d.array(&shape, dtype)];
        d.spoil(&mut a);
        let [src, out, grad] = &a;
        Softmax { src, dim, log, out }.run()?;
        ops::softmax(src, dim, log)?;
        SoftmaxBackward { grad, y: src, dim, log }.run().map(drop)
    });
}

#[test]
fn reads_at_indices() {
    hold(|d| {
        let (shape, dtype) = (d.shape(1, 4), d.dtype());
        let dim = d.dim(shape.len());
        let length = d.below(6);
        let index_shape: Vec<usize> = with_length(&shape, dim, length);
        let n = shape.get(dim).copied().unwrap_or(1);
        let mut a = [d.array(&shape, dtype), d.indices(&index_shape, n), d.dense(&index_shape, dtype)];
        d.spoil(&mut a);
        let [src, index, out] = &a;
        Gather { src, dim, index, out }.run()?;
        ops::gather(src, dim, index).map(drop)
    });
}

#[test]
fn lines_at_indices() {
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 4), d.dtype());
        let dim = d.dim(shape.len());
        let count = d.below(6);
        let n = shape.get(dim).copied().unwrap_or(1);
        let mut a = [d.array(&shape, dtype), d.indices(&[count], n), d.dense(&with_length(&shape, dim, count), dtype)];
        d.spoil(&mut a);
        let [src, index, out] = &a;
        IndexSelect { src, dim, index, out }.run()?;
        ops::index_select(src, dim, index).map(drop)
    });
}

#[test]
fn writes_at_indices() {
    hold(|d| {
        let (shape, dtype, op) = (d.shape(1, 4), d.dtype(), d.pick(&ScatterOp::ALL));
        let dim = d.dim(shape.len());
        let length = d.below(6);
        let index_shape = with_length(&shape, dim, length);
        let n = shape.get(dim).copied().unwrap_or(1);
        let mut a = [d.dense(&shape, dtype), d.indices(&index_shape, n), d.array(&index_shape, dtype)];
        d.spoil(&mut a);
        let [out, index, src] = &a;
        match d.once_in(2) {
            true => Scatter { op, dim, index, src, out }.run(),
            false => ops::scatter(op, dim, index, src, out),
        }
    });
}

#[test]
fn what_is_not_zero() {
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 4), d.dtype());
        let src = d.array(&shape, dtype);
        let src = if d.once_in(4) { elsewhere(&src) } else { src };
        Nonzero { src: &src }.run()?;
        ops::nonzero(&src).map(drop)
    });
}

#[test]
fn products() {
    hold(|d| {
        let [batch, m, k, n] = [1 + d.below(3), d.below(6), d.below(6), d.below(20)];
        let dtype = d.dtype();
        let mut arrays = [
            d.array(&[batch, m, k], dtype),
            d.array(&[batch, k, n], dtype),
            d.array(&[batch, m, n], dtype),
            d.array(&[n], dtype),
        ];
        d.spoil(&mut arrays);
        let [a, b, out, bias] = &arrays;
        let epilogue = Epilogue { bias: d.once_in(2).then_some(bias), relu: d.once_in(2) };
        let [alpha, beta] = [scalars(d, 1)[0], scalars(d, 1)[0]];
        match d.once_in(2) {
            true => Matmul { a, b, alpha, beta, epilogue, out }.run(),
            false => ops::matmul(a, b, alpha, beta, epilogue, out),
        }
    });
}

/// A number of a geometry, sometimes one that no array fits.
fn part(d: &mut Draw, usual: usize) -> usize {
    match d.below(40) {
        0 => d.huge(),
        1 => usual + 1,
        2 => 0,
        _ => usual,
    }
}

#[test]
fn convolutions() {
    hold(|d| {
        let ndim = 1 + d.below(3);
        let (groups, dtype) = (1 + d.below(2), d.float());
        let [batch, inputs, outputs] = [d.below(3), 1 + d.below(3), 1 + d.below(3)];
        let mut g = ConvGeometry { ndim, stride: [1; 3], padding: [0; 3], dilation: [1; 3], groups };
        let (mut x, mut w, mut y) =
            (vec![batch, inputs * groups], vec![outputs * groups, inputs], vec![batch, outputs * groups]);
        for i in 3 - ndim..3 {
            let kernel = 1 + d.below(3);
            (g.stride[i], g.padding[i], g.dilation[i]) = (1 + d.below(3), d.below(3), 1 + d.below(2));
            let span = g.dilation[i] * (kernel - 1) + 1;
            let n = span + d.below(6);
            x.push(n);
            w.push(kernel);
            y.push((n + 2 * g.padding[i] - span) / g.stride[i] + 1);
        }
        let mut a = [d.dense(&x, dtype), d.dense(&w, dtype), d.dense(&y, dtype), d.dense(&w[..1], dtype)];
        d.spoil(&mut a);
        for i in 0..3 {
            g.stride[i] = part(d, g.stride[i]);
            g.padding[i] = part(d, g.padding[i]);
            g.dilation[i] = part(d, g.dilation[i]);
        }
        (g.groups, g.ndim) = (part(d, g.groups), part(d, g.ndim));
        let [x, weight, y, bias] = &a;
        match d.below(3) {
            0 => Conv { x, weight, bias: d.once_in(2).then_some(bias), geometry: &g, out: y }.run(),
            1 => ConvInputGrad { grad: y, weight, geometry: &g, out: x }.run(),
            _ => ConvWeightGrad { x, grad: y, geometry: &g, out: weight }.run(),
        }
    });
}

#[test]
fn poolings() {
    hold(|d| {
        let dtype = if d.once_in(4) { d.dtype() } else { d.float() };
        let planes = d.below(4);
        let mut g = PoolGeometry { ndim: 3, kernel: [1; 3], stride: [1; 3], padding: [0; 3], dilation: [1; 3] };
        let (mut x, mut y) = (vec![planes], vec![planes]);
        let dilated = d.once_in(2);
        for i in 0..3 {
            (g.kernel[i], g.stride[i]) = (1 + d.below(4), 1 + d.below(4));
            g.dilation[i] = if dilated { 1 + d.below(2) } else { 1 };
            g.padding[i] = d.below(g.kernel[i] / 2 + 1);
            let span = g.dilation[i] * (g.kernel[i] - 1) + 1;
            let n = span + d.below(6);
            let room = n + 2 * g.padding[i] - span;
            let more = d.once_in(2)
                && !room.is_multiple_of(g.stride[i])
                && (room / g.stride[i] + 1) * g.stride[i] < n + g.padding[i];
            x.push(n);
            y.push(room / g.stride[i] + 1 + usize::from(more));
        }
        let mut a = [d.dense(&x, dtype), d.dense(&y, dtype), d.indices(&y, x[1..].iter().product())];
        d.spoil(&mut a);
        for i in 0..3 {
            g.kernel[i] = part(d, g.kernel[i]);
            g.stride[i] = part(d, g.stride[i]);
            g.padding[i] = part(d, g.padding[i]);
            g.dilation[i] = part(d, g.dilation[i]);
        }
        let [x, y, indices] = &a;
        let divisor =
            AvgPoolDivisor { count_include_pad: d.once_in(2), divisor_override: d.once_in(3).then(|| d.integer()) };
        match d.below(4) {
            0 => MaxPool { src: x, geometry: &g, out: y, indices }.run(),
            1 => MaxPoolBackward { grad: y, indices, windows: d.once_in(2).then_some(&g), out: x }.run(),
            2 => AvgPool { src: x, geometry: &g, divisor, out: y }.run(),
            _ => AvgPoolBackward { grad: y, geometry: &g, divisor, out: x }.run(),
        }
    });
}

#[test]
fn resizings() {
    hold(|d| {
        let dtype = if d.once_in(4) { d.dtype() } else { d.float() };
        let planes = d.below(4);
        let sizes = |d: &mut Draw| [planes, d.below(4), 1 + d.below(5), 1 + d.below(9)];
        let (x, y) = (sizes(d), sizes(d));
        let mut a = [d.dense(&x, dtype), d.dense(&y, dtype)];
        d.spoil(&mut a);
        let [x, y] = &a;
        let scale = |d: &mut Draw| d.pick(&[1.0, 0.5, 2.3, 0.0, -1.0, 1e-300, 1e300, f64::NAN, f64::INFINITY]);
        let scales = [scale(d), scale(d), scale(d)];
        let mode = d.pick(&[
            ResampleMode::Nearest,
            ResampleMode::NearestExact,
            ResampleMode::Linear { align_corners: false },
            ResampleMode::Linear { align_corners: true },
        ]);
        match d.below(4) {
            0 => Resample { mode, scales, src: x, out: y }.run(),
            1 => ResampleBackward { mode, scales, grad: y, out: x }.run(),
            2 => AdaptiveAvgPool { src: x, out: y }.run(),
            _ => AdaptiveAvgPoolBackward { grad: y, out: x }.run(),
        }
    });
}

#[test]
fn losses_of_classes() {
    hold(|d| {
        let (shape, dtype) = (d.shape(1, 4), d.float());
        let dim = d.dim(shape.len());
        let classes = shape.get(dim).copied().unwrap_or(1);
        let of_lines = with_length(&shape, dim, 1);
        let reduction = d.pick(&[LossReduction::None, LossReduction::Mean, LossReduction::Sum]);
        let grad = if reduction == LossReduction::None { of_lines.clone() } else { vec![] };
        let mut a = [
            d.array(&shape, dtype),
            d.indices(&of_lines, classes),
            d.array(&[classes], dtype),
            d.array(&grad, dtype),
            d.dense(&[], dtype),
        ];
        d.spoil(&mut a);
        let [x, index, weight, grad, total] = &a;
        let ignore_index = d.integer();
        let targets = ClassTargets { classes: index, weight: d.once_in(2).then_some(weight), ignore_index, reduction };
        ops::nll(x, dim, &targets)?;
        let shape = if d.once_in(16) { d.shape(0, 4) } else { shape };
        let (x, total) = (d.once_in(2).then_some(x), d.once_in(2).then_some(total));
        ops::nll_backward(grad, &shape, x, dim, &targets, total).map(drop)
    });
}

#[test]
fn alignments() {
    hold(|d| {
        let (steps, batch, classes, most) = (1 + d.below(4), 1 + d.below(3), 1 + d.below(4), d.below(4));
        let dtype = d.pick(&[DType::F32, DType::F64, DType::F32, DType::F16]);
        let mut a = [d.dense(&[steps, batch, classes], dtype), d.indices(&[batch, most], classes)];
        d.spoil(&mut a);
        let wild = d.once_in(6);
        let mut number = |n: usize| if wild && d.once_in(3) { d.huge() } else { d.below(n + 1) };
        let samples: Vec<CtcSample> =
            (0..batch).map(|i| CtcSample { steps: number(steps), start: i * most, labels: number(most) }).collect();
        let ([log_probs, labels], blank) = (&a, number(classes - 1));
        let targets = CtcTargets { labels, samples: &samples, blank };
        let (losses, alpha) = Ctc { log_probs, targets }.run()?;
        let mut b = [d.dense(&[batch], log_probs.dtype()), losses, alpha];
        d.spoil(&mut b);
        let ([grad, losses, alpha], zero_infinity) = (&b, d.once_in(2));
        CtcBackward { grad, log_probs, targets, losses, alpha, zero_infinity }.run().map(drop)
    });
}

#[test]
fn normalisations() {
    hold(|d| {
        let (shape, dtype) = (d.shape(1, 4), d.float());
        let dims = (0..shape.len() as i64).filter(|_| d.once_in(2)).collect();
        let mut layout =
            NormLayout { shape: shape.as_slice().into(), dims, params: shape.as_slice().into(), eps: 1e-3 };
        for k in 0..shape.len() {
            if layout.dims.contains(&(k as i64)) || d.once_in(2) {
                layout.params[k] = 1;
            }
        }
        let statistics: Vec<usize> =
            shape.iter().enumerate().map(|(k, &n)| if layout.dims.contains(&(k as i64)) { 1 } else { n }).collect();
        let mut a = [
            d.array(&shape, dtype),
            d.array(&layout.params, dtype),
            d.array(&layout.params, dtype),
            d.array(&shape, dtype),
            d.dense(&statistics, dtype.compute()),
            d.dense(&statistics, dtype.compute()),
        ];
        d.spoil(&mut a);
        match d.below(12) {
            0 => layout.dims.push(d.integer()),
            1 => layout.params.push(1),
            2 => layout.shape[0] = d.huge(),
            _ => {}
        }
        let [x, weight, bias, grad, mean, inverse_std] = &a;
        let (weight, bias) = (d.once_in(2).then_some(weight), d.once_in(2).then_some(bias));
        ops::normalize(x, weight, bias, &layout)?;
        let args = NormBackward { grad, x, mean, inverse_std, weight, layout: &layout };
        ops::normalize_backward(&args, [d.once_in(2), d.once_in(2), d.once_in(2)]).map(drop)
    });
}

#[test]
fn random_fills() {
    let generator = Generator::new();
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 3), d.dtype());
        let mut a = [d.dense(&shape, dtype)];
        d.spoil(&mut a);
        let number =
            |d: &mut Draw| d.pick(&[0.0, 1.0, 0.5, -3.0, 1e300, -1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        let distribution = match d.below(6) {
            0 => Distribution::Uniform { from: number(d), to: number(d) },
            1 => Distribution::Normal { mean: number(d), std: number(d) },
            2 => Distribution::Bernoulli { p: number(d) },
            3 => Distribution::Integers { from: d.integer(), to: d.integer() },
            4 => Distribution::FullRange,
            _ => Distribution::Exponential { rate: number(d) },
        };
        Random { distribution, generator: &generator, out: &a[0] }.run()?;
        // Whatever was drawn, truth values are 0 and 1.
        match a[0].dtype() {
            DType::Bool => a[0].to_vec::<bool>().map(drop),
            _ => Ok(()),
        }
    });
}

#[test]
fn transfers() {
    hold(|d| {
        let (shape, dtype) = (d.shape(0, 3), d.dtype());
        let mut a = [d.dense(&shape, dtype)];
        let n = shape.iter().product::<usize>() * dtype.size();
        d.spoil(&mut a);
        let mut bytes = vec![7; about(d, n)];
        CPU.upload(&bytes, &a[0])?;
        CPU.download(&a[0], &mut bytes)
    });
}

#[test]
fn memory() {
    hold(|d| {
        let device = if d.once_in(4) { Device::Wgpu(d.below(3)) } else { Device::Cpu };
        CPU.supports(device, DType::F32)?;
        CPU.synchronize(device)?;
        let storage = CPU.alloc(device, d.length(), DType::F32)?;
        let more = d.length();
        let before = storage.nbytes();
        CPU.grow(&storage, more)?;
        assert_eq!(storage.nbytes(), before.max(more));
        storage.grow(d.length())
    });
    let gpu = elsewhere(&Draw::new(1).dense(&[3], DType::F32));
    assert!(gpu.storage().grow(usize::MAX).is_err());
    assert!(CPU.grow(gpu.storage(), usize::MAX).is_err());
    assert!(gpu.to_vec::<f32>().is_err() && gpu.copy().is_err() && gpu.item().is_err());
}

/// What the issue found, one by one.
#[test]
fn an_index_longer_than_its_source() {
    let mut d = Draw::new(1);
    let (src, index) = (d.dense(&[1, 1], DType::F32), d.indices(&[1, 1000], 1));
    let error = ops::gather(&src, 0, &index).unwrap_err().to_string();
    assert_eq!(
        error,
        "Size does not match at dimension 1 expected index [1, 1000] to be no larger than self [1, 1] apart from dimension 0"
    );
}

/// What a freed block held is no truth value.
#[test]
fn reused_memory_makes_truth_values() -> Result<()> {
    for n in [1usize, 7, 64, 65, 1000, 70_000] {
        drop(Array::full(&CPU, Device::Cpu, &[n], DType::U8, 0xfe.into())?);
        let a = Array::empty(&CPU, Device::Cpu, &[n], DType::Bool)?;
        let seen = a.to_vec::<bool>()?;
        // An invalid `bool` is neither.
        assert!(seen.iter().all(|&b| u8::from(b) <= 1), "{n}");
        let bytes = Array::full(&CPU, Device::Cpu, &[n], DType::U8, 0xfe.into())?;
        let view = Array::from_parts(bytes.storage().clone(), DType::Bool, (&[n][..]).into(), (&[1][..]).into(), 0)?;
        assert!(view.to_vec::<bool>()?.iter().all(|&b| u8::from(b) == 1), "{n}");
    }
    Ok(())
}
