//! What is known of one layer.

use crate::module::repr::class_name;
use crate::{Module, Value};
use flambeau_autograd::Tensor;

/// A layer's row of a [`Summary`](super::Summary).
#[derive(Clone, Debug)]
pub struct LayerInfo {
    /// The layer's class.
    pub class_name: String,
    /// The layer's name in the module that holds it; the model's class for the model itself.
    pub var_name: String,
    /// How many modules are above it.
    pub depth: usize,
    /// Its number among the rows of its depth, from 1.
    pub depth_index: usize,
    /// Whether no module is in it.
    pub is_leaf_layer: bool,
    /// Whether it has a row above already.
    pub is_recursive: bool,
    /// Whether its forward ran.
    pub executed: bool,
    /// The first input's shape.
    pub input_size: Vec<usize>,
    /// The first output's shape.
    pub output_size: Vec<usize>,
    /// Its kernel's lengths as Python prints them, if it has a kernel.
    pub kernel_size: Option<String>,
    /// How many numbers its parameters have, those of modules in it included; where they are pruned, how many are left.
    pub num_params: usize,
    /// How many of these are learned.
    pub trainable_params: usize,
    /// The bytes of these.
    pub param_bytes: usize,
    /// The output's bytes.
    pub output_bytes: usize,
    /// How many products are added up.
    pub macs: usize,
    /// The rows that are in it.
    pub(super) children: Vec<usize>,
    /// Names, shapes and counts of its parameters.
    pub(super) inner: Vec<(String, String, usize)>,
    /// Which module it is: its place in the tree.
    pub(super) place: usize,
    /// Whether the row is not one of several of a container that did not run itself.
    pub(super) stands_alone: bool,
}

impl LayerInfo {
    pub(super) fn new(var_name: &str, module: &dyn Module, depth: usize, place: usize) -> Self {
        let mut info = LayerInfo {
            class_name: class_name(module).to_owned(),
            var_name: var_name.to_owned(),
            depth,
            depth_index: 0,
            is_leaf_layer: !module.children().iter().any(|child| !is_empty_container(*child)),
            is_recursive: false,
            executed: false,
            input_size: Vec::new(),
            output_size: Vec::new(),
            kernel_size: kernel_size(&module.extra_repr()),
            num_params: 0,
            trainable_params: 0,
            param_bytes: 0,
            output_bytes: 0,
            macs: 0,
            children: Vec::new(),
            inner: Vec::new(),
            place,
            stands_alone: true,
        };
        info.count(module);
        info
    }

    fn count(&mut self, module: &dyn Module) {
        for (name, parameter) in module.named_parameters() {
            let (count, name) = left(module, name, &parameter);
            self.num_params += count;
            self.param_bytes += parameter.dtype().size() * count;
            if parameter.requires_grad() {
                self.trainable_params += count;
            }
            let mut shape = parameter.size().to_vec();
            if name == "weight" && shape.len() > 1 {
                shape.swap(0, 1);
            }
            // The whole model's parameters stand with its layers.
            if self.depth > 0 || !name.contains('.') {
                self.inner.push((name, format!("{shape:?}"), count));
            }
        }
    }

    /// The forward ran.
    pub(super) fn ran(&mut self, module: &dyn Module, input: &Value, output: &Value) {
        let size = |x: Option<&Tensor>| x.map(|x| x.size().to_vec()).unwrap_or_default();
        self.input_size = size(first(input));
        self.output_size = size(first(output));
        let elements: usize = self.output_size.iter().product();
        self.output_bytes = first(output).map_or(0, |x| x.dtype().size()) * elements;
        self.executed = true;
        let Some(&batch) = self.output_size.first() else { return };
        for (name, parameter) in module.named_parameters() {
            let (count, name) = left(module, name, &parameter);
            self.macs += match &name[..] {
                // Each channel of a convolution's output is counted by its own weights.
                "weight" | "bias" if self.class_name.contains("Conv") => {
                    count * batch * self.output_size.iter().skip(2).product::<usize>()
                }
                "weight" | "bias" => batch * count,
                name if name.contains("weight") || name.contains("bias") => {
                    self.output_size.iter().take(2).product::<usize>() * count
                }
                _ => 0,
            };
        }
    }

    /// The name as a row has it.
    pub(super) fn title(&self, show_var_name: bool, show_depth: bool) -> String {
        let mut title = self.class_name.clone();
        if show_var_name && !self.var_name.is_empty() {
            title += &format!(" ({})", self.var_name);
        }
        if show_depth && self.depth > 0 {
            title += &format!(": {}-{}", self.depth, self.depth_index);
        }
        title
    }

    /// `"True"`, `"False"` or `"Partial"`: whether its parameters are learned; `"--"` where it has none.
    pub fn trainable(&self) -> &'static str {
        match self.trainable_params {
            _ if self.num_params == 0 => "--",
            0 => "False",
            n if n == self.num_params => "True",
            _ => "Partial",
        }
    }
}

/// How many of a parameter's numbers there are, where a mask prunes it, and the parameter's name without a suffix then.
fn left(module: &dyn Module, name: String, parameter: &Tensor) -> (usize, String) {
    let own = name.strip_suffix("_orig");
    let mask = own.and_then(|own| {
        let mask = format!("{own}_mask");
        module.named_buffers().into_iter().find(|(name, _)| *name == mask)
    });
    match (own, mask) {
        (Some(own), Some((_, mask))) => (mask.sum().item() as usize, own.to_owned()),
        _ => (parameter.numel(), name),
    }
}

/// The first tensor of an input or output.
fn first(value: &Value) -> Option<&Tensor> {
    match value {
        Value::Tensor(tensor) => Some(tensor),
        Value::Tuple(values) | Value::List(values) => values.first().and_then(first),
        _ => None,
    }
}

/// Python's containers are false where they are empty.
fn is_empty_container(module: &dyn Module) -> bool {
    matches!(module.type_name(), "Sequential" | "ModuleList" | "ModuleDict") && module.children().is_empty()
}

/// The kernel's lengths. What all layers with a kernel have in common is how they print it.
fn kernel_size(extra_repr: &str) -> Option<String> {
    let (_, rest) = extra_repr.split_once("kernel_size=")?;
    Some(match rest.strip_prefix('(') {
        Some(list) => format!("[{}]", list.split(')').next()?.trim_end_matches(',')),
        None => rest.split(',').next()?.to_owned(),
    })
}
