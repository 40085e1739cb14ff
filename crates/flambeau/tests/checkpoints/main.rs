//! Programs with checkpoints, line by line from Python, whose lines stand above Rust's.

mod values;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use torch::optim::lr_scheduler::{CosineAnnealingLR, StepLR};
use torch::prelude::*;

type Done = Result<(), Box<dyn std::error::Error>>;

/// A folder that goes when the test ends. The tests take turns, for they draw from one generator.
struct Scratch(PathBuf, #[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("flambeau-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        static TURN: Mutex<()> = Mutex::new(());
        Scratch(folder, TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[derive(Module)]
struct Net {
    backbone: nn::Sequential,
    fc: nn::Linear,
}

impl Net {
    fn new(classes: usize) -> Self {
        let backbone = nn::sequential![nn::Linear::new(4, 8), nn::BatchNorm1d::new(8), nn::ReLU::new()];
        Net { backbone, fc: nn::Linear::new(8, classes) }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.fc.call(self.backbone.call(x))
    }
}

fn train_step(model: &Net, optimizer: &optim::Optimizer) -> f64 {
    let loss = F::cross_entropy(model.call(torch::randn((16, 4))), torch::randint(0, 3, 16));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss.item()
}

fn weights(model: &impl Module) -> Vec<f32> {
    model.state_dict().values().flat_map(|t| t.float().flatten(0).to_vec::<f32>()).collect()
}

/// Everything that a training has, saved and resumed: it goes on to the same weights.
#[test]
fn a_training_goes_on_where_it_was() -> Done {
    let scratch = Scratch::new("resume");
    let path = scratch.file("checkpoint.pth");
    torch::manual_seed(0);
    let model = Net::new(3);
    let optimizer = optim::Adam::new(model.parameters(), 1e-2);
    let scheduler = StepLR::new(&optimizer, 1, 0.5);
    let scaler = torch::amp::GradScaler::new("cpu");
    let generator = torch::Generator::new().manual_seed(5);
    let (mut best_acc, mut losses) = (0.0, Vec::new());
    for epoch in 0..4 {
        losses.push(train_step(&model, &optimizer));
        scheduler.step();
        let acc = 1.0 / (1.0 + losses[losses.len() - 1]);
        let is_best = acc > best_acc;
        best_acc = f64::max(acc, best_acc);
        if epoch == 1 {
            // torch.save({'epoch': epoch + 1, 'arch': 'net', 'state_dict': model.state_dict(), 'best_acc': best_acc,
            //             'optimizer': optimizer.state_dict(), 'scheduler': scheduler.state_dict(), 'is_best': is_best,
            //             'scaler': scaler.state_dict(), 'losses': losses, 'args': vars(args), 'shape': (16, 4),
            //             'rng_state': torch.get_rng_state(), 'generator': generator.get_state()}, path)
            let checkpoint = torch::dict! {
                "epoch": epoch + 1,
                "arch": "net",
                "state_dict": model.state_dict(),
                "best_acc": best_acc,
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "is_best": is_best,
                "scaler": scaler.state_dict(),
                "losses": losses,
                "args": HashMap::from([("lr", 0.01), ("gamma", 0.5)]),
                "shape": (16, 4),
                "rng_state": torch::get_rng_state(),
                "generator": generator.get_state(),
            };
            torch::save(&checkpoint, &path)?;
        }
    }

    let model2 = Net::new(3);
    let optimizer2 = optim::Adam::new(model2.parameters(), 0.5);
    let scheduler2 = StepLR::new(&optimizer2, 7, 0.1);
    let (scaler2, generator2) = (torch::amp::GradScaler::new("cpu"), torch::Generator::new());
    // checkpoint = torch.load(path, map_location=device)
    let device = torch::Device::Cpu;
    let checkpoint = torch::load_with(&path, |o| o.map_location(device).weights_only(true))?;
    // start_epoch = checkpoint['epoch']; best_acc = checkpoint['best_acc']
    let start_epoch: usize = checkpoint["epoch"].extract()?;
    let best: f64 = checkpoint["best_acc"].extract()?;
    model2.load_state_dict(&checkpoint["state_dict"])?;
    optimizer2.load_state_dict(&checkpoint["optimizer"])?;
    scheduler2.load_state_dict(&checkpoint["scheduler"])?;
    scaler2.load_state_dict(&checkpoint["scaler"])?;
    torch::set_rng_state(&checkpoint["rng_state"]);
    generator2.set_state(&checkpoint["generator"])?;
    for _ in start_epoch..4 {
        train_step(&model2, &optimizer2);
        scheduler2.step();
    }
    assert_eq!(weights(&model2), weights(&model), "bit for bit");
    assert_eq!(scheduler2.get_last_lr(), scheduler.get_last_lr());
    assert_eq!(generator2.get_state(), generator.get_state());
    assert!(best <= best_acc && checkpoint["is_best"].as_bool().is_some());
    assert_eq!(checkpoint["losses"].extract::<Vec<f64>>()?, losses[..2]);
    assert_eq!(checkpoint["shape"].extract::<(i64, i64)>()?, (16, 4));
    // lr = checkpoint['args']['lr']
    let lr: f64 = checkpoint["args"]["lr"].extract()?;
    assert_eq!(lr, 0.01);
    // checkpoint['optimizer']['param_groups'][0]['lr']
    assert_eq!(checkpoint["optimizer"]["param_groups"][0]["lr"].as_f64(), Some(0.0025));
    Ok(())
}

/// As the mnist example: what is written at the end is the same, byte for byte, whether the training was broken off or not.
#[test]
fn two_epochs_leave_the_file_of_one_and_one_more() -> Done {
    let scratch = Scratch::new("epochs");
    let train = |name: &str, epochs: i64| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        // Files of one name, for it is in the file.
        std::fs::create_dir_all(scratch.file(name))?;
        let (out, path) = (scratch.file(name).join("net.pth"), scratch.file(name).join("checkpoint.pth"));
        torch::manual_seed(3);
        let (images, labels) = (torch::randn((40, 4)), torch::randint(0, 3, 40));
        let data = torch::utils::data::TensorDataset::new([images, labels]);
        let loader = torch::utils::data::DataLoader::with(data, |o| o.batch_size(16).shuffle(true));
        let model = Net::new(3);
        let optimizer = optim::Adam::new(model.parameters(), 1e-2);
        let scheduler = StepLR::new(&optimizer, 1, 0.7);
        let mut start = 0;
        if path.exists() {
            let checkpoint = torch::load(&path)?;
            model.load_state_dict(&checkpoint["model"])?;
            optimizer.load_state_dict(&checkpoint["optimizer"])?;
            scheduler.load_state_dict(&checkpoint["scheduler"])?;
            torch::set_rng_state(&checkpoint["rng_state"]);
            start = checkpoint["epoch"].extract::<i64>()? + 1;
        }
        for epoch in start..epochs {
            for (x, y) in &loader {
                optimizer.zero_grad();
                F::cross_entropy(F::dropout(model.call(x), 0.1, true), y).backward();
                optimizer.step();
            }
            scheduler.step();
            let checkpoint = torch::dict! {
                "epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(), "rng_state": torch::get_rng_state(),
            };
            torch::save(checkpoint, &path)?;
        }
        torch::save(model.state_dict(), &out)?;
        Ok(std::fs::read(out)?)
    };
    let (whole, half) = (train("whole", 2)?, train("parts", 1)?);
    assert!(train("parts", 2)? == whole && whole != half);
    Ok(())
}

#[test]
fn the_best_model_is_kept() -> Done {
    let scratch = Scratch::new("best");
    let path = scratch.file("best.pth");
    let model = Net::new(3);
    let optimizer = optim::SGD::with(model.parameters(), 0.1, |o| o.momentum(0.9));
    // best_model_wts = copy.deepcopy(model.state_dict())
    let mut best_model_wts = torch::deepcopy(&model.state_dict());
    let mut best_loss = f64::INFINITY;
    for _ in 0..3 {
        let loss = train_step(&model, &optimizer);
        if loss < best_loss {
            best_loss = loss;
            best_model_wts = torch::deepcopy(&model.state_dict());
            torch::save(model.state_dict(), &path)?;
        }
    }
    // model.load_state_dict(best_model_wts)
    model.load_state_dict(best_model_wts)?;
    let other = Net::new(3);
    // other.load_state_dict(torch.load('best.pth', weights_only=True)); other.eval()
    other.load_state_dict(torch::load(&path)?)?;
    other.eval();
    assert_eq!(weights(&other), weights(&model));
    Ok(())
}

#[test]
fn a_backbone_is_transferred() -> Done {
    let scratch = Scratch::new("transfer");
    let path = scratch.file("pretrained.pth");
    let pretrained = Net::new(1000);
    torch::save(pretrained.state_dict(), &path)?;

    let model = Net::new(3);
    // state_dict = torch.load(path); state_dict.pop('fc.weight'); state_dict.pop('fc.bias')
    let mut state_dict = torch::load(&path)?;
    state_dict.pop("fc.weight");
    state_dict.pop("fc.bias");
    // result = model.load_state_dict(state_dict, strict=False); print(result)
    let result = model.load_state_dict_with(&state_dict, |o| o.strict(false))?;
    assert_eq!(result.to_string(), "_IncompatibleKeys(missing_keys=['fc.weight', 'fc.bias'], unexpected_keys=[])");
    assert_eq!(weights(&model.backbone), weights(&pretrained.backbone));

    // model_dict = model.state_dict()
    // pretrained_dict = {k: v for k, v in pretrained_dict.items() if k in model_dict and v.shape == model_dict[k].shape}
    // model_dict.update(pretrained_dict); model.load_state_dict(model_dict)
    let model = Net::new(3);
    let mut model_dict = model.state_dict();
    let pretrained_dict: nn::StateDict = torch::load(&path)?.try_into()?;
    let pretrained_dict: nn::StateDict = pretrained_dict
        .items()
        .filter(|(k, v)| model_dict.contains_key(k) && v.shape() == model_dict[k].shape())
        .collect();
    assert_eq!(pretrained_dict.len(), model_dict.len() - 2);
    model_dict.update(&pretrained_dict);
    model.load_state_dict(&model_dict)?;
    assert_eq!(weights(&model.backbone), weights(&pretrained.backbone));

    // The shapes of the head differ: PyTorch's report, in its words.
    let error = model.load_state_dict(&torch::load(&path)?).unwrap_err().to_string();
    assert_eq!(
        error,
        "Error(s) in loading state_dict for Net:\n\tsize mismatch for fc.weight: copying a param with shape torch.Size([1000, 8]) \
         from checkpoint, the shape in current model is torch.Size([3, 8]).\n\tsize mismatch for fc.bias: copying a param with \
         shape torch.Size([1000]) from checkpoint, the shape in current model is torch.Size([3])."
    );
    Ok(())
}

#[test]
fn names_are_changed() -> Done {
    let scratch = Scratch::new("names");
    let path = scratch.file("parallel.pth");
    let parallel = nn::DataParallel::new(Net::new(3));
    torch::save(torch::dict! { "state_dict": parallel.state_dict(), "epoch": 7 }, &path)?;
    let checkpoint = torch::load(&path)?;
    let model = Net::new(3);
    let error = model.load_state_dict(&checkpoint["state_dict"]).unwrap_err().to_string();
    assert!(error.starts_with(
        "Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: \"backbone.0.weight\", "
    ));
    assert!(error.contains(". \n\tUnexpected key(s) in state_dict: \"module.backbone.0.weight\", "), "{error}");
    assert!(
        error.ends_with(
            "\n\tThe names in the state_dict begin with \"module.\", as nn.DataParallel writes them: \
             nn::utils::consume_prefix_in_state_dict_if_present(&mut state_dict, \"module.\") takes that away."
        ),
        "{error}"
    );
    // nn.modules.utils.consume_prefix_in_state_dict_if_present(state_dict, 'module.')
    let mut state_dict: nn::StateDict = checkpoint["state_dict"].extract()?;
    nn::utils::consume_prefix_in_state_dict_if_present(&mut state_dict, "module.");
    model.load_state_dict(&state_dict)?;
    assert_eq!(weights(&model), weights(&parallel));
    assert_eq!(state_dict.version("backbone.1"), Some(2), "the metadata went along");

    // new_state_dict = OrderedDict()
    // for k, v in state_dict.items(): name = k[7:]; new_state_dict[name] = v
    let mut new_state_dict = nn::StateDict::new();
    for (k, v) in checkpoint["state_dict"].items() {
        let name = &k[7..];
        new_state_dict.insert(name, v);
    }
    model.load_state_dict(&new_state_dict)?;
    // model.load_state_dict({k.replace('module.', ''): v for k, v in checkpoint['state_dict'].items()})
    let state_dict: HashMap<String, _> =
        checkpoint["state_dict"].items().map(|(k, v)| (k.replace("module.", ""), v)).collect();
    model.load_state_dict(&state_dict)?;
    // A plain state dict into the wrapper, and a whole checkpoint into a model.
    let error = parallel.load_state_dict(model.state_dict()).unwrap_err().to_string();
    assert!(
        error.ends_with("one of the model's part \"module\": model.module.load_state_dict(…) takes it."),
        "{error}"
    );
    let error = parallel.load_state_dict(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("Unexpected key(s) in state_dict: \"state_dict\", \"epoch\". "), "{error}");
    assert!(error.ends_with("that has one: load_state_dict(&checkpoint[\"state_dict\"])."), "{error}");
    Ok(())
}

#[test]
fn averages_of_weights() -> Done {
    let scratch = Scratch::new("average");
    let models = [Net::new(3), Net::new(3)];
    let paths = ["a.pth", "b.pth"].map(|name| scratch.file(name));
    for (model, path) in models.iter().zip(&paths) {
        torch::save(model.state_dict(), path)?;
    }
    // avg = torch.load(paths[0])
    // for p in paths[1:]: sd = torch.load(p); for k in avg: avg[k] = avg[k] + sd[k]
    // for k in avg: avg[k] = avg[k] / len(paths)
    let mut avg: nn::StateDict = torch::load(&paths[0])?.try_into()?;
    let keys: Vec<String> = avg.keys().map(String::from).collect();
    for p in &paths[1..] {
        let sd: nn::StateDict = torch::load(p)?.try_into()?;
        for k in &keys {
            avg[k] = &avg[k] + &sd[k];
        }
    }
    for k in &keys {
        avg[k] = &avg[k] / paths.len();
    }
    let model = Net::new(3);
    model.load_state_dict(&avg)?;
    let mean = (models[0].fc.weight.item_at(0) + models[1].fc.weight.item_at(0)) / 2.0;
    assert!((model.fc.weight.item_at(0) - mean).abs() < 1e-7);

    // EMA: for k, v in ema.items(): v.mul_(decay).add_(model.state_dict()[k], alpha=1 - decay)
    let ema = torch::deepcopy(&models[0].state_dict());
    let current = models[1].state_dict();
    for (k, v) in ema.items().filter(|(_, v)| v.is_floating_point()) {
        v.mul_(0.9).add_with(&current[k], |o| o.alpha(0.1));
    }
    torch::save(torch::dict! { "model": models[1].state_dict(), "ema": ema, "updates": 1 }, &paths[0])?;
    model.load_state_dict(&torch::load(&paths[0])?["ema"])?;
    Ok(())
}

trait ItemAt {
    fn item_at(&self, at: usize) -> f64;
}

impl ItemAt for nn::Parameter {
    fn item_at(&self, at: usize) -> f64 {
        self.detach().flatten(0).to_vec::<f32>()[at].into()
    }
}

#[test]
fn two_models_and_two_optimizers() -> Done {
    let scratch = Scratch::new("gan");
    let path = scratch.file("gan.pth");
    let (net_g, net_d) = (Net::new(3), Net::new(2));
    let optim_g = optim::Adam::with(net_g.parameters(), 2e-4, |o| o.betas((0.5, 0.999)));
    let optim_d = optim::Adam::with(net_d.parameters(), 2e-4, |o| o.betas((0.5, 0.999)));
    train_step(&net_g, &optim_g);
    // torch.save([netG.state_dict(), netD.state_dict()], path)
    torch::save(&[net_g.state_dict(), net_d.state_dict()], &path)?;
    let states = torch::load(&path)?;
    for (net, state) in [&net_g, &net_d].into_iter().zip(&states) {
        net.load_state_dict(state)?;
    }
    // torch.save((netG.state_dict(), optimizerG.state_dict()), path)
    torch::save(&(net_g.state_dict(), optim_g.state_dict()), &path)?;
    let checkpoint = torch::load(&path)?;
    net_g.load_state_dict(&checkpoint[0])?;
    optim_g.load_state_dict(&checkpoint[1])?;
    // torch.save({'netG': netG.state_dict(), …, 'fixed_noise': fixed_noise, 'G_losses': G_losses, 'iters': iters}, path)
    let (fixed_noise, g_losses, iters) = (torch::randn((64, 100, 1, 1)), vec![(0, 1.5), (1, 0.5)], 500_u64);
    let state = torch::dict! {
        "netG": net_g.state_dict(),
        "netD": net_d.state_dict(),
        "optimizerG": optim_g.state_dict(),
        "optimizerD": optim_d.state_dict(),
        "fixed_noise": fixed_noise,
        "G_losses": g_losses,
        "iters": iters,
    };
    torch::save(&state, &path)?;
    let state = torch::load(&path)?;
    optim_d.load_state_dict(&state["optimizerD"])?;
    assert_eq!(state["fixed_noise"].shape(), [64, 100, 1, 1]);
    assert_eq!(state["G_losses"].extract::<Vec<(i64, f64)>>()?, g_losses);
    assert_eq!(state["iters"].extract::<u64>()?, 500);
    assert!(state["optimizerD"]["state"].is_empty() && !state["optimizerG"]["state"].is_empty());
    Ok(())
}

/// The learning-rate finder, which trains and puts everything back.
#[test]
fn a_finder_puts_everything_back() -> Done {
    let scratch = Scratch::new("finder");
    let model = Net::new(3);
    let optimizer = optim::SGD::with(model.parameters(), 1e-7, |o| o.momentum(0.9));
    train_step(&model, &optimizer);
    let before = weights(&model);
    // torch.save({'model': model.state_dict(), 'optimizer': optimizer.state_dict()}, path)
    let path = scratch.file("init.pth");
    torch::save(torch::dict! { "model": model.state_dict(), "optimizer": optimizer.state_dict() }, &path)?;
    // In memory: model_state = copy.deepcopy(model.state_dict()); optimizer_state = copy.deepcopy(optimizer.state_dict())
    let (model_state, optimizer_state) = (model.state_dict().clone(), optimizer.state_dict().clone());
    for group in optimizer.param_groups() {
        group.set_lr(10.0);
    }
    train_step(&model, &optimizer);
    let state = torch::load(&path)?;
    model.load_state_dict(&state["model"])?;
    optimizer.load_state_dict(&state["optimizer"])?;
    assert_eq!((weights(&model), optimizer.param_groups()[0].lr()), (before.clone(), 1e-7));
    train_step(&model, &optimizer);
    model.load_state_dict(&model_state)?;
    optimizer.load_state_dict(&optimizer_state)?;
    assert_eq!(weights(&model), before);
    Ok(())
}

#[test]
fn parts_are_saved_alone() -> Done {
    let scratch = Scratch::new("alone");
    let path = scratch.file("part.pth");
    let model = Net::new(3);
    let optimizer = optim::AdamW::new(model.parameters(), 1e-3);
    let scheduler = CosineAnnealingLR::new(&optimizer, 10);
    train_step(&model, &optimizer);
    scheduler.step();
    // torch.save(optimizer.state_dict(), path); optimizer.load_state_dict(torch.load(path))
    torch::save(optimizer.state_dict(), &path)?;
    optimizer.load_state_dict(torch::load(&path)?)?;
    torch::save(scheduler.state_dict(), &path)?;
    scheduler.load_state_dict(&torch::load(&path)?)?;
    let state: optim::lr_scheduler::SchedulerState = torch::load(&path)?.try_into()?;
    scheduler.load_state_dict(&state)?;
    // torch.save(x, path); torch.save([x, y], path); torch.save({'x': x}, path); torch.save(model.fc.weight, path)
    let (x, y) = (torch::randn((2, 3)), torch::arange(4));
    torch::save(&x, &path)?;
    let x2: Tensor = torch::load(&path)?.try_into()?;
    assert!(x2.equal(&x));
    torch::save([&x, &y], &path)?;
    let [x2, y2]: [Tensor; 2] = torch::load(&path)?.extract()?;
    assert!(x2.equal(&x) && y2.equal(&y));
    torch::save((&x, "label", 3), &path)?;
    let (x2, label, n): (Tensor, String, i32) = torch::load(&path)?.extract()?;
    assert!(x2.equal(&x) && label == "label" && n == 3);
    let activations = HashMap::from([("x".to_owned(), x.shallow_clone()), ("y".to_owned(), y)]);
    torch::save(&activations, &path)?;
    let loaded: HashMap<String, Tensor> = torch::load(&path)?.extract()?;
    assert!(loaded["x"].equal(&x) && loaded.len() == 2);
    torch::save(&model.fc.weight, &path)?;
    // print(torch.load(path).shape, torch.load(path).requires_grad)
    let weight = torch::load(&path)?;
    assert!(weight.shape() == [3, 8] && weight.requires_grad() && weight.is_leaf());
    torch::save(torch::get_rng_state(), &path)?;
    torch::set_rng_state(torch::load(&path)?);
    Ok(())
}

/// With `assign`, and with a buffer that is not persistent.
#[test]
fn buffers_and_assignment() -> Done {
    #[derive(Module)]
    struct Positions {
        table: nn::Buffer,
        cache: nn::Buffer,
    }
    let new = || Positions {
        table: nn::Buffer::new(torch::randn(3)),
        cache: nn::Buffer::with(torch::zeros(3), |o| o.persistent(false)),
    };
    let (one, two) = (new(), new());
    assert_eq!(one.state_dict().keys().collect::<Vec<_>>(), ["table"]);
    two.load_state_dict(one.state_dict())?;
    assert!(two.table.equal(&one.table) && two.cache.sum().item() == 0.0);
    let scratch = Scratch::new("assign");
    let path = scratch.file("half.pth");
    torch::save(Net::new(3).half().state_dict(), &path)?;
    let model = Net::new(3);
    model.load_state_dict_with(&torch::load(&path)?, |o| o.assign(true))?;
    assert_eq!(model.fc.weight.dtype(), torch::float16);
    Ok(())
}
