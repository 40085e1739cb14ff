//! The table of a profile: events by name, in the columns and units of PyTorch's `key_averages().table()`.

use super::record::{Cost, Event, Kind};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    calls: usize,
    total: Cost,
    own: Cost,
    /// Whether it ran on a GPU: what all kernels took together is the GPU's time.
    is_kernel: bool,
}

impl Row {
    fn average(&self, total: Duration) -> Duration {
        total / self.calls.max(1) as u32
    }
}

/// Events by name: `prof.key_averages()`.
#[derive(Clone, Debug)]
pub struct Averages {
    rows: Vec<Row>,
    profile_memory: bool,
}

/// A heading, and what stands below it.
type Column<'a> = (&'static str, Box<dyn Fn(&Row) -> String + 'a>);

const WIDTH: usize = 12;
const LONGEST_NAME: usize = 55;

fn time(t: Duration) -> String {
    let us = t.as_nanos() as f64 / 1e3;
    match us {
        us if us >= 1e6 => format!("{:.3}s", us / 1e6),
        us if us >= 1e3 => format!("{:.3}ms", us / 1e3),
        us => format!("{us:.3}us"),
    }
}

fn share(t: Duration, of: Duration) -> String {
    if of.is_zero() { "NaN".to_owned() } else { format!("{:.2}%", 100.0 * t.as_secs_f64() / of.as_secs_f64()) }
}

fn memory(bytes: i64) -> String {
    const KB: f64 = 1024.0;
    let n = bytes as f64;
    match n.abs() {
        a if a >= KB * KB * KB => format!("{:.2} GB", n / (KB * KB * KB)),
        a if a >= KB * KB => format!("{:.2} MB", n / (KB * KB)),
        a if a >= KB => format!("{:.2} KB", n / KB),
        _ => format!("{bytes} B"),
    }
}

