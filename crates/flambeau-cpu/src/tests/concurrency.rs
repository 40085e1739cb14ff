//! Kernels that share storages from many threads neither deadlock nor lose an update.

use super::support::*;
use flambeau_tensor::DType;
use flambeau_tensor::calls::{Map, PrimitiveCall};
use flambeau_tensor::pointwise::Pointwise;

#[test]
fn threads_that_add_crosswise_finish_and_lose_nothing() {
    let add = Pointwise::new(|p| p.input(0) + p.input(1));
    let copy_bits = Pointwise::new(|p| p.input(0) + p.input(1) - p.input(1));
    for n in [4usize, 200_000] {
        let rounds = if n == 4 { 2000 } else { 20 };
        let (a, b) = (from_f64(&vec![1.0; n], &[n], DType::I64), from_f64(&vec![1.0; n], &[n], DType::I64));
        let counts = zeros(&[n], DType::I64);
        let one = from_f64(&vec![1.0; n], &[n], DType::I64);
        std::thread::scope(|scope| {
            for t in 0..8 {
                let (a, b, counts, one, add, copy_bits) = (&a, &b, &counts, &one, &add, &copy_bits);
                scope.spawn(move || {
                    for _ in 0..rounds {
                        // a.add_(b) and b.add_(a) take the same two locks, in whatever order they are named.
                        let (x, y) = if t % 2 == 0 { (a, b) } else { (b, a) };
                        Map { program: copy_bits, compute: DType::I64, inputs: &[x, y], scalars: &[], outs: &[x] }
                            .run()
                            .unwrap();
                        Map {
                            program: add,
                            compute: DType::I64,
                            inputs: &[counts, one],
                            scalars: &[],
                            outs: &[counts],
                        }
                        .run()
                        .unwrap();
                    }
                });
            }
        });
        let expected = (8 * rounds) as i64;
        assert!(counts.to_vec::<i64>().unwrap().iter().all(|&x| x == expected));
        assert_eq!(a.to_vec::<i64>().unwrap(), vec![1; n]);
        assert_eq!(b.to_vec::<i64>().unwrap(), vec![1; n]);
    }
}
