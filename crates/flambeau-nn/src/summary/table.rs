//! A summary as a table.

use super::LayerInfo;
use std::fmt;

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    KernelSize,
    InputSize,
    OutputSize,
    NumParams,
    ParamsPercent,
    MultAdds,
    Trainable,
}

/// Names and titles.
const COLUMNS: [(&str, Column, &str); 7] = [
    ("kernel_size", Column::KernelSize, "Kernel Shape"),
    ("input_size", Column::InputSize, "Input Shape"),
    ("output_size", Column::OutputSize, "Output Shape"),
    ("num_params", Column::NumParams, "Param #"),
    ("params_percent", Column::ParamsPercent, "Param %"),
    ("mult_adds", Column::MultAdds, "Mult-Adds"),
    ("trainable", Column::Trainable, "Trainable"),
];

#[derive(Clone, Debug)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    #[track_caller]
    pub(super) fn new(names: Option<&[String]>, has_input: bool) -> Self {
        let Some(names) = names else {
            return Columns(if has_input {
                vec![Column::OutputSize, Column::NumParams]
            } else {
                vec![Column::NumParams]
            });
        };
        let mut columns = Vec::new();
        for name in names {
            match COLUMNS.iter().find(|(n, ..)| n == name) {
                Some((_, column, _)) => columns.push(*column),
                None => panic!("'{name}' is not a valid ColumnSettings"),
            }
        }
        let needs_input = |c: &&Column| matches!(c, Column::InputSize | Column::OutputSize | Column::MultAdds);
        if let (false, Some(column)) = (has_input, columns.iter().find(needs_input)) {
            let name = COLUMNS.iter().find(|(_, c, _)| c == column).map_or("", |(n, ..)| n);
            panic!("You must pass input_data or input_size in order to use columns: {{'{name}'}}");
        }
        Columns(columns)
    }
}

/// How the table looks.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    columns: Columns,
    depth: usize,
    width: usize,
    verbose: i64,
    show_depth: bool,
    show_var_names: bool,
    ascii_only: bool,
    hide_recursive: bool,
    names_width: usize,
}

impl Layout {
    #[track_caller]
    pub(super) fn new(columns: Columns, rows: &[String], depth: usize, width: usize, verbose: i64) -> Self {
        for name in rows {
            let known = ["depth", "var_names", "ascii_only", "hide_recursive_layers"].contains(&&name[..]);
            assert!(known, "'{name}' is not a valid RowSettings");
        }
        let has = |name: &str| rows.iter().any(|row| row == name);
        Layout {
            columns,
            depth,
            width,
            verbose,
            show_depth: has("depth"),
            show_var_names: has("var_names"),
            ascii_only: has("ascii_only"),
            hide_recursive: has("hide_recursive_layers"),
            names_width: 40,
        }
    }

    fn row(&self, name: &str, value: impl Fn(Column) -> String) -> String {
        let mut line = format!("{name:<width$} ", width = self.names_width);
        for column in &self.columns.0 {
            line += &format!("{:<width$} ", value(*column), width = self.width);
        }
        format!("{}\n", line.trim_end())
    }

    fn branch(&self, depth: usize) -> String {
        let (bar, corner, first) =
            if self.ascii_only { ("|    ", "+ ", "+ ") } else { ("│    ", "└─", "├─") };
        match depth {
            0 => String::new(),
            1 => first.to_owned(),
            depth => bar.repeat(depth - 1) + corner,
        }
    }
}

/// What [`summary`](crate::summary()) returns; it prints as torchinfo's `ModelStatistics`.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The rows in the order in which the layers ran, those deeper than the table shows included.
    pub layers: Vec<LayerInfo>,
    /// The inputs' shapes.
    pub input_size: Vec<Vec<usize>>,
    /// How many numbers all parameters have.
    pub total_params: usize,
    /// How many of them are learned.
    pub trainable_params: usize,
    /// How many products are added up in a forward.
    pub total_mult_adds: usize,
    /// The inputs' bytes.
    pub total_input: usize,
    /// The bytes of layers' outputs and of their gradients.
    pub total_output_bytes: usize,
    /// The parameters' bytes.
    pub total_param_bytes: usize,
    layout: Layout,
}

