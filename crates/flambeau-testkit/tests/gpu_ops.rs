//! The golden cases of every operation on a GPU: PyTorch's answers, computed by the GPU's kernels alone.

use flambeau_testkit::runner::{CaseWork, run_rows};
use flambeau_testkit::work::{GPU, OnGpu};

const FACTORS: &str = "factors of matrices are computed on the host, in float64";
const HOST: &str = "LU factors are computed on the host, in float64";

/// Operations that read from the GPU while they compute, each with its reason. PyTorch's wait at the same places, but for
/// `masked_scatter`.
const READS: &[(&str, &str)] = &[
    ("__getitem__", "a mask's number of true elements is the result's shape"),
    ("allclose", "the answer is a Python bool"),
    ("argwhere", "the number of elements that are not zero is the result's shape"),
    ("cov", "whether the weights and the degrees of freedom are positive is told at once"),
    ("cumprod", "the gradient takes the plain formula only if no factor is zero"),
    ("equal", "the answer is a Python bool"),
    ("histc", "the smallest and the largest element are the ends, and the elements between are counted"),
    ("index_put", "a mask's number of true elements is an index's shape"),
    ("item", "the answer is a Python number"),
    ("linalg.det", HOST),
    ("linalg.inv", HOST),
    ("linalg.slogdet", HOST),
    ("linalg.solve", HOST),
    ("logdet", HOST),
    ("linalg.svdvals", FACTORS),
    ("linalg.matrix_rank", FACTORS),
    ("linalg.pinv", FACTORS),
    ("linalg.pinv.hermitian", FACTORS),
    ("pinverse", FACTORS),
    ("linalg.cond", FACTORS),
    ("linalg.eigvalsh", FACTORS),
    ("linalg.qr", FACTORS),
    ("linalg.matrix_power", FACTORS),
    ("linalg.matrix_norm", FACTORS),
    ("linalg.norm", FACTORS),
    ("linalg.vander", "it is a cumprod"),
    ("masked_scatter", "a source with too few elements is refused at once"),
    ("lgamma", "it is computed on the host, in float64"),
    ("masked_select", "the mask's number of true elements is the result's shape"),
    ("nn.functional.ctc_loss", "lengths that are tensors are read, as PyTorch reads them"),
    ("nn.functional.gaussian_nll_loss", "a negative variance is refused"),
    ("nn.functional.max_unpool1d", "an index outside the output is refused at once"),
    ("nn.functional.max_unpool2d", "an index outside the output is refused at once"),
    ("nn.functional.max_unpool3d", "an index outside the output is refused at once"),
    ("nn.functional.one_hot", "without num_classes the largest class is the result's shape"),
    ("nonzero", "the number of elements that are not zero is the result's shape"),
    ("repeat_interleave", "the repeats' sum is the result's shape"),
    ("tensor_split", "a tensor of the places is read by its caller, the row"),
    ("bincount", "its length is the largest number's"),
    ("unique", "how many values there are decides the size; rows are put in order on the host"),
    ("unique_consecutive", "how many values there are decides the size"),
];

/// Operations whose result is computed on the host and sent to the GPU, each with its reason.
const UPLOADS: &[(&str, &str)] = &[
    ("arange", "in float64, which not every GPU has, so that each element is the CPU's"),
    ("linspace", "in float64, which not every GPU has, so that each element is the CPU's"),
    ("logspace", "in float64, which not every GPU has, so that each element is the CPU's"),
    ("lgamma", "in float64, which not every GPU has"),
    ("linalg.det", HOST),
    ("linalg.inv", HOST),
    ("linalg.slogdet", HOST),
    ("linalg.solve", HOST),
    ("logdet", HOST),
    ("linalg.svdvals", FACTORS),
    ("linalg.matrix_rank", FACTORS),
    ("linalg.pinv", FACTORS),
    ("linalg.pinv.hermitian", FACTORS),
    ("pinverse", FACTORS),
    ("linalg.cond", FACTORS),
    ("linalg.eigvalsh", FACTORS),
    ("linalg.qr", FACTORS),
    ("linalg.matrix_power", FACTORS),
    ("linalg.matrix_norm", FACTORS),
    ("linalg.norm", FACTORS),
    ("tril_indices", "a list of places without an input, made once"),
    ("triu_indices", "a list of places without an input, made once"),
];

const FLUSHED: &str = "subnormal numbers are zero on an NVIDIA card, also where they are compared";
const REORDERED: &str = "an NVIDIA driver multiplies (2 x) g as x (2 g), which does not overflow";

/// Cases, by number, that some hardware answers otherwise, each with its reason; software Vulkan agrees.
const MAY_DIFFER: &[(&str, usize, &str)] = &[
    ("rsqrt", 21, FLUSHED),
    ("sqrt", 9, FLUSHED),
    ("square", 21, REORDERED),
    ("pow", 30, FLUSHED),
    ("pow", 32, REORDERED),
    ("pow", 35, FLUSHED),
    ("pow", 36, REORDERED),
    ("nn.functional.leaky_relu", 5, FLUSHED),
    ("nn.functional.leaky_relu", 6, FLUSHED),
    ("nn.functional.relu", 21, FLUSHED),
];

/// Says what is wrong with where a case ran.
fn misplaced(name: &str, case: &CaseWork) -> Option<String> {
    let listed = |list: &[(&str, &str)]| list.iter().any(|(op, _)| *op == name);
    case.work.misplaced(listed(READS), !case.nothing_to_compute && !listed(UPLOADS))
}

/// Whether a list has a case.
fn lists(list: &[(&str, usize, &str)], name: &str, case: usize) -> bool {
    list.iter().any(|(op, i, _)| (*op, *i) == (name, case))
}

#[test]
fn operations_on_a_gpu_agree_with_pytorch() {
    let _gpu = OnGpu::new();
    let (mut launching, mut launches, mut reading) = (0, 0, 0);
    let total = run_rows(GPU, |op, report| {
        for case in &report.work {
            launches += case.work.launches;
            launching += usize::from(case.work.launches > 0);
            reading += usize::from(case.work.readbacks > 0);
            if let Some(what) = misplaced(op.name, case) {
                report.passed -= 1;
                report.failures.push((case.case, what));
            }
        }
        let before = report.failures.len();
        report.failures.retain(|(case, _)| !lists(MAY_DIFFER, op.name, *case));
        report.differ += before - report.failures.len();
    });
    for (what, list) in [("reads while it computes", READS), ("is computed on the host", UPLOADS)] {
        list.iter().for_each(|(op, why)| println!("{op} {what}: {why}"));
    }
    println!("{launching} cases launched {launches} kernels, none ran one on the CPU; {reading} read from the GPU");
    println!("{} found a bad element when the result was read, as PyTorch's GPUs do", total.late_errors);
    println!("count: {} GPU cases: operations agree with PyTorch", total.passed);
    println!("count: {} GPU cases differ on purpose, each with its reason", total.differ);
    assert!(total.failures.is_empty(), "{} cases differ from PyTorch", total.failures.len());
    assert!(total.passed >= 10_000 || std::env::var_os("FLAMBEAU_OPS").is_some(), "only {} cases ran", total.passed);
}
