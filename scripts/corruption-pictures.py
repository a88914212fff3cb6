#!/usr/bin/env python3
"""Makes the pictures of docs/corruptions.md, docs/figures/corruption-*.png, from one image of the demo.

usage: corruption-pictures.py [PROGRAM]    (default: .build/release/vitpatch)

The pictures are taken from the report of a sweep of only that image; noise changes no pixels and has none.
"""

import base64
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORRUPTIONS = ["grayscale", "channel:r", "blur:1", "blur:3", "shuffle:4", "mask:0.25", "mask:0.5", "mean"]


def enlarged(png: bytes, scale: int) -> bytes:
    """An 8-bit RGB picture with each pixel enlarged to a square, so that browsers do not blur it."""
    chunks, at = {b"IDAT": b""}, 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        chunks[name] = chunks.get(name, b"") + png[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    if (depth, kind) != (8, 2):
        sys.exit(f"expected 8-bit RGB, found {depth} bits of colour type {kind}")
    data, above, rows = zlib.decompress(chunks[b"IDAT"]), bytearray(3 * width), []
    for y in range(height):
        start = y * (3 * width + 1)
        row = bytearray(data[start + 1 : start + 1 + 3 * width])
        for x in range(3 * width):
            left, up = row[x - 3] if x >= 3 else 0, above[x]
            corner = above[x - 3] if x >= 3 else 0
            paeth = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
            row[x] = row[x] + (0, left, up, (left + up) // 2, paeth)[data[start]] & 255
        above = row
        line = b"".join(bytes(row[x : x + 3]) * scale for x in range(0, 3 * width, 3))
        rows += [b"\0" + line] + [b"\2" + bytes(len(line))] * (scale - 1)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", scale * width, scale * height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"".join(rows), 9))
    return png[:8] + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def main() -> None:
    program = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".build/release/vitpatch")
    figures = ROOT / "docs/figures"
    with tempfile.TemporaryDirectory() as folder:
        options = [option for spec in CORRUPTIONS for option in ("--corruption", spec)]
        command = [program, "sweep", "--limit", "1", "--site", "attn_out", "--window", "1", *options]
        subprocess.run([*command, "--out", folder, "--overwrite", "--report"], check=True, capture_output=True)
        page = Path(folder, "report.html").read_text()
    found: dict[str, bytes] = {}
    # One example per corruption, in their order: the clean picture, then the corrupted one.
    pairs = re.findall(
        r'<div class="pictures"><figure><img[^>]*src="data:image/png;base64,([^"]+)".*?'
        r'<figure><img[^>]*src="data:image/png;base64,([^"]+)"', page
    )  # fmt: skip
    if len(pairs) != len(CORRUPTIONS):
        sys.exit(f"expected pictures of {len(CORRUPTIONS)} corruptions in the report, found {len(pairs)}")
    for spec, (clean, corrupted) in zip(CORRUPTIONS, pairs, strict=True):
        found["clean"] = base64.b64decode(clean)
        found[spec.replace(":", "-")] = base64.b64decode(corrupted)
    for name, picture in found.items():
        found[name] = enlarged(picture, 4)
        (figures / f"corruption-{name}.png").write_bytes(found[name])
    print(f"{len(found)} pictures, {sum(map(len, found.values())) / 1000:.0f} kB, in {figures.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
