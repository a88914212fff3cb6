"""Colour-and-shape images, 32 x 32 RGB, in which grayscale hides the colour exactly.

Every image shows one shape in one of two colours on a coloured, textured, noisy background with distractor specks.
An image is drawn in two steps:

1. the luma plane Y (integers), from the shape, place, size, brightness, texture and noise, independent of the colour;
2. the chroma plane, which adds to every pixel a vector (dR, dG, dB) with 0.299 dR + 0.587 dG + 0.114 dB = 0.

R and G are rounded to bytes and B is chosen so that Pillow's convert("L"),
(19595 R + 38470 G + 7471 B + 0x8000) >> 16, gives exactly Y at every pixel. (After R and G the error is below one step
of B, so such a B exists; chroma is scaled down where it would leave the byte range.) Red and green
images therefore have the same grayscale distribution, and one draw painted in both colours has the same grayscale
image byte for byte; `python generate.py --check` tests that.
"""

import argparse

import numpy as np

SIZE = 32
SHAPES = ["circle", "cross", "square", "triangle"]
COLOURS = ["green", "red"]
# Label = index here = code point order of the names.
CLASSES = sorted(f"{colour}-{shape}" for colour in COLOURS for shape in SHAPES)

# Chroma as (dR, dB); dG follows from zero luma.
CHROMA = np.array([[-80.0, -20.0], [100.0, -20.0]])  # [colour, 2]

TRAIN, TEST, EMBEDDED = 0, 1, 2  # splits, each with its own random streams
SEED = 601


def luma(rgb):
    """Pillow's convert("L") of bytes [..., 3]."""
    r, g, b = (rgb[..., i].astype(np.int64) for i in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint8)


def to_gray(rgb):
    """Grayscale copied to three channels, bytes [N, 32, 32, 3]."""
    return np.repeat(luma(rgb)[..., None], 3, axis=-1)


def coverage(distance):
    """The fraction of a pixel inside a shape, from the signed distance of its centre in pixels."""
    return np.clip(0.5 - distance, 0, 1)


def shape_distance(shape, u, v, r):
    """Signed distance (up to corners) to shapes of about equal area; `shape` [N], u and v [N, 32, 32], r [N, 1, 1]."""
    a, b = np.abs(u), np.abs(v)
    half = np.sqrt(0.75)
    candidates = {
        "circle": np.hypot(u, v) - 0.92 * r,
        "square": np.maximum(a, b) - 0.82 * r,
        "triangle": np.maximum(np.maximum(v, half * u - 0.5 * v), -half * u - 0.5 * v) - 0.68 * r,
        "cross": np.minimum(np.maximum(a - 1.1 * r, b - 0.36 * r), np.maximum(b - 1.1 * r, a - 0.36 * r)),
    }
    return np.select([(shape == i)[:, None, None] for i in range(len(SHAPES))], [candidates[s] for s in SHAPES])


