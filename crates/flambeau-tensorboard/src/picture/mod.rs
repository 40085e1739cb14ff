//! Pictures: from tensors of any layout to PNG.

mod boxes;
pub(crate) mod font;
mod png;
mod resize;

pub(crate) use boxes::draw_boxes;
pub(crate) use resize::lanczos;

use crate::Numbers;
use crate::wire::Message;
use flambeau_tensor::DType;

/// A picture of bytes, row by row, a pixel's channels side by side.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    pub(crate) data: Vec<u8>,
}

/// `(2, 3)`, as Python prints a shape.
fn tuple(shape: &[usize]) -> String {
    let parts: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({}{})", parts.join(", "), if parts.len() == 1 { "," } else { "" })
}

/// Where in a shape of `lengths` the dims of `order` stand, with their steps in memory: `[(length, step)]`.
#[track_caller]
fn dims(shape: &[usize], format: &str, order: &str) -> Vec<(usize, usize)> {
    let upper = format.to_uppercase();
    let step = |at: usize| shape[at + 1..].iter().product();
    let find = |c| match upper.find(c) {
        Some(at) => (shape[at], step(at)),
        None => panic!("the data format {format} has no dimension {c}"),
    };
    order.chars().map(find).collect()
}

impl Picture {
    /// The picture of numbers with dims in the order of `format`: a batch is laid out in rows of eight, one channel becomes three.
    #[track_caller]
    pub(crate) fn new(numbers: &Numbers, format: &str) -> Picture {
        let Numbers { data, shape, dtype } = numbers;
        let twice = format.chars().enumerate().any(|(i, c)| format.chars().take(i).any(|other| other == c));
        assert!(!twice, "You can not use the same dimension shorthand twice. input_format: {format}");
        assert!(
            shape.len() == format.len(),
            "size of input tensor and input format are different. tensor shape: {}, input_format: {format}",
            tuple(shape)
        );
        let order = match shape.len() {
            4 => "NHWC",
            3 => "HWC",
            2 => "HW",
            n => panic!("a picture has 2, 3 or 4 dimensions, not {n}"),
        };
        let found = dims(shape, format, order);
        let (n, h, w, c) = match found[..] {
            [n, h, w, c] => (n, h, w, c),
            [h, w, c] => ((1, 0), h, w, c),
            [h, w] => ((1, 0), h, w, (1, 0)),
            _ => unreachable!("there are two to four"),
        };
        let batch = shape.len() == 4;
        assert!(!batch || c.0 == 1 || c.0 == 3, "Input should be a 4D numpy array with 3 channels");
        assert!((1..=4).contains(&c.0), "Cannot handle this data type: (1, 1, {}), |u1", c.0);
        let columns = if batch { n.0.clamp(1, 8) } else { 1 };
        let channels = if c.0 == 1 { 3 } else { c.0 };
        let (height, width) = (h.0 * n.0.div_ceil(columns), w.0 * columns);
        let mut pixels = vec![0; height * width * channels];
        let scale = if *dtype == DType::U8 { 1.0 } else { 255.0 };
        for image in 0..n.0 {
            let (top, left) = (image / columns * h.0, image % columns * w.0);
            for y in 0..h.0 {
                let row = ((top + y) * width + left) * channels;
                for (x, pixel) in pixels[row..row + w.0 * channels].chunks_exact_mut(channels).enumerate() {
                    let at = image * n.1 + y * h.1 + x * w.1;
                    for (k, value) in pixel.iter_mut().enumerate() {
                        // The cast cuts off at both ends, and makes 0 of what is no number.
                        *value = (data[at + k % c.0 * c.1] as f32 * scale) as u8;
                    }
                }
            }
        }
        Picture { height, width, channels, data: pixels }
    }

    /// The picture as a PNG file.
    pub(crate) fn png(&self) -> Vec<u8> {
        png::encode(self)
    }
}

/// `Summary.Value` of an image file.
pub(crate) fn value(tag: &str, height: usize, width: usize, channels: usize, file: &[u8]) -> Message {
    let image = Message::new().int(1, height as i64).int(2, width as i64).int(3, channels as i64).bytes(4, file);
    Message::new().bytes(1, tag).message(4, image)
}

/// Height, width and number of channels of a PNG file.
pub(crate) fn png_size(file: &[u8]) -> Option<(usize, usize, usize)> {
    png::size(file)
}