impl Summary {
    pub(super) fn new(layers: Vec<LayerInfo>, input_size: Vec<Vec<usize>>, total_input: usize, layout: Layout) -> Self {
        let mut summary = Summary {
            layers: Vec::new(),
            input_size,
            total_params: 0,
            trainable_params: 0,
            total_mult_adds: 0,
            total_input,
            total_output_bytes: 0,
            total_param_bytes: 0,
            layout,
        };
        summary.layers = layers;
        let mut totals = (0, 0);
        for (i, layer) in summary.layers.iter().enumerate() {
            if layer.is_leaf_layer {
                summary.total_mult_adds += layer.macs;
                if layer.num_params > 0 {
                    // Twice, for the gradients.
                    summary.total_output_bytes += layer.output_bytes * 2;
                }
            }
            if layer.is_recursive {
                continue;
            }
            if layer.is_leaf_layer {
                totals = (totals.0 + layer.num_params, totals.1 + layer.trainable_params);
                summary.total_param_bytes += layer.param_bytes;
            } else {
                let own = |of: fn(&LayerInfo) -> usize| usize::try_from(summary.own(i, of)).unwrap_or(0);
                totals = (totals.0 + own(|l| l.num_params), totals.1 + own(|l| l.trainable_params));
            }
        }
        (summary.total_params, summary.trainable_params) = totals;
        let title = |l: &LayerInfo| l.title(summary.layout.show_var_names, summary.layout.show_depth);
        let lengths = summary.layers.iter().map(|l| title(l).chars().count() + l.depth * 5 + 1);
        let longest = lengths.max().unwrap_or(0);
        if longest >= summary.layout.names_width {
            summary.layout.names_width = longest.div_ceil(5) * 5;
        }
        summary
    }

    /// What of a layer's number is not counted by those in it.
    fn own(&self, i: usize, of: fn(&LayerInfo) -> usize) -> i64 {
        let layer = &self.layers[i];
        let within = layer.children.iter().filter(|&&c| !self.layers[c].is_recursive);
        let counted =
            within.map(|&c| if self.layers[c].is_leaf_layer { of(&self.layers[c]) as i64 } else { self.own(c, of) });
        of(layer) as i64 - counted.sum::<i64>()
    }

    fn value(&self, i: usize, column: Column) -> String {
        let layer = &self.layers[i];
        let at_end = layer.depth == self.layout.depth;
        let list = |size: &[usize]| if size.is_empty() { "--".to_owned() } else { format!("{size:?}") };
        let shown = if at_end || layer.is_leaf_layer { layer.num_params as i64 } else { self.own(i, |l| l.num_params) };
        match column {
            Column::KernelSize => layer.kernel_size.clone().unwrap_or_else(|| "--".to_owned()),
            Column::InputSize => list(&layer.input_size),
            Column::OutputSize => list(&layer.output_size),
            Column::NumParams if layer.num_params == 0 => "--".to_owned(),
            Column::NumParams if layer.is_recursive => "(recursive)".to_owned(),
            Column::NumParams if at_end || layer.is_leaf_layer => match layer.trainable_params {
                0 => format!("({})", thousands(layer.num_params)),
                _ => thousands(layer.num_params),
            },
            Column::NumParams if shown > 0 => thousands(shown as usize),
            Column::NumParams => "--".to_owned(),
            Column::ParamsPercent if self.total_params == 0 => "     --".to_owned(),
            Column::ParamsPercent if layer.is_recursive => "(recursive)".to_owned(),
            Column::ParamsPercent if shown == 0 => "     --".to_owned(),
            Column::ParamsPercent => {
                format!("{:>7}", format!("{:.2}%", shown as f64 / self.total_params as f64 * 100.0))
            }
            Column::MultAdds if layer.macs == 0 => "--".to_owned(),
            Column::MultAdds if layer.is_leaf_layer => thousands(layer.macs),
            Column::MultAdds if at_end => {
                let leaves = layer.children.iter().map(|&c| &self.layers[c]).filter(|l| l.is_leaf_layer);
                thousands(leaves.map(|l| l.macs).sum())
            }
            Column::MultAdds => "--".to_owned(),
            Column::Trainable => layer.trainable().to_owned(),
        }
    }
}

