//! What the runtime promises: batches, memory, limits, errors. The tests count what the GPU does, so they take turns.

mod support;

use flambeau_tensor::backend::{Epilogue, PointwiseList, ReduceOp};
use flambeau_tensor::calls::{CopyTo, Map, Matmul, PrimitiveCall, Reduce};
use flambeau_tensor::pointwise::{IDENTITY, Pointwise};
use flambeau_tensor::{Array, Backend, DType, Device, Scalar, ops};
use flambeau_wgpu::WGPU;
use std::sync::LazyLock;
use support::*;

static ADD_ONE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + 1.0));

fn gpu_full(shape: &[usize], dtype: DType, value: f64) -> Array {
    Array::full(&WGPU, GPU, shape, dtype, Scalar::Float(value)).unwrap()
}

#[test]
fn a_thousand_dependent_launches_are_one_submit() {
    let _turn = alone();
    let x = gpu_full(&[64], DType::F32, 0.0);
    WGPU.synchronize(GPU).unwrap();
    let before = flambeau_wgpu::counters(GPU).unwrap();
    for _ in 0..1000 {
        Map { program: &ADD_ONE, compute: DType::F32, inputs: &[&x], scalars: &[], outs: &[&x] }.run().unwrap();
    }
    let recorded = flambeau_wgpu::counters(GPU).unwrap();
    assert_eq!(recorded.dispatches - before.dispatches, 1000);
    assert_eq!(recorded.submits, before.submits, "nothing is submitted before somebody asks");
    WGPU.synchronize(GPU).unwrap();
    let after = flambeau_wgpu::counters(GPU).unwrap();
    assert_eq!((after.submits - before.submits, after.readbacks - before.readbacks), (1, 0));
    assert_eq!(elements(&x), [1000.0; 64]);
}

#[test]
fn more_workgroups_than_one_dimension_holds() {
    let _turn = alone();
    // The line reduction has a workgroup for each line.
    let (lines, n) = (65_536 + 3, 33);
    let x = Pair::new(from_f64(&vec![1.5; lines * n], &[lines, n], DType::F32));
    let out = zeros(&[lines, 1], DType::F32);
    Reduce {
        op: ReduceOp::Sum,
        program: &IDENTITY,
        compute: DType::F32,
        inputs: &[&x.gpu],
        scalars: &[],
        dims: &[1],
        out: &out.gpu,
    }
    .run()
    .unwrap();
    assert!(elements(&out.gpu).iter().all(|&s| s == 1.5 * n as f64));
    // 16-bit elements go one by one, 1,024 to a group: 128 MiB of them are 65,536 groups.
    let many = gpu_full(&[65_536 * 1024], DType::F16, 2.0);
    Map { program: &ADD_ONE, compute: DType::F16, inputs: &[&many], scalars: &[], outs: &[&many] }.run().unwrap();
    for i in [0, 65_534 * 1024, 65_535 * 1024, 65_536 * 1024 - 1] {
        assert_eq!(many.get(&[i]).unwrap(), Scalar::Float(3.0), "element {i}");
    }
}

#[test]
fn a_tensor_above_the_default_binding_works_and_one_above_the_limit_says_so() {
    let _turn = alone();
    // wgpu's default limit for a binding is 128 MiB. Where the adapter's own is no larger, the tensor is refused in words.
    let elements = (160 << 20) / 4;
    match Array::full(&WGPU, GPU, &[elements], DType::F32, Scalar::Float(7.0)) {
        Ok(x) => assert_eq!(x.get(&[elements - 1]).unwrap(), Scalar::Float(7.0)),
        Err(error) => assert!(error.to_string().contains("its limit for one buffer is"), "{error}"),
    }
    let error = Array::empty(&WGPU, GPU, &[1 << 33], DType::F32).unwrap_err().to_string();
    assert!(error.contains("34359738368 bytes does not fit this adapter"), "{error}");
    // The device goes on.
    assert_eq!(gpu_full(&[1], DType::F32, 3.0).item().unwrap(), Scalar::Float(3.0));
}

