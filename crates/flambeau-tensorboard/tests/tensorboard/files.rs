//! What is in the event files when: flushes, closed writers, killed processes, folders that refuse.

use super::wire;

use flambeau_autograd::{Tensor, from_vec, no_grad, tensor};
use flambeau_nn::{self as nn, Forward, Module};
use flambeau_tensorboard::{Figure, ScalarsChart, SummaryWriter};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The event files in a folder, in the order of their numbers.
fn event_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.to_str().unwrap().contains("tfevents")).collect();
    files.sort();
    files
}

/// The steps of the events in a folder's only file, but for the first event.
fn steps(folder: &Path) -> Vec<i64> {
    let files = event_files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    let events = wire::records(&fs::read(&files[0]).unwrap());
    let step = |event: &Vec<u8>| match wire::parse(event).get(2) {
        Some(wire::Field::Varint(step)) => *step as i64,
        _ => 0,
    };
    events[1..].iter().map(step).collect()
}

#[test]
fn events_wait_for_others_for_the_time_or_for_a_flush() {
    let folder = tempfile::tempdir().unwrap();
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path()).max_queue(3)).unwrap();
    let add = |step: i64| writer.add_scalar("x", 1.0, step);
    assert!(steps(folder.path()).is_empty(), "the first event is there at once");
    add(1);
    add(2);
    assert!(steps(folder.path()).is_empty());
    add(3);
    assert_eq!(steps(folder.path()), [1, 2, 3]);
    add(4);
    writer.flush().unwrap();
    assert_eq!(steps(folder.path()), [1, 2, 3, 4]);
    add(5);
    drop(writer);
    assert_eq!(steps(folder.path()), [1, 2, 3, 4, 5]);

    let folder = tempfile::tempdir().unwrap();
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path()).flush_secs(0.05)).unwrap();
    writer.add_scalar("x", 1.0, 7);
    let start = Instant::now();
    while steps(folder.path()).is_empty() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(steps(folder.path()), [7]);
}

#[test]
fn files_and_folders_have_pytorchs_names() {
    let folder = tempfile::tempdir().unwrap();
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path().join("a/b")).filename_suffix(".end")).unwrap();
    assert_eq!(writer.log_dir(), folder.path().join("a/b"));
    writer.close().unwrap();
    writer.close().unwrap();
    writer.add_scalar("again", 1, None);
    writer.add_scalars("m/n", [("x", 1.0), ("y/z", 2.0)], 3);
    drop(writer);
    let files = event_files(&folder.path().join("a/b"));
    assert_eq!(files.len(), 2, "what is added later goes to a new file: {files:?}");
    let name = files[0].file_name().unwrap().to_str().unwrap();
    let parts: Vec<&str> = name.split('.').collect();
    assert_eq!((parts[0], parts[1], parts[2], parts[3].len()), ("events", "out", "tfevents", 10));
    assert!(name.contains(&format!(".{}.", std::process::id())) && name.ends_with(".end"), "{name}");
    assert_eq!(steps(&folder.path().join("a/b/m_n_x")), [3]);
    assert_eq!(steps(&folder.path().join("a/b/m_n_y/z")), [3]);
}

#[test]
fn threads_that_add_to_one_new_folder_share_its_file() {
    const THREADS: i64 = 8;
    for round in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let writer = SummaryWriter::with(|o| o.log_dir(folder.path().join("a"))).unwrap();
        let start = std::sync::Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for step in 0..THREADS {
                let (writer, start) = (&writer, &start);
                scope.spawn(move || {
                    start.wait();
                    writer.add_scalars("m", [("x", 1.0)], step);
                });
            }
        });
        drop(writer);
        let folder = folder.path().join("a/m_x");
        assert_eq!(event_files(&folder).len(), 1, "round {round}");
        let mut found = steps(&folder);
        found.sort_unstable();
        assert_eq!(found, (0..THREADS).collect::<Vec<i64>>(), "round {round}");
    }
}

#[test]
fn a_purge_begins_with_two_events() {
    let folder = tempfile::tempdir().unwrap();
    drop(SummaryWriter::with(|o| o.log_dir(folder.path()).purge_step(5)).unwrap());
    let events = wire::records(&fs::read(&event_files(folder.path())[0]).unwrap());
    assert_eq!(steps(folder.path()), [5, 5]);
    let [version, start] = [1, 2].map(|i| wire::parse(&events[i]));
    assert_eq!(version.get(3), Some(&wire::Field::Bytes(b"brain.Event:2".to_vec())));
    assert_eq!(start.message(7).unwrap().get(1), Some(&wire::Field::Varint(1)));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = SummaryWriter::with(|o| o.log_dir(file.join("runs"))).err().unwrap();
    assert!(error.to_string().contains("file/runs"), "{error}");
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path())).unwrap();
    // `file_x` cannot be a folder: the error waits for the flush, and is told once.
    fs::write(folder.path().join("main_x"), "").unwrap();
    writer.add_scalars("main", [("x", 1.0)], 0);
    assert!(writer.flush().unwrap_err().to_string().contains("main_x"));
    writer.flush().unwrap();
    writer.add_scalar("x", 1.0, 1);
    writer.close().unwrap();
}

