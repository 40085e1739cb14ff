//! Which indices each operation takes, and what it says of others: random indices on both devices against loops over scalars.
//! One test at a time, since whoever waits for a device first gets its report.

mod support;

use flambeau_autograd::ops::indexing::{Index, Indices, Slice, slice};
use flambeau_autograd::ops::{self, EmbeddingOptions};
use flambeau_autograd::{Result, Tensor, from_vec};
use flambeau_tensor::{Backend, DType, Device};
use flambeau_wgpu::WGPU;
use std::f32::consts::FRAC_1_SQRT_2;
use support::{Draw, GPU, alone};

/// What an operation gave on a device: numbers, or the error's exception and words, at once or at the next wait.
fn outcome(device: Device, run: impl FnOnce() -> Result<Tensor>) -> std::result::Result<Vec<f32>, String> {
    let result = run();
    let late = match device {
        Device::Cpu => Ok(()),
        _ => WGPU.synchronize(device),
    };
    let words = |e: flambeau_tensor::Error| format!("{}: {e}", e.python_type());
    match (result, late) {
        (Ok(t), Ok(())) => Ok(t.to(Device::Cpu).to_vec::<f32>()),
        (Ok(_), Err(error)) => Err(words(error)),
        (Err(error), _) => Err(format!("{}: {error}", error.python_type())),
    }
}

