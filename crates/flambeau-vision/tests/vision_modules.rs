//! The blocks of models against torchvision's, and what models are made of: options, files of weights, copies, hooks. All tests that
//! draw numbers hold one lock, as they share the default generator.

use flambeau_autograd::ops::paths::torch::cat;
use flambeau_autograd::{Tensor, ones, rand, randn, tensor};
use flambeau_device::manual_seed;
use flambeau_nn::{self as nn, Call, Forward, Module};
use flambeau_serialize::{safetensors, save};
use flambeau_vision::models::{self, ResNet};
use flambeau_vision::ops::*;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block by its name in the goldens, with what it makes of the inputs.
type Block = (Box<dyn Module>, Box<dyn Fn(&dyn Module, &[Tensor]) -> FeatureMaps>);

fn one<M: Forward>(block: M) -> Block {
    let run =
        |block: &dyn Module, x: &[Tensor]| vec![("y".to_owned(), block.downcast_ref::<M>().unwrap().call_ref(&x[0]))];
    (Box::new(block), Box::new(run))
}

fn pyramid(block: FeaturePyramidNetwork) -> Block {
    let run = |block: &dyn Module, x: &[Tensor]| {
        let maps = x.iter().enumerate().map(|(i, x)| (format!("m{i}"), x.shallow_clone())).collect::<FeatureMaps>();
        block.downcast_ref::<FeaturePyramidNetwork>().unwrap().call(maps)
    };
    (Box::new(block), Box::new(run))
}

/// Boxes of all sizes within an image.
fn boxes(number: usize, (height, width): (usize, usize)) -> Tensor {
    let (corners, sides) = (rand((number, 2)), rand((number, 2)).square());
    let size = tensor([width as f32, height as f32]);
    let ends = corners.add(corners.neg().add(1).mul(sides));
    cat(&[corners.mul(&size), ends.mul(&size)], 1)
}

/// A call with boxes of images.
fn regions(block: MultiScaleRoIAlign, row: &Value) -> Block {
    let pairs = row["images"].as_array().unwrap().iter();
    let whole = |n: &Value| n.as_u64().unwrap() as usize;
    let images: Vec<(usize, usize)> = pairs.map(|size| (whole(&size[0]), whole(&size[1]))).collect();
    let numbers: Vec<usize> = row["numbers"].as_array().unwrap().iter().map(whole).collect();
    let run = move |block: &dyn Module, x: &[Tensor]| {
        let maps = x.iter().enumerate().map(|(i, x)| (format!("m{i}"), x.shallow_clone())).collect::<FeatureMaps>();
        let boxes: Vec<Tensor> = numbers.iter().zip(&images).map(|(&n, &image)| boxes(n, image)).collect();
        let y = block.downcast_ref::<MultiScaleRoIAlign>().unwrap().call(maps, boxes, images.clone());
        vec![("y".to_owned(), y)]
    };
    (Box::new(block), Box::new(run))
}