/// Runs in a process of its own, which the next test kills.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os("FLAMBEAU_KILLED_RUN") else { return };
    let writer = SummaryWriter::with(|o| o.log_dir(folder)).unwrap();
    let image = from_vec(vec![0.5f32; 3 * 64 * 64], [3, 64, 64]);
    for step in 0i64.. {
        writer.add_scalar("x", 1.0, step);
        if step % 50 == 0 {
            writer.add_image("image", &image, step);
        }
    }
}

#[test]
fn a_killed_process_leaves_a_file_that_can_be_read() {
    for round in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["files::writes_until_it_is_killed", "--exact"])
            .env("FLAMBEAU_KILLED_RUN", folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let size = || event_files(folder.path()).first().map_or(0, |path| fs::metadata(path).unwrap().len());
        let start = Instant::now();
        while size() < 50_000 * (round + 1) && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let content = fs::read(&event_files(folder.path())[0]).unwrap();
        // As TensorBoard does: whole records, until the file ends within one.
        let mut end = 0;
        while let Some(length) = content.get(end..end + 8) {
            let next = end + 16 + u64::from_le_bytes(length.try_into().unwrap()) as usize;
            if next > content.len() {
                break;
            }
            end = next;
        }
        let records = wire::records(&content[..end]);
        assert!(records.len() > 500, "{} records", records.len());
        assert!(content.len() - end < 20_000, "{} of {} bytes are no record", content.len() - end, content.len());
    }
}

#[derive(Module)]
struct Net {
    embedding: nn::Embedding,
    layers: nn::Sequential,
    fc: nn::Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.embedding.call(x).mean_dim(1, false);
        let y = self.layers.call(&x) + &x;
        self.fc.call(y.tanh())
    }
}

fn net() -> Net {
    Net {
        embedding: nn::Embedding::new(10, 4),
        layers: nn::sequential![nn::Linear::new(4, 4), nn::ReLU::new(), nn::Dropout::new(0.5)],
        fc: nn::Linear::new(4, 2),
    }
}

/// A node's name, operation and inputs.
fn nodes(folder: &Path) -> Vec<(String, String, Vec<String>)> {
    let events = wire::records(&fs::read(&event_files(folder)[0]).unwrap());
    let Some(wire::Field::Bytes(graph)) = wire::parse(&events[1]).get(4).cloned() else { panic!("no graph") };
    let text = |field: &wire::Field| match field {
        wire::Field::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    let node = |field: &wire::Field| {
        let wire::Field::Bytes(bytes) = field else { panic!("{field:?}") };
        let node = wire::parse(bytes);
        let inputs = node.0.iter().filter(|(n, _)| *n == 3).map(|(_, field)| text(field)).collect();
        (text(node.get(1).unwrap()), text(node.get(2).unwrap()), inputs)
    };
    wire::parse(&graph).0.iter().filter(|(n, _)| *n == 1).map(|(_, field)| node(field)).collect()
}

#[test]
fn a_graph_has_each_modules_operations_in_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let writer = SummaryWriter::with(|o| o.log_dir(folder.path())).unwrap();
    let model = net();
    model.train();
    model.layers.eval();
    let _guard = no_grad();
    writer.add_graph(&model, tensor([[1, 2, 3], [4, 5, 6]]));
    writer.close().unwrap();
    assert!(model.training() && !model.fc.weight.grad().is_some_and(|_| true));
    let nodes = nodes(folder.path());
    let of = |name: &str| nodes.iter().find(|node| node.0 == name).unwrap_or_else(|| panic!("{name}: {nodes:#?}"));
    for (name, inputs) in [
        ("input/x", vec![]),
        ("Net/Embedding[embedding]/weight", vec![]),
        ("Net/Embedding[embedding]/Embedding", vec!["Net/Embedding[embedding]/weight", "input/x"]),
        ("Net/Mean", vec!["Net/Embedding[embedding]/Embedding"]),
        (
            "Net/Sequential[layers]/Linear[0]/Addmm",
            vec!["Net/Mean", "Net/Sequential[layers]/Linear[0]/weight", "Net/Sequential[layers]/Linear[0]/bias"],
        ),
        ("Net/Sequential[layers]/ReLU[1]/Relu", vec!["Net/Sequential[layers]/Linear[0]/Addmm"]),
        ("Net/Add", vec!["Net/Sequential[layers]/ReLU[1]/Relu", "Net/Mean"]),
        ("Net/Linear[fc]/Addmm", vec!["Net/Tanh", "Net/Linear[fc]/weight", "Net/Linear[fc]/bias"]),
        ("output/output.1", vec!["Net/Linear[fc]/Addmm"]),
    ] {
        assert_eq!(of(name).2, inputs, "{name}");
    }
    assert_eq!(nodes.iter().filter(|node| node.1 == "Parameter").count(), 5);
    // A module that is called twice has its operations twice, one set of parameters and no edge into nowhere.
    let names: Vec<&String> = nodes.iter().map(|node| &node.0).collect();
    assert!(nodes.iter().flat_map(|node| &node.2).all(|input| names.contains(&input)));
}

