//! Image files: `torchvision.io`'s PNG and JPEG, to tensors `[c, h, w]` of bytes and back.
//!
//! PNGs and JPEGs are read byte for byte as libpng and libjpeg-turbo read them. Files are written to a temporary name beside the
//! target, then renamed.
//!
//! ```
//! use flambeau_vision::io;
//!
//! # fn main() -> flambeau_vision::Result<()> {
//! let image = flambeau_autograd::tensor([[[0, 128], [255, 7]]]).to(flambeau_tensor::DType::U8);
//! let png = io::encode_png(&image)?;
//! assert!(io::decode_image(&png)?.equal(&image));
//! assert_eq!(io::decode_png_with(&png, |o| o.mode("RGB"))?.size(), [3, 2, 2]);
//! # Ok(())
//! # }
//! ```

mod jpeg;
mod orientation;
mod pixels;
mod png;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::options::{Setting, options};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec};
use flambeau_tensor::DType;
use flambeau_tensor::file::write_whole;
use pixels::Pixels;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Which channels an image is read with: `torchvision.io.ImageReadMode`. Setters also take its name, `"RGB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImageReadMode {
    /// Those of the file.
    #[default]
    Unchanged,
    /// Grey.
    Gray,
    /// Grey and alpha; PNG only.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, alpha; PNG only.
    RgbAlpha,
}

impl ImageReadMode {
    /// Python's `ImageReadMode.UNCHANGED`.
    pub const UNCHANGED: Self = Self::Unchanged;
    /// Python's `ImageReadMode.GRAY`.
    pub const GRAY: Self = Self::Gray;
    /// Python's `ImageReadMode.GRAY_ALPHA`.
    pub const GRAY_ALPHA: Self = Self::GrayAlpha;
    /// Python's `ImageReadMode.RGB`.
    pub const RGB: Self = Self::Rgb;
    /// Python's `ImageReadMode.RGB_ALPHA`.
    pub const RGB_ALPHA: Self = Self::RgbAlpha;
    /// Python's `ImageReadMode.RGBA`.
    pub const RGBA: Self = Self::RgbAlpha;
}

impl std::str::FromStr for ImageReadMode {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        match name.to_ascii_uppercase().as_str() {
            "UNCHANGED" => Ok(Self::Unchanged),
            "GRAY" => Ok(Self::Gray),
            "GRAY_ALPHA" => Ok(Self::GrayAlpha),
            "RGB" => Ok(Self::Rgb),
            "RGB_ALPHA" | "RGBA" => Ok(Self::RgbAlpha),
            _ => Err(Error::Value(format!("'{name}' is no ImageReadMode"))),
        }
    }
}

impl From<&str> for ImageReadMode {
    /// By torchvision's name; an unknown one panics at the caller's line.
    #[track_caller]
    fn from(name: &str) -> Self {
        name.parse().or_panic()
    }
}

impl<W: Into<ImageReadMode>> Setting<ImageReadMode> for W {
    #[track_caller]
    fn setting(self) -> ImageReadMode {
        self.into()
    }
}

options! {
    /// How images are read.
    ReadOptions {
        /// Which channels the tensor has: `"UNCHANGED"`, `"GRAY"`, `"GRAY_ALPHA"`, `"RGB"`, `"RGB_ALPHA"` (`"UNCHANGED"`).
        mode: ImageReadMode = ImageReadMode::Unchanged,
        /// Whether a photograph is turned as its EXIF data say (false).
        apply_exif_orientation: bool = false,
    }
}

/// What a file's first bytes say it is.
enum Format {
    Png,
    Jpeg,
}

fn format(data: &[u8]) -> Result<Format> {
    if data.starts_with(b"\x89PNG") {
        Ok(Format::Png)
    } else if data.starts_with(&[0xff, 0xd8, 0xff]) {
        Ok(Format::Jpeg)
    } else {
        Err(Error::Value("Unsupported image file. Only jpeg and png are currently supported.".into()))
    }
}

/// The bytes of a tensor that holds a file.
fn file_bytes(data: &Tensor) -> Result<Vec<u8>> {
    if data.dtype() != DType::U8 {
        return Err(Error::Value(format!("Input tensor must have uint8 data type, got {}", data.dtype())));
    }
    if data.dim() != 1 || data.numel() == 0 {
        let (dims, n) = (data.dim(), data.numel());
        return Err(Error::Value(format!(
            "Input tensor must be 1-dimensional and non-empty, got {dims} dims  and {n} numels."
        )));
    }
    Ok(data.contiguous().to_vec::<u8>())
}

fn decode(data: &[u8], format: Format, options: &ReadOptions) -> Result<Tensor> {
    let mut pixels = match format {
        Format::Png => png::decode(data, options.mode)?,
        Format::Jpeg => jpeg::decode(data, options.mode)?,
    };
    if options.apply_exif_orientation {
        pixels = orientation::applied(pixels);
    }
    Ok(pixels.into_tensor())
}

/// The bytes of a file as a tensor `[n]`: `torchvision.io.read_file`.
///
/// # Errors
/// When the file cannot be read.
pub fn read_file(path: impl AsRef<Path>) -> Result<Tensor> {
    let bytes = read(path.as_ref())?;
    let n = bytes.len();
    Ok(from_vec(bytes, [n]))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Error::io(path, e))
}

/// A tensor `[n]` of bytes as a file: `torchvision.io.write_file`.
///
/// # Errors
/// When the tensor is of another kind, or the file cannot be written.
pub fn write_file(filename: impl AsRef<Path>, data: impl AsTensor) -> Result<()> {
    let data = data.as_tensor();
    if data.dtype() != DType::U8 {
        return Err(Error::Value("Input tensor dtype should be uint8".into()));
    }
    if data.dim() != 1 {
        return Err(Error::Value("Input data should be a 1-dimensional tensor".into()));
    }
    write(filename.as_ref(), &data.contiguous().to_vec::<u8>())
}

/// A file that appears whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let written = write_whole(path, |file| file.write_all(bytes));
    written.map_err(|refused| Error::io(path, refused.source))
}

/// A PNG or JPEG file as a tensor `[c, h, w]` of bytes: `torchvision.io.read_image`.
///
/// # Errors
/// When the file cannot be read, or is not an image of these formats.
pub fn read_image(path: impl AsRef<Path>) -> Result<Tensor> {
    read_image_with(path, |o| o)
}

/// [`read_image`] with options: `mode`, `apply_exif_orientation`.
///
/// # Errors
/// As [`read_image`].
pub fn read_image_with(path: impl AsRef<Path>, options: impl FnOnce(ReadOptions) -> ReadOptions) -> Result<Tensor> {
    let path = path.as_ref();
    let data = read(path)?;
    let tensor = format(&data).and_then(|format| decode(&data, format, &options(ReadOptions::default())));
    tensor.map_err(|error| in_file(path, error))
}

/// An error about a file's content with the file's name.
fn in_file(path: &Path, error: Error) -> Error {
    match error {
        Error::Value(what) => Error::corrupt(path, what),
        other => other,
    }
}

/// The content of a PNG or JPEG file, a tensor `[n]` of bytes, as a tensor `[c, h, w]`: `torchvision.io.decode_image`.
///
/// # Errors
/// When it is not an image of these formats.
pub fn decode_image(input: impl AsTensor) -> Result<Tensor> {
    decode_image_with(input, |o| o)
}

/// [`decode_image`] with options: `mode`, `apply_exif_orientation`.
///
/// # Errors
/// As [`decode_image`].
pub fn decode_image_with(input: impl AsTensor, options: impl FnOnce(ReadOptions) -> ReadOptions) -> Result<Tensor> {
    let data = file_bytes(input.as_tensor())?;
    decode(&data, format(&data)?, &options(ReadOptions::default()))
}

/// The content of a PNG file as a tensor `[c, h, w]`: `torchvision.io.decode_png`. Of 16 bits a channel, int32 takes the place
/// of uint16; alpha that is added is opaque, and a palette of few colours gives indices, where torchvision reads amiss.
///
/// # Errors
/// When it is no PNG, or damaged.
pub fn decode_png(input: impl AsTensor) -> Result<Tensor> {
    decode_png_with(input, |o| o)
}

/// [`decode_png`] with options: `mode`, `apply_exif_orientation`.
///
/// # Errors
/// As [`decode_png`].
pub fn decode_png_with(input: impl AsTensor, options: impl FnOnce(ReadOptions) -> ReadOptions) -> Result<Tensor> {
    decode(&file_bytes(input.as_tensor())?, Format::Png, &options(ReadOptions::default()))
}

/// The content of a JPEG file as a tensor `[c, h, w]`: `torchvision.io.decode_jpeg`.
///
/// # Errors
/// When it is no JPEG, or damaged.
pub fn decode_jpeg(input: impl AsTensor) -> Result<Tensor> {
    decode_jpeg_with(input, |o| o)
}

/// [`decode_jpeg`] with options: `mode`, `apply_exif_orientation`.
///
/// # Errors
/// As [`decode_jpeg`].
pub fn decode_jpeg_with(input: impl AsTensor, options: impl FnOnce(ReadOptions) -> ReadOptions) -> Result<Tensor> {
    decode(&file_bytes(input.as_tensor())?, Format::Jpeg, &options(ReadOptions::default()))
}

options! {
    /// The option of [`encode_png_with`].
    PngOptions {
        /// How hard to compress, 0 to 9 (6).
        compression_level: i64 = 6,
    }
}

options! {
    /// The option of [`encode_jpeg_with`].
    JpegOptions {
        /// How close to the image, 1 to 100 (75).
        quality: i64 = 75,
    }
}

/// A tensor `[1 or 3, h, w]` of bytes as the content of a PNG file, `[n]`: `torchvision.io.encode_png`.
///
/// # Errors
/// When the tensor is of another kind.
pub fn encode_png(input: impl AsTensor) -> Result<Tensor> {
    encode_png_with(input, |o| o)
}

/// [`encode_png`] with the option `compression_level`.
///
/// # Errors
/// As [`encode_png`], and for a level that is not 0 to 9.
pub fn encode_png_with(input: impl AsTensor, options: impl FnOnce(PngOptions) -> PngOptions) -> Result<Tensor> {
    let level = options(PngOptions::default()).compression_level;
    if !(0..=9).contains(&level) {
        return Err(Error::Value("Compression level should be between 0 and 9".into()));
    }
    Ok(as_tensor(png::encode(&Pixels::of_tensor(input.as_tensor())?, level as u8)?))
}

/// A tensor `[1 or 3, h, w]` of bytes as the content of a JPEG file, `[n]`: `torchvision.io.encode_jpeg`.
///
/// # Errors
/// When the tensor is of another kind.
pub fn encode_jpeg(input: impl AsTensor) -> Result<Tensor> {
    encode_jpeg_with(input, |o| o)
}

/// [`encode_jpeg`] with the option `quality`.
///
/// # Errors
/// As [`encode_jpeg`], and for a quality that is not 1 to 100.
pub fn encode_jpeg_with(input: impl AsTensor, options: impl FnOnce(JpegOptions) -> JpegOptions) -> Result<Tensor> {
    let quality = options(JpegOptions::default()).quality;
    if !(1..=100).contains(&quality) {
        return Err(Error::Value("Image quality should be a positive number between 1 and 100".into()));
    }
    Ok(as_tensor(jpeg::encode(&Pixels::of_tensor(input.as_tensor())?, quality as u8)?))
}

fn as_tensor(bytes: Vec<u8>) -> Tensor {
    let n = bytes.len();
    from_vec(bytes, [n])
}

/// A tensor `[1 or 3, h, w]` of bytes as a PNG file: `torchvision.io.write_png`.
///
/// # Errors
/// As [`encode_png`], and when the file cannot be written.
pub fn write_png(input: impl AsTensor, filename: impl AsRef<Path>) -> Result<()> {
    write_file(filename, encode_png(input)?)
}

/// [`write_png`] with the option `compression_level`.
///
/// # Errors
/// As [`write_png`].
pub fn write_png_with(
    input: impl AsTensor,
    filename: impl AsRef<Path>,
    options: impl FnOnce(PngOptions) -> PngOptions,
) -> Result<()> {
    write_file(filename, encode_png_with(input, options)?)
}

/// A tensor `[1 or 3, h, w]` of bytes as a JPEG file: `torchvision.io.write_jpeg`.
///
/// # Errors
/// As [`encode_jpeg`], and when the file cannot be written.
pub fn write_jpeg(input: impl AsTensor, filename: impl AsRef<Path>) -> Result<()> {
    write_file(filename, encode_jpeg(input)?)
}

/// [`write_jpeg`] with the option `quality`.
///
/// # Errors
/// As [`write_jpeg`].
pub fn write_jpeg_with(
    input: impl AsTensor,
    filename: impl AsRef<Path>,
    options: impl FnOnce(JpegOptions) -> JpegOptions,
) -> Result<()> {
    write_file(filename, encode_jpeg_with(input, options)?)
}

/// A tensor `[1, 3 or 4, h, w]` of bytes as a file of the name's ending; four channels are RGBA.
pub(crate) fn save(x: &Tensor, path: &Path) -> Result<()> {
    Pixels::of_channels(x, &[1, 3, 4])?.save(path)
}

impl Pixels {
    /// A file of the name's ending.
    fn save(&self, path: &Path) -> Result<()> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let bytes = match ending.as_str() {
            "png" => png::encode(self, 6)?,
            // Pillow's words.
            "jpg" | "jpeg" if self.channels == 4 => return Err(Error::Value("cannot write mode RGBA as JPEG".into())),
            "jpg" | "jpeg" => jpeg::encode(self, 75)?,
            _ => return Err(Error::Value(format!("unknown file extension: .{ending}"))),
        };
        write(path, &bytes)
    }
}

impl Image {
    /// The image of a PNG or JPEG file: `PIL.Image.open`. Grey with alpha becomes RGBA; of 16 bits the upper 8 are kept.
    ///
    /// # Errors
    /// When the file cannot be read, or is not an image of these formats.
    pub fn open(path: impl AsRef<Path>) -> Result<Image> {
        let path = path.as_ref();
        Image::decode(&read(path)?).map_err(|error| in_file(path, error))
    }

    /// [`Image::open`] of a file's content.
    ///
    /// # Errors
    /// When it is not an image of these formats.
    pub fn decode(data: &[u8]) -> Result<Image> {
        let pixels = match format(data)? {
            Format::Png => png::decode_colours(data)?,
            Format::Jpeg => jpeg::decode(data, ImageReadMode::Unchanged)?,
        };
        Ok(pixels.into_image())
    }

    /// The image as a file, by the name's ending: `.png`, `.jpg` or `.jpeg`. A JPEG cannot have alpha.
    ///
    /// # Errors
    /// For other endings, and when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Pixels::of_image(self).save(path.as_ref())
    }
}