fn block(row: &Value) -> Block {
    let name = row["name"].as_str().unwrap();
    let channels = [10, 20, 30];
    match name {
        "conv" => one(Conv2dNormActivation::new(3, 8)),
        "conv silu" => one(Conv2dNormActivation::with(4, 8, |o| {
            let o = o.kernel_size(5).stride(2).groups(2).without_norm().dilation(2).inplace(false);
            o.activation_layer(|inplace| nn::SiLU::with(|o| o.inplace(inplace)))
        })),
        "conv pairs" => one(Conv2dNormActivation::with(3, 4, |o| {
            let o = o.kernel_size((3, 5)).stride((1, 2)).bias(true).without_activation();
            o.norm_layer(|n| nn::GroupNorm::new(2, n))
        })),
        "conv padding" => one(Conv2dNormActivation::with(3, 4, |o| {
            o.padding(2).activation_layer(|inplace| nn::Hardswish::with(|o| o.inplace(inplace)))
        })),
        "conv3d" => one(Conv3dNormActivation::new(3, 8)),
        "conv3d pairs" => one(Conv3dNormActivation::with(3, 4, |o| {
            let o = o.kernel_size((1, 3, 5)).stride((1, 2, 1)).dilation((2, 1, 1)).without_norm();
            o.activation_layer(|inplace| nn::SiLU::with(|o| o.inplace(inplace)))
        })),
        "squeeze" => one(SqueezeExcitation::new(8, 2)),
        "squeeze silu" => {
            one(SqueezeExcitation::with(8, 2, |o| o.activation(nn::SiLU::new).scale_activation(nn::Hardsigmoid::new)))
        }
        "mlp" => one(MLP::new(4, &[8, 6, 2])),
        "mlp norm" => {
            one(MLP::with(4, &[8, 2], |o| o.norm_layer(nn::LayerNorm::new).inplace(true).bias(false).dropout(0.3)))
        }
        "mlp one" => one(MLP::with(4, &[5], |o| o.dropout(0.5))),
        "permute" => one(Permute::new([0, 2, 1])),
        "depth" => one(StochasticDepth::new(0.4, "row")),
        "depth batch" => one(StochasticDepth::new(0.4, "batch")),
        "block" => one(DropBlock2d::new(0.3, 3)),
        "block in place" => one(DropBlock2d::with(0.3, 3, |o| o.inplace(true).eps(0.1))),
        "frozen" => {
            let norm = FrozenBatchNorm2d::with(3, |o| o.eps(1e-3));
            norm.buffers().iter().for_each(|buffer| drop(buffer.uniform_(0.5, 2)));
            one(norm)
        }
        "pyramid" => pyramid(FeaturePyramidNetwork::new(&channels, 5)),
        "pyramid pool" => {
            pyramid(FeaturePyramidNetwork::with(&channels, 5, |o| o.extra_blocks(LastLevelMaxPool::new())))
        }
        "pyramid p6" => {
            let top = LastLevelP6P7::new(30, 5);
            pyramid(FeaturePyramidNetwork::with(&channels, 5, |o| o.extra_blocks(top).norm_layer(nn::BatchNorm2d::new)))
        }
        "pyramid p5" => {
            let top = LastLevelP6P7::new(6, 6);
            pyramid(FeaturePyramidNetwork::with(&channels, 6, |o| o.extra_blocks(top)))
        }
        "regions" => regions(MultiScaleRoIAlign::new(&["m0", "m1", "m2"], 3, 2), row),
        "regions one" => regions(MultiScaleRoIAlign::new(&["m1"], (2, 3), -1), row),
        "regions two" => {
            let align = |o: MultiScaleRoIAlignOptions| o.canonical_scale(60).canonical_level(3);
            regions(MultiScaleRoIAlign::with(&["m0", "m2"], 2, 0, align), row)
        }
        "regions none" => regions(MultiScaleRoIAlign::new(&["m0", "m1"], 2, 2), row),
        other => panic!("no block {other}"),
    }
}

#[test]
fn blocks_are_torchvisions() {
    let _alone = alone();
    let rows: Vec<Value> = serde_json::from_str(include_str!("../goldens/modules.json")).unwrap();
    for row in &rows {
        let name = row["name"].as_str().unwrap();
        manual_seed(0);
        let (block, run) = block(row);
        assert_eq!(block.repr(), row["print"].as_str().unwrap(), "{name}");
        let state = block.state_dict();
        assert_eq!(
            state.keys().collect::<Vec<_>>(),
            row["keys"].as_array().unwrap().iter().collect::<Vec<_>>(),
            "{name}"
        );
        manual_seed(1);
        let shapes = row["shapes"].as_array().unwrap();
        let shape = |s: &Value| s.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect::<Vec<_>>();
        let x: Vec<Tensor> = shapes.iter().map(|s| randn(shape(s))).collect();
        manual_seed(2);
        let outputs = run(block.as_module(), &x);
        let expected = row["outputs"].as_object().unwrap();
        assert_eq!(outputs.len(), expected.len(), "{name}");
        for ((key, y), (expected_key, expected)) in outputs.iter().zip(expected) {
            assert_eq!(key, expected_key, "{name}");
            assert_eq!(y.size().to_vec(), shape(&expected["shape"]), "{name}");
            let values = y.detach().to_vec::<f32>();
            let some = values.iter().step_by((values.len() / 7).max(1)).map(|&x| f64::from(x)).collect::<Vec<_>>();
            for (found, expected) in some.iter().zip(expected["some"].as_array().unwrap()) {
                assert!((found - expected.as_f64().unwrap()).abs() < 3e-6, "{name}: {found}, not {expected}");
            }
            let (sum, expected) = (y.double().abs().sum().item(), expected["sum"].as_f64().unwrap());
            assert!((sum - expected).abs() <= 1e-5 * expected, "{name}: {sum}, not {expected}");
        }
    }
    assert_eq!(rows.len(), 25);
}