/// Writes a record of each kind, into the folder `FLAMBEAU_TENSORBOARD_RUN` if it is given: `goldens/read_back.py` reads that with
/// TensorBoard's own code.
#[test]
fn every_kind_of_record() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("FLAMBEAU_TENSORBOARD_RUN").map_or(temporary.path().to_owned(), PathBuf::from);
    let writer = SummaryWriter::with(|o| o.log_dir(&folder)).unwrap();
    let values = from_vec((0..60).map(|i| ((i * 37) % 60) as f32 / 60.0).collect(), [60]);
    for step in 0..20 {
        let x = f64::from(step);
        writer.add_scalar("Loss/train", 1.0 / (1.0 + x), step);
        writer.add_scalar_with("Loss/new", 1.0 / (1.0 + x), step, |o| o.new_style(true));
        writer.add_scalars("both", [("a", x), ("b", -x)], step);
        writer.add_histogram("weights", &values * (1.0 + x), step);
    }
    writer.add_histogram_with("weights/auto", &values, 0, |o| o.bins("auto"));
    let image = values.view((3, 4, 5));
    writer.add_image("image", &image, 1);
    writer.add_images("images", from_vec((0..=191u8).collect(), [4, 3, 4, 4]), 1);
    let boxes = tensor([[2, 3, 30, 36], [10, 12, 38, 28]]);
    let canvas = flambeau_autograd::ones([3, 40, 40]);
    writer.add_image_with_boxes_with("boxes", canvas, boxes, 1, |o| o.labels(["cat", "dog"]).rescale(2));
    let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="9" height="9" fill="red"/></svg>"#;
    writer.add_figure("figure/svg", &Figure::file(svg).unwrap(), 1);
    writer.add_figure("figure/rgb", &Figure::rgb(8, 4, [10, 200, 30].repeat(32)), 1);
    writer.add_text("notes", "the learning rate was **0.1**", 2);
    writer.add_audio("sound", (&values * 30.0).sin().view((1, 60)), 2);
    writer.add_tensor("tensor", &values, 2);
    writer.add_pr_curve("pr", values.gt(0.4), &values, 3);
    writer.add_mesh_with("mesh", values.view((1, 20, 3)), |o| o.faces(tensor([[[0, 1, 2], [2, 3, 4]]])).global_step(1));
    writer.add_custom_scalars([("Losses", [("both", ScalarsChart::multiline(["Loss/train", "Loss/new"]))])]);
    writer
        .add_hparams_with((("lr", 0.1), ("bsize", 32), ("opt", "adam")), [("hparam/acc", 0.9)], |o| o.run_name("run"));
    let labels: Vec<String> = (0..20).map(|i| format!("label {i}")).collect();
    writer.add_embedding_with(values.view((20, 3)), |o| {
        o.metadata(&labels).label_img(flambeau_autograd::ones([20, 3, 4, 4]))
    });
    writer.add_graph(&net(), tensor([[1, 2, 3], [4, 5, 6]]));
    writer.close().unwrap();
    assert_eq!(steps(&folder).len(), 20 * 3 + 14);
}

/// Runs in a process of its own, whose folder the next test chooses.
#[test]
fn writes_into_the_default_folder() {
    if std::env::var_os("FLAMBEAU_DEFAULT_RUN").is_some() {
        drop(SummaryWriter::with(|o| o.comment("_LR_0.1")).unwrap());
        drop(SummaryWriter::new().unwrap());
    }
}

#[test]
fn the_default_folder_has_the_time_and_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["files::writes_into_the_default_folder", "--exact"])
        .env("FLAMBEAU_DEFAULT_RUN", "1")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let entries = fs::read_dir(folder.path().join("runs")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by_key(String::len);
    let [plain, commented] = &names[..] else { panic!("{names:?}") };
    assert!(commented.starts_with(&plain[..9]) && commented.ends_with("_LR_0.1"), "{names:?}");
    // `Nov27_16-05-09_<host>`
    let pattern: String = plain[..14].chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(&pattern[3..], "99_99-99-99", "{plain}");
    assert!(plain[..3].chars().all(char::is_alphabetic) && plain[14..].starts_with('_') && plain.len() > 15, "{plain}");
}
