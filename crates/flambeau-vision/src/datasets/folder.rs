//! Folders whose subfolders are classes.

use super::options::{DatasetOptions, Relabel, Transforms};
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use flambeau_autograd::Tensor;
use flambeau_data::Dataset;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The endings of image files that [`ImageFolder`] looks for. Of these, PNG and JPEG can be read.
pub const IMG_EXTENSIONS: [&str; 9] = [".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"];

type Loader<T> = Box<dyn Fn(&Path) -> Result<T> + Send + Sync>;

/// Files of classes, whatever they hold: `torchvision.datasets.DatasetFolder`. Samples are `(what the loader gives, label)`.
pub struct DatasetFolder<T> {
    loader: Loader<T>,
    target_transform: Relabel,
    classes: Vec<String>,
    samples: Vec<(PathBuf, i64)>,
}

/// The option of [`DatasetFolder`].
#[derive(Default)]
pub struct FolderOptions {
    target_transform: Relabel,
}

impl FolderOptions {
    /// What makes a sample's label of a class's number. Default: nothing.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(i64) -> i64 + Send + Sync + 'static) -> Self {
        self.target_transform = Some(Box::new(target_transform));
        self
    }
}

impl<T> DatasetFolder<T> {
    /// The files below `root` with one of the endings, which `loader` reads; each subfolder of `root` is a class, numbered in
    /// the order of their names, and its files may lie in folders of its own.
    ///
    /// # Errors
    /// When a folder cannot be read, there is no class, or a class has no file.
    pub fn new(
        root: impl AsRef<Path>,
        loader: impl Fn(&Path) -> Result<T> + Send + Sync + 'static,
        extensions: &[&str],
    ) -> Result<Self> {
        Self::with(root, loader, extensions, |o| o)
    }

    /// [`DatasetFolder::new`] with the option `target_transform`.
    ///
    /// # Errors
    /// As [`DatasetFolder::new`].
    pub fn with(
        root: impl AsRef<Path>,
        loader: impl Fn(&Path) -> Result<T> + Send + Sync + 'static,
        extensions: &[&str],
        options: impl FnOnce(FolderOptions) -> FolderOptions,
    ) -> Result<Self> {
        let FolderOptions { target_transform } = options(FolderOptions::default());
        Self::load(root.as_ref(), Box::new(loader), extensions, target_transform)
    }

    fn load(root: &Path, loader: Loader<T>, extensions: &[&str], target_transform: Relabel) -> Result<Self> {
        let (classes, samples) = classes_and_samples(root, extensions)?;
        Ok(DatasetFolder { loader, target_transform, classes, samples })
    }

    /// The classes' names, in order.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Each class's number.
    pub fn class_to_idx(&self) -> BTreeMap<String, i64> {
        self.classes.iter().cloned().zip(0..).collect()
    }

    /// The files and their labels.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.samples
    }

    /// The label of each file.
    pub fn targets(&self) -> Vec<i64> {
        self.samples.iter().map(|(_, label)| *label).collect()
    }

    fn read(&self, index: usize) -> Result<(T, i64)> {
        let Some((path, label)) = self.samples.get(index) else {
            let n = self.samples.len();
            return Err(Error::Value(format!("index {index} is out of range for a dataset of {n} samples")));
        };
        let label = self.target_transform.as_ref().map_or(*label, |relabel| relabel(*label));
        Ok(((self.loader)(path)?, label))
    }
}

/// Files and their labels.
pub(super) type Samples = Vec<(PathBuf, i64)>;

/// The subfolders of a folder as classes, and the files below them with one of the endings.
pub(super) fn classes_and_samples(root: &Path, extensions: &[&str]) -> Result<(Vec<String>, Samples)> {
    let classes = subfolders(root)?;
    if classes.is_empty() {
        return Err(Error::Value(format!("Couldn't find any class folder in {}.", root.display())));
    }
    let (mut samples, mut empty) = (Vec::new(), Vec::new());
    for (label, class) in (0..).zip(&classes) {
        let before = samples.len();
        for path in files(&root.join(class))? {
            let name = path.to_string_lossy().to_lowercase();
            if extensions.iter().any(|ending| name.ends_with(ending)) {
                samples.push((path, label));
            }
        }
        if samples.len() == before {
            empty.push(class.as_str());
        }
    }
    if !empty.is_empty() {
        return Err(Error::Value(format!(
            "Found no valid file for the classes {}. Supported extensions are: {}",
            empty.join(", "),
            extensions.join(", ")
        )));
    }
    Ok((classes, samples))
}

/// The names of a folder's subfolders, in order.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let (folders, _) = entries(folder)?;
    Ok(folders.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect())
}

/// The folders and files of a folder, each in the order of their names. Links are followed.
pub(super) fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |e| Error::io(folder, e);
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() { folders.push(path) } else { files.push(path) }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

/// All files below a folder: those of one folder after those of another, in the order of the folders' paths as texts.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        // A link to a folder above would go on for ever.
        if depth > 64 {
            return Err(Error::Value(format!("{}: folders within folders more than 64 deep", folder.display())));
        }
        let (folders, files) = entries(&folder)?;
        open.extend(folders.into_iter().map(|folder| (folder, depth + 1)));
        found.push((folder.to_string_lossy().into_owned(), files));
    }
    found.sort();
    Ok(found.into_iter().flat_map(|(_, files)| files).collect())
}

impl<T> Dataset for DatasetFolder<T> {
    type Item = (T, i64);
    fn len(&self) -> usize {
        self.samples.len()
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(T, i64)> {
        Ok(self.read(index)?)
    }
}

/// Image files of classes: `torchvision.datasets.ImageFolder`. Samples are `(image, label)`; every image is RGB when the
/// transform gets it.
///
/// ```no_run
/// use flambeau_vision::datasets::ImageFolder;
/// use flambeau_vision::transforms::{Compose, RandomResizedCrop, ToTensor};
///
/// # fn main() -> flambeau_vision::Result<()> {
/// let set = ImageFolder::with("data/train", |o| o.transform(Compose((RandomResizedCrop::new(224), ToTensor))))?;
/// println!("{} images of {:?}", set.samples().len(), set.classes());
/// # Ok(())
/// # }
/// ```
pub struct ImageFolder(DatasetFolder<Tensor>);

impl ImageFolder {
    /// The images below `root`, as tensors between 0 and 1; each subfolder of `root` is a class.
    ///
    /// # Errors
    /// As [`DatasetFolder::new`].
    pub fn new(root: impl AsRef<Path>) -> Result<Self> {
        Self::with(root, |o| o)
    }

    /// [`ImageFolder::new`] with options: `transform`, `target_transform`.
    ///
    /// # Errors
    /// As [`ImageFolder::new`].
    pub fn with(root: impl AsRef<Path>, options: impl FnOnce(DatasetOptions) -> DatasetOptions) -> Result<Self> {
        let Transforms { image: transform, target } = options(DatasetOptions::default()).transforms;
        let loader = move |path: &Path| transform.apply(Image::open(path)?.convert(Mode::RGB));
        DatasetFolder::load(root.as_ref(), Box::new(loader), &IMG_EXTENSIONS, target).map(ImageFolder)
    }
}

impl std::ops::Deref for ImageFolder {
    type Target = DatasetFolder<Tensor>;
    fn deref(&self) -> &DatasetFolder<Tensor> {
        &self.0
    }
}

impl Dataset for ImageFolder {
    type Item = (Tensor, i64);
    fn len(&self) -> usize {
        self.0.len()
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, i64)> {
        self.0.get(index)
    }
}
