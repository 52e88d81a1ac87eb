"""QR codes as squares of modules, and the PNG that some programs give instead of the text.

`Modules` are rows of booleans, true for dark, without the quiet zone around. A picture is read back into them,
so that a code is shown the same way however it came; what the code says is not read.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Sequence

Modules = Sequence[Sequence[bool]]

QUIET_ZONE = 4
"""Modules of light around a code, as the standard (ISO/IEC 18004) wants it."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LARGEST_SIDE = 1_024
"""Pixels. A code of 177 modules has five for each of them then; larger ones take seconds to read."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel by colour type: grey, RGB, palette, grey and alpha, RGB and alpha."""


def picture_of(code: str) -> bytes | None:
    """Given what an API gave for a QR code, return the PNG that it is, None when it is a text to encode.

    Raises ValueError for a picture that is no PNG.
    """
    kind, comma, content = code.partition(",")
    if not (kind.startswith("data:image/") and comma):
        # The first nine bytes of every PNG; no text of WhatsApp begins like this.
        if not code.startswith("iVBORw0KGgo"):
            return None
        content = code
    try:
        picture = binascii.a2b_base64(content)
    except ValueError:
        raise ValueError("the QR code is a picture that is cut off or no base64") from None
    if not picture.startswith(PNG_SIGNATURE):
        raise ValueError("the QR code is a picture, but no PNG")
    return picture


def modules_of_picture(picture: bytes) -> Modules:
    """Given a PNG of a QR code, upright and undistorted as programs draw them, return its modules.

    Raises ValueError for anything else.
    """
    dark = _dark_pixels(picture)
    rows = [number for number, row in enumerate(dark) if any(row)]
    if not rows:
        raise ValueError("the picture of the QR code is empty")
    top, height = rows[0], rows[-1] - rows[0] + 1
    left = min(row.index(True) for row in dark if True in row)
    right = max(len(row) - row[::-1].index(True) for row in dark if True in row)
    # The upper edge of the finder pattern in the corner: seven dark modules.
    edge = next((at for at, pixel in enumerate(dark[top][left:]) if not pixel), 0)
    side = round((right - left) * 7 / edge) if edge else 0
    if side < 21 or side > 177 or side % 4 != 1 or abs(right - left - height) * side > height:
        raise ValueError("the picture is not one of a QR code")
    middles = [int((at + 0.5) * (right - left) / side) for at in range(side)]
    if middles[-1] >= height:
        raise ValueError("the picture is not one of a QR code")
    return [[dark[top + y][left + x] for x in middles] for y in middles]


def picture_of_modules(modules: Modules, scale: int = 8) -> bytes:
    """Given modules, return a PNG with the quiet zone around them, `scale` pixels for each."""
    side = (len(modules) + 2 * QUIET_ZONE) * scale
    light = [False] * QUIET_ZONE
    rows = []
    for row in [*([[False] * len(modules)] * QUIET_ZONE), *modules, *([[False] * len(modules)] * QUIET_ZONE)]:
        bits = "".join(("0" if dark else "1") * scale for dark in (*light, *row, *light))
        bits += "1" * (-len(bits) % 8)
        rows += [b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")] * scale
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _dark_pixels(picture: bytes) -> list[list[bool]]:
    header, palette, transparent, packed = _chunks(picture)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not 0 < width <= _LARGEST_SIDE or not 0 < height <= _LARGEST_SIDE or colour not in _SAMPLES:
        raise ValueError("the picture of the QR code is too large, or of an unknown kind")
    if interlaced or depth not in (1, 2, 4, 8):
        raise ValueError("the picture of the QR code is of a kind that is not read")
    samples = _SAMPLES[colour]
    line = (width * samples * depth + 7) // 8
    try:
        raw = zlib.decompressobj().decompress(packed, (line + 1) * height)
    except zlib.error:
        raise ValueError("the picture of the QR code is damaged") from None
    if len(raw) < (line + 1) * height:
        raise ValueError("the picture of the QR code is cut off")
    found = []
    before = bytes(line)
    for y in range(height):
        start = y * (line + 1)
        before = _unfiltered(
            raw[start], raw[start + 1 : start + 1 + line], before, max(1, samples * depth // 8)
        )
        values = _samples(before, depth, width * samples)
        pixels = [values[at : at + samples] for at in range(0, len(values), samples)]
        found.append([_is_dark(pixel, colour, depth, palette, transparent) for pixel in pixels])
    return found


def _chunks(picture: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    found: dict[bytes, bytes] = {}
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(picture):
        length, name = struct.unpack_from(">I4s", picture, at)
        found[name] = found.get(name, b"") + picture[at + 8 : at + 8 + length]
        at += length + 12
    header = found.get(b"IHDR", b"")
    if len(header) != 13:
        raise ValueError("the picture of the QR code is damaged")
    return header, found.get(b"PLTE", b""), found.get(b"tRNS", b""), found.get(b"IDAT", b"")


def _unfiltered(kind: int, line: bytes, before: bytes, step: int) -> bytes:
    """Undo the filter of one line (PNG specification, section 9)."""
    out = bytearray(line)
    for at, value in enumerate(line):
        a = out[at - step] if at >= step else 0
        b = before[at]
        c = before[at - step] if at >= step else 0
        if kind == 1:
            out[at] = (value + a) & 255
        elif kind == 2:
            out[at] = (value + b) & 255
        elif kind == 3:
            out[at] = (value + (a + b) // 2) & 255
        elif kind == 4:
            out[at] = (
                value + min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            ) & 255
        elif kind:
            raise ValueError("the picture of the QR code is damaged")
    return bytes(out)


def _samples(line: bytes, depth: int, count: int) -> Sequence[int]:
    if depth == 8:
        return line
    mask, each = (1 << depth) - 1, 8 // depth
    return [(line[at // each] >> (8 - depth * (at % each + 1))) & mask for at in range(count)]


def _is_dark(pixel: Sequence[int], colour: int, depth: int, palette: bytes, transparent: bytes) -> bool:
    if colour == 3:
        index = pixel[0]
        if index < len(transparent) and transparent[index] < 128:
            return False
        pixel = palette[3 * index : 3 * index + 3]
        return sum(pixel) < 384 if len(pixel) == 3 else False
    if colour in (4, 6) and pixel[-1] < 128:
        return False
    shown = pixel[:-1] if colour in (4, 6) else pixel
    return sum(shown) * 2 < len(shown) * ((1 << depth) - 1)
