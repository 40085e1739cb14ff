//! CIFAR10 and CIFAR100: small photographs of things.

use super::archive;
use super::download::{self, RemoteFile};
use super::options::DatasetOptions;
use super::pickle;
use super::pictures::{Pictures, picture_sets};
use crate::error::{Error, Result};
use std::fs;
use std::path::Path;

const SIDE: usize = 32;
const BYTES: usize = 3 * SIDE * SIDE;
const MIRRORS: &[&str] = &["https://www.cs.toronto.edu/~kriz/"];

/// Where one of the two sets keeps its files.
struct Files {
    name: &'static str,
    /// The folder of Python's pickles, which torchvision downloads, and that of the binary version.
    folders: [&'static str; 2],
    train: &'static [&'static str],
    test: &'static [&'static str],
    archive: RemoteFile,
    /// What the pickles call the labels.
    key: &'static str,
    /// Label bytes before an image in the binary version, of which the last one counts.
    label_bytes: usize,
    classes: u8,
}

const CIFAR_10: Files = Files {
    name: "CIFAR10",
    folders: ["cifar-10-batches-py", "cifar-10-batches-bin"],
    train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
    test: &["test_batch"],
    archive: RemoteFile { name: "cifar-10-python.tar.gz", md5: "c58f30108f718f92721af3b95e74349a" },
    key: "labels",
    label_bytes: 1,
    classes: 10,
};

const CIFAR_100: Files = Files {
    name: "CIFAR100",
    folders: ["cifar-100-python", "cifar-100-binary"],
    train: &["train"],
    test: &["test"],
    archive: RemoteFile { name: "cifar-100-python.tar.gz", md5: "eb9058c3a382ffc7106e4002c42a8d85" },
    key: "fine_labels",
    label_bytes: 2,
    classes: 100,
};

impl Files {
    fn load(&self, root: &Path, train: bool, options: DatasetOptions) -> Result<Pictures> {
        let names = if train { self.train } else { self.test };
        let [pickles, binaries] = self.folders.map(|folder| root.join(folder));
        let all =
            |folder: &Path, ending: &str| names.iter().all(|name| folder.join(format!("{name}{ending}")).is_file());
        if options.own.download && !all(&pickles, "") && !all(&binaries, ".bin") {
            let tar = download::fetch_with(&self.archive, MIRRORS, root, &options.own.fetch())?;
            archive::untar(&tar, root)?;
        }
        let (mut planes, mut labels) = (Vec::new(), Vec::new());
        if all(&pickles, "") {
            for name in names {
                self.read_pickle(&pickles.join(name), &mut planes, &mut labels)?;
            }
        } else if all(&binaries, ".bin") {
            for name in names {
                self.read_binary(&binaries.join(format!("{name}.bin")), &mut planes, &mut labels)?;
            }
        } else {
            return Err(Error::NotFound {
                what: format!(
                    "{}: {} (looked in {} and {})",
                    self.name,
                    names.join(", "),
                    pickles.display(),
                    binaries.display()
                ),
                hint: "Set download(true) to download them, or name a folder that has one of the two".into(),
            });
        }
        Ok(Pictures::new(SIDE, planes, labels, options.transforms))
    }

    fn read_pickle(&self, path: &Path, planes: &mut Vec<u8>, labels: &mut Vec<i64>) -> Result<()> {
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let corrupt = |what: String| Error::corrupt(path, what);
        let batch = pickle::read(&bytes).map_err(corrupt)?;
        let data = batch.get("data").and_then(pickle::Value::bytes);
        let data = data.ok_or_else(|| corrupt("the pickle has no array 'data'".into()))?;
        let found = batch.get(self.key).and_then(pickle::Value::integers);
        let found = found.ok_or_else(|| corrupt(format!("the pickle has no list '{}'", self.key)))?;
        if data.len() != found.len() * BYTES {
            return Err(corrupt(format!("{} bytes of images for {} labels", data.len(), found.len())));
        }
        planes.extend(data);
        found.iter().try_for_each(|&label| self.push(path, label, labels))
    }

    fn read_binary(&self, path: &Path, planes: &mut Vec<u8>, labels: &mut Vec<i64>) -> Result<()> {
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let record = self.label_bytes + BYTES;
        if bytes.len() % record != 0 {
            return Err(Error::corrupt(path, format!("{} bytes are no records of {record}", bytes.len())));
        }
        for record in bytes.chunks_exact(record) {
            planes.extend(&record[self.label_bytes..]);
            self.push(path, i64::from(record[self.label_bytes - 1]), labels)?;
        }
        Ok(())
    }

    fn push(&self, path: &Path, label: i64, labels: &mut Vec<i64>) -> Result<()> {
        if !(0..i64::from(self.classes)).contains(&label) {
            return Err(Error::corrupt(path, format!("label {label}, expected 0 to {}", self.classes - 1)));
        }
        labels.push(label);
        Ok(())
    }
}

/// Photographs of ten kinds of things: `torchvision.datasets.CIFAR10`. Samples are `(image [3, 32, 32] float32, label)`.
pub struct CIFAR10 {
    pictures: Pictures,
}

/// Photographs of a hundred kinds of things: `torchvision.datasets.CIFAR100`. Samples are `(image [3, 32, 32] float32, label)`.
pub struct CIFAR100 {
    pictures: Pictures,
}

picture_sets!(CIFAR10, CIFAR100);

impl CIFAR10 {
    /// The names of the classes.
    pub const CLASSES: [&'static str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// The 50,000 training or 10,000 test images in the folder `root`: torchvision's `cifar-10-batches-py`, or the binary
    /// version's `cifar-10-batches-bin`.
    ///
    /// # Errors
    /// When the folder does not have the files, or they are damaged.
    pub fn new(root: impl AsRef<Path>, train: bool) -> Result<Self> {
        Self::with(root, train, |o| o)
    }

    /// [`CIFAR10::new`] with options: `CIFAR10::with("data", true, |o| o.download(true))`.
    ///
    /// # Errors
    /// As [`CIFAR10::new`], and when a download fails.
    pub fn with(
        root: impl AsRef<Path>,
        train: bool,
        options: impl FnOnce(DatasetOptions) -> DatasetOptions,
    ) -> Result<Self> {
        let pictures = CIFAR_10.load(root.as_ref(), train, options(DatasetOptions::default()))?;
        Ok(CIFAR10 { pictures })
    }
}

impl CIFAR100 {
    /// The 50,000 training or 10,000 test images in the folder `root`: torchvision's `cifar-100-python`, or the binary
    /// version's `cifar-100-binary`; with the fine labels.
    ///
    /// # Errors
    /// As [`CIFAR10::new`].
    pub fn new(root: impl AsRef<Path>, train: bool) -> Result<Self> {
        Self::with(root, train, |o| o)
    }

    /// [`CIFAR100::new`] with options.
    ///
    /// # Errors
    /// As [`CIFAR10::with`].
    pub fn with(
        root: impl AsRef<Path>,
        train: bool,
        options: impl FnOnce(DatasetOptions) -> DatasetOptions,
    ) -> Result<Self> {
        let pictures = CIFAR_100.load(root.as_ref(), train, options(DatasetOptions::default()))?;
        Ok(CIFAR100 { pictures })
    }
}
