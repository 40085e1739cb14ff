//! Pictures.

use crate::picture::{Picture, draw_boxes, lanczos, png_size, value};
use crate::{Error, Result, SummaryWriter, Values};
use flambeau_autograd::Setting;
use flambeau_autograd::arguments::{Number, OptInt};

use super::EventOptions;

/// Options of [`SummaryWriter::add_image_with`] and [`SummaryWriter::add_images_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    walltime: Option<f64>,
    dataformats: String,
}

impl ImageOptions {
    fn new(dataformats: &str) -> Self {
        ImageOptions { walltime: None, dataformats: dataformats.to_owned() }
    }

    /// Seconds since 1970, in the place of the present time. Default: none.
    #[must_use]
    pub fn walltime(mut self, walltime: impl Setting<Option<f64>>) -> Self {
        self.walltime = walltime.setting();
        self
    }

    /// The order of the dimensions: `"CHW"`, `"HWC"`, `"HW"`, `"NCHW"`, `"NHWC"`, …. Default: `"CHW"` for one picture, `"NCHW"` for
    /// several.
    #[must_use]
    pub fn dataformats(mut self, dataformats: impl Into<String>) -> Self {
        self.dataformats = dataformats.into();
        self
    }
}

/// Options of [`SummaryWriter::add_image_with_boxes_with`] under PyTorch's names.
#[derive(Clone, Debug)]
pub struct ImageWithBoxesOptions {
    image: ImageOptions,
    rescale: f64,
    labels: Vec<String>,
}

impl ImageWithBoxesOptions {
    /// Seconds since 1970, in the place of the present time. Default: none.
    #[must_use]
    pub fn walltime(mut self, walltime: impl Setting<Option<f64>>) -> Self {
        self.image = self.image.walltime(walltime);
        self
    }

    /// The order of the dimensions. Default: `"CHW"`.
    #[must_use]
    pub fn dataformats(mut self, dataformats: impl Into<String>) -> Self {
        self.image = self.image.dataformats(dataformats);
        self
    }

    /// By how much the picture is enlarged. Default: 1.
    #[must_use]
    pub fn rescale(mut self, factor: impl Number) -> Self {
        self.rescale = factor.to_f64();
        self
    }

    /// What stands in each box; left out where there are not as many as boxes. Default: none.
    #[must_use]
    pub fn labels<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }
}

/// A picture that was drawn elsewhere: the `figure` of [`SummaryWriter::add_figure`].
///
/// ```
/// use torch::utils::tensorboard::Figure;
/// let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="9" height="9"/></svg>"#;
/// assert!(Figure::file(svg).is_ok());
/// assert!(Figure::file("a text").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    size: (usize, usize, usize),
    file: Vec<u8>,
}

impl Figure {
    /// What a PNG or an SVG file holds, as `plotters` and others draw them.
    ///
    /// # Errors
    /// When it is neither.
    pub fn file(content: impl AsRef<[u8]>) -> Result<Self> {
        let file = content.as_ref();
        let size = png_size(file).or_else(|| svg_size(file));
        let size = size.ok_or_else(|| Error::Picture("a figure must be a PNG or an SVG file".to_owned()))?;
        Ok(Figure { size, file: file.to_vec() })
    }

    /// A picture of red, green and blue bytes, row by row: what `BitMapBackend` of `plotters` draws into.
    ///
    /// # Panics
    /// When there are not three bytes for each pixel.
    #[track_caller]
    pub fn rgb(width: usize, height: usize, pixels: impl AsRef<[u8]>) -> Self {
        let data = pixels.as_ref().to_vec();
        assert!(
            data.len() == width * height * 3,
            "a figure of {width}x{height} has {} bytes, got {}",
            width * height * 3,
            data.len()
        );
        Figure { size: (height, width, 3), file: Picture { height, width, channels: 3, data }.png() }
    }
}

impl Figure {
    /// The PNG or SVG file.
    pub fn content(&self) -> &[u8] {
        &self.file
    }
}

