//! EMNIST: letters and digits in MNIST's format, six ways to put them together.

use super::archive;
use super::digits::Digits;
use super::download::{self, RemoteFile};
use super::mnist_files::SplitPaths;
use super::options::DatasetOptions;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

const ARCHIVE: RemoteFile = RemoteFile { name: "gzip.zip", md5: "58c8d27c78d21e728a6bc7b3cc06412e" };
const MIRRORS: &[&str] = &["https://biometrics.nist.gov/cs_links/EMNIST/"];

/// The ways to put the classes together, and how many there are in each.
const SPLITS: [(&str, usize); 6] =
    [("byclass", 62), ("bymerge", 47), ("balanced", 47), ("letters", 27), ("digits", 10), ("mnist", 10)];

/// Handwritten letters and digits: `torchvision.datasets.EMNIST`. Samples are `(image [1, 28, 28] float32, label)`; the images
/// lie on their sides, as in the files.
pub struct EMNIST(pub(super) Digits);

impl EMNIST {
    /// The training or test images of a split (`"byclass"`, `"bymerge"`, `"balanced"`, `"letters"`, `"digits"`, `"mnist"`) in the
    /// folder `root`: torchvision's `EMNIST/raw`, or the files themselves, gzip or not.
    ///
    /// # Errors
    /// When the folder does not have the files, or they are damaged; for another split.
    pub fn new(root: impl AsRef<Path>, split: &str, train: bool) -> Result<Self> {
        Self::with(root, split, train, |o| o)
    }

    /// [`EMNIST::new`] with options. A download is half a gigabyte, of all splits.
    ///
    /// # Errors
    /// As [`EMNIST::new`], and when a download fails.
    pub fn with(
        root: impl AsRef<Path>,
        split: &str,
        train: bool,
        options: impl FnOnce(DatasetOptions) -> DatasetOptions,
    ) -> Result<Self> {
        let Some(&(_, classes)) = SPLITS.iter().find(|(name, _)| *name == split) else {
            let names = SPLITS.map(|(name, _)| format!("'{name}'")).join(", ");
            return Err(Error::Value(format!(
                "Unknown value '{split}' for argument split. Valid values are ({names})."
            )));
        };
        let options = options(DatasetOptions::default());
        let root = root.as_ref();
        let raw = root.join("EMNIST").join("raw");
        let half = if train { "train" } else { "test" };
        let names = ["images-idx3", "labels-idx1"].map(|kind| format!("emnist-{split}-{half}-{kind}-ubyte"));
        if options.own.download && find(&[&raw, root], &names).is_none() {
            let zip = download::fetch_with(&ARCHIVE, MIRRORS, &raw, &options.own.fetch())?;
            let packed = [0, 1].map(|i| format!("{}.gz", names[i]));
            archive::unzip(&zip, &raw, &[&packed[0], &packed[1]])?;
        }
        let Some([images, labels]) = find(&[&raw, root], &names) else {
            return Err(Error::NotFound {
                what: format!(
                    "EMNIST: {} and {} (plain or .gz; looked in {} and {})",
                    names[0],
                    names[1],
                    raw.display(),
                    root.display()
                ),
                hint: "Set download(true) to download them, or name a folder that has both".into(),
            });
        };
        Ok(EMNIST(Digits::new(SplitPaths { images, labels }.load_of(classes)?, options.transforms)))
    }
}

/// Both files in the first folder that has them.
fn find(folders: &[&Path], names: &[String; 2]) -> Option<[PathBuf; 2]> {
    let stored = |folder: &Path, name: &str| {
        [name.to_owned(), format!("{name}.gz")].into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
    };
    folders.iter().find_map(|folder| Some([stored(folder, &names[0])?, stored(folder, &names[1])?]))
}
