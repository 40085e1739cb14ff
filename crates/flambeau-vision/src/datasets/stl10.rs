//! STL10: photographs of ten kinds of things, most of them without a label.

use super::archive;
use super::download::{self, RemoteFile};
use super::options::{DatasetOptions, Files, Transforms};
use super::pictures::{Pictures, picture_sets};
use crate::error::{Error, Result};
use flambeau_autograd::arguments::OptInt;
use std::fs;
use std::path::Path;

const SIDE: usize = 96;
const PLANE: usize = SIDE * SIDE;
const ARCHIVE: RemoteFile = RemoteFile { name: "stl10_binary.tar.gz", md5: "91f7769df0f17e558f3565bffb0c7dfb" };
const MIRRORS: &[&str] = &["http://ai.stanford.edu/~acoates/stl10/"];

/// Photographs of ten kinds of things: `torchvision.datasets.STL10`. Samples are `(image [3, 96, 96] float32, label)`; the label
/// of an image that has none is −1.
pub struct STL10 {
    pictures: Pictures,
}

picture_sets!(STL10);

/// Where the images of [`STL10`] come from, and which of them it has.
#[derive(Default)]
pub struct Folds {
    files: Files,
    folds: Option<i64>,
}

impl AsMut<Files> for Folds {
    fn as_mut(&mut self) -> &mut Files {
        &mut self.files
    }
}

/// The options of [`STL10`].
pub type STL10Options = DatasetOptions<Folds>;

impl STL10Options {
    /// Which of the ten folds of the training images, 0 to 9. Default: all images.
    #[must_use]
    pub fn folds(mut self, folds: impl OptInt) -> Self {
        self.own.folds = folds.to_option();
        self
    }
}

impl STL10 {
    /// The images of a split (`"train"`, `"test"`, `"unlabeled"`, `"train+unlabeled"`) in the folder `root`, which has
    /// torchvision's `stl10_binary`.
    ///
    /// # Errors
    /// When the folder does not have the files, or they are damaged; for another split.
    pub fn new(root: impl AsRef<Path>, split: &str) -> Result<Self> {
        Self::with(root, split, |o| o)
    }

    /// [`STL10::new`] with options, `folds` among them. A download is 2.5 gigabytes, of all splits.
    ///
    /// # Errors
    /// As [`STL10::new`], when a download fails, and for a fold that is not there.
    pub fn with(
        root: impl AsRef<Path>,
        split: &str,
        options: impl FnOnce(STL10Options) -> STL10Options,
    ) -> Result<Self> {
        let DatasetOptions { transforms, own: Folds { files, folds } } = options(DatasetOptions::default());
        if let Some(fold) = folds.filter(|fold| !(0..10).contains(fold)) {
            let what = format!("Value for argument folds should be in the range [0, 10), but got {fold}.");
            return Err(Error::Value(what));
        }
        Self::load(root.as_ref(), split, folds.map(|fold| fold as usize), &files, transforms)
    }

    fn load(root: &Path, split: &str, fold: Option<usize>, files: &Files, transforms: Transforms) -> Result<Self> {
        let parts: &[(&str, Option<&str>)] = match split {
            "train" => &[("train_X.bin", Some("train_y.bin"))],
            "test" => &[("test_X.bin", Some("test_y.bin"))],
            "unlabeled" => &[("unlabeled_X.bin", None)],
            "train+unlabeled" => &[("train_X.bin", Some("train_y.bin")), ("unlabeled_X.bin", None)],
            _ => {
                let names = "('train', 'train+unlabeled', 'unlabeled', 'test')";
                let what = format!("Unknown value '{split}' for argument split. Valid values are {names}.");
                return Err(Error::Value(what));
            }
        };
        let folder = root.join("stl10_binary");
        let missing =
            || parts.iter().flat_map(|(x, y)| [Some(*x), *y]).flatten().find(|name| !folder.join(name).is_file());
        if files.download && missing().is_some() {
            let tar = download::fetch_with(&ARCHIVE, MIRRORS, root, &files.fetch())?;
            archive::untar(&tar, root)?;
        }
        if let Some(name) = missing() {
            return Err(Error::NotFound {
                what: format!("STL10: {}", folder.join(name).display()),
                hint: "Set download(true) to download it".into(),
            });
        }
        let (mut planes, mut labels) = (Vec::new(), Vec::new());
        for (images, classes) in parts {
            read_part(
                &folder.join(images),
                classes.map(|name| folder.join(name)).as_deref(),
                &mut planes,
                &mut labels,
            )?;
            // The training images come first, and are the only ones with folds.
            if let Some(fold) = fold.filter(|_| *images == "train_X.bin") {
                (planes, labels) = chosen(&folder.join("fold_indices.txt"), fold, &planes, &labels)?;
            }
        }
        Ok(STL10 { pictures: Pictures::new(SIDE, planes, labels, transforms) })
    }
}

/// Images, stored column by column, and labels, which count from 1 in the file.
fn read_part(images: &Path, classes: Option<&Path>, planes: &mut Vec<u8>, labels: &mut Vec<i64>) -> Result<()> {
    let read = |path: &Path| fs::read(path).map_err(|e| Error::io(path, e));
    let bytes = read(images)?;
    if bytes.len() % (3 * PLANE) != 0 {
        return Err(Error::corrupt(images, format!("{} bytes are no images of 3x96x96", bytes.len())));
    }
    let count = bytes.len() / (3 * PLANE);
    planes.reserve(bytes.len());
    for plane in bytes.chunks_exact(PLANE) {
        planes.extend((0..PLANE).map(|i| plane[i % SIDE * SIDE + i / SIDE]));
    }
    let Some(path) = classes else {
        labels.extend(std::iter::repeat_n(-1, count));
        return Ok(());
    };
    let classes = read(path)?;
    if classes.len() != count {
        return Err(Error::corrupt(path, format!("{} labels for {count} images", classes.len())));
    }
    if let Some(label) = classes.iter().find(|label| !(1..=10).contains(*label)) {
        return Err(Error::corrupt(path, format!("label {label}, expected 1 to 10")));
    }
    labels.extend(classes.iter().map(|&label| i64::from(label) - 1));
    Ok(())
}

/// The images whose numbers stand in a line of the file of folds.
fn chosen(path: &Path, fold: usize, planes: &[u8], labels: &[i64]) -> Result<(Vec<u8>, Vec<i64>)> {
    let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    let line = text.lines().nth(fold).ok_or_else(|| Error::corrupt(path, format!("it has no line {}", fold + 1)))?;
    let (mut images, mut classes) = (Vec::new(), Vec::new());
    for word in line.split_whitespace() {
        let index = word.parse::<usize>().ok().filter(|&index| index < labels.len());
        let index = index.ok_or_else(|| Error::corrupt(path, format!("'{word}' is no training image")))?;
        images.extend(&planes[index * 3 * PLANE..(index + 1) * 3 * PLANE]);
        classes.push(labels[index]);
    }
    Ok((images, classes))
}
