"""Pictures that the examples on images draw: as examples/src/pictures.rs draws them, byte for byte."""
import numpy as np
from PIL import Image

SHAPES = ["disc", "square", "ring", "cross", "diamond"]
DARK, LIGHT, ANY = (0, 96), (160, 96), (0, 256)


class Numbers:
    def __init__(self, seed):
        self.state = seed & 0x7FFFFFFF

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n

    def colour(self, tones):
        low, count = tones
        return [low + self.below(count) for _ in range(3)]


class Canvas:
    def __init__(self, side, top, bottom):
        self.y, self.x = np.mgrid[:side, :side]
        y = self.y[..., None]
        self.pixels = (np.array(top) * (side - 1 - y) + np.array(bottom) * y) // (side - 1)

    def paint(self, where, colour):
        self.pixels[where] = colour

    def stripes(self, period, slope, colour):
        self.paint((slope[0] * self.x + slope[1] * self.y) // period % 2 == 0, colour)

    def put(self, shape, centre, r, colour):
        dx, dy = abs(self.x - centre[0]), abs(self.y - centre[1])
        far, inside = dx * dx + dy * dy, np.maximum(dx, dy) <= r
        self.paint(
            {
                "disc": far <= r * r,
                "square": inside,
                "ring": (far <= r * r) & (4 * far >= r * r),
                "cross": inside & (3 * np.minimum(dx, dy) <= r),
                "diamond": dx + dy <= r,
            }[shape],
            colour,
        )

    def image(self):
        return Image.fromarray(self.pixels.astype(np.uint8))


def one_shape(numbers, side, shape, light):
    fore, back = (LIGHT, DARK) if light else (DARK, LIGHT)
    canvas = Canvas(side, numbers.colour(back), numbers.colour(back))
    r = side // 6 + numbers.below(side // 6)
    centre = [r + numbers.below(side - 2 * r) for _ in range(2)]
    canvas.put(shape, centre, r, numbers.colour(fore))
    return canvas.image()


def scene(numbers, side):
    canvas = Canvas(side, numbers.colour(LIGHT), numbers.colour(LIGHT))
    for _ in range(12):
        shape = SHAPES[numbers.below(5)]
        centre = [numbers.below(side) for _ in range(2)]
        r = side // 16 + numbers.below(side // 6)
        canvas.put(shape, centre, r, numbers.colour(ANY))
    return canvas.image()


def pattern(numbers, side):
    canvas = Canvas(side, numbers.colour(DARK), numbers.colour(LIGHT))
    for _ in range(3):
        period = side // 8 + numbers.below(side // 8)
        slope = [1 + numbers.below(3) for _ in range(2)]
        canvas.stripes(period, slope, numbers.colour(ANY))
        canvas.put("ring", [numbers.below(side) for _ in range(2)], side // 4, numbers.colour(ANY))
    return canvas.image()