impl Averages {
    pub(super) fn of(events: &[Event], profile_memory: bool) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut places: HashMap<(&str, bool), usize> = HashMap::new();
        for event in events {
            let is_kernel = matches!(event.kind, Kind::Kernel(_));
            let place = *places.entry((&event.name, is_kernel)).or_insert_with(|| {
                rows.push(Row { name: event.name.clone(), is_kernel, ..Row::default() });
                rows.len() - 1
            });
            let row = &mut rows[place];
            row.calls += 1;
            row.total += event.total;
            row.own += event.own;
        }
        Averages { rows, profile_memory }
    }

    /// The names and how often each ran, in the order of their first run.
    pub fn counts(&self) -> Vec<(&str, usize)> {
        self.rows.iter().map(|r| (r.name.as_str(), r.calls)).collect()
    }

    /// The table that PyTorch prints, longest total first: `prof.key_averages().table(sort_by="cpu_time_total")`.
    ///
    /// Where a GPU that has timestamps ran something, the columns of its time follow those of the CPU's: of an operation that is
    /// the time of the kernels that it launched, and the kernels have rows of their own. With
    /// [`profile_memory`](super::ProfileOptions::profile_memory) columns show the bytes that were taken less those that were given
    /// back; the row `[memory]` is what changed outside of operations.
    pub fn table(&self) -> String {
        self.table_with("cpu_time_total", 100)
    }

    /// The first `row_limit` rows in an order: `prof.key_averages().table(sort_by=…, row_limit=…)`. The orders are
    /// `"cpu_time_total"`, `"self_cpu_time_total"`, `"cpu_time"` (the average), `"cpu_memory_usage"`, `"self_cpu_memory_usage"`,
    /// the same with `device` (or `cuda`) in place of `cpu`, and `"count"`.
    ///
    /// # Panics
    /// For another order.
    #[track_caller]
    pub fn table_with(&self, sort_by: &str, row_limit: usize) -> String {
        let rows = self.sorted(sort_by);
        let columns = self.columns();
        let longest = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0);
        let width = (longest + 4).min(LONGEST_NAME);
        let line = |name: &str, cell: &dyn Fn(&Column<'_>) -> String| {
            let mut line = format!("{name:>width$}  ");
            for column in &columns {
                let _ = write!(line, "{:>WIDTH$}  ", cell(column));
            }
            line + "\n"
        };
        let rule = line(&"-".repeat(width), &|_| "-".repeat(WIDTH));
        let mut out = rule.clone() + &line("Name", &|(head, _)| (*head).to_owned()) + &rule;
        for row in rows.into_iter().take(row_limit) {
            let name = match row.name.chars().count() {
                n if n >= LONGEST_NAME - 3 => row.name.chars().take(LONGEST_NAME - 3).collect::<String>() + "...",
                _ => row.name.clone(),
            };
            out += &line(&name, &|(_, cell)| cell(row));
        }
        out += &format!("{rule}Self CPU time total: {}\n", time(self.cpu_time()));
        if self.has_device_time() {
            out += &format!("Self WGPU time total: {}\n", time(self.device_time()));
        }
        out
    }

    #[track_caller]
    fn sorted(&self, sort_by: &str) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        match sort_by.replace("cuda", "device").as_str() {
            "cpu_time_total" => rows.sort_by_key(|r| Reverse(r.total.cpu_time)),
            "self_cpu_time_total" => rows.sort_by_key(|r| Reverse(r.own.cpu_time)),
            "cpu_time" => rows.sort_by_key(|r| Reverse(r.average(r.total.cpu_time))),
            "device_time_total" => rows.sort_by_key(|r| Reverse(r.total.device_time)),
            "self_device_time_total" => rows.sort_by_key(|r| Reverse(r.own.device_time)),
            "device_time" => rows.sort_by_key(|r| Reverse(r.average(r.total.device_time))),
            "cpu_memory_usage" => rows.sort_by_key(|r| Reverse(r.total.cpu_memory)),
            "self_cpu_memory_usage" => rows.sort_by_key(|r| Reverse(r.own.cpu_memory)),
            "device_memory_usage" => rows.sort_by_key(|r| Reverse(r.total.device_memory)),
            "self_device_memory_usage" => rows.sort_by_key(|r| Reverse(r.own.device_memory)),
            "count" => rows.sort_by_key(|r| Reverse(r.calls)),
            _ => panic!(
                "{sort_by}: a table is sorted by cpu_time_total, self_cpu_time_total, cpu_time, cpu_memory_usage, \
                 self_cpu_memory_usage, the same of device, or count"
            ),
        }
        rows
    }

    fn cpu_time(&self) -> Duration {
        self.rows.iter().map(|r| r.own.cpu_time).sum()
    }

    fn device_time(&self) -> Duration {
        self.rows.iter().filter(|r| r.is_kernel).map(|r| r.own.device_time).sum()
    }

    fn has_device_time(&self) -> bool {
        self.rows.iter().any(|r| !r.own.device_time.is_zero())
    }

    fn columns(&self) -> Vec<Column<'_>> {
        let (cpu, device) = (self.cpu_time(), self.device_time());
        let mut columns: Vec<Column<'_>> = vec![
            ("Self CPU %", Box::new(move |r| share(r.own.cpu_time, cpu))),
            ("Self CPU", Box::new(|r| time(r.own.cpu_time))),
            ("CPU total %", Box::new(move |r| share(r.total.cpu_time, cpu))),
            ("CPU total", Box::new(|r| time(r.total.cpu_time))),
            ("CPU time avg", Box::new(|r| time(r.average(r.total.cpu_time)))),
        ];
        if self.has_device_time() {
            columns.extend::<[Column<'_>; 4]>([
                ("Self WGPU", Box::new(|r| time(r.own.device_time))),
                ("Self WGPU %", Box::new(move |r| share(r.own.device_time, device))),
                ("WGPU total", Box::new(|r| time(r.total.device_time))),
                ("WGPU time avg", Box::new(|r| time(r.average(r.total.device_time)))),
            ]);
        }
        if self.profile_memory {
            columns.extend::<[Column<'_>; 2]>([
                ("CPU Mem", Box::new(|r| memory(r.total.cpu_memory))),
                ("Self CPU Mem", Box::new(|r| memory(r.own.cpu_memory))),
            ]);
            if self.rows.iter().any(|r| r.own.device_memory > 0) {
                columns.extend::<[Column<'_>; 2]>([
                    ("WGPU Mem", Box::new(|r| memory(r.total.device_memory))),
                    ("Self WGPU Mem", Box::new(|r| memory(r.own.device_memory))),
                ]);
            }
        }
        columns.push(("# of Calls", Box::new(|r| r.calls.to_string())));
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::memory;

    /// `torch.autograd.profiler_util._format_memory` of the same numbers.
    #[test]
    fn memory_has_pytorchs_units() {
        let expected = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KB"),
            (-12_000, "-11.72 KB"),
            ((1 << 20) - 1, "1024.00 KB"),
            (1 << 20, "1.00 MB"),
            (-(5 << 30), "-5.00 GB"),
        ];
        for (bytes, text) in expected {
            assert_eq!(memory(bytes), text);
        }
    }
}
