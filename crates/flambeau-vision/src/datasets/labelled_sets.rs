//! Sets of labelled images that are folders and short lists.

use super::download::RemoteFile;
use super::folder::{IMG_EXTENSIONS, classes_and_samples, entries, files, subfolders};
use super::json::{self, Value};
use super::labelled::{Archive, Choice, Fetched, LabelledImages, LabelledKind, Listing, Split, lines, one_of};
use super::options::DatasetOptions;
use crate::error::{Error, Result};
use flambeau_autograd::arguments::Int;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The subfolders of a folder as classes.
fn of_folders(folder: &Path, extensions: &[&str]) -> Result<Listing> {
    let (classes, samples) = classes_and_samples(folder, extensions)?;
    Ok(Listing::of(classes, samples))
}

/// Kind of [`EuroSAT`].
pub struct EuroSATKind;
impl LabelledKind for EuroSATKind {
    const NAME: &'static str = "EuroSAT";
    const SPLITS: &'static [&'static str] = &[];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("eurosat").join("2750")
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        of_folders(folder, &IMG_EXTENSIONS)
    }
}
/// Satellite pictures of ten uses of land, in the folder `eurosat/2750`: `torchvision.datasets.EuroSAT(root)`.
pub type EuroSAT = LabelledImages<EuroSATKind>;

const CLIP: &str = "https://openaipublic.azureedge.net/clip/data/";

/// Kind of [`Country211`].
pub struct Country211Kind;
impl LabelledKind for Country211Kind {
    const NAME: &'static str = "Country211";
    const SPLITS: &'static [&'static str] = &["train", "valid", "test"];
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf {
        root.join("country211").join(&choice.split)
    }
    fn archive(_: &Choice<Self>) -> Option<Archive> {
        let file = RemoteFile { name: "country211.tgz", md5: "84988d7644798601126c29e9877aab6a" };
        Some(Archive { file, mirror: CLIP })
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        of_folders(folder, &IMG_EXTENSIONS)
    }
}
impl Split for Country211Kind {}
impl Fetched for Country211Kind {}
/// Photographs of 211 countries, in the folder `country211`: `torchvision.datasets.Country211(root)`, splits `"train"`, `"valid"`,
/// `"test"`.
pub type Country211 = LabelledImages<Country211Kind>;

/// Kind of [`RenderedSST2`].
pub struct RenderedSST2Kind;
impl LabelledKind for RenderedSST2Kind {
    const NAME: &'static str = "RenderedSST2";
    const SPLITS: &'static [&'static str] = &["train", "val", "test"];
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf {
        root.join("rendered-sst2").join(if choice.split == "val" { "valid" } else { &choice.split })
    }
    fn archive(_: &Choice<Self>) -> Option<Archive> {
        let file = RemoteFile { name: "rendered-sst2.tgz", md5: "2384d08e9dcfa4bd55b324e610496ee5" };
        Some(Archive { file, mirror: CLIP })
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        of_folders(folder, &[".png"])
    }
}
impl Split for RenderedSST2Kind {}
impl Fetched for RenderedSST2Kind {}
/// Pictures of sentences, negative or positive, in the folder `rendered-sst2`: `torchvision.datasets.RenderedSST2(root)`, splits
/// `"train"`, `"val"`, `"test"`.
pub type RenderedSST2 = LabelledImages<RenderedSST2Kind>;

/// The names of Imagenette's classes.
const IMAGENETTE: [(&str, &[&str]); 10] = [
    ("n01440764", &["tench", "Tinca tinca"]),
    ("n02102040", &["English springer", "English springer spaniel"]),
    ("n02979186", &["cassette player"]),
    ("n03000684", &["chain saw", "chainsaw"]),
    ("n03028079", &["church", "church building"]),
    ("n03394916", &["French horn", "horn"]),
    ("n03417042", &["garbage truck", "dustcart"]),
    ("n03425413", &["gas pump", "gasoline pump", "petrol pump", "island dispenser"]),
    ("n03445777", &["golf ball"]),
    ("n03888257", &["parachute", "chute"]),
];

/// The archives of Imagenette: of a size, its name and checksum.
const IMAGENETTES: [(&str, &str, &str, &str); 3] = [
    ("full", "imagenette2", "imagenette2.tgz", "fe2fc210e6bb7c5664d602c3cd71e612"),
    ("320px", "imagenette2-320", "imagenette2-320.tgz", "3df6f0d01a2c9592104656642f5e78a3"),
    ("160px", "imagenette2-160", "imagenette2-160.tgz", "e793b78cc4c9e9a4ccc0c1155377a412"),
];