fn product(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The row-major coordinates of every element of a shape.
fn places(shape: &[usize]) -> Vec<Vec<usize>> {
    let of = |mut flat: usize| {
        let mut at = vec![0; shape.len()];
        for (i, &n) in at.iter_mut().zip(shape).rev() {
            *i = flat % n;
            flat /= n;
        }
        at
    };
    (0..product(shape)).map(of).collect()
}

fn flat(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(shape).fold(0, |flat, (&i, &n)| flat * n + i)
}

/// An index below n, negative in half the cases where that is allowed; outside in one case of `odds`.
fn draw_index(draw: &mut Draw, n: usize, negatives: bool, odds: usize) -> i64 {
    let inside = draw.below(n) as i64;
    let n = n as i64;
    match (draw.below(odds), draw.below(2)) {
        (0, _) => {
            [n, n + 3, -n - 1, -1 - n * i64::from(negatives), i64::MAX, i64::MIN, 1 << 32, -(1 << 32)][draw.below(8)]
        }
        (_, 0) if negatives => inside - n,
        _ => inside,
    }
}

fn ramp(shape: &[usize]) -> Tensor {
    from_vec((0..product(shape)).map(|i| i as f32).collect(), shape)
}

/// One index tensor per dimension, of shapes that broadcast.
struct Tuple {
    shape: Vec<usize>,
    common: Vec<usize>,
    tensors: Vec<Tensor>,
    /// The tensors' values, broadcast.
    values: Vec<Vec<i64>>,
}

impl Tuple {
    fn draw(draw: &mut Draw, odds: usize) -> Tuple {
        let shape: Vec<usize> = (0..1 + draw.below(4)).map(|_| 1 + draw.below(5)).collect();
        let longest: Vec<usize> = (0..1 + draw.below(2)).map(|_| 1 + draw.below(4)).collect();
        let own = |draw: &mut Draw| longest.iter().map(|&m| if draw.below(3) == 0 { 1 } else { m }).collect();
        let shapes: Vec<Vec<usize>> = shape.iter().map(|_| own(draw)).collect();
        let common: Vec<usize> = (0..longest.len()).map(|d| shapes.iter().map(|s| s[d]).max().unwrap()).collect();
        let (mut tensors, mut values) = (Vec::new(), Vec::new());
        for (&n, own) in shape.iter().zip(shapes) {
            let numbers: Vec<i64> = (0..product(&own)).map(|_| draw_index(draw, n, true, odds)).collect();
            let at = |at: &Vec<usize>| {
                let at: Vec<usize> = at.iter().zip(&own).map(|(&i, &n)| i % n).collect();
                numbers[flat(&at, &own)]
            };
            values.push(places(&common).iter().map(at).collect());
            tensors.push(from_vec(numbers, own));
        }
        Tuple { shape, common, tensors, values }
    }

    /// The flat places, or the words for the first element that has none.
    fn places(&self) -> std::result::Result<Vec<usize>, Vec<String>> {
        let (mut places, mut wrong) = (Vec::new(), Vec::new());
        for i in 0..product(&self.common) {
            let mut at = 0;
            for (d, &n) in self.shape.iter().enumerate() {
                let index = self.values[d][i];
                let place = if index < 0 { index.wrapping_add(n as i64) } else { index };
                if !(0..n as i64).contains(&place) {
                    wrong.push(format!("IndexError: index {index} is out of bounds for dimension {d} with size {n}"));
                }
                at = at * n + place.clamp(0, n as i64 - 1) as usize;
            }
            places.push(at);
        }
        if wrong.is_empty() { Ok(places) } else { Err(wrong) }
    }
}

/// On the CPU the first wrong element is named, on a GPU one of them.
#[track_caller]
fn check(
    device: Device,
    what: &str,
    found: std::result::Result<Vec<f32>, String>,
    expected: std::result::Result<Vec<f32>, Vec<String>>,
) {
    match (&found, &expected) {
        (Ok(a), Ok(b)) => assert_eq!(a, b, "{what} on {device}"),
        (Err(words), Err(all)) => {
            let known = if device.is_cpu() { words == &all[0] } else { all.contains(words) };
            assert!(known, "{what} on {device}: {words}, expected {all:?}");
        }
        _ => panic!("{what} on {device}: {found:?}, expected {expected:?}"),
    }
}

/// `x[i, j, …]`, `x[i, j, …] = v` and adding to it, with an index for every dimension; and with whole dimensions around.
#[test]
fn every_index_is_checked_against_its_own_dimension() {
    let _one = alone();
    let draw = &mut Draw::new(7);
    let (mut right, mut wrong) = (0, 0);
    for case in 0..400 {
        let odds = 5 + 4 * draw.below(6);
        let tuple = Tuple::draw(draw, odds);
        let expected = tuple.places();
        if expected.is_ok() {
            right += 1
        } else {
            wrong += 1
        }
        for device in [Device::Cpu, GPU] {
            let tensors: Vec<Tensor> = tuple.tensors.iter().map(|t| t.to(device)).collect();
            let indices = || tensors.iter().map(|t| Index::Tensor(t.shallow_clone()));
            let x = ramp(&tuple.shape).to(device);
            let read = expected.clone().map(|p| p.iter().map(|&i| i as f32).collect());
            check(device, "reading", outcome(device, || ops::index(&x, indices().collect::<Indices>())), read);

            // A whole dimension before, and one behind.
            let around: Vec<usize> = [&[2], &tuple.shape[..], &[3]].concat();
            let y = ramp(&around).to(device);
            let all = || Index::Slice(slice(None, None, 1) as Slice);
            let some: Indices = std::iter::once(all()).chain(indices()).collect();
            let within = expected.clone().map(|p| {
                let n = product(&tuple.shape);
                let at = |i: usize, j: usize, k: usize| ((i * n + p[j]) * 3 + k) as f32;
                (0..2)
                    .flat_map(|i| (0..p.len()).flat_map(move |j| (0..3).map(move |k| (i, j, k))))
                    .map(|(i, j, k)| at(i, j, k))
                    .collect()
            });
            check(device, "reading lines", outcome(device, || ops::index(&y, some)), within);

            let values = ramp(&tuple.common).to(device);
            for accumulate in [false, true] {
                // Within a larger memory, of which nothing else may change.
                let n = product(&tuple.shape);
                let base = from_vec(vec![-1f32; n + 40], [n + 40]).to(device);
                let part = ops::reshape(&ops::narrow(&base, 0, 20, n as i64).unwrap(), &to_i64(&tuple.shape)).unwrap();
                let named: Vec<Option<&Tensor>> = tensors.iter().map(Some).collect();
                let put = outcome(device, || ops::index_put_(&part, &named, &values, accumulate));
                let written = expected.clone().map(|p| {
                    let mut out = vec![-1f32; n];
                    for (j, &i) in p.iter().enumerate() {
                        out[i] = if accumulate { out[i] + j as f32 } else { j as f32 };
                    }
                    out
                });
                check(device, "writing", put, written);
                let memory = base.to(Device::Cpu).to_vec::<f32>();
                assert!(
                    memory[..20].iter().chain(&memory[n + 20..]).all(|&v| v == -1.0),
                    "case {case} wrote elsewhere"
                );
            }
        }
    }
    println!("indices: {right} tuples within, {wrong} outside, each read twice and written twice on two devices");
    assert!(right > 100 && wrong > 100);
}

fn to_i64(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&n| n as i64).collect()
}