#[test]
fn memory_is_reused_and_given_back() {
    let _turn = alone();
    let step = || {
        let a = gpu_full(&[1000, 10], DType::F32, 1.0);
        let b = a.copy().unwrap();
        Map { program: &ADD_ONE, compute: DType::F32, inputs: &[&b], scalars: &[], outs: &[&b] }.run().unwrap();
        drop(a);
        let c = gpu_full(&[1000, 10], DType::F32, 5.0);
        (b.get(&[0, 0]).unwrap(), c.get(&[9, 9]).unwrap())
    };
    step();
    let reserved = flambeau_wgpu::memory_reserved(GPU).unwrap();
    let allocated = flambeau_wgpu::memory_allocated(GPU).unwrap();
    for _ in 0..200 {
        assert_eq!(step(), (Scalar::Float(2.0), Scalar::Float(5.0)));
    }
    assert_eq!(flambeau_wgpu::memory_reserved(GPU).unwrap(), reserved);
    assert_eq!(flambeau_wgpu::memory_allocated(GPU).unwrap(), allocated);
    flambeau_wgpu::empty_cache(GPU).unwrap();
    assert!(flambeau_wgpu::memory_reserved(GPU).unwrap() < reserved);
    assert_eq!(step(), (Scalar::Float(2.0), Scalar::Float(5.0)));

    flambeau_wgpu::reset_peak_memory_stats(GPU).unwrap();
    let peak = || flambeau_wgpu::max_memory_allocated(GPU).unwrap() - allocated;
    assert_eq!(peak(), 0);
    step();
    // Two arrays at a time, in buffers of at least their 40,000 bytes.
    assert!((80_000..100_000).contains(&peak()), "{} bytes", peak());
    assert!(flambeau_wgpu::max_memory_reserved(GPU).unwrap() >= flambeau_wgpu::memory_reserved(GPU).unwrap());
}

/// A recycled buffer that the batch under construction still reads is not overwritten from the host.
#[test]
fn an_upload_waits_for_what_was_recorded() {
    let _turn = alone();
    for i in 0..50 {
        let first = Array::from_slice(&WGPU, GPU, &[f64::from(i) as f32; 100], &[100]).unwrap();
        let copy = first.copy().unwrap();
        drop(first);
        let second = Array::from_slice(&WGPU, GPU, &[-1.0f32; 100], &[100]).unwrap();
        assert_eq!(copy.get(&[99]).unwrap(), Scalar::Float(f64::from(i)));
        assert_eq!(second.get(&[0]).unwrap(), Scalar::Float(-1.0));
    }
}

/// Eight inputs of six dimensions need more parameters than immediates hold: they go through the uniform buffer.
#[test]
fn many_parameters_go_through_a_buffer() {
    let _turn = alone();
    let draw = &mut Draw::new(11);
    let program = Pointwise::new(|b| (1..8).fold(b.input(0), |sum, i| sum + b.input(i)));
    let cases: Vec<(Vec<Pair>, Pair)> = (0..20)
        .map(|_| {
            let inputs = (0..8).map(|_| strided(draw, &[2, 3, 2, 3, 2], DType::F32, true)).collect();
            (inputs, strided(draw, &[2, 3, 2, 3, 2], DType::F32, false))
        })
        .collect();
    // All in one batch, so that each launch must find its own parameters.
    for (inputs, out) in &cases {
        let gpu: Vec<&Array> = inputs.iter().map(|p| &p.gpu).collect();
        Map { program: &program, compute: DType::F32, inputs: &gpu, scalars: &[], outs: &[&out.gpu] }.run().unwrap();
    }
    for (inputs, out) in &cases {
        let cpu: Vec<&Array> = inputs.iter().map(|p| &p.cpu).collect();
        Map { program: &program, compute: DType::F32, inputs: &cpu, scalars: &[], outs: &[&out.cpu] }.run().unwrap();
        out.agree(1e-6);
    }
}

#[test]
fn missing_devices_are_told_in_words() {
    let error = Array::empty(&WGPU, Device::Wgpu(99), &[1], DType::F32).unwrap_err().to_string();
    assert!(error.starts_with("no GPU adapter for wgpu:99. Found: "), "{error}");
    assert!(flambeau_wgpu::is_available() && flambeau_wgpu::device_count() >= 1);
    assert!(!flambeau_wgpu::device_name(GPU).unwrap().is_empty());
}