/// Classes that are folders of WordNet's numbers, each with several names: joined by commas as a class, each for itself as a key.
pub(super) fn with_synonyms(
    numbers: &[String],
    samples: Vec<(PathBuf, i64)>,
    names: impl Fn(&str) -> Vec<String>,
) -> Listing {
    let mut listing = Listing { classes: Vec::new(), class_to_idx: BTreeMap::new(), samples };
    for (label, number) in (0..).zip(numbers) {
        let names = names(number);
        listing.classes.push(names.join(", "));
        listing.class_to_idx.extend(names.into_iter().map(|name| (name, label)));
    }
    listing
}

/// Kind of [`Imagenette`].
pub struct ImagenetteKind;
impl ImagenetteKind {
    fn size(choice: &Choice<Self>) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
        let size = choice.word.as_deref().unwrap_or("full");
        IMAGENETTES.iter().find(|(name, ..)| *name == size)
    }
}
impl LabelledKind for ImagenetteKind {
    const NAME: &'static str = "Imagenette";
    const SPLITS: &'static [&'static str] = &["train", "val"];
    fn folder(root: &Path, choice: &Choice<Self>) -> PathBuf {
        root.join(Self::size(choice).map_or("", |size| size.1)).join(&choice.split)
    }
    fn archive(choice: &Choice<Self>) -> Option<Archive> {
        let &(_, _, name, md5) = Self::size(choice)?;
        Some(Archive { file: RemoteFile { name, md5 }, mirror: "https://s3.amazonaws.com/fast-ai-imageclas/" })
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        one_of(choice.word.as_deref().unwrap_or("full"), "size", &["full", "320px", "160px"])?;
        let (numbers, samples) = classes_and_samples(folder, &[".jpeg"])?;
        let of = |number: &str| IMAGENETTE.iter().find(|(other, _)| *other == number).map(|(_, names)| *names);
        if let Some(other) = numbers.iter().find(|number| of(number).is_none()) {
            return Err(Error::Value(format!("'{other}' is no class of Imagenette")));
        }
        let names = |number: &str| of(number).unwrap_or_default().iter().map(|&name| name.to_owned()).collect();
        Ok(with_synonyms(&numbers, samples, names))
    }
}
impl Split for ImagenetteKind {}
impl Fetched for ImagenetteKind {}
impl DatasetOptions<Choice<ImagenetteKind>> {
    /// `"full"`, `"320px"` or `"160px"` (`"full"`).
    #[must_use]
    pub fn size(mut self, size: impl Into<String>) -> Self {
        self.own.word = Some(size.into());
        self
    }
}
/// Ten classes of ImageNet, in the folder `imagenette2`: `torchvision.datasets.Imagenette(root)`, splits `"train"`, `"val"`. Option:
/// `size`.
pub type Imagenette = LabelledImages<ImagenetteKind>;

/// Kind of [`Food101`].
pub struct Food101Kind;
impl LabelledKind for Food101Kind {
    const NAME: &'static str = "Food101";
    const SPLITS: &'static [&'static str] = &["train", "test"];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("food-101")
    }
    fn archive(_: &Choice<Self>) -> Option<Archive> {
        let file = RemoteFile { name: "food-101.tar.gz", md5: "85eeb15f3717b99a5da872d97d918f87" };
        Some(Archive { file, mirror: "http://data.vision.ee.ethz.ch/cvl/" })
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let path = folder.join("meta").join(format!("{}.json", choice.split));
        let wrong = || Error::corrupt(&path, "it is no dict of lists of names");
        let Value::Dict(lists) = json::read(&path)? else { return Err(wrong()) };
        let mut classes: Vec<String> =
            lists.iter().filter_map(|(class, _)| json::text(class)).map(str::to_owned).collect();
        classes.sort();
        let labels: BTreeMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
        let mut samples = Vec::new();
        for (class, names) in lists.iter() {
            let label = json::text(class).and_then(|class| labels.get(class)).ok_or_else(wrong)?;
            for name in json::items(names).ok_or_else(wrong)? {
                let name = json::text(name).ok_or_else(wrong)?;
                samples.push((folder.join("images").join(format!("{name}.jpg")), *label));
            }
        }
        Ok(Listing::of(classes, samples))
    }
}
impl Split for Food101Kind {}
impl Fetched for Food101Kind {}
/// Photographs of 101 dishes, in the folder `food-101`: `torchvision.datasets.Food101(root)`, splits `"train"`, `"test"`.
///
/// ```no_run
/// use flambeau_vision::datasets::Food101;
/// use flambeau_vision::transforms::{Resize, ToTensor};
/// # fn main() -> flambeau_vision::Result<()> {
/// let set = Food101::with("data", |o| o.split("test").transform((Resize::new((224, 224)), ToTensor)))?;
/// println!("{} of {} dishes", set.samples().len(), set.classes().len());
/// # Ok(())
/// # }
/// ```
pub type Food101 = LabelledImages<Food101Kind>;

