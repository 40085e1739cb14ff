//! Image files with labels, wherever a set keeps its lists of them.

use super::archive;
use super::download::{self, RemoteFile};
use super::options::{DatasetOptions, Files, Transforms};
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use flambeau_autograd::Tensor;
use flambeau_data::Dataset;
use std::collections::BTreeMap;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What a set of labelled images has: its classes, each class's number, the files and their labels.
pub struct Listing {
    pub(super) classes: Vec<String>,
    pub(super) class_to_idx: BTreeMap<String, i64>,
    pub(super) samples: Vec<(PathBuf, i64)>,
}

impl Listing {
    /// Classes numbered in their order.
    pub(super) fn of(classes: Vec<String>, samples: Vec<(PathBuf, i64)>) -> Self {
        let class_to_idx = classes.iter().cloned().zip(0..).collect();
        Listing { classes, class_to_idx, samples }
    }
}

/// Where a set's archive comes from.
pub struct Archive {
    pub(super) file: RemoteFile,
    pub(super) mirror: &'static str,
}

/// What tells one set of labelled images from others.
pub trait LabelledKind: Send + Sync + Sized + 'static {
    /// The set's name.
    const NAME: &'static str;
    /// torchvision's names of the splits, the default first.
    const SPLITS: &'static [&'static str];
    /// Whether images become RGB before the transform gets them.
    const RGB: bool = true;

    /// The folder that holds the set.
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf;

    /// The archive, of a set that is there as `.tgz`.
    fn archive(_choice: &Choice<Self>) -> Option<Archive> {
        None
    }

    /// Where the archive is unpacked.
    fn unpacked(root: &Path) -> PathBuf {
        root.to_owned()
    }

    /// The files and labels.
    ///
    /// # Errors
    /// When lists cannot be read.
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing>;
}

/// Which part of a set is meant.
pub struct Choice<K> {
    pub(super) files: Files,
    pub(super) split: String,
    pub(super) word: Option<String>,
    pub(super) number: Option<i64>,
    pub(super) small: bool,
    kind: PhantomData<K>,
}

impl<K: LabelledKind> Default for Choice<K> {
    fn default() -> Self {
        let split = K::SPLITS.first().copied().unwrap_or_default().to_owned();
        Choice { files: Files::default(), split, word: None, number: None, small: false, kind: PhantomData }
    }
}

/// A kind whose archive can be fetched.
pub trait Fetched: LabelledKind {}

impl<K: Fetched> AsMut<Files> for Choice<K> {
    fn as_mut(&mut self) -> &mut Files {
        &mut self.files
    }
}

/// A kind that has splits.
pub trait Split: LabelledKind {}

impl<K: Split> DatasetOptions<Choice<K>> {
    /// Which of the set's splits; the first that the set's documentation names is the default.
    #[must_use]
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.own.split = split.into();
        self
    }
}

/// One of several words that an argument may be.
pub(super) fn one_of(value: &str, argument: &str, valid: &[&str]) -> Result<()> {
    if valid.contains(&value) {
        return Ok(());
    }
    let valid = valid.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    Err(Error::Value(format!("Unknown value '{value}' for argument {argument}. Valid values are {{{valid}}}.")))
}

/// A file's lines, without the spaces around them.
pub(super) fn lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// A set of labelled images: samples are `(image, label)`.
pub struct LabelledImages<K: LabelledKind> {
    listing: Listing,
    transforms: Transforms,
    kind: PhantomData<K>,
}

impl<K: LabelledKind> LabelledImages<K> {
    /// The images of the default split below `root`, as tensors between 0 and 1.
    ///
    /// # Errors
    /// When the folder has no such set, or a list is damaged.
    pub fn new(root: impl AsRef<Path>) -> Result<Self> {
        Self::with(root, |o| o)
    }

    /// With options: `transform`, `target_transform`, `split` where the set has some, `download` where it can be fetched, and those that
    /// are the set's own.
    ///
    /// # Errors
    /// As [`LabelledImages::new`]; for a split that is not there, and when a download fails.
    pub fn with(
        root: impl AsRef<Path>,
        options: impl FnOnce(DatasetOptions<Choice<K>>) -> DatasetOptions<Choice<K>>,
    ) -> Result<Self> {
        let root = root.as_ref();
        let DatasetOptions { transforms, own: choice } = options(DatasetOptions::default());
        if !K::SPLITS.is_empty() {
            one_of(&choice.split, "split", K::SPLITS)?;
        }
        let folder = K::folder(root, &choice);
        if let Some(Archive { file, mirror }) =
            K::archive(&choice).filter(|_| choice.files.download && !folder.is_dir())
        {
            let base = K::unpacked(root);
            let tar = download::fetch_with(&file, &[mirror], &base, &choice.files.fetch())?;
            archive::untar(&tar, &base)?;
        }
        if !folder.is_dir() {
            let hint = match K::archive(&choice) {
                Some(_) => "You can use download(true) to download it",
                None => "It is not downloaded: unpack its archive there",
            };
            return Err(Error::NotFound { what: format!("{}: {}", K::NAME, folder.display()), hint: hint.into() });
        }
        Ok(LabelledImages { listing: K::list(&folder, &choice)?, transforms, kind: PhantomData })
    }

    /// The classes' names, in order.
    pub fn classes(&self) -> &[String] {
        &self.listing.classes
    }

    /// Each class's number.
    pub fn class_to_idx(&self) -> &BTreeMap<String, i64> {
        &self.listing.class_to_idx
    }

    /// The files and their labels.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.listing.samples
    }

    /// The label of each file.
    pub fn targets(&self) -> Vec<i64> {
        self.listing.samples.iter().map(|(_, label)| *label).collect()
    }

    fn read(&self, index: usize) -> Result<(Tensor, i64)> {
        let Some((path, label)) = self.listing.samples.get(index) else {
            let n = self.listing.samples.len();
            return Err(Error::Value(format!("index {index} is out of range for a dataset of {n} samples")));
        };
        let image = Image::open(path)?;
        self.transforms.sample(if K::RGB { image.convert(Mode::RGB) } else { image }, *label)
    }
}

impl<K: LabelledKind> Dataset for LabelledImages<K> {
    type Item = (Tensor, i64);
    fn len(&self) -> usize {
        self.listing.samples.len()
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, i64)> {
        Ok(self.read(index)?)
    }
}
