//! ImageNet, Places365 and iNaturalist: sets of millions of images, which are unpacked by hand.

use super::folder::{IMG_EXTENSIONS, classes_and_samples, entries, subfolders};
use super::json::{Value, entry, items, text};
use super::labelled::{Choice, LabelledImages, LabelledKind, Listing, Split, lines, one_of};
use super::labelled_sets::with_synonyms;
use super::options::DatasetOptions;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Kind of [`ImageNet`].
pub struct ImageNetKind;
impl LabelledKind for ImageNetKind {
    const NAME: &'static str = "ImageNet";
    const SPLITS: &'static [&'static str] = &["train", "val"];
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf {
        root.join(&choice.split)
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        let meta = folder.parent().unwrap_or(folder).join("meta.bin");
        if !meta.is_file() {
            return Err(Error::NotFound {
                what: format!("ImageNet: {}", meta.display()),
                hint: "torchvision writes it when it reads the archive of the devkit for the first time".into(),
            });
        }
        // A tuple: the names of each WordNet number, and the numbers of the validation images.
        let found: Value = flambeau_serialize::load(&meta)?;
        let names = items(&found).and_then(|parts| parts.first());
        let names = names.ok_or_else(|| Error::corrupt(&meta, "it is no tuple of names and numbers"))?;
        let (numbers, samples) = classes_and_samples(folder, &IMG_EXTENSIONS)?;
        let of = |number: &str| -> Option<Vec<String>> {
            items(entry(names, number)?)?.iter().map(|name| text(name).map(str::to_owned)).collect()
        };
        if let Some(other) = numbers.iter().find(|number| of(number).is_none()) {
            return Err(Error::corrupt(&meta, format!("it has no names of '{other}'")));
        }
        Ok(with_synonyms(&numbers, samples, |number| of(number).unwrap_or_default()))
    }
}
impl Split for ImageNetKind {}
/// ImageNet's challenge of 2012: `torchvision.datasets.ImageNet(root)`, splits `"train"`, `"val"`. The root has the folders `train` and
/// `val`, each with a folder for each class, and `meta.bin`, as torchvision leaves them; archives are not unpacked here. A class is all
/// its names, joined by commas; each name alone is a key of `class_to_idx`.
///
/// ```no_run
/// use flambeau_vision::datasets::ImageNet;
/// use flambeau_vision::transforms::{CenterCrop, Resize, ToTensor};
/// # fn main() -> flambeau_vision::Result<()> {
/// let set = ImageNet::with("imagenet", |o| o.split("val").transform((Resize::new(256), CenterCrop::new(224), ToTensor)))?;
/// assert_eq!(set.class_to_idx()["tench"], 0);
/// # Ok(())
/// # }
/// ```
pub type ImageNet = LabelledImages<ImageNetKind>;

/// Kind of [`Places365`].
pub struct Places365Kind;
impl LabelledKind for Places365Kind {
    const NAME: &'static str = "Places365";
    const SPLITS: &'static [&'static str] = &["train-standard", "train-challenge", "val", "test"];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.to_owned()
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let path = folder.join("categories_places365.txt");
        let mut class_to_idx = BTreeMap::new();
        for line in lines(&path)? {
            let found =
                line.split_once(char::is_whitespace).and_then(|(class, n)| Some((class, n.trim().parse().ok()?)));
            let (class, label): (&str, i64) =
                found.ok_or_else(|| Error::corrupt(&path, format!("'{line}' is no class and number")))?;
            class_to_idx.insert(class.to_owned(), label);
        }
        let size = if choice.small { "256" } else { "large" };
        let images = folder.join(match choice.split.strip_prefix("train-") {
            Some(variant) => format!("data_{size}_{variant}"),
            None => format!("{}_{size}", choice.split),
        });
        let path = folder.join(format!("places365_{}.txt", choice.split.replace('-', "_")));
        let mut samples = Vec::new();
        for line in lines(&path)? {
            let mut words = line.split_whitespace();
            let wrong = || Error::corrupt(&path, format!("'{line}' is no name and number"));
            let name = words.next().ok_or_else(wrong)?;
            let label = words.next().map_or(Ok(-1), |word| word.parse().map_err(|_| wrong()))?;
            samples.push((images.join(name.trim_start_matches('/')), label));
        }
        Ok(Listing { classes: class_to_idx.keys().cloned().collect(), class_to_idx, samples })
    }
}
impl Split for Places365Kind {}
impl DatasetOptions<Choice<Places365Kind>> {
    /// Whether the images are those of 256 pixels, not the large ones (false).
    #[must_use]
    pub fn small(mut self, small: bool) -> Self {
        self.own.small = small;
        self
    }
}
/// Photographs of 365 kinds of places: `torchvision.datasets.Places365(root)`, splits `"train-standard"`, `"train-challenge"`, `"val"`,
/// `"test"`. Option: `small`. The labels of the test images, which torchvision gives as `None`, are −1.
pub type Places365 = LabelledImages<Places365Kind>;