/// Kind of [`DTD`].
pub struct DTDKind;
impl LabelledKind for DTDKind {
    const NAME: &'static str = "DTD";
    const SPLITS: &'static [&'static str] = &["train", "val", "test"];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("dtd").join("dtd")
    }
    fn archive(_: &Choice<Self>) -> Option<Archive> {
        let file = RemoteFile { name: "dtd-r1.0.1.tar.gz", md5: "fff73e5086ae6bdbea199a49dfb8a4c1" };
        Some(Archive { file, mirror: "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/" })
    }
    fn unpacked(root: &Path) -> PathBuf {
        root.join("dtd")
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let partition = choice.number.unwrap_or(1);
        let path = folder.join("labels").join(format!("{}{partition}.txt", choice.split));
        let lines = lines(&path)?;
        let parts = lines.iter().map(|line| line.split_once('/'));
        let parts: Option<Vec<(&str, &str)>> = parts.collect();
        let parts = parts.ok_or_else(|| Error::corrupt(&path, "a line is no class and name"))?;
        let classes: BTreeSet<&str> = parts.iter().map(|(class, _)| *class).collect();
        let labels: BTreeMap<&str, i64> = classes.iter().copied().zip(0..).collect();
        let images = folder.join("images");
        let samples = parts.iter().map(|(class, name)| (images.join(class).join(name), labels[class])).collect();
        Ok(Listing::of(classes.into_iter().map(str::to_owned).collect(), samples))
    }
}
impl Split for DTDKind {}
impl Fetched for DTDKind {}
impl DatasetOptions<Choice<DTDKind>> {
    /// Which of the ten divisions into splits, 1 to 10 (1).
    #[must_use]
    #[track_caller]
    pub fn partition(mut self, partition: impl Int) -> Self {
        self.own.number = Some(partition.to_i64());
        self
    }
}
/// Describable textures, in the folder `dtd/dtd`: `torchvision.datasets.DTD(root)`, splits `"train"`, `"val"`, `"test"`. Option:
/// `partition`.
pub type DTD = LabelledImages<DTDKind>;

/// Kind of [`FGVCAircraft`].
pub struct FGVCAircraftKind;
impl LabelledKind for FGVCAircraftKind {
    const NAME: &'static str = "FGVCAircraft";
    const SPLITS: &'static [&'static str] = &["trainval", "train", "val", "test"];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("fgvc-aircraft-2013b")
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let level = choice.word.as_deref().unwrap_or("variant");
        one_of(level, "annotation_level", &["variant", "family", "manufacturer"])?;
        let plural = match level {
            "variant" => "variants",
            "family" => "families",
            _ => "manufacturers",
        };
        let data = folder.join("data");
        let classes = lines(&data.join(format!("{plural}.txt")))?;
        let labels: BTreeMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
        let path = data.join(format!("images_{level}_{}.txt", choice.split));
        let mut samples = Vec::new();
        for line in lines(&path)? {
            let found = line.split_once(' ').and_then(|(name, class)| Some((name, *labels.get(class)?)));
            let (name, label) = found.ok_or_else(|| Error::corrupt(&path, format!("'{line}' is no name and class")))?;
            samples.push((data.join("images").join(format!("{name}.jpg")), label));
        }
        Ok(Listing::of(classes, samples))
    }
}
impl Split for FGVCAircraftKind {}
impl DatasetOptions<Choice<FGVCAircraftKind>> {
    /// What the classes are: `"variant"`, `"family"` or `"manufacturer"` (`"variant"`).
    #[must_use]
    pub fn annotation_level(mut self, level: impl Into<String>) -> Self {
        self.own.word = Some(level.into());
        self
    }
}
/// Photographs of aircraft, in the folder `fgvc-aircraft-2013b`: `torchvision.datasets.FGVCAircraft(root)`, splits `"trainval"`,
/// `"train"`, `"val"`, `"test"`. Option: `annotation_level`.
pub type FGVCAircraft = LabelledImages<FGVCAircraftKind>;