#[test]
fn files_of_weights_are_loaded_strictly() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let model = models::resnet18_with(|o| o.num_classes(10));
    let x = randn((1, 3, 32, 32));
    model.eval();
    let expected = model.call(&x);
    let (pth, st) = (dir.path().join("r.pth"), dir.path().join("r.safetensors"));
    save(&model.state_dict(), &pth).unwrap();
    safetensors::save_file(&model.state_dict(), &st).unwrap();
    for path in [&pth, &st] {
        let again = models::resnet18_with(|o| o.weights(path).num_classes(10)).unwrap();
        assert!(again.training());
        again.eval();
        assert!(again.call(&x).equal(&expected));
        // Another shape, another model, and what is no state dict.
        let wrong = models::resnet18_with(|o| o.weights(path)).err().unwrap().to_string();
        assert!(wrong.starts_with(&path.display().to_string()), "{wrong}");
        let words = "size mismatch for fc.weight: copying a param with shape torch.Size([10, 512]) from checkpoint, the shape \
                     in current model is torch.Size([1000, 512]).";
        assert!(wrong.contains(words), "{wrong}");
        let wrong = models::resnet34_with(|o| o.num_classes(10).weights(path)).err().unwrap().to_string();
        assert!(wrong.contains("Missing key(s) in state_dict: \"layer1.2.conv1.weight\""), "{wrong}");
    }
    let other = dir.path().join("x.pth");
    save(&ones(2), &other).unwrap();
    std::fs::write(dir.path().join("broken.pth"), b"PK\x03\x04no").unwrap();
    for name in ["x.pth", "broken.pth", "missing.pth"] {
        let wrong = models::squeezenet1_1_with(|o| o.weights(dir.path().join(name))).err().unwrap().to_string();
        assert!(wrong.contains(name), "{wrong}");
    }
}

#[test]
fn old_keys_have_their_new_names() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.pth");
    let model = models::densenet121_with(|o| o.num_classes(2));
    let state = model.state_dict();
    let old = state.iter().map(|(key, x)| {
        let key = match key.contains("denselayer") {
            true => key.replace("norm1", "norm.1").replace("conv2", "conv.2").replace("norm2.", "norm.2."),
            false => key.to_owned(),
        };
        (key, x.shallow_clone())
    });
    let old: nn::StateDict = old.collect();
    assert!(old.contains_key("features.denseblock1.denselayer1.norm.1.weight"));
    save(&old, &path).unwrap();
    let again = models::densenet121_with(|o| o.num_classes(2).weights(&path)).unwrap();
    let key = "features.denseblock4.denselayer16.conv2.weight";
    assert!(again.state_dict()[key].equal(&model.state_dict()[key]));

    let model = models::vit_b_32_with(|o| o.image_size(32).num_classes(2));
    let state = model.state_dict();
    let old = state
        .iter()
        .map(|(key, x)| (key.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"), x.shallow_clone()));
    let old: nn::StateDict = old.collect();
    save(&old, &path).unwrap();
    let again = models::vit_b_32_with(|o| o.image_size(32).num_classes(2).weights(&path)).unwrap();
    let key = "encoder.layers.encoder_layer_11.mlp.3.weight";
    assert!(again.state_dict()[key].equal(&model.state_dict()[key]));
}

#[test]
fn pyramids_of_the_first_version_are_loaded() {
    let _alone = alone();
    let pyramid = FeaturePyramidNetwork::new(&[3, 4], 2);
    let state = pyramid.state_dict();
    let old = state.iter().map(|(key, x)| (key.replace(".0.weight", ".weight").replace(".0.bias", ".bias"), x));
    let old: nn::StateDict = old.collect();
    assert!(old.contains_key("layer_blocks.1.bias"), "{:?}", old.keys().collect::<Vec<_>>());
    let other = FeaturePyramidNetwork::new(&[3, 4], 2);
    other.load_state_dict(&old).unwrap();
    assert!(other.state_dict()["layer_blocks.1.0.weight"].equal(&state["layer_blocks.1.0.weight"]));
    assert_eq!((state.version(""), state.version("layer_blocks.1.0")), (Some(2), Some(1)));
}

#[test]
fn a_file_of_googlenet_has_auxiliary_classifiers() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("g.pth");
    save(&models::googlenet_with(|o| o.num_classes(3)).state_dict(), &path).unwrap();
    let without = models::googlenet_with(|o| o.num_classes(3).weights(&path)).unwrap();
    assert!(without.aux1.is_none() && without.aux2.is_none());
    let with = models::googlenet_with(|o| o.num_classes(3).weights(&path).aux_logits(true)).unwrap();
    let outputs = with.call(ones((2, 3, 64, 64)));
    assert_eq!(outputs.size(), [2, 3]); // lends the logits
    assert!(outputs.aux_logits1.is_some() && outputs.aux_logits2.is_some());
    with.eval();
    assert!(with.call(ones((1, 3, 64, 64))).aux_logits1.is_none());
    // As a module of one tensor.
    let boxed: Box<dyn Forward> = Box::new(without);
    boxed.eval();
    assert_eq!(boxed.call(ones((1, 3, 64, 64))).size(), [1, 3]);
}