def smooth_field(rng, n):
    """Random texture [n, 32, 32] of unit amplitude: one linear gradient and two plane waves."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) - 0.5
    angle, phase = rng.uniform(0, 2 * np.pi, (2, n, 3, 1, 1))
    ramp = np.cos(angle) * x + np.sin(angle) * y  # [n, 3, 32, 32]
    waves = rng.uniform(1, 5, (n, 2, 1, 1))
    return 0.8 * ramp[:, 0] + 0.3 * np.sin(2 * np.pi * waves * ramp[:, 1:] + phase[:, 1:]).sum(1)


def gamut_scale(y, d):
    """Largest factor up to 1 by which chroma `d` may be multiplied so that y + factor * d stays within 5...250."""
    room = np.where(d > 0, 250 - y, y - 5)
    return np.minimum(1, room / np.maximum(np.abs(d), 1e-9))


def draw(rng, shape, colour):
    """Bytes [n, 32, 32, 3] for shape and colour indices [n]. The draws do not depend on `colour`."""
    n = len(shape)
    uniform = lambda low, high: rng.uniform(low, high, (n, 1, 1))
    row, column = np.mgrid[0:SIZE, 0:SIZE]

    r = uniform(7.5, 10.5)
    cx, cy = rng.uniform(12.5, 18.5, (2, n, 1, 1))
    angle = uniform(-0.35, 0.35)
    x, y = column - cx, row - cy
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside = coverage(shape_distance(shape, u, v, r))

    # Specks: small discs of any luma and hue.
    specks = 6
    sx, sy = rng.uniform(0, SIZE - 1, (2, n, specks, 1, 1))
    sr = rng.uniform(0.3, 1.6, (n, specks, 1, 1))
    speck = coverage(np.hypot(column - sx, row - sy) - sr)  # [n, specks, 32, 32]
    speck_luma = rng.uniform(50, 200, (n, specks, 1, 1))
    speck_hue = rng.uniform(0, 2 * np.pi, (n, specks, 1, 1))

    # Luma. The shape is 30 to 60 steps brighter than the background.
    shape_luma = uniform(100, 160)
    ground = shape_luma - uniform(30, 60) + uniform(4, 22) * smooth_field(rng, n)
    figure = shape_luma + uniform(0, 10) * smooth_field(rng, n)
    y = ground + inside * (figure - ground)
    for k in range(specks):
        y += speck[:, k] * (speck_luma[:, k] - y)
    y += uniform(1, 8) * rng.standard_normal((n, SIZE, SIZE))
    y = np.rint(np.clip(y, 16, 239))

    # Chroma [2, n, 32, 32]: (dR, dB).
    hue, strength = uniform(0, 2 * np.pi), uniform(0, 50)
    hue = hue + 0.8 * smooth_field(rng, n)
    ground = strength * np.stack([np.cos(hue), np.sin(hue)])
    turn, strength = rng.normal(0, 0.15, (n, 1, 1)), uniform(0.55, 1.0)
    d_r, d_b = CHROMA[colour].T[:, :, None, None]
    figure = strength * np.stack([np.cos(turn) * d_r - np.sin(turn) * d_b, np.sin(turn) * d_r + np.cos(turn) * d_b])
    d = ground + inside * (figure - ground)
    for k in range(specks):
        d += speck[:, k] * (90 * np.stack([np.cos(speck_hue[:, k]), np.sin(speck_hue[:, k])]) - d)
    d += uniform(0, 8) * rng.standard_normal((2, n, SIZE, SIZE))

    d_r, d_b = d
    d_g = -(19595 * d_r + 7471 * d_b) / 38470
    scale = np.minimum(np.minimum(gamut_scale(y, d_r), gamut_scale(y, d_g)), gamut_scale(y, d_b))
    red, green = np.rint(y + scale * d_r), np.rint(y + scale * d_g)
    blue = np.rint((65536 * y - 19595 * red - 38470 * green) / 7471)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def generate(split, count, chunk=500):
    """The first `count` images [count, 32, 32, 3] and labels [count] (int64) of a split; classes alternate."""
    rng = np.random.Generator(np.random.PCG64([SEED, split]))
    labels = np.arange(count) % len(CLASSES)
    colour, shape = labels // len(SHAPES), labels % len(SHAPES)
    images = [draw(rng, shape[i : i + chunk], colour[i : i + chunk]) for i in range(0, count, chunk)]
    return np.concatenate(images), labels.astype(np.int64)


def check():
    """Asserts that grayscale is exactly equal for both colours, and that `luma` is Pillow's."""
    from PIL import Image

    shape = np.arange(400) % len(SHAPES)
    green, red = (draw(np.random.default_rng(5), shape, np.full(400, c)) for c in (0, 1))
    assert not np.array_equal(green, red)
    assert np.array_equal(luma(green), luma(red))
    for image in red[:20]:
        assert np.array_equal(np.asarray(Image.fromarray(image).convert("L")), luma(image))
    assert CLASSES == [f"{colour}-{shape}" for colour in COLOURS for shape in SHAPES]
    print("grayscale of red and green images: identical in 400 of 400 pairs")


def contact_sheet(path):
    """PNG: one column per class, five images in colour and the same five in grayscale, enlarged."""
    from PIL import Image

    images, _ = generate(EMBEDDED, 5 * len(CLASSES))
    both = np.concatenate([images, to_gray(images)]).reshape(10, len(CLASSES), SIZE, SIZE, 3)
    sheet = np.pad(both, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
    sheet = sheet.transpose(0, 2, 1, 3, 4).reshape(10 * (SIZE + 2), len(CLASSES) * (SIZE + 2), 3)
    Image.fromarray(sheet).resize((sheet.shape[1] * 3, sheet.shape[0] * 3), Image.NEAREST).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="test that grayscale hides the colour")
    parser.add_argument("--sheet", metavar="PNG", help="write a contact sheet")
    arguments = parser.parse_args()
    if arguments.check:
        check()
    if arguments.sheet:
        contact_sheet(arguments.sheet)
