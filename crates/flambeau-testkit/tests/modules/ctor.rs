//! A golden's constructor arguments, and the layers that take many.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_nn::{self as nn, Call, Forward, Module};
use flambeau_tensor::{Device, Scalar};
use flambeau_testkit::args::tensor;
use flambeau_testkit::golden::{Arg, ModuleCase};

pub type Run = Box<dyn Fn(&[Tensor]) -> Vec<Tensor>>;

/// A module of a golden and how it is called.
pub struct Built {
    pub module: Arc<dyn Module>,
    pub run: Run,
    /// Whether the module is only the shell of a function: it has another name and no state.
    pub shell: bool,
}

/// A module that is called otherwise than by one tensor.
pub fn called<M: Module>(module: M, run: impl Fn(&M, &[Tensor]) -> Vec<Tensor> + 'static) -> Built {
    let module = Arc::new(module);
    let called = module.clone();
    Built { module, run: Box::new(move |x| run(&called, x)), shell: false }
}

/// A function where PyTorch has a class.
pub fn function(run: impl Fn(&[Tensor]) -> Vec<Tensor> + 'static) -> Built {
    Built { module: Arc::new(nn::Identity::new()), run: Box::new(run), shell: true }
}

pub fn forward(module: impl Forward) -> Built {
    called(module, |module, x| vec![module.call(&x[0])])
}

