//! Running programs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The result of a task.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The workspace's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// `cargo` in the workspace's root.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// A command as one would type it.
pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a command, shows its standard output as it comes and returns it.
pub fn tee(mut command: Command) -> Result<String> {
    use std::io::{BufRead, BufReader};
    println!("$ {}", describe(&command));
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        let line = line?;
        println!("{line}");
        text.push_str(&line);
        text.push('\n');
    }
    let status = child.wait()?;
    if status.success() { Ok(text) } else { Err(format!("{}: {status}", describe(&command)).into()) }
}

/// Runs a command and returns its standard output.
pub fn capture(mut command: Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", describe(&command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