/// Height, width and number of channels of an SVG file; no height and width where the file does not tell.
fn svg_size(file: &[u8]) -> Option<(usize, usize, usize)> {
    let text = std::str::from_utf8(file).ok()?;
    let head = text.split_once("<svg")?.1.split('>').next()?;
    let attribute = |name: &str| {
        let value = head.split_once(&format!(" {name}=\""))?.1;
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    Some((attribute("height").unwrap_or(0), attribute("width").unwrap_or(0), 3))
}

impl SummaryWriter {
    /// Adds a picture of shape (3, H, W) or (1, H, W): `writer.add_image(tag, img_tensor, global_step)`. Bytes are from 0 to 255,
    /// other numbers from 0 to 1; what is outside is cut off.
    ///
    /// # Panics
    /// When the shape is none of a picture.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-image-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_image("noise", torch::rand((3, 32, 32)), 0);
    /// writer.add_image_with("grey", torch::rand((32, 48)), 0, |o| o.dataformats("HW"));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_image(&self, tag: &str, image: impl Values, global_step: impl OptInt) {
        self.add_image_with(tag, image, global_step, |o| o);
    }

    /// [`SummaryWriter::add_image`] with PyTorch's keywords: `walltime`, `dataformats`.
    ///
    /// # Panics
    /// When the shape is none of a picture in this format.
    #[track_caller]
    pub fn add_image_with(
        &self,
        tag: &str,
        image: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(ImageOptions) -> ImageOptions,
    ) {
        let o = options(ImageOptions::new("CHW"));
        let picture = Picture::new(&image.numbers(), &o.dataformats);
        self.picture(tag, &picture, &picture, global_step, o.walltime);
    }

    /// Adds several pictures of shape (N, 3, H, W) side by side, eight in a row: `writer.add_images(tag, img_tensor, global_step)`.
    ///
    /// # Panics
    /// When the shape is none of pictures.
    #[track_caller]
    pub fn add_images(&self, tag: &str, images: impl Values, global_step: impl OptInt) {
        self.add_images_with(tag, images, global_step, |o| o);
    }

    /// [`SummaryWriter::add_images`] with PyTorch's keywords: `walltime`, `dataformats`.
    ///
    /// # Panics
    /// When the shape is none of pictures in this format.
    #[track_caller]
    pub fn add_images_with(
        &self,
        tag: &str,
        images: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(ImageOptions) -> ImageOptions,
    ) {
        let o = options(ImageOptions::new("NCHW"));
        let picture = Picture::new(&images.numbers(), &o.dataformats);
        self.picture(tag, &picture, &picture, global_step, o.walltime);
    }

    /// Adds a picture with boxes (N, 4), each from its left and upper to its right and lower corner:
    /// `writer.add_image_with_boxes(tag, img_tensor, box_tensor, global_step)`.
    ///
    /// # Panics
    /// When the shape is none of a picture, or of boxes.
    #[track_caller]
    pub fn add_image_with_boxes(&self, tag: &str, image: impl Values, boxes: impl Values, global_step: impl OptInt) {
        self.add_image_with_boxes_with(tag, image, boxes, global_step, |o| o);
    }

    /// [`SummaryWriter::add_image_with_boxes`] with PyTorch's keywords: `walltime`, `rescale`, `dataformats`, `labels`. Labels have
    /// letters of this crate, not Pillow's font.
    ///
    /// # Panics
    /// When the shape is none of a picture in this format, or of boxes.
    ///
    /// ```
    /// # use torch::utils::tensorboard::SummaryWriter;
    /// # let folder = std::env::temp_dir().join(format!("flambeau-boxes-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// let boxes = torch::tensor([[4, 4, 20, 28], [10, 2, 30, 16]]);
    /// writer.add_image_with_boxes_with("found", torch::ones((3, 32, 32)), boxes, 0, |o| o.labels(["cat", "dog"]));
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    #[track_caller]
    pub fn add_image_with_boxes_with(
        &self,
        tag: &str,
        image: impl Values,
        boxes: impl Values,
        global_step: impl OptInt,
        options: impl FnOnce(ImageWithBoxesOptions) -> ImageWithBoxesOptions,
    ) {
        let plain = ImageWithBoxesOptions { image: ImageOptions::new("CHW"), rescale: 1.0, labels: Vec::new() };
        let o = options(plain);
        let original = Picture::new(&image.numbers(), &o.image.dataformats);
        let boxes = boxes.numbers();
        assert!(
            boxes.shape.len() == 2 && boxes.shape[1] >= 4,
            "boxes must have the shape (N, 4), got {:?}",
            boxes.shape
        );
        let corners: Vec<[f64; 4]> =
            boxes.data.chunks_exact(boxes.shape[1]).map(|row| [row[0], row[1], row[2], row[3]]).collect();
        let labels = if o.labels.len() == corners.len() { &o.labels[..] } else { &[] };
        let mut drawn = original.clone();
        draw_boxes(&mut drawn, &corners, labels);
        let scaled = |length: usize| (length as f64 * o.rescale) as usize;
        let drawn = lanczos(&drawn, scaled(original.height), scaled(original.width));
        self.picture(tag, &original, &drawn, global_step, o.image.walltime);
    }

    /// PyTorch tells the size that the picture had before it was rescaled.
    fn picture(&self, tag: &str, told: &Picture, shown: &Picture, step: impl OptInt, walltime: Option<f64>) {
        self.add_summary([value(tag, told.height, told.width, told.channels, &shown.png())], step, walltime);
    }

    /// Adds a chart that was drawn elsewhere: `writer.add_figure(tag, figure, global_step)` of an SVG or PNG file, or of pixels.
    ///
    /// ```
    /// use torch::utils::tensorboard::{Figure, SummaryWriter};
    /// # let folder = std::env::temp_dir().join(format!("flambeau-figure-{}", std::process::id()));
    /// # let writer = SummaryWriter::with(|o| o.log_dir(&folder))?;
    /// writer.add_figure("a red square", &Figure::rgb(8, 8, [255, 0, 0].repeat(64)), 0);
    /// # writer.close()?;
    /// # std::fs::remove_dir_all(folder).unwrap();
    /// # Ok::<(), torch::utils::tensorboard::Error>(())
    /// ```
    pub fn add_figure(&self, tag: &str, figure: &Figure, global_step: impl OptInt) {
        self.add_figure_with(tag, figure, global_step, |o| o);
    }

    /// [`SummaryWriter::add_figure`] with PyTorch's keyword `walltime`.
    pub fn add_figure_with(
        &self,
        tag: &str,
        figure: &Figure,
        global_step: impl OptInt,
        options: impl FnOnce(EventOptions) -> EventOptions,
    ) {
        let (height, width, channels) = figure.size;
        let value = value(tag, height, width, channels, &figure.file);
        self.add_summary([value], global_step, options(EventOptions::default()).walltime);
    }
}
