//! A host's values are matched with every kernel's parameters by name: any difference is refused, with both names.

use flambeau_shaders::map::{Frame, Map, Operand, Walk};
use flambeau_shaders::{Fields, KERNELS, Kernel};
use flambeau_tensor::DType;
use flambeau_tensor::pointwise::Pointwise;

/// The parameters of each kernel; those around programs have one with strides, a hidden zero and a scalar of two words.
fn all() -> Vec<(&'static str, Fields)> {
    let program = Pointwise::new(|b| (b.input(0) - b.input(0)) * b.scalar(0));
    let operand = Operand { dtype: DType::F64, walk: Walk::Strided };
    let kernel = |name| {
        let frame = match name {
            "pointwise" => Frame::Store { lanes: 1, rank: 2 },
            "reduce/columns" | "reduce/lines" => Frame::Reduce { kept: 2, reduced: 2 },
            _ => return Kernel::new(name, DType::F32),
        };
        let (inputs, outputs) = ([operand].as_slice().into(), [operand].as_slice().into());
        Kernel::mapped(
            name,
            Map { structure: program.structure(DType::F64), compute: DType::F64, inputs, outputs, frame },
        )
    };
    KERNELS.iter().map(|(name, _)| (*name, kernel(name).fields())).collect()
}

/// What the check says of these names, and of as many words as the kernel takes.
fn check(fields: &Fields, given: &[&str]) -> Result<(), String> {
    let words = given.len() + fields.names().len() - fields.own();
    fields.check(given.iter().map(|name| (*name, "")), words)
}

#[test]
fn every_difference_is_refused() {
    let mut count = 0;
    for (kernel, fields) in all() {
        let own: Vec<&str> = fields.names()[..fields.own()].iter().map(String::as_str).collect();
        assert!(!own.is_empty(), "{kernel}");
        assert_eq!(check(&fields, &own), Ok(()));
        let refused = |given: &[&str], names: &[&str]| {
            let words = check(&fields, given).expect_err(kernel);
            assert!(words.starts_with(kernel) && names.iter().all(|n| words.contains(&format!("`{n}`"))), "{words}");
        };
        for i in 0..own.len() {
            let renamed = own[i].to_owned() + "s";
            let mut given = own.clone();
            given[i] = &renamed;
            refused(&given, &[&renamed]);
            given.remove(i);
            refused(&given, &[own[i]]);
            given.insert(i, own[(i + 1) % own.len()]);
            if own.len() > 1 {
                refused(&given, &[own[(i + 1) % own.len()]]);
                let mut swapped = own.clone();
                swapped.swap(i, (i + 1) % own.len());
                let first = i.min((i + 1) % own.len());
                refused(&swapped, &[own[first], swapped[first]]);
            }
            count += 4;
        }
        // A word too many or too few.
        for words in [fields.names().len() + 1, fields.names().len() - 1] {
            assert!(fields.check(own.iter().map(|name| (*name, "")), words).is_err_and(|e| e.starts_with(kernel)));
        }
    }
    println!("{count} differences are refused");
}

/// Both parts of a name count: `a_low` is no `a` with another end.
#[test]
fn a_name_is_its_base_and_its_end() {
    let (_, fields) = all().into_iter().find(|(name, _)| *name == "random/float").expect("the kernel");
    let own: Vec<(&str, &str)> = fields
        .names()
        .iter()
        .map(|n| n.rsplit_once('_').map_or((n.as_str(), ""), |(a, _)| n.split_at(a.len())))
        .collect();
    assert!(own.contains(&("a", "_low")), "{own:?}");
    assert_eq!(fields.check(own.iter().copied(), own.len()), Ok(()));
    let other = own.iter().map(|&(base, end)| (base, if end == "_high" { "_low" } else { end }));
    assert!(fields.check(other, own.len()).is_err_and(|words| words.contains("`key_low` is given twice")));
}

/// Of programs: what the parameters of each frame are called, in their order.
#[test]
fn programs_have_these_parameters() {
    let (_, store) = all().into_iter().find(|(name, _)| *name == "pointwise").expect("the kernel");
    let names = "n size1 in0_offset in0_stride0 in0_stride1 out0_offset out0_stride0 out0_stride1 zero scalar0_low scalar0_high";
    assert_eq!(store.names().join(" "), names);
    let (_, reduce) = all().into_iter().find(|(name, _)| *name == "reduce/lines").expect("the kernel");
    let names = "results reduced splits chunk kept1 reduced1 in0_offset in0_kept_stride0 in0_kept_stride1 \
                 in0_reduced_stride0 in0_reduced_stride1 out_offset out_kept_stride0 out_kept_stride1 zero scalar0_low \
                 scalar0_high";
    assert_eq!(reduce.names().join(" "), names);
    let program = Pointwise::new(|b| b.input(0) * b.input(1) + b.scalar(1));
    let operand = Operand { dtype: DType::F32, walk: Walk::Dense };
    let lists = Kernel::mapped(
        "pointwise",
        Map {
            structure: program.structure(DType::F32),
            compute: DType::F32,
            inputs: [operand; 2].as_slice().into(),
            outputs: [operand; 2].as_slice().into(),
            frame: Frame::Lists { lists: 2, targets: [Some(1), None].as_slice().into() },
        },
    );
    let names = "n end0 in0_0_offset in1_0_offset out1_0_offset end1 in0_1_offset in1_1_offset out1_1_offset scalar0_low \
                 scalar1_low";
    assert_eq!(lists.fields().names().join(" "), names);
}
