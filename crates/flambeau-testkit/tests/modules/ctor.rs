//! A golden's constructor arguments, and the layers that take many.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flambeau_autograd::Tensor;
use flambeau_nn::{self as nn, Forward, Module};
use flambeau_tensor::{Device, Scalar};
use flambeau_testkit::args::tensor;
use flambeau_testkit::golden::{Arg, ModuleCase};

pub type Run = Box<dyn Fn(&[Tensor]) -> Vec<Tensor>>;

/// A module of a golden and how it is called.
pub struct Built {
    pub module: Arc<dyn Module>,
    pub run: Run,
}

pub fn forward(module: impl Forward) -> Built {
    let module = Arc::new(module);
    let called = module.clone();
    Built { module, run: Box::new(move |x| vec![called.call(&x[0])]) }
}

pub fn loss<F: nn::LossFunction>(module: nn::Loss<F>) -> Built {
    let module = Arc::new(module);
    let called = module.clone();
    Built { module, run: Box::new(move |x| vec![called.call(&x[0], &x[1])]) }
}

/// A constructor's arguments by name; whoever reads one takes note, so that none is forgotten.
pub struct Ctor<'a> {
    args: BTreeMap<String, &'a Arg>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Ctor<'a> {
    pub fn new(case: &'a ModuleCase, names: &[&str]) -> Self {
        assert!(case.args.len() <= names.len(), "{} has more positional arguments than {names:?}", case.module);
        let positional = names.iter().zip(&case.args).map(|(n, a)| ((*n).to_owned(), a));
        let named = case.kwargs.iter().map(|(n, a)| (n.clone(), a));
        Ctor { args: positional.chain(named).collect(), read: RefCell::default() }
    }

    pub fn get(&self, name: &str) -> Option<&'a Arg> {
        let arg = *self.args.get(name)?;
        self.read.borrow_mut().insert(name.to_owned());
        Some(arg)
    }

    pub fn all_read(&self) -> bool {
        self.args.len() == self.read.borrow().len()
    }

    pub fn size(&self, name: &str) -> usize {
        let n = self.get(name).and_then(Arg::as_int).unwrap_or_else(|| panic!("{name} is missing"));
        usize::try_from(n).expect("a size")
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.get(name).map_or(default, |a| a.as_int().expect("an int"))
    }

    pub fn float(&self, name: &str, default: f64) -> f64 {
        self.get(name).map_or(default, |a| a.as_float().expect("a number"))
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |a| a.as_bool().expect("a bool"))
    }

    pub fn tensor(&self, name: &str) -> Option<Tensor> {
        self.get(name).map(|a| tensor(a.as_tensor().expect("a tensor"), Device::Cpu).expect("a tensor"))
    }

    pub fn number(&self, name: &str, default: f64) -> Scalar {
        match self.get(name) {
            None => Scalar::Float(default),
            Some(Arg::Int(i)) => Scalar::Int(*i),
            Some(a) => Scalar::Float(a.as_float().expect("a number")),
        }
    }

    pub fn reduction(&self) -> &'a str {
        self.get("reduction").map_or("mean", |a| a.as_str().expect("a name"))
    }

    pub fn sizes(&self, name: &str) -> Vec<usize> {
        let ints = self.get(name).and_then(Arg::as_ints).expect("sizes");
        ints.into_iter().map(|n| usize::try_from(n).expect("a size")).collect()
    }

    pub fn lengths<const D: usize>(&self, name: &str) -> Option<nn::Lengths<D>> {
        let arg = self.get(name)?;
        Some(match arg.as_int() {
            Some(n) => nn::Lengths::Same(usize::try_from(n).expect("a length")),
            None => {
                let list: Vec<usize> = arg.as_ints().expect("lengths").into_iter().map(|n| n as usize).collect();
                nn::Lengths::Each(list.try_into().expect("one length for each dimension"))
            }
        })
    }

    pub fn conv<const D: usize>(&self) -> Built {
        let padding = match self.get("padding") {
            Some(Arg::Str(name)) => nn::Padding::from(name.as_str()),
            Some(_) => nn::Padding::from(self.lengths::<D>("padding").expect("it is there")),
            None => nn::Padding::from(0),
        };
        let kernel = self.lengths::<D>("kernel_size").expect("a kernel size");
        forward(nn::Conv::with(self.size("in_channels"), self.size("out_channels"), kernel, |o| {
            o.stride(self.lengths::<D>("stride").unwrap_or(1.into()))
                .padding(padding)
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .groups(self.int("groups", 1) as usize)
                .bias(self.flag("bias", true))
                .padding_mode(self.get("padding_mode").map_or("zeros", |a| a.as_str().expect("a name")))
        }))
    }

    pub fn conv_transpose<const D: usize>(&self) -> Built {
        let kernel = self.lengths::<D>("kernel_size").expect("a kernel size");
        forward(nn::ConvTranspose::with(self.size("in_channels"), self.size("out_channels"), kernel, |o| {
            o.stride(self.lengths::<D>("stride").unwrap_or(1.into()))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .output_padding(self.lengths::<D>("output_padding").unwrap_or(0.into()))
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .groups(self.int("groups", 1) as usize)
                .bias(self.flag("bias", true))
        }))
    }

    pub fn max_pool<const D: usize>(&self) -> Built {
        let module = nn::MaxPool::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .ceil_mode(self.flag("ceil_mode", false))
        });
        if !self.flag("return_indices", false) {
            return forward(module);
        }
        let module = Arc::new(module);
        let called = module.clone();
        Built {
            module,
            run: Box::new(move |x| {
                let (values, indices) = called.forward_with_indices(&x[0]);
                vec![values, indices]
            }),
        }
    }

    pub fn avg_pool<const D: usize>(&self) -> Built {
        forward(nn::AvgPool::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .ceil_mode(self.flag("ceil_mode", false))
                .count_include_pad(self.flag("count_include_pad", true))
                .divisor_override(self.get("divisor_override").and_then(Arg::as_int))
        }))
    }

    pub fn adaptive<const D: usize>(&self) -> Built {
        let size = match self.get("output_size").expect("an output size") {
            Arg::List(list) => {
                let each: Vec<Option<usize>> = list.iter().map(|a| a.as_int().map(|n| n as usize)).collect();
                nn::OutputSize::Each(each.try_into().expect("one for each dimension"))
            }
            one => nn::OutputSize::Same(one.as_int().expect("a length") as usize),
        };
        forward(nn::AdaptiveAvgPool::<D>::new(size))
    }

    pub fn channel_norm<K: nn::NormKind, const D: usize>(&self) -> Built {
        forward(nn::ChannelNorm::<K, D>::with(self.size("num_features"), |o| {
            let o = o.eps(self.float("eps", 1e-5));
            let o = match self.get("momentum") {
                Some(a) => o.momentum(a.as_float()),
                None => o,
            };
            let o = if self.args.contains_key("affine") { o.affine(self.flag("affine", true)) } else { o };
            let track = self.args.contains_key("track_running_stats");
            if track { o.track_running_stats(self.flag("track_running_stats", true)) } else { o }
        }))
    }
}
