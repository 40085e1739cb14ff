//! Models of the access word (`flambeau_tensor::access`): loom runs each under every order of its steps, on real arrays.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --package flambeau-cpu --test loom_access` runs them; `cargo xtask check-all` does so.
#![cfg(loom)]

use flambeau_cpu::CPU;
use flambeau_tensor::access::{Access, Guard};
use flambeau_tensor::{Array, Device, Error};
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

/// An array, and a number in place of its memory that loom watches.
struct Watched {
    array: Array,
    value: UnsafeCell<u32>,
}

// SAFETY: loom finds any access to the number that is not ordered.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    fn new() -> Arc<Self> {
        let array = Array::from_slice(&CPU, Device::Cpu, &[0.0f32], &[1]).unwrap();
        Arc::new(Watched { array, value: UnsafeCell::new(0) })
    }

    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes it now.
        self.value.with(|n| unsafe { *n })
    }

    fn add_one(&self) {
        // SAFETY: loom checks that nobody else touches it now.
        self.value.with_mut(|n| unsafe { *n += 1 });
    }
}

/// Explores every order of `model` with at most three switches that no thread asked for.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn writers_exclude_each_other() {
    explore(|| {
        let x = Watched::new();
        let other = x.clone();
        let writer = thread::spawn(move || {
            let _access = Access::acquire(&[], &[&other.array]).unwrap();
            other.add_one();
        });
        {
            let _access = Access::acquire(&[], &[&x.array]).unwrap();
            x.add_one();
        }
        writer.join().unwrap();
        let _access = Access::acquire(&[&x.array], &[]).unwrap();
        assert_eq!(x.read(), 2);
    });
}

/// Two threads only: where two wait for a third, loom may let them wait for ever.
#[test]
fn readers_see_a_whole_write_or_none() {
    explore(|| {
        let x = Watched::new();
        let other = x.clone();
        let reader = thread::spawn(move || {
            let _access = Access::acquire(&[&other.array], &[]).unwrap();
            other.read()
        });
        {
            let _access = Access::acquire(&[&x.array], &[&x.array]).unwrap();
            x.add_one();
            x.add_one();
        }
        {
            // Perhaps beside the other reader.
            let _access = Access::acquire(&[&x.array], &[]).unwrap();
            assert_eq!(x.read(), 2);
        }
        assert!([0, 2].contains(&reader.join().unwrap()));
    });
}

/// Two calls that name the same storages in opposite order would wait for each other but for the order of addresses.
#[test]
fn calls_over_two_storages_do_not_wait_for_each_other() {
    explore(|| {
        let (x, y) = (Watched::new(), Watched::new());
        let (x2, y2) = (x.clone(), y.clone());
        let other = thread::spawn(move || {
            let _access = Access::acquire(&[], &[&y2.array, &x2.array]).unwrap();
            x2.add_one();
            y2.add_one();
        });
        {
            let _access = Access::acquire(&[], &[&x.array, &y.array]).unwrap();
            x.add_one();
            y.add_one();
        }
        other.join().unwrap();
        let _access = Access::acquire(&[&x.array, &y.array], &[]).unwrap();
        assert_eq!((x.read(), y.read()), (2, 2));
    });
}

/// A kernel that meets a user's guard fails; it neither waits nor enters.
#[test]
fn a_kernel_and_a_guard_exclude_each_other() {
    explore(|| {
        let x = Watched::new();
        let other = x.clone();
        let user = thread::spawn(move || {
            let guard = Guard::acquire(other.array.storage(), true).unwrap();
            other.add_one();
            drop(guard);
        });
        match Access::acquire(&[], &[&x.array]) {
            Ok(access) => {
                x.add_one();
                drop(access);
            }
            Err(error) => assert!(matches!(error, Error::Borrowed { wanted: "write", .. }), "{error}"),
        }
        user.join().unwrap();
        let _access = Access::acquire(&[&x.array], &[]).unwrap();
        assert!([1, 2].contains(&x.read()));
    });
}