/// A number as Python's `{n:,}`.
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = {
        let first = digits.len() % 3;
        let (head, rest) = digits.split_at(first);
        let rest = (0..rest.len()).step_by(3).map(|i| &rest[i..i + 3]);
        (first > 0).then_some(head).into_iter().chain(rest).collect()
    };
    groups.join(",")
}

/// A count in millions or more, with its unit as torchinfo shows it from Python 3.11 on.
fn readable(n: usize) -> String {
    let (unit, scale) = match n {
        1_000_000_000_000.. => ("Units.TERABYTES", 1e12),
        1_000_000_000.. => ("Units.GIGABYTES", 1e9),
        _ => ("Units.MEGABYTES", 1e6),
    };
    let x = n as f64 / scale;
    if x.fract() == 0.0 {
        return format!(" ({unit}): {}", thousands(x as usize));
    }
    let text = format!("{x:.2}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    format!(" ({unit}): {}.{fraction}", whole.parse().map_or_else(|_| whole.to_owned(), thousands))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = &self.layout;
        let divider = "=".repeat(layout.columns.0.len() * layout.width + layout.names_width);
        let mut header = String::from("Layer (type");
        if layout.show_var_names {
            header += " (var_name)";
        }
        if layout.show_depth {
            header += ":depth-idx";
        }
        let title = |column| COLUMNS.iter().find(|(_, c, _)| *c == column).map_or("", |(.., title)| title).to_owned();
        write!(f, "{divider}\n{}{divider}\n", layout.row(&(header + ")"), title))?;
        for (i, layer) in self.layers.iter().enumerate() {
            if layer.depth > layout.depth || layout.hide_recursive && layer.is_recursive {
                continue;
            }
            let name = layout.branch(layer.depth) + &layer.title(layout.show_var_names, layout.show_depth);
            f.write_str(&layout.row(&name, |column| self.value(i, column)))?;
            if layout.verbose == 2 {
                for (at, (name, shape, count)) in layer.inner.iter().enumerate() {
                    let corner = if at + 1 == layer.inner.len() { "└─" } else { "├─" };
                    let value = |column| match column {
                        Column::KernelSize => shape.clone(),
                        Column::NumParams => format!("{corner}{}", thousands(*count)),
                        _ => String::new(),
                    };
                    f.write_str(&layout.row(&(layout.branch(layer.depth + 1) + name), value))?;
                }
            }
        }
        let (total, trainable) = (self.total_params, self.trainable_params);
        writeln!(f, "{divider}\nTotal params: {}", thousands(total))?;
        writeln!(f, "Trainable params: {}", thousands(trainable))?;
        writeln!(f, "Non-trainable params: {}", thousands(total.saturating_sub(trainable)))?;
        if !self.input_size.is_empty() {
            let megabytes = |bytes: usize| format!("{:.2}", bytes as f64 / 1e6);
            writeln!(f, "Total mult-adds{}\n{divider}", readable(self.total_mult_adds))?;
            let (input, output, params) = (self.total_input, self.total_output_bytes, self.total_param_bytes);
            writeln!(f, "Input size (MB): {}", megabytes(input))?;
            writeln!(f, "Forward/backward pass size (MB): {}", megabytes(output))?;
            writeln!(f, "Params size (MB): {}", megabytes(params))?;
            writeln!(f, "Estimated Total Size (MB): {}", megabytes(input + output + params))?;
        }
        f.write_str(&divider)
    }
}
