//! An image of bytes, as `PIL.Image` holds one.

use crate::error::{Error, Result};

/// What the bytes of a pixel mean: PIL's modes of 8 bits a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Grey.
    L,
    /// Red, green, blue.
    RGB,
    /// Red, green, blue, and alpha: 0 is transparent, 255 opaque.
    RGBA,
}

impl Mode {
    /// Bytes of a pixel.
    pub fn bands(self) -> usize {
        match self {
            Mode::L => 1,
            Mode::RGB => 3,
            Mode::RGBA => 4,
        }
    }

    /// PIL's name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::L => "L",
            Mode::RGB => "RGB",
            Mode::RGBA => "RGBA",
        }
    }

    /// The mode with so many bands.
    pub(crate) fn of_bands(bands: usize) -> Option<Self> {
        [Mode::L, Mode::RGB, Mode::RGBA].into_iter().find(|mode| mode.bands() == bands)
    }
}

/// An image of bytes: what data sets pass to their transforms, `PIL.Image`.
///
/// ```
/// use flambeau_vision::{Image, Mode};
///
/// let image = Image::new(Mode::RGB, (2, 1), vec![255, 0, 0, 0, 0, 255]);
/// assert_eq!((image.size(), image.mode().name(), image.pixel(1, 0)), ((2, 1), "RGB", &[0, 0, 255][..]));
/// assert_eq!(image.convert(Mode::L).pixels(), [76, 29]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    mode: Mode,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<Image mode={} size={}x{}>", self.mode.name(), self.width, self.height)
    }
}

impl Image {
    /// An image of `size` (width, height) from its pixels row by row, each pixel's bands one after the other.
    ///
    /// # Panics
    /// When there are not width · height · bands bytes.
    #[track_caller]
    pub fn new(mode: Mode, size: (usize, usize), pixels: Vec<u8>) -> Self {
        let (width, height) = size;
        let wanted = width * height * mode.bands();
        assert_eq!(
            pixels.len(),
            wanted,
            "an image of mode {} and size {width}x{height} has {wanted} bytes",
            mode.name()
        );
        Image { mode, width, height, pixels }
    }

    /// An image of one colour, which has a value for each band: `PIL.Image.new`.
    ///
    /// # Panics
    /// When the colour does not have as many values as the mode has bands.
    #[track_caller]
    pub fn filled(mode: Mode, size: (usize, usize), colour: &[u8]) -> Self {
        assert_eq!(colour.len(), mode.bands(), "a colour of mode {} has {} values", mode.name(), mode.bands());
        Image { mode, width: size.0, height: size.1, pixels: colour.repeat(size.0 * size.1) }
    }

    /// What a pixel's bytes mean.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Width and height: `image.size`.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Bytes of a pixel.
    pub fn bands(&self) -> usize {
        self.mode.bands()
    }

    /// All bytes, row by row, pixel by pixel: `image.tobytes()`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be changed.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The bytes without the image.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The bands of the pixel in column `x` and row `y`: `image.getpixel((x, y))`.
    ///
    /// # Panics
    /// When the pixel lies outside.
    #[track_caller]
    pub fn pixel(&self, x: usize, y: usize) -> &[u8] {
        assert!(x < self.width && y < self.height, "image index out of range");
        let at = (y * self.width + x) * self.bands();
        &self.pixels[at..at + self.bands()]
    }

    /// One row's bytes.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let length = self.width * self.bands();
        &self.pixels[y * length..(y + 1) * length]
    }

    /// An image of the same size whose every byte went through `f`, which also gets the band.
    pub(crate) fn map_bytes(&self, f: impl Fn(usize, u8) -> u8) -> Image {
        let bands = self.bands();
        let pixels = self.pixels.iter().enumerate().map(|(i, &v)| f(i % bands, v)).collect();
        Image { pixels, ..*self }
    }

    /// How often each value occurs in a band.
    pub(crate) fn histogram(&self, band: usize) -> [usize; 256] {
        let mut counts = [0; 256];
        self.pixels.iter().skip(band).step_by(self.bands()).for_each(|&v| counts[usize::from(v)] += 1);
        counts
    }

    /// The image in another mode: `image.convert(mode)`. Grey is ITU-R 601's luma, new alpha is opaque.
    #[must_use]
    pub fn convert(&self, mode: Mode) -> Image {
        let (from, bands) = (self.mode, self.bands());
        if mode == from {
            return self.clone();
        }
        let mut pixels = Vec::with_capacity(self.width * self.height * mode.bands());
        for pixel in self.pixels.chunks_exact(bands) {
            match (from, mode) {
                (Mode::L, Mode::RGB) => pixels.extend([pixel[0]; 3]),
                (Mode::L, _) => pixels.extend([pixel[0], pixel[0], pixel[0], 255]),
                (_, Mode::L) => pixels.push(luma(pixel)),
                (_, Mode::RGB) => pixels.extend(&pixel[..3]),
                (_, Mode::RGBA) => pixels.extend([pixel[0], pixel[1], pixel[2], 255]),
            }
        }
        Image { mode, pixels, ..*self }
    }

    /// The image with the alpha band of another of its size, where the mode has one.
    pub(crate) fn with_alpha_of(mut self, other: &Image) -> Image {
        if self.mode == Mode::RGBA && other.mode == Mode::RGBA {
            let alphas = other.pixels.iter().skip(3).step_by(4);
            self.pixels.iter_mut().skip(3).step_by(4).zip(alphas).for_each(|(to, from)| *to = *from);
        }
        self
    }

    /// An error for what is not there in this mode.
    pub(crate) fn unsupported(&self) -> Error {
        Error::Value(format!("not supported for mode {}", self.mode.name()))
    }

    /// A value for each band from a fill: one for all, or one for each.
    pub(crate) fn colour(&self, fill: &[f64]) -> Result<Vec<u8>> {
        let bands = self.bands();
        let byte = |v: f64| (v as i64).clamp(0, 255) as u8;
        match fill.len() {
            0 => Ok(vec![0; bands]),
            1 => Ok(vec![byte(fill[0]); bands]),
            n if n == bands => Ok(fill.iter().map(|&v| byte(v)).collect()),
            n => Err(Error::Value(format!(
                "The number of elements in 'fill' does not match the number of channels of the image ({n} != {bands})"
            ))),
        }
    }
}

/// The grey of a coloured pixel, in 16-bit fixed point.
pub(crate) fn luma(pixel: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|band| u32::from(pixel[band]));
    ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
}