#[test]
fn heads_are_replaced_and_parts_frozen() {
    let _alone = alone();
    let mut model = models::resnet18();
    model.requires_grad_(false);
    model.fc = nn::Linear::new(512, 2);
    let trained: Vec<String> =
        model.named_parameters().into_iter().filter(|(_, p)| p.requires_grad()).map(|(name, _)| name).collect();
    assert_eq!(trained, ["fc.weight", "fc.bias"]);
    let copy = nn::deepcopy(&model);
    assert_eq!(copy.state_dict().len(), model.state_dict().len());
    let shapes = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = shapes.clone();
    let handle = model.layer2.as_module().register_forward_hook(move |_, _, y| {
        seen.lock().unwrap().push(y.tensor().unwrap().size().to_vec());
        None
    });
    assert_eq!(model.call(ones((2, 3, 64, 64))).size(), [2, 2]);
    handle.remove();
    assert_eq!(*shapes.lock().unwrap(), [[2, 128, 8, 8]]);
    let mut model = models::squeezenet1_1();
    model.classifier.set(1, nn::Conv2d::new(512, 3, 1)); // model.classifier[1] = nn.Conv2d(512, 3, 1)
    assert_eq!(model.call(ones((1, 3, 32, 32))).size(), [1, 3]);
}

#[test]
fn norm_layers_are_chosen() {
    let _alone = alone();
    let model = models::resnet50_with(|o| o.norm_layer(FrozenBatchNorm2d::new).num_classes(2));
    assert!(model.get_submodule("layer4.2.bn3").is::<FrozenBatchNorm2d>());
    assert_eq!(model.state_dict().keys().filter(|key| key.contains("running_mean")).count(), 53);
    // A state dict with counts of batches fits.
    let usual = models::resnet50_with(|o| o.num_classes(2)).state_dict();
    assert_eq!(usual.len(), model.state_dict().len() + 53);
    model.load_state_dict(&usual).unwrap();
    let model: ResNet = models::resnet18_with(|o| o.norm_layer(|n| nn::GroupNorm::new(8, n)).zero_init_residual(true));
    assert_eq!(model.get_parameter("layer1.0.bn2.weight").abs().sum().item(), 0.0);
    let model = models::mobilenet_v2_with(|o| o.norm_layer(|n| nn::BatchNorm2d::with(n, |o| o.eps(0.5))));
    assert!(model.repr().contains("BatchNorm2d(32, eps=0.5"));
}

#[test]
fn models_have_names() {
    let _alone = alone();
    let names = models::list_models();
    assert_eq!((names.len(), names.is_sorted()), (79, true));
    let model = models::get_model("SqueezeNet1_1").unwrap();
    assert_eq!(model.num_parameters(), 1_235_496);
    assert_eq!(models::get_model("resnet19").err().unwrap().to_string(), "Unknown model resnet19");
}

#[test]
fn wrong_arguments_say_so() {
    let _alone = alone();
    let words = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        payload.downcast_ref::<String>().cloned().unwrap_or_else(|| payload.downcast_ref::<&str>().unwrap().to_string())
    };
    let said = words(&|| drop(models::resnext50_32x4d_with(|o| o.groups(2))));
    assert_eq!(said, "The parameter 'groups' expected value 32 but got 2 instead.");
    let said = words(&|| drop(models::wide_resnet50_2_with(|o| o.width_per_group(64))));
    assert_eq!(said, "The parameter 'width_per_group' expected value 128 but got 64 instead.");
    let said = words(&|| drop(models::resnet18_with(|o| o.groups(2))));
    assert_eq!(said, "BasicBlock only supports groups=1 and base_width=64");
    let said = words(&|| drop(models::resnet18_with(|o| o.replace_stride_with_dilation([false, true, true]))));
    assert_eq!(said, "Dilation > 1 not supported in BasicBlock");
    let said = words(&|| drop(models::vit_b_16_with(|o| o.image_size(100))));
    assert_eq!(said, "Input shape indivisible by patch size!");
    let vit = models::vit_b_32_with(|o| o.image_size(32));
    let said = words(&|| drop(vit.call(ones((1, 3, 64, 32)))));
    assert_eq!(said, "Wrong image height! Expected 32 but got 64!");
    let said = words(&|| drop(FeaturePyramidNetwork::new(&[0], 4)));
    assert_eq!(said, "in_channels=0 is currently not supported");
}
