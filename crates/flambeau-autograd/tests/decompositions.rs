//! Singular and eigen values, orthogonal factors and what is made of them: the factors give the matrix again, and gradients are those of
//! differences. Results and gradients whose signs are not open have PyTorch's goldens (flambeau-testkit).

use flambeau_autograd::ops::{self, RankOptions};
use flambeau_autograd::{GradCheckOptions, gradcheck};
use flambeau_autograd::{Result, Tensor, ones, randn};
use flambeau_device::manual_seed;
use flambeau_tensor::DType;

fn drawn(shape: &[usize]) -> Tensor {
    randn(shape.to_vec()).to(DType::F64)
}

fn far(a: &Tensor, b: &Tensor) -> f64 {
    if a.numel() == 0 { 0.0 } else { a.sub(b).abs().max().item() }
}

fn turned(x: &Tensor) -> Tensor {
    x.transpose(-2, -1)
}

/// Whether the columns are orthonormal.
fn is_orthonormal(q: &Tensor) -> bool {
    let k = q.size()[q.dim() - 1];
    let one = ops::eye(k, None, q.dtype(), q.device()).unwrap();
    far(
        &turned(q).matmul(q),
        &one.expand(turned(q).matmul(q).size().to_vec().iter().map(|&n| n as i64).collect::<Vec<_>>()),
    ) < 1e-12
}

fn check(f: &dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>, x: &Tensor) {
    let x = x.detach().requires_grad_(true);
    gradcheck(f, &[x], GradCheckOptions::default()).unwrap_or_else(|e| panic!("{e}"));
}

const SHAPES: [&[usize]; 8] = [&[3, 3], &[5, 3], &[3, 5], &[2, 4, 4], &[2, 4, 2], &[2, 1, 3], &[1, 1], &[6, 6]];

#[test]
fn singular_vectors_give_the_matrix_again() {
    manual_seed(0);
    for shape in SHAPES {
        let x = drawn(shape);
        for full in [false, true] {
            let (u, s, vh) = ops::linalg_svd(&x, full).unwrap();
            assert!(is_orthonormal(&u) && is_orthonormal(&turned(&vh)), "{shape:?}");
            let k = s.size()[s.dim() - 1] as i64;
            let product = u.narrow(-1, 0, k).mul(s.unsqueeze(-2)).matmul(vh.narrow(-2, 0, k));
            assert!(far(&product, &x) < 1e-12, "{shape:?}");
            assert!(s.to_vec::<f64>().chunks(k as usize).all(|s| s.is_sorted_by(|a, b| a >= b)), "{shape:?}");
        }
    }
    // A matrix of rank 1, a zero matrix, and numbers whose squares are no numbers.
    let low = ops::outer(&drawn(&[4]), &drawn(&[3])).unwrap();
    for x in [low.shallow_clone(), low.mul(0), low.mul(1e200), low.mul(1e-200)] {
        let (u, s, vh) = ops::linalg_svd(&x, true).unwrap();
        assert!(is_orthonormal(&u) && is_orthonormal(&turned(&vh)));
        let product = u.narrow(-1, 0, 3).mul(s.unsqueeze(-2)).matmul(&vh);
        let largest = x.abs().max().item().max(f64::MIN_POSITIVE);
        assert!(far(&product.div(largest), &x.div(largest)) < 1e-12);
    }
}

#[test]
fn gradients_of_singular_vectors_are_those_of_differences() {
    manual_seed(1);
    for shape in SHAPES {
        // Squares have no sign.
        let f = |full: bool| {
            move |x: &[Tensor]| {
                let (u, s, vh) = ops::linalg_svd(&x[0], full)?;
                let k = s.size()[s.dim() - 1] as i64;
                Ok(vec![u.narrow(-1, 0, k).square(), s, vh.narrow(-2, 0, k).square()])
            }
        };
        check(&f(false), &drawn(shape));
        if shape[shape.len() - 1] == shape[shape.len() - 2] {
            check(&f(true), &drawn(shape));
        }
    }
}

#[test]
fn eigenvectors_and_their_gradients() {
    manual_seed(2);
    for shape in [&[3, 3][..], &[2, 5, 5], &[1, 1], &[0, 0]] {
        for uplo in ["L", "U"] {
            let x = drawn(shape);
            let lower = |x: &Tensor| x.tril().add(turned(&x.tril_diagonal(-1)));
            let whole = if uplo == "L" { lower(&x) } else { lower(&turned(&x)) };
            let (l, v) = ops::linalg_eigh(&x, uplo).unwrap();
            assert!(is_orthonormal(&v));
            assert!(far(&v.mul(l.unsqueeze(-2)).matmul(turned(&v)), &whole) < 1e-12, "{shape:?}");
            let symmetric = |x: &Tensor| x.add(turned(x));
            check(
                &|x| {
                    let (l, v) = ops::linalg_eigh(&symmetric(&x[0]), uplo)?;
                    Ok(vec![l, v.square()])
                },
                &x,
            );
        }
    }
    assert!(ops::linalg_eigh(&ones((2, 2)), "X").unwrap_err().to_string().contains("'L' or 'U', but got X"));
}

#[test]
fn orthogonal_factors_and_their_gradients() {
    manual_seed(3);
    for shape in SHAPES {
        for mode in ["reduced", "complete", "r"] {
            let x = drawn(shape);
            let (q, r) = ops::linalg_qr(&x, mode).unwrap();
            if mode == "r" {
                assert_eq!(q.numel(), 0);
                assert!(far(&r, &ops::linalg_qr(&x, "reduced").unwrap().1) < 1e-15);
                continue;
            }
            assert!(is_orthonormal(&q) && far(&q.matmul(&r), &x) < 1e-12, "{shape:?} {mode}");
            assert_eq!(far(&r.triu(), &r), 0.0);
            let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
            if mode == "reduced" || m <= n {
                check(
                    &|x| {
                        let (q, r) = ops::linalg_qr(&x[0], mode)?;
                        Ok(vec![q, r])
                    },
                    &x,
                );
            }
        }
    }
}

#[test]
fn pseudo_inverses_and_their_gradients() {
    manual_seed(4);
    let options = RankOptions::default();
    for shape in SHAPES {
        let x = drawn(shape);
        let p = ops::linalg_pinv(&x, &options).unwrap();
        assert!(far(&x.matmul(&p).matmul(&x), &x) < 1e-10 && far(&p.matmul(&x).matmul(&p), &p) < 1e-10);
        check(&|x| Ok(vec![ops::linalg_pinv(&x[0], &RankOptions::default())?]), &x);
    }
    // Along matrices of one rank a pseudo-inverse has a derivative too.
    let factors = [drawn(&[5, 2]), drawn(&[2, 4])].map(|x| x.requires_grad_(true));
    let f = |x: &[Tensor]| Ok(vec![ops::linalg_pinv(&x[0].matmul(&x[1]), &RankOptions::default().rtol(1e-8))?]);
    gradcheck(&f, &factors, GradCheckOptions::default()).unwrap();
    let x = factors[0].matmul(&factors[1]).detach();
    assert_eq!(ops::linalg_matrix_rank(&x, &options).unwrap().item(), 2.0);
    assert_eq!(ops::linalg_matrix_rank(&x, &options.atol(1e9)).unwrap().item(), 0.0);
}
