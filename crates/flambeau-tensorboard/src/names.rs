//! Names of folders and files: of this machine, and of the present time.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, Python's `time.time()`.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// This machine's name, Python's `socket.gethostname()`.
pub(crate) fn host() -> String {
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = || std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok();
    let name = kernel().or_else(variable).or_else(|| said_by("hostname", "-s")).unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

/// What a program prints.
fn said_by(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).env("LC_ALL", "C").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The present time as `Nov27_16-05-09`, in local time where the system has the program `date`, which knows its zone; else in UTC.
pub(crate) fn stamp() -> String {
    said_by("date", "+%b%d_%H-%M-%S").unwrap_or_else(|| utc(now() as i64))
}

fn utc(seconds: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut day, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}{:02}_{hour:02}-{minute:02}-{second:02}", MONTHS[month], day + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_their_month_and_day() {
        // datetime.fromtimestamp(t, UTC).strftime("%b%d_%H-%M-%S")
        for (seconds, text) in [
            (0, "Jan01_00-00-00"),
            (951_825_599, "Feb29_11-59-59"),
            (1_764_259_509, "Nov27_16-05-09"),
            (1_798_761_599, "Dec31_23-59-59"),
        ] {
            assert_eq!(super::utc(seconds), text);
        }
    }
}