/// An operation that takes an index along a dimension: whether negatives count from the end, its words, and what it gives.
struct Op {
    name: &'static str,
    wraps: bool,
    words: fn(i64, usize, &[usize], usize) -> String,
    /// Of x, a dimension, an index and a source in its shape.
    run: fn(&Tensor, i64, &Tensor, &Tensor) -> Result<Tensor>,
    /// Of the element at a place of x, and of the source's lines that go there, in order.
    write: Option<fn(f32, &[f32]) -> f32>,
    /// Whether the index has one number for each element, not for each line.
    elementwise: bool,
}

fn dimension(i: i64, n: usize, _: &[usize], d: usize) -> String {
    format!("index {i} is out of bounds for dimension {d} with size {n}")
}

fn runtime(i: i64, n: usize, shape: &[usize], d: usize) -> String {
    format!("RuntimeError: {}", dimension(i, n, shape, d))
}

fn in_self(i: i64, n: usize, shape: &[usize], d: usize) -> String {
    match shape.len() > 1 && d == 1 {
        true => format!("RuntimeError: INDICES element is out of DATA bounds, id={i} axis_dim={n}"),
        false => "IndexError: index out of range in self".into(),
    }
}

fn last(_: f32, v: &[f32]) -> f32 {
    v[v.len() - 1]
}

fn sum(x: f32, v: &[f32]) -> f32 {
    v.iter().fold(x, |a, b| a + b)
}

static OPS: [Op; 9] = [
    Op {
        name: "index_select",
        wraps: false,
        words: in_self,
        run: |x, d, i, _| ops::index_select(x, d, i),
        write: None,
        elementwise: false,
    },
    Op {
        name: "gather",
        wraps: false,
        words: runtime,
        run: |x, d, i, _| ops::gather(x, d, i),
        write: None,
        elementwise: true,
    },
    Op {
        name: "index_add",
        wraps: false,
        words: |i, n, shape, d| match shape.len() {
            1 => "IndexError: index out of range in self".into(),
            _ => runtime(i, n, shape, d),
        },
        run: |x, d, i, s| ops::index_add(x, d, i, s, 1),
        write: Some(sum),
        elementwise: false,
    },
    Op {
        name: "index_copy",
        wraps: false,
        words: |i, n, shape, d| format!("IndexError: index_copy_(): {}", dimension(i, n, shape, d)),
        run: |x, d, i, s| ops::index_copy(x, d, i, s),
        write: Some(last),
        elementwise: false,
    },
    Op {
        name: "index_fill",
        wraps: true,
        words: |i, n, shape, d| format!("IndexError: {}", dimension(i, n, shape, d)),
        run: |x, d, i, _| ops::index_fill(x, d, i, 7),
        write: Some(|_, _| 7.0),
        elementwise: false,
    },
    Op {
        name: "scatter",
        wraps: false,
        words: runtime,
        run: |x, d, i, s| ops::scatter(x, d, i, s),
        write: Some(last),
        elementwise: true,
    },
    Op {
        name: "scatter of a number",
        wraps: false,
        words: runtime,
        run: |x, d, i, _| ops::scatter(x, d, i, 7),
        write: Some(|_, _| 7.0),
        elementwise: true,
    },
    Op {
        name: "scatter_add",
        wraps: false,
        words: runtime,
        run: |x, d, i, s| ops::scatter_add(x, d, i, s),
        write: Some(sum),
        elementwise: true,
    },
    Op {
        name: "scatter_reduce",
        wraps: false,
        words: runtime,
        run: |x, d, i, s| ops::scatter_reduce(x, d, i, s, "amax", true),
        write: Some(|x, v| v.iter().fold(x, |a, &b| a.max(b))),
        elementwise: true,
    },
];