pub fn loss<F: nn::LossFunction>(module: nn::Loss<F>) -> Built {
    called(module, |module, x| vec![module.call(&x[0], &x[1])])
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

    pub fn opt_number(&self, name: &str) -> Option<Scalar> {
        self.get(name).filter(|a| !matches!(a, Arg::None)).map(|_| self.number(name, 0.0))
    }

    pub fn reduction(&self) -> &'a str {
        self.get("reduction").map_or("mean", |a| a.as_str().expect("a name"))
    }

    pub fn sizes(&self, name: &str) -> Vec<usize> {
        let ints = self.get(name).and_then(Arg::as_ints).expect("sizes");
        ints.into_iter().map(|n| usize::try_from(n).expect("a size")).collect()
    }

    /// One int or a list of them.
    pub fn ints(&self, name: &str, default: &[i64]) -> Vec<i64> {
        self.get(name).map_or(default.to_vec(), |a| a.as_ints().expect("ints"))
    }

    /// Whether a negative number stands among some arguments: layers take lengths, functions any numbers.
    pub fn negative(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.ints(name, &[]).iter().any(|&n| n < 0))
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
            Some(_) => nn::Padding::Lengths(self.lengths::<D>("padding").expect("it is there")),
            None => nn::Padding::Lengths(0.into()),
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
        let (ceil, indices) = (self.flag("ceil_mode", false), self.flag("return_indices", false));
        let outputs = move |(values, found): (Tensor, Tensor)| if indices { vec![values, found] } else { vec![values] };
        if self.negative(&["kernel_size", "stride", "padding", "dilation"]) {
            let both =
                [ops::max_pool1d_with_indices, ops::max_pool2d_with_indices, ops::max_pool3d_with_indices][D - 1];
            let plain = [ops::max_pool1d, ops::max_pool2d, ops::max_pool3d][D - 1];
            let kernel = self.ints("kernel_size", &[]);
            let options = ops::MaxPoolOptions::default()
                .stride(self.ints("stride", &kernel))
                .padding(self.ints("padding", &[0]))
                .dilation(self.ints("dilation", &[1]))
                .ceil_mode(ceil);
            return function(move |x| match indices {
                true => outputs(both(&x[0], &kernel, &options).or_panic()),
                false => vec![plain(&x[0], &kernel, &options).or_panic()],
            });
        }
        let module = nn::MaxPool::<D>::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .dilation(self.lengths::<D>("dilation").unwrap_or(1.into()))
                .ceil_mode(ceil)
        });
        if !indices {
            return forward(module);
        }
        called(module.return_indices(), move |module, x| outputs(module.call(&x[0])))
    }

    pub fn avg_pool<const D: usize>(&self) -> Built {
        let (ceil, counts) = (self.flag("ceil_mode", false), self.flag("count_include_pad", true));
        let divisor = self.get("divisor_override").and_then(Arg::as_int);
        if self.negative(&["kernel_size", "stride", "padding"]) {
            let pool = [ops::avg_pool1d, ops::avg_pool2d, ops::avg_pool3d][D - 1];
            let kernel = self.ints("kernel_size", &[]);
            let options = ops::AvgPoolOptions::default()
                .stride(self.ints("stride", &kernel))
                .padding(self.ints("padding", &[0]))
                .ceil_mode(ceil)
                .count_include_pad(counts)
                .divisor_override(divisor);
            return function(move |x| vec![pool(&x[0], &kernel, &options).or_panic()]);
        }
        forward(nn::AvgPool::<D>::with(self.lengths::<D>("kernel_size").expect("a kernel size"), |o| {
            o.stride(self.lengths::<D>("stride"))
                .padding(self.lengths::<D>("padding").unwrap_or(0.into()))
                .ceil_mode(ceil)
                .count_include_pad(counts)
                .divisor_override(divisor)
        }))
    }

    /// An output size, unless one of its numbers is negative, which only functions take.
    fn output_size<const D: usize>(&self) -> Result<nn::OutputSize<D>, Vec<Option<i64>>> {
        let arg = self.get("output_size").expect("an output size");
        let all: Vec<Option<i64>> = match arg {
            Arg::List(list) => list.iter().map(Arg::as_int).collect(),
            one => vec![one.as_int(); D],
        };
        if all.iter().flatten().any(|&n| n < 0) {
            return Err(all);
        }
        let each: Vec<Option<usize>> = all.iter().map(|n| n.map(|n| n as usize)).collect();
        Ok(match arg {
            Arg::List(_) => nn::OutputSize::Each(each.try_into().expect("one for each dimension")),
            _ => nn::OutputSize::Same(each[0].expect("a length")),
        })
    }

    pub fn adaptive_avg_pool<const D: usize>(&self) -> Built {
        match self.output_size::<D>() {
            Ok(size) => forward(nn::AdaptiveAvgPool::<D>::new(size)),
            Err(size) => {
                let pool = [ops::adaptive_avg_pool1d, ops::adaptive_avg_pool2d, ops::adaptive_avg_pool3d][D - 1];
                function(move |x| vec![pool(&x[0], &size).or_panic()])
            }
        }
    }

    pub fn adaptive_max_pool<const D: usize>(&self) -> Built {
        let indices = self.flag("return_indices", false);
        let outputs = move |(values, found): (Tensor, Tensor)| if indices { vec![values, found] } else { vec![values] };
        match self.output_size::<D>() {
            Ok(size) => {
                let module = nn::AdaptiveMaxPool::<D>::new(size);
                if !indices {
                    return forward(module);
                }
                called(module.return_indices(), move |module, x| outputs(module.call(&x[0])))
            }
            Err(size) => {
                let pool = [
                    ops::adaptive_max_pool1d_with_indices,
                    ops::adaptive_max_pool2d_with_indices,
                    ops::adaptive_max_pool3d_with_indices,
                ][D - 1];
                function(move |x| outputs(pool(&x[0], &size).or_panic()))
            }
        }
    }

    pub fn channel_norm<K: nn::NormKind, const D: usize>(&self) -> Built {
        forward(nn::ChannelNorm::<K, D>::with(self.size("num_features"), |o| {
            let o = o.eps(self.float("eps", 1e-5));
            let o = match self.get("momentum") {
                Some(a) => o.momentum(a.as_float()),
                None => o,
            };
            let o = if self.args.contains_key("affine") { o.affine(self.flag("affine", true)) } else { o };
            let o = o.bias(self.flag("bias", true));
            let track = self.args.contains_key("track_running_stats");
            if track { o.track_running_stats(self.flag("track_running_stats", true)) } else { o }
        }))
    }
}
