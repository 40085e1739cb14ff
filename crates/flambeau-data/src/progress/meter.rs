//! The line of a progress bar.

/// What a line shows.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// How many items are done.
    pub n: usize,
    /// How many there are.
    pub total: Option<usize>,
    /// Seconds since the beginning.
    pub elapsed: f64,
    /// How wide the line is; without it the bar has ten places.
    pub ncols: Option<usize>,
    /// What stands before it.
    pub prefix: &'a str,
    /// What an item is called.
    pub unit: &'a str,
    /// Items per second; without it the mean since the beginning.
    pub rate: Option<f64>,
    /// What stands at its end.
    pub postfix: &'a str,
}

/// `[H:]MM:SS`.
fn clock(seconds: f64) -> String {
    let all = seconds as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// A bar of so many places.
fn bar(share: f64, places: usize) -> String {
    const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let filled = (share * places as f64 * 8.0) as usize;
    let (full, part) = (filled / 8, filled % 8);
    let mut bar: String = std::iter::repeat_n('█', full).collect();
    if full < places {
        bar.push(EIGHTHS[part]);
        bar.extend(std::iter::repeat_n(' ', places - full - 1));
    }
    bar
}

/// The line that shows how far a loop is: `tqdm.format_meter`.
///
/// ```
/// use flambeau_data::progress::{Meter, format_meter};
/// let meter = Meter { n: 4, total: Some(10), elapsed: 2.0, ncols: None, prefix: "train", unit: "it", rate: None, postfix: "" };
/// assert_eq!(format_meter(&meter), "train:  40%|████      | 4/10 [00:02<00:03,  2.00it/s]");
/// ```
pub fn format_meter(meter: &Meter<'_>) -> String {
    let &Meter { n, elapsed, prefix, unit, .. } = meter;
    // More than all is an unknown number.
    let total = meter.total.filter(|&total| total > 0 && n <= total);
    let mean = (elapsed > 0.0).then(|| n as f64 / elapsed);
    let rate = meter.rate.or(mean).filter(|&rate| rate > 0.0);
    let speed = match rate {
        Some(rate) if rate < 1.0 => format!("{:5.2}s/{unit}", 1.0 / rate),
        Some(rate) => format!("{rate:5.2}{unit}/s"),
        None => format!("?{unit}/s"),
    };
    let postfix = if meter.postfix.is_empty() { String::new() } else { format!(", {}", meter.postfix) };
    // Only beside a bar tqdm looks whether there is a colon already.
    let prefix = match prefix {
        "" => String::new(),
        prefix if total.is_some() && prefix.ends_with(": ") => prefix.to_owned(),
        prefix => format!("{prefix}: "),
    };
    let gone = clock(elapsed);
    let Some(total) = total else {
        return format!("{prefix}{n}{unit} [{gone}, {speed}{postfix}]");
    };
    let left = rate.map_or("?".to_owned(), |rate| clock((total - n) as f64 / rate));
    let share = n as f64 / total as f64;
    let before = format!("{prefix}{:3.0}%|", share * 100.0);
    let after = format!("| {n}/{total} [{gone}<{left}, {speed}{postfix}]");
    let around = before.chars().count() + after.chars().count();
    let places = meter.ncols.map_or(10, |columns| columns.saturating_sub(around).max(1));
    let line = before + &bar(share, places) + &after;
    meter.ncols.map_or_else(|| line.clone(), |columns| line.chars().take(columns).collect())
}

/// A number with three digits, as `format(number, ".3g")`; what is shorter as it is, or no number, stays.
pub(super) fn short(text: &str) -> String {
    let Some(number) = text.parse::<f64>().ok().filter(|x| x.is_finite()) else { return text.to_owned() };
    let scientific = format!("{number:.2e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let short = match exponent {
        -4..=2 => trim(&format!("{number:.*}", (2 - exponent) as usize)),
        _ => format!("{}e{}{}", trim(mantissa), if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    };
    if short.len() < text.len() { short } else { text.to_owned() }
}