/// Kind of [`OxfordIIITPet`].
pub struct OxfordIIITPetKind;
impl LabelledKind for OxfordIIITPetKind {
    const NAME: &'static str = "OxfordIIITPet";
    const SPLITS: &'static [&'static str] = &["trainval", "test"];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("oxford-iiit-pet")
    }
    fn list(folder: &Path, choice: &Choice<Self>) -> Result<Listing> {
        let target = choice.word.as_deref().unwrap_or("category");
        one_of(target, "target_types", &["category", "binary-category"])?;
        let path = folder.join("annotations").join(format!("{}.txt", choice.split));
        let (mut samples, mut breeds) = (Vec::new(), BTreeSet::new());
        for line in lines(&path)? {
            let wrong = || Error::corrupt(&path, format!("'{line}' is no name and three numbers"));
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, category, kind, _] = words[..] else { return Err(wrong()) };
            let number = |word: &str| word.parse::<i64>().map(|n| n - 1).map_err(|_| wrong());
            let (category, kind) = (number(category)?, number(kind)?);
            let breed = name.rsplit_once('_').map_or(name, |(breed, _)| breed);
            breeds.insert((category, titled(breed)));
            let label = if target == "category" { category } else { kind };
            samples.push((folder.join("images").join(format!("{name}.jpg")), label));
        }
        Ok(Listing::of(breeds.into_iter().map(|(_, breed)| breed).collect(), samples))
    }
}
impl Split for OxfordIIITPetKind {}
impl DatasetOptions<Choice<OxfordIIITPetKind>> {
    /// What a label is: `"category"`, the breed, or `"binary-category"`, 0 for a cat and 1 for a dog (`"category"`). torchvision's
    /// `"segmentation"` is not there.
    #[must_use]
    pub fn target_types(mut self, target: impl Into<String>) -> Self {
        self.own.word = Some(target.into());
        self
    }
}
/// Photographs of cats and dogs of 37 breeds, in the folder `oxford-iiit-pet`: `torchvision.datasets.OxfordIIITPet(root)`, splits
/// `"trainval"`, `"test"`. Option: `target_types`.
pub type OxfordIIITPet = LabelledImages<OxfordIIITPetKind>;

/// Words that begin with a capital, of a name joined by underlines.
fn titled(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        first + &letters.as_str().to_lowercase()
    };
    name.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// Kind of [`Caltech256`].
pub struct Caltech256Kind;
impl LabelledKind for Caltech256Kind {
    const NAME: &'static str = "Caltech256";
    const SPLITS: &'static [&'static str] = &[];
    const RGB: bool = false;
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("caltech256").join("256_ObjectCategories")
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        let (classes, mut samples) = (subfolders(folder)?, Vec::new());
        for (label, class) in (0..).zip(&classes) {
            let folder = folder.join(class);
            let (_, files) = entries(&folder)?;
            let count = files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "jpg")).count();
            // Files are numbered, whatever their names are.
            samples.extend((1..=count).map(|i| (folder.join(format!("{:03}_{i:04}.jpg", label + 1)), label)));
        }
        Ok(Listing::of(classes, samples))
    }
}
/// Photographs of 257 kinds of things, in the folder `caltech256`: `torchvision.datasets.Caltech256(root)`. Grey photographs stay grey.
pub type Caltech256 = LabelledImages<Caltech256Kind>;

/// Kind of [`SUN397`].
pub struct SUN397Kind;
impl LabelledKind for SUN397Kind {
    const NAME: &'static str = "SUN397";
    const SPLITS: &'static [&'static str] = &[];
    fn folder(root: &Path, _: &Choice<Self>) -> PathBuf {
        root.join("SUN397")
    }
    fn list(folder: &Path, _: &Choice<Self>) -> Result<Listing> {
        let list = folder.join("ClassName.txt");
        // `/a/abbey`, by the first letter.
        let classes = lines(&list)?.iter().map(|line| line.get(3..).map(str::to_owned)).collect::<Option<Vec<_>>>();
        let classes = classes.ok_or_else(|| Error::corrupt(&list, "a line is no name of a class"))?;
        let labels: BTreeMap<&str, i64> = classes.iter().map(String::as_str).zip(0..).collect();
        let mut samples = Vec::new();
        for path in files(folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !(name.starts_with("sun_") && name.ends_with(".jpg")) {
                continue;
            }
            let inner = path.strip_prefix(folder).ok().and_then(Path::parent).unwrap_or(Path::new(""));
            let class: Vec<_> = inner.components().skip(1).map(|part| part.as_os_str().to_string_lossy()).collect();
            let label = labels.get(class.join("/").as_str());
            let label = label.ok_or_else(|| Error::Value(format!("'{}' is no class of SUN397", class.join("/"))))?;
            samples.push((path, *label));
        }
        Ok(Listing::of(classes, samples))
    }
}
/// Photographs of 397 scenes, in the folder `SUN397`: `torchvision.datasets.SUN397(root)`. Images come in the order of their paths.
pub type SUN397 = LabelledImages<SUN397Kind>;