#[test]
fn an_operation_wraps_or_refuses_the_same_on_each_device() {
    let _one = alone();
    let draw = &mut Draw::new(9);
    let mut wrong = 0;
    for op in &OPS {
        for _ in 0..80 {
            let shape: Vec<usize> = (0..1 + draw.below(3)).map(|_| 1 + draw.below(4)).collect();
            let d = draw.below(shape.len());
            let m = 1 + draw.below(5);
            let mut source_shape = shape.clone();
            source_shape[d] = m;
            let index_shape = if op.elementwise { source_shape.clone() } else { vec![m] };
            let n = shape[d];
            let odds = 2 * product(&index_shape);
            let index: Vec<i64> = (0..product(&index_shape)).map(|_| draw_index(draw, n, op.wraps, odds)).collect();
            let place = |i: i64| if op.wraps && i < 0 { i.wrapping_add(n as i64) } else { i };
            let outside: Vec<String> = index
                .iter()
                .filter(|&&i| !(0..n as i64).contains(&place(i)))
                .map(|&i| (op.words)(i, n, &shape, d))
                .collect();
            let expected = match outside.is_empty() {
                true => Ok(oracle(
                    op,
                    &shape,
                    &source_shape,
                    d,
                    &index.iter().map(|&i| place(i) as usize).collect::<Vec<_>>(),
                )),
                false => Err(outside),
            };
            wrong += usize::from(expected.is_err());
            for device in [Device::Cpu, GPU] {
                let (x, source) = (ramp(&shape).to(device), ops::neg(&ramp(&source_shape)).unwrap().to(device));
                let index = from_vec(index.clone(), index_shape.clone()).to(device);
                let found = outcome(device, || (op.run)(&x, d as i64, &index, &source));
                // Which of several wrong ones a kernel's threads meet first is not said.
                match (&found, &expected) {
                    (Err(words), Err(all)) => assert!(all.contains(words), "{} on {device}: {words}, {all:?}", op.name),
                    _ => check(device, op.name, found, expected.clone()),
                }
            }
        }
    }
    println!("indices: {} cases of {} operations on two devices, {wrong} outside", 80 * OPS.len(), OPS.len());
    assert!(wrong > 150);
}

/// Scalar loops: x is a ramp, the source its negative.
fn oracle(op: &Op, shape: &[usize], source_shape: &[usize], d: usize, index: &[usize]) -> Vec<f32> {
    let place_of = |at: &[usize]| {
        let place = index[if op.elementwise { flat(at, source_shape) } else { at[d] }];
        let mut to = at.to_vec();
        to[d] = place;
        flat(&to, shape)
    };
    let Some(write) = op.write else {
        return places(source_shape).iter().map(|at| place_of(at) as f32).collect();
    };
    let mut arriving = vec![Vec::new(); product(shape)];
    for (j, at) in places(source_shape).iter().enumerate() {
        arriving[place_of(at)].push(-(j as f32));
    }
    let each = |(i, v): (usize, &Vec<f32>)| if v.is_empty() { i as f32 } else { write(i as f32, v) };
    arriving.iter().enumerate().map(each).collect()
}

/// Operations on the flattened tensor, and those with a rule of their own.
#[test]
fn take_put_embedding_and_their_kin_keep_their_rules() {
    let _one = alone();
    let draw = &mut Draw::new(11);
    for _ in 0..120 {
        let (rows, width) = (1 + draw.below(5), 1 + draw.below(4));
        let n = rows * width;
        let m = 1 + draw.below(4);
        let flat: Vec<i64> = (0..m).map(|_| draw_index(draw, n, true, 3 * m)).collect();
        let lines: Vec<i64> = (0..m).map(|_| draw_index(draw, rows, false, 3 * m)).collect();
        let wrap = |i: i64| if i < 0 { i.wrapping_add(n as i64) } else { i };
        let outside = |i: &i64| !(0..n as i64).contains(&wrap(*i));
        let flat_words: Vec<String> = flat
            .iter()
            .filter(|i| outside(i))
            .map(|i| format!("IndexError: out of range: tried to access index {i} on a tensor of {n} elements."))
            .collect();
        let line_words: Vec<String> = lines
            .iter()
            .filter(|i| !(0..rows as i64).contains(i))
            .map(|_| "IndexError: index out of range in self".to_owned())
            .collect();
        let class_words: Vec<String> = lines
            .iter()
            .filter(|i| !(0..rows as i64).contains(i))
            .map(|&i| match i < 0 {
                true => "RuntimeError: Class values must be non-negative.".to_owned(),
                false => "RuntimeError: Class values must be smaller than num_classes.".to_owned(),
            })
            .collect();
        let or = |words: &Vec<String>, right: &dyn Fn() -> Vec<f32>| match words.is_empty() {
            true => Ok(right()),
            false => Err(words.clone()),
        };
        for device in [Device::Cpu, GPU] {
            let x = ramp(&[rows, width]).to(device);
            let (at, named) = (from_vec(flat.clone(), [m]).to(device), from_vec(lines.clone(), [m]).to(device));
            let taken = || flat.iter().map(|&i| wrap(i) as f32).collect();
            check(device, "take", outcome(device, || ops::take(&x, &at)), or(&flat_words, &taken));
            let put = || {
                let mut out: Vec<f32> = (0..n).map(|i| i as f32).collect();
                flat.iter().enumerate().for_each(|(j, &i)| out[wrap(i) as usize] = j as f32);
                out
            };
            let values = ramp(&[m]).to(device);
            check(device, "put", outcome(device, || ops::put(&x, &at, &values, false)), or(&flat_words, &put));
            let rows_of =
                || lines.iter().flat_map(|&i| (0..width).map(move |k| (i as usize * width + k) as f32)).collect();
            let embedded = outcome(device, || ops::embedding(&named, &x, &EmbeddingOptions::default()));
            check(device, "embedding", embedded, or(&line_words, &rows_of));
            let hot =
                || lines.iter().flat_map(|&i| (0..rows as i64).map(move |k| f32::from(u8::from(k == i)))).collect();
            let one_hot = outcome(device, || ops::to_dtype(&ops::one_hot(&named, rows as i64)?, DType::F32));
            match (&one_hot, class_words.is_empty()) {
                (Err(words), false) => assert!(class_words.contains(words), "one_hot on {device}: {words}"),
                _ => check(device, "one_hot", one_hot, or(&class_words, &hot)),
            }
            // The index counts modulo the length, as PyTorch has it.
            let modulo = || lines.iter().map(|&i| (i.rem_euclid(rows as i64) * width as i64) as f32).collect();
            let column = ops::reshape(&named, &[-1, 1]).unwrap();
            let along = outcome(device, || ops::take_along_dim(&ops::narrow(&x, 1, 0, 1)?, &column, Some(0)));
            check(device, "take_along_dim", along, Ok(modulo()));
        }
    }
    println!("indices: 120 cases of take, put, embedding, one_hot and take_along_dim on two devices");
}

