//! The table, as Markdown and as JSON.

use crate::targets;
use crate::timing::Timing;
use crate::work::{Unit, Work};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use torch::wgpu::{Adapter, Counters};

/// A work and what was measured of it.
pub struct Row {
    pub work: Work,
    /// None if it was left out or failed; the note says why.
    pub timing: Option<Timing>,
    /// What a call makes the GPU do.
    pub counts: Option<Counters>,
    /// PyTorch's time for a call.
    pub peer_seconds: Option<f64>,
    pub note: String,
}

/// A time with three digits.
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{} {unit}", digits(value))
}

fn digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

impl Row {
    /// The time of a call, or why there is none.
    pub fn time(&self) -> String {
        self.timing.map_or_else(|| self.note.clone(), |t| duration(t.seconds))
    }

    /// Operations or bytes per second.
    pub fn rate(&self) -> Option<f64> {
        self.timing.filter(|_| self.work.unit != Unit::Calls).map(|t| self.work.amount / t.seconds)
    }

    /// PyTorch's time over ours.
    pub fn speedup(&self) -> Option<f64> {
        self.timing.zip(self.peer_seconds).map(|(ours, theirs)| theirs / ours.seconds)
    }
}

/// Everything that was found out.
pub struct Report {
    pub adapter: Adapter,
    /// Which PyTorch ran the same work, or why none did.
    pub peer: String,
    pub rows: Vec<Row>,
    /// What a step launches, by the row's name.
    pub launches: Vec<(String, Vec<String>)>,
}

impl Report {
    /// The row of a name, if it was measured.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.work.name == name && r.timing.is_some())
    }

    /// The rate of an operation over that of the copy: ours or PyTorch's, whichever is faster.
    pub fn of_copy(&self, row: &Row) -> Option<f64> {
        let copy = self.rows.iter().find(|r| r.work.op == "copy")?;
        let theirs = copy.peer_seconds.map_or(0.0, |s| copy.work.amount / s);
        Some(row.rate().filter(|_| row.work.unit == Unit::Bytes)? / copy.rate()?.max(theirs))
    }

    fn rate(&self, row: &Row) -> String {
        let Some(rate) = row.rate() else { return String::new() };
        if row.work.unit == Unit::Flops {
            return match rate {
                r if r < 1e11 => format!("{} GFLOP/s", digits(r / 1e9)),
                r => format!("{} TFLOP/s", digits(r / 1e12)),
            };
        }
        let of_copy = self.of_copy(row).map_or_else(String::new, |r| format!(", {r:.2} of copy"));
        format!("{} GB/s{of_copy}", digits(rate / 1e9))
    }

    /// The report as a Markdown page.
    pub fn markdown(&self) -> String {
        let Adapter { name, kind, api, driver } = &self.adapter;
        let mut text = format!("# {name}\n\n");
        let mut line = |what: &str, value: &str| writeln!(text, "- {what}: {value}").expect("a string takes all");
        line("date", &date());
        line("adapter", &format!("{name} ({kind}, {api})"));
        line("driver", driver);
        line("command", &format!("`{}`", command()));
        line("PyTorch", &self.peer);
        text.push_str(
            "\nTime is the best sample's, per call. CPU time is what all threads of the process computed per call: on a GPU the \
             host's part, on a software adapter everything. Launches are kernels per call and the submits that a call and a \
             wait take. The copy that rates are measured by is the faster one of ours and PyTorch's. × is PyTorch's time over \
             ours.\n",
        );
        let mut section = "";
        for row in &self.rows {
            if row.work.section != section {
                section = row.work.section;
                write!(
                    text,
                    "\n| {section} | time | rate | CPU time | launches | PyTorch | × |\n|:--|--:|--:|--:|--:|--:|--:|\n"
                )
                .expect("a string takes all");
            }
            let cpu = row.timing.and_then(|t| t.cpu_seconds).map_or_else(String::new, duration);
            let launches = row.counts.map_or_else(String::new, |c| format!("{} in {}", c.dispatches, c.submits));
            let peer = row.peer_seconds.map_or_else(String::new, duration);
            let speedup = row.speedup().map_or_else(String::new, |s| format!("{s:.2}"));
            let cells = [&row.work.name, &row.time(), &self.rate(row), &cpu, &launches, &peer, &speedup];
            writeln!(text, "| {} |", cells.map(String::as_str).join(" | ")).expect("a string takes all");
        }
        text.push_str("\n| what must hold | limit | measured | |\n|:--|--:|--:|:--|\n");
        for target in targets::all(self) {
            let holds = if target.holds { "holds" } else { "missed" };
            let cells = [target.what, target.limit, &target.measured, holds];
            writeln!(text, "| {} |", cells.join(" | ")).expect("a string takes all");
        }
        for (name, launches) in &self.launches {
            write!(text, "\n{name}, {} launches:\n\n", launches.len()).expect("a string takes all");
            for (i, launch) in launches.iter().enumerate() {
                writeln!(text, "{}. `{launch}`", i + 1).expect("a string takes all");
            }
        }
        text
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let Adapter { name, kind, api, driver } = &self.adapter;
        let rows = self.rows.iter().map(|row| {
            json!({
                "section": row.work.section,
                "name": row.work.name,
                "seconds": row.timing.map(|t| t.seconds),
                "cpu_seconds": row.timing.and_then(|t| t.cpu_seconds),
                "flops_per_second": row.rate().filter(|_| row.work.unit == Unit::Flops),
                "bytes_per_second": row.rate().filter(|_| row.work.unit == Unit::Bytes),
                "of_copy": self.of_copy(row),
                "dispatches": row.counts.map(|c| c.dispatches),
                "submits": row.counts.map(|c| c.submits),
                "readbacks": row.counts.map(|c| c.readbacks),
                "pytorch_seconds": row.peer_seconds,
                "note": row.note,
            })
        });
        let targets = targets::all(self)
            .into_iter()
            .map(|t| json!({"what": t.what, "limit": t.limit, "measured": t.measured, "holds": t.holds}));
        json!({
            "date": date(),
            "adapter": {"name": name, "kind": kind, "api": api, "driver": driver},
            "command": command(),
            "pytorch": self.peer,
            "rows": rows.collect::<Vec<_>>(),
            "targets": targets.collect::<Vec<_>>(),
            "launches": self.launches.iter().map(|(name, list)| (name.clone(), json!(list))).collect::<serde_json::Map<_, _>>(),
        })
    }

    /// Writes the page to a folder, under the adapter's name.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write(&self, folder: &Path) -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        let words = self.adapter.name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        let slug = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
        let path = folder.join(format!("{slug}.md"));
        std::fs::write(&path, self.markdown())?;
        Ok(path)
    }
}

/// How the program was called, with the variables that change what it measures.
fn command() -> String {
    let variables = ["LP_NUM_THREADS", "FLAMBEAU_ADAPTER", "PYTHON"];
    let set = variables.iter().filter_map(|v| std::env::var(v).ok().map(|value| format!("{v}={value}")));
    set.chain(["gpu_report".to_owned()]).chain(std::env::args().skip(1)).collect::<Vec<_>>().join(" ")
}

/// Today, as 2026-11-22 (UTC).
fn date() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() / 86_400) as i64;
    // Years counted from March have their leap day last: Hinnant's civil_from_days.
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + i64::from(month <= 2))
}