/// Lists that meet in memory run one after the other, and an input that overlaps its output otherwise is copied first.
#[test]
fn lists_that_overlap_take_turns() {
    let _turn = alone();
    let program = Pointwise::new(|b| b.input(0) + b.input(1));
    let base = Pair::new(from_f64(&(0..64).map(f64::from).collect::<Vec<_>>(), &[8, 8], DType::F32));
    let run = |base: &Array| {
        let (first, second) = (base.narrow(0, 0, 6).unwrap(), base.narrow(0, 2, 6).unwrap());
        let list = |x: &Array, y: &Array| PointwiseList {
            inputs: [x.clone(), y.clone()].into_iter().collect(),
            outs: [x.clone()].into_iter().collect(),
        };
        let transposed = base.permute(&[1, 0]).unwrap();
        let lists = [list(&first, &second), list(&second, &first), list(base, &transposed)];
        ops::pointwise_lists(&program, &lists, &[]).unwrap();
    };
    run(&base.cpu);
    run(&base.gpu);
    base.agree(0.0);
}

/// Parameters of sixteen lists of five arrays are more than one launch binds.
#[test]
fn many_lists_of_many_arrays() {
    let _turn = alone();
    let draw = &mut Draw::new(21);
    let program = Pointwise::with_outputs(|b| (0..5).map(|i| b.input(i) + b.input((i + 1) % 5)).collect());
    let arrays: Vec<Vec<Pair>> = (0..16).map(|_| (0..5).map(|_| dense(draw, &[7], DType::F32)).collect()).collect();
    let run = |pick: fn(&Pair) -> &Array| {
        let lists: Vec<PointwiseList> = arrays
            .iter()
            .map(|list| PointwiseList {
                inputs: list.iter().map(|p| pick(p).clone()).collect(),
                outs: list.iter().map(|p| pick(p).clone()).collect(),
            })
            .collect();
        ops::pointwise_lists(&program, &lists, &[]).unwrap();
    };
    run(|p| &p.cpu);
    run(|p| &p.gpu);
    arrays.iter().flatten().for_each(|p| p.agree(1e-6));
}

#[test]
fn a_storage_grows_and_keeps_its_bytes() {
    let _turn = alone();
    for dtype in [DType::F32, DType::Bool, DType::BF16] {
        let x = gpu_full(&[5], dtype, 1.0);
        x.storage().grow(1000 * dtype.size()).unwrap();
        let all = whole(&x);
        assert_eq!(all.numel(), 1000);
        assert_eq!(elements(&all)[..5], [1.0; 5]);
        CopyTo { src: &Array::full(&WGPU, GPU, &[1000], dtype, Scalar::Int(0)).unwrap(), out: &all }.run().unwrap();
        assert_eq!(elements(&x), [0.0; 5], "an older view sees the new memory");
    }
}

#[test]
fn the_async_form_reads_what_the_blocking_one_does() {
    let _turn = alone();
    let x = Array::from_slice(&WGPU, GPU, &[1i16, -2, 3], &[3]).unwrap();
    let bytes = pollster::block_on(flambeau_wgpu::download_async(&x)).unwrap();
    assert_eq!(bytes, [1i16, -2, 3].map(i16::to_ne_bytes).concat());
}

/// Operations from several threads, each with its own data, end as if they had taken turns.
#[test]
fn threads_share_the_queue() {
    let _turn = alone();
    std::thread::scope(|scope| {
        for t in 0..4 {
            scope.spawn(move || {
                let x = gpu_full(&[1000], DType::F32, f64::from(t));
                let eye = gpu_full(&[1, 10, 10], DType::F32, 0.1);
                for round in 1..=50 {
                    Map { program: &ADD_ONE, compute: DType::F32, inputs: &[&x], scalars: &[], outs: &[&x] }
                        .run()
                        .unwrap();
                    if round % 10 == 0 {
                        assert_eq!(x.get(&[999]).unwrap(), Scalar::Float(f64::from(t + round)));
                    }
                    let out = Array::empty(&WGPU, GPU, &[1, 10, 10], DType::F32).unwrap();
                    let (one, zero) = (Scalar::Float(1.0), Scalar::Float(0.0));
                    Matmul { a: &eye, b: &eye, alpha: one, beta: zero, epilogue: Epilogue::default(), out: &out }
                        .run()
                        .unwrap();
                    assert!((elements(&out)[37] - 0.1).abs() < 1e-6);
                }
            });
        }
    });
}
