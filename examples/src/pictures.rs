//! Pictures for the examples on images, drawn from a seed in whole numbers: `expected/pictures.py` draws the same bytes.

use torch::vision::{Image, Mode};

type Colour = [i64; 3];

/// The least value of a channel, and how many values there are from it on.
type Tones = (i64, i64);

const DARK: Tones = (0, 96);
const LIGHT: Tones = (160, 96);
const ANY: Tones = (0, 256);

/// Numbers that look drawn, of a linear congruential generator.
pub struct Numbers(u64);

impl Numbers {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Numbers(seed & 0x7fff_ffff)
    }

    /// One from 0 to `n` - 1.
    pub fn below(&mut self, n: i64) -> i64 {
        self.0 = (self.0 * 1_103_515_245 + 12_345) & 0x7fff_ffff;
        (self.0 >> 8) as i64 % n
    }

    fn colour(&mut self, (low, count): Tones) -> Colour {
        [(); 3].map(|()| low + self.below(count))
    }
}

/// What is drawn around a centre.
#[derive(Clone, Copy)]
pub enum Shape {
    /// A circle with all in it.
    Disc,
    /// A square.
    Square,
    /// A disc without its middle.
    Ring,
    /// An upright cross.
    Cross,
    /// A square on its corner.
    Diamond,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 5] = [Shape::Disc, Shape::Square, Shape::Ring, Shape::Cross, Shape::Diamond];

    /// Whether it covers the place that is so far from its centre, when it reaches `r` far.
    fn covers(self, dx: i64, dy: i64, r: i64) -> bool {
        let (far, inside) = (dx * dx + dy * dy, dx.max(dy) <= r);
        match self {
            Shape::Disc => far <= r * r,
            Shape::Square => inside,
            Shape::Ring => far <= r * r && 4 * far >= r * r,
            Shape::Cross => inside && 3 * dx.min(dy) <= r,
            Shape::Diamond => dx + dy <= r,
        }
    }
}

struct Canvas {
    side: i64,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Shaded from one colour down to another.
    fn new(side: i64, top: Colour, bottom: Colour) -> Self {
        let mut canvas = Canvas { side, pixels: vec![0; (3 * side * side) as usize] };
        let last = side - 1;
        canvas.paint(|_, y| Some([0, 1, 2].map(|c| (top[c] * (last - y) + bottom[c] * y) / last)));
        canvas
    }

    /// Gives the pixel in column `x` and row `y` a colour, where there is one for it.
    fn paint(&mut self, colour: impl Fn(i64, i64) -> Option<Colour>) {
        for (i, pixel) in (0..).zip(self.pixels.chunks_exact_mut(3)) {
            if let Some(colour) = colour(i % self.side, i / self.side) {
                pixel.copy_from_slice(&colour.map(|v| v as u8));
            }
        }
    }

    fn stripes(&mut self, period: i64, slope: [i64; 2], colour: Colour) {
        self.paint(|x, y| ((slope[0] * x + slope[1] * y) / period % 2 == 0).then_some(colour));
    }

    fn put(&mut self, shape: Shape, [cx, cy]: [i64; 2], r: i64, colour: Colour) {
        self.paint(|x, y| shape.covers((x - cx).abs(), (y - cy).abs(), r).then_some(colour));
    }

    fn image(self) -> Image {
        Image::new(Mode::RGB, (self.side as usize, self.side as usize), self.pixels)
    }
}

/// One shape somewhere: a light one on dark ground, or a dark one on light ground.
pub fn one_shape(numbers: &mut Numbers, side: i64, shape: Shape, light: bool) -> Image {
    let (fore, back) = if light { (LIGHT, DARK) } else { (DARK, LIGHT) };
    let mut canvas = Canvas::new(side, numbers.colour(back), numbers.colour(back));
    let r = side / 6 + numbers.below(side / 6);
    let centre = [(); 2].map(|()| r + numbers.below(side - 2 * r));
    canvas.put(shape, centre, r, numbers.colour(fore));
    canvas.image()
}

/// Twelve shapes, small and large, on light ground.
pub fn scene(numbers: &mut Numbers, side: i64) -> Image {
    let mut canvas = Canvas::new(side, numbers.colour(LIGHT), numbers.colour(LIGHT));
    for _ in 0..12 {
        let shape = Shape::ALL[numbers.below(5) as usize];
        let centre = [(); 2].map(|()| numbers.below(side));
        let r = side / 16 + numbers.below(side / 6);
        canvas.put(shape, centre, r, numbers.colour(ANY));
    }
    canvas.image()
}

/// Stripes and rings over each other.
pub fn pattern(numbers: &mut Numbers, side: i64) -> Image {
    let mut canvas = Canvas::new(side, numbers.colour(DARK), numbers.colour(LIGHT));
    for _ in 0..3 {
        let period = side / 8 + numbers.below(side / 8);
        let slope = [(); 2].map(|()| 1 + numbers.below(3));
        canvas.stripes(period, slope, numbers.colour(ANY));
        let centre = [(); 2].map(|()| numbers.below(side));
        canvas.put(Shape::Ring, centre, side / 4, numbers.colour(ANY));
    }
    canvas.image()
}
