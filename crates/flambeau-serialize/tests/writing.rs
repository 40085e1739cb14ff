//! A file appears whole or not at all: a process that is killed while it saves, and a disk that is full, leave the old one.
#![cfg(unix)]

use flambeau_autograd::full;
use flambeau_serialize::{dict, load, save};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// This test binary again, to run one test as a process of its own.
fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new("sh");
    // A write beyond the limit is then an error, as on a full disk, where it would else be a signal.
    command.args(["-c", "trap '' XFSZ; ulimit -f ${BLOCKS:-unlimited}; exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env("SAVE_TO", path);
    command
}

/// The state that number `n` of the loop below saves: five tensors of a megabyte that all hold `n`.
fn state(n: i64) -> flambeau_serialize::Value<flambeau_autograd::Tensor> {
    let tensor = |_| full([1 << 18], n as f32);
    dict! { "n": n, "tensors": (0..5).map(tensor).collect::<Vec<_>>() }
}

/// Saves again and again; does nothing as a test by itself.
#[test]
fn saves_until_it_is_killed() {
    let Some(path) = std::env::var_os("SAVE_TO") else { return };
    for n in 1.. {
        save(state(n), &path).unwrap();
    }
}

/// Killed when the scope ends, also by a panic.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_killed_save_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    save(state(0), &path).unwrap();
    let (mut newer, mut unfinished) = (0, 0);
    for round in 0..24_u64 {
        let before = load(&path).unwrap()["n"].as_i64().unwrap();
        let mut process = Killed(child("saves_until_it_is_killed", &path).stdout(Stdio::null()).spawn().unwrap());
        // Until it has started to save, and then for a while that is another one each time.
        let start = Instant::now();
        while std::fs::read_dir(folder.path()).unwrap().count() < 2 + unfinished && start.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(round * 997 % 20_000));
        process.0.kill().unwrap();
        process.0.wait().unwrap();
        // SIGKILL leaves no chance to clean up.
        unfinished = std::fs::read_dir(folder.path()).unwrap().count() - 1;
        let file = load(&path).unwrap();
        let n = file["n"].as_i64().unwrap();
        for tensor in &file["tensors"] {
            assert!(
                tensor.min().item() == n as f64 && tensor.max().item() == n as f64,
                "round {round}: a file of two states"
            );
        }
        newer += i64::from(n != before);
    }
    println!("count: 24 kills, {newer} after a whole save, {unfinished} in the middle of one");
    assert!(unfinished > 0, "no kill came in the middle of a save");
}

/// Saves where no more than so many blocks may be written; does nothing as a test by itself.
#[test]
fn saves_where_there_is_no_room() {
    let (Some(path), Some(_)) = (std::env::var_os("SAVE_TO"), std::env::var_os("BLOCKS")) else { return };
    let error = save(state(1), &path).unwrap_err().to_string();
    println!("refused: {error}");
}

#[test]
fn a_full_disk_is_told_and_leaves_the_old_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    save(state(0), &path).unwrap();
    let old = std::fs::read(&path).unwrap();
    for blocks in ["0", "1", "64", "4000", "5100"] {
        let run = child("saves_where_there_is_no_room", &path).env("BLOCKS", blocks).output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        let expected = format!("refused: cannot write {}: ", path.display());
        assert!(run.status.success() && said.contains(&expected), "{blocks} blocks: {said}");
        assert!(run.stderr.is_empty(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
        assert!(std::fs::read(&path).unwrap() == old, "{blocks} blocks");
    }
}

#[test]
fn a_device_that_takes_nothing_says_why() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let error = save(state(0), "/dev/full").unwrap_err().to_string();
    assert_eq!(error, "cannot write /dev/full: No space left on device (os error 28)");
    use std::os::unix::fs::FileTypeExt;
    assert!(std::fs::metadata("/dev/full").unwrap().file_type().is_char_device(), "it is no file now");
}

#[test]
fn links_and_permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let [real, link] = ["real.pth", "latest.pth"].map(|name| folder.path().join(name));
    save(1, &real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("real.pth", &link).unwrap();
    save(2, &link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(load(&real).unwrap() == 2);
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = save(1, folder.path().join("none/model.pth")).unwrap_err().to_string();
    assert!(nowhere.starts_with("cannot create ") && nowhere.contains("none/model.pth: No such file"), "{nowhere}");
    let folder_itself = save(1, folder.path()).unwrap_err().to_string();
    assert!(folder_itself.contains("Is a directory"), "{folder_itself}");
}
