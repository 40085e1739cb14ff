//! The golden cases of every operation on a GPU: PyTorch's answers, computed by the GPU's kernels alone.

use flambeau_testkit::runner::{CaseWork, run_rows};
use flambeau_testkit::work::{GPU, alone, print_pipelines};

/// Operations that read from the GPU while they compute, each with its reason.
const READS: &[(&str, &str)] = &[];

/// Operations whose result is computed on the host and sent to the GPU, each with its reason.
const UPLOADS: &[(&str, &str)] = &[];

/// Says what is wrong with where a case ran.
fn misplaced(name: &str, case: &CaseWork) -> Option<String> {
    let listed = |list: &[(&str, &str)]| list.iter().any(|(op, _)| *op == name);
    case.work.misplaced(listed(READS), !case.nothing_to_compute && !listed(UPLOADS))
}

#[test]
fn operations_on_a_gpu_agree_with_pytorch() {
    let _gpu = alone();
    let (mut computed, mut launches, mut left_out) = (0, 0, 0);
    let total = run_rows(
        GPU,
        |_, _| true,
        |op, cases, report| {
            for work in &report.work {
                launches += work.work.launches;
                computed += usize::from(work.work.launches > 0);
                if let Some(what) = misplaced(op.name, work) {
                    report.failures.push((work.case, what));
                    report.passed -= 1;
                }
            }
            left_out += cases.len() - report.passed - report.not_expressible - report.differ - report.failures.len();
        },
    );
    println!("count: {} GPU cases: operations agree with PyTorch", total.passed);
    println!(
        "{computed} of them launched {launches} kernels, {} found a bad index when it was read",
        total.late_errors
    );
    print_pipelines();
    assert!(total.failures.is_empty(), "{} cases differ from PyTorch", total.failures.len());
}