/// `F.embedding`'s largest norm of the rows that are used, of every norm; numbers from PyTorch 2.15.
#[test]
fn only_the_rows_that_are_used_shrink() {
    let _one = alone();
    let table = vec![3f32, 1., 2., 0.1, 0.2, 0.3, 5., 5., 5., -4., 0.5, 1., 2., -2., 0.];
    // The norm, and what rows 0 and 3 become; then row 4 by its number from the end.
    type Row = (f64, [f32; 6], [f32; 3]);
    let rows: [Row; 5] = [
        (1.0, [0.5, 0.1666667, 0.3333333, -0.7272727, 0.0909091, 0.1818182], [0.5, -0.5, 0.0]),
        (
            2.0,
            [0.8017837, 0.2672612, 0.5345225, -0.9630868, 0.1203859, 0.2407717],
            [FRAC_1_SQRT_2, -FRAC_1_SQRT_2, 0.0],
        ),
        (3.0, [0.9085602, 0.3028534, 0.6057068, -0.9942083, 0.124276, 0.2485521], [0.7937005, -0.7937005, 0.0]),
        (0.5, [0.1745048, 0.0581683, 0.1163365, -0.2910649, 0.0363831, 0.0727662], [0.25, -0.25, 0.0]),
        (f64::INFINITY, [0.9999999, 0.3333333, 0.6666666, -1.0, 0.125, 0.25], [0.9999999, -0.9999999, 0.0]),
    ];
    for (p, shrunk, last) in rows {
        for device in [Device::Cpu, GPU] {
            let shrink = |index: Vec<i64>| {
                let weight = from_vec(table.clone(), [5, 3]).to(device);
                let n = index.len();
                ops::embedding_renorm_(&weight, &from_vec(index, [n]).to(device), 1.0, p).unwrap();
                weight.to(Device::Cpu).to_vec::<f32>()
            };
            let close = |a: &[f32], b: &[f32]| {
                assert!(
                    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 4e-7),
                    "p = {p} on {device}: {a:?}, expected {b:?}"
                );
            };
            let used = shrink(vec![0, 3, 0, 0]);
            close(&used[..3], &shrunk[..3]);
            close(&used[9..12], &shrunk[3..]);
            assert_eq!((&used[3..9], &used[12..]), (&table[3..9], &table[12..]), "rows that nobody used, p = {p}");
            let used = shrink(vec![-1]);
            close(&used[12..], &last);
            assert_eq!(used[..12], table[..12]);
        }
    }
    for device in [Device::Cpu, GPU] {
        let weight = from_vec(table.clone(), [5, 3]).to(device);
        let outside = from_vec(vec![0i64, 5], [2]).to(device);
        let found = outcome(device, || ops::embedding_renorm_(&weight, &outside, 1.0, 2.0));
        let words = "IndexError: select(): index 5 out of range for tensor of size [5, 3] at dimension 0";
        assert_eq!(found.unwrap_err(), words, "on {device}");
    }
}
