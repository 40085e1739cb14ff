//! MS COCO: images with what is to be seen on them, in one JSON file.

use super::json::{self, Value};
use super::options::{IntoTensor, Step, ToTensors};
use crate::error::{Error, Result};
use crate::image::{Image, Mode};
use crate::transforms::{ToTensor, Transform};
use flambeau_autograd::Tensor;
use flambeau_data::Dataset;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Options of [`CocoDetection`] and [`CocoCaptions`].
pub struct CocoOptions {
    image: Step,
    target: Option<Box<dyn Fn(Value) -> Value + Send + Sync>>,
}

impl Default for CocoOptions {
    fn default() -> Self {
        CocoOptions { image: Box::new(ToTensor), target: None }
    }
}

impl CocoOptions {
    /// What makes a tensor of an image: a tuple or list of transforms, a transform. Default: [`ToTensor`].
    #[must_use]
    pub fn transform<T: Transform<Image> + 'static>(mut self, transform: T) -> Self
    where
        T::Output: IntoTensor,
    {
        self.image = Box::new(ToTensors(transform));
        self
    }

    /// What makes a sample's target of the annotations. Default: nothing.
    #[must_use]
    pub fn target_transform(mut self, target_transform: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        self.target = Some(Box::new(target_transform));
        self
    }
}

/// Images and their annotations: `torchvision.datasets.CocoDetection(root, annFile)`. Samples are `(image, target)`; a target is a list of
/// the image's annotations, each a dict as it stands in the file (`"bbox"`, `"category_id"`, `"segmentation"`, …). Images come in the
/// order of their ids, and are RGB when the transform gets them.
///
/// ```no_run
/// use flambeau_data::Dataset;
/// use flambeau_vision::datasets::CocoDetection;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let set = CocoDetection::new("val2017", "annotations/instances_val2017.json")?;
/// let (image, target) = set.get(0)?;
/// println!("{} {}", image.size(), target);
/// # Ok(())
/// # }
/// ```
pub struct CocoDetection {
    root: PathBuf,
    ids: Vec<i64>,
    names: Vec<String>,
    annotations: HashMap<i64, Vec<Value>>,
    options: CocoOptions,
}

impl CocoDetection {
    /// The images in the folder `root` that the file of annotations names.
    ///
    /// # Errors
    /// When the file cannot be read, or is not one of COCO's. That an image is missing is told when it is read.
    pub fn new(root: impl AsRef<Path>, ann_file: impl AsRef<Path>) -> Result<Self> {
        Self::with(root, ann_file, |o| o)
    }

    /// [`CocoDetection::new`] with options: `transform`, `target_transform`.
    ///
    /// # Errors
    /// As [`CocoDetection::new`].
    pub fn with(
        root: impl AsRef<Path>,
        ann_file: impl AsRef<Path>,
        options: impl FnOnce(CocoOptions) -> CocoOptions,
    ) -> Result<Self> {
        let file = ann_file.as_ref();
        let all = json::read(file)?;
        let wrong = |what: &str| Error::corrupt(file, what);
        let list = |key: &str| match json::entry(&all, key) {
            None => Ok(&[][..]),
            Some(list) => json::items(list).ok_or_else(|| wrong(&format!("{key} is no list"))),
        };
        let mut images = BTreeMap::new();
        for image in list("images")? {
            let id = json::entry(image, "id").and_then(json::whole).ok_or_else(|| wrong("an image without an id"))?;
            let name = json::entry(image, "file_name").and_then(json::text);
            images.insert(id, name.ok_or_else(|| wrong("an image without a file_name"))?.to_owned());
        }
        let mut annotations: HashMap<i64, Vec<Value>> = HashMap::new();
        for annotation in list("annotations")? {
            let id = json::entry(annotation, "image_id").and_then(json::whole);
            let id = id.ok_or_else(|| wrong("an annotation without an image_id"))?;
            annotations.entry(id).or_default().push(annotation.clone());
        }
        let (ids, names) = images.into_iter().unzip();
        let options = options(CocoOptions::default());
        Ok(CocoDetection { root: root.as_ref().to_owned(), ids, names, annotations, options })
    }

    /// The images' ids, in order.
    pub fn ids(&self) -> &[i64] {
        &self.ids
    }

    fn read(&self, index: usize, target: impl FnOnce(&[Value]) -> Result<Value>) -> Result<(Tensor, Value)> {
        let Some(name) = self.names.get(index) else {
            let n = self.ids.len();
            return Err(Error::Value(format!("index {index} is out of range for a dataset of {n} samples")));
        };
        let image = self.options.image.apply(Image::open(self.root.join(name))?.convert(Mode::RGB))?;
        let target = target(self.annotations.get(&self.ids[index]).map_or(&[][..], Vec::as_slice))?;
        let target = match &self.options.target {
            Some(change) => change(target),
            None => target,
        };
        Ok((image, target))
    }
}

impl Dataset for CocoDetection {
    type Item = (Tensor, Value);
    fn len(&self) -> usize {
        self.ids.len()
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, Value)> {
        Ok(self.read(index, |annotations| Ok(Value::List(annotations.to_vec())))?)
    }
}

/// Images and sentences about them: `torchvision.datasets.CocoCaptions(root, annFile)`. Samples are `(image, target)`; a target is a list
/// of texts.
pub struct CocoCaptions(CocoDetection);

impl CocoCaptions {
    /// As [`CocoDetection::new`].
    ///
    /// # Errors
    /// As [`CocoDetection::new`].
    pub fn new(root: impl AsRef<Path>, ann_file: impl AsRef<Path>) -> Result<Self> {
        Self::with(root, ann_file, |o| o)
    }

    /// As [`CocoDetection::with`].
    ///
    /// # Errors
    /// As [`CocoDetection::new`].
    pub fn with(
        root: impl AsRef<Path>,
        ann_file: impl AsRef<Path>,
        options: impl FnOnce(CocoOptions) -> CocoOptions,
    ) -> Result<Self> {
        CocoDetection::with(root, ann_file, options).map(CocoCaptions)
    }
}

impl std::ops::Deref for CocoCaptions {
    type Target = CocoDetection;
    fn deref(&self) -> &CocoDetection {
        &self.0
    }
}

impl Dataset for CocoCaptions {
    type Item = (Tensor, Value);
    fn len(&self) -> usize {
        self.0.len()
    }
    fn get(&self, index: usize) -> flambeau_data::Result<(Tensor, Value)> {
        let captions = |annotations: &[Value]| {
            let caption = |annotation| json::entry(annotation, "caption").cloned();
            let captions: Option<Vec<Value>> = annotations.iter().map(caption).collect();
            captions.map(Value::List).ok_or_else(|| Error::Value("'caption': an annotation has none".into()))
        };
        Ok(self.0.read(index, captions)?)
    }
}