/// The levels of iNaturalist's classes from 2021 on, as they stand in a folder's name between its number and the species.
const LEVELS: [&str; 6] = ["kingdom", "phylum", "class", "order", "family", "genus"];

/// Kind of [`INaturalist`].
pub struct INaturalistKind;
impl INaturalistKind {
    fn version(choice: &Choice<Self>) -> &str {
        choice.word.as_deref().unwrap_or("2021_train")
    }
}
impl LabelledKind for INaturalistKind {
    const NAME: &'static str = "INaturalist";
    // The target type stands where other sets have a split.
    const SPLITS: &'static [&'static str] = &[];
    const RGB: bool = false;
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf {
        root.join(Self::version(choice))
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let version = Self::version(choice);
        let target = if choice.split.is_empty() { "full" } else { choice.split.as_str() };
        one_of(version, "version", &["2017", "2018", "2019", "2021_train", "2021_train_mini", "2021_valid"])?;
        let (categories, groups) = if version.starts_with("2021") {
            one_of(target, "target_type", &["full", "kingdom", "phylum", "class", "order", "family", "genus"])?;
            by_levels(folder, target)?
        } else {
            one_of(target, "target_type", &["full", "super"])?;
            by_groups(folder, version == "2017")?
        };
        let (names, labels) = if target == "full" {
            let labels = (0..categories.len() as i64).collect();
            (categories.clone(), labels)
        } else {
            groups
        };
        let mut samples = Vec::new();
        for (category, label) in categories.iter().zip(&labels) {
            let (_, files) = entries(&folder.join(category))?;
            samples.extend(files.into_iter().map(|path| (path, *label)));
        }
        Ok(Listing::of(names, samples))
    }
}

/// Names of groups, and the group of each category.
type Groups = (Vec<String>, Vec<i64>);

/// The folders of 2021: `00000_Animalia_Annelida_…`, and the groups of one level in the order in which they come first.
fn by_levels(folder: &Path, level: &str) -> Result<(Vec<String>, Groups)> {
    let categories = subfolders(folder)?;
    let place = LEVELS.iter().position(|other| *other == level);
    let (mut names, mut labels): Groups = Default::default();
    for (i, category) in categories.iter().enumerate() {
        let pieces: Vec<&str> = category.split('_').collect();
        if pieces.len() != 8 {
            return Err(Error::Value(format!("Unexpected category name {category}, wrong number of pieces")));
        }
        if pieces[0] != format!("{i:05}") {
            return Err(Error::Value(format!("Unexpected category id {}, expecting {i:05}", pieces[0])));
        }
        let name = pieces[place.map_or(0, |place| place + 1)];
        let label = names.iter().position(|other| other == name).unwrap_or(names.len());
        if label == names.len() {
            names.push(name.to_owned());
        }
        labels.push(label as i64);
    }
    Ok((categories, (names, labels)))
}

/// The folders until 2019, `Plantae/5720`, by number, or in 2017 `Plantae/Abies alba`, by name.
fn by_groups(folder: &Path, named: bool) -> Result<(Vec<String>, Groups)> {
    let groups = subfolders(folder)?;
    let mut found: BTreeMap<usize, (String, i64)> = BTreeMap::new();
    for (label, group) in (0..).zip(&groups) {
        for category in subfolders(&folder.join(group))? {
            let number = if named {
                found.len()
            } else {
                category.parse().map_err(|_| Error::Value(format!("Unexpected non-numeric dir name: {category}")))?
            };
            if found.insert(number, (format!("{group}/{category}"), label)).is_some() {
                return Err(Error::Value(format!("Duplicate category {category}")));
            }
        }
    }
    if let Some(missing) = (0..found.len()).find(|i| !found.contains_key(i)) {
        return Err(Error::Value(format!("Missing category {missing}")));
    }
    let (categories, labels) = found.into_values().unzip();
    Ok((categories, (groups, labels)))
}

impl DatasetOptions<Choice<INaturalistKind>> {
    /// `"2017"`, `"2018"`, `"2019"`, `"2021_train"`, `"2021_train_mini"` or `"2021_valid"` (`"2021_train"`).
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.own.word = Some(version.into());
        self
    }

    /// What a label is: `"full"`, the species; from 2021 on `"kingdom"`, `"phylum"`, `"class"`, `"order"`, `"family"` or `"genus"`, before
    /// `"super"` (`"full"`). torchvision's lists of several are not there.
    #[must_use]
    pub fn target_type(mut self, target_type: impl Into<String>) -> Self {
        self.own.split = target_type.into();
        self
    }
}
/// Photographs of plants and animals, in a folder named as the version: `torchvision.datasets.INaturalist(root)`. Options: `version`,
/// `target_type`. `classes` are those of the target type. The files of a species come in the order of their names.
pub type INaturalist = LabelledImages<INaturalistKind>;
