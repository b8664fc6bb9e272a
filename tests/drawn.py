"""Pictures, pages, sounds and films made here, as small as their headers allow."""

from __future__ import annotations

import io
import struct
import wave
import zlib

_PAGE = "/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"


def png(seed: object = 0, *, description: str | None = None, size: int = 0) -> bytes:
    """Return a picture of one colour, which `seed` decides; it has `size` bytes if that is more."""
    colour = zlib.crc32(repr(seed).encode()).to_bytes(4)[:3]
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b"")]
    if description is not None:
        chunks.insert(1, (b"tEXt", b"Description\0" + description.encode("latin-1")))
    if (missing := size - 69) > 0:
        chunks.insert(1, (b"fiLl", repr(seed).encode().ljust(missing, b".")))
    written = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def pdf(*pages: str) -> bytes:
    """Return a document of pages with a line of text each; an empty one has none."""
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for index, text in enumerate(pages):
        shown = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET" if text else ""
        objects += [
            f"<< /Type /Page /Parent 2 0 R /Contents {5 + 2 * index} 0 R {_PAGE} >>",
            f"<< /Length {len(shown)} >>\nstream\n{shown}\nendstream",
        ]
    written, places = io.BytesIO(), []
    written.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(written.tell())
        written.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    table = written.tell()
    written.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    written.write("".join(f"{place:010d} 00000 n \n" for place in places).encode())
    written.write(
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    )
    return written.getvalue()


def wav(seconds: float, seed: int = 0) -> bytes:
    """Return a sound so long, in which nothing is heard."""
    written = io.BytesIO()
    with wave.open(written, "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(1)
        opened.setframerate(100)
        opened.writeframes(bytes([seed % 256]) * round(seconds * 100))
    return written.getvalue()


def mp4(seconds: float, seed: int = 0) -> bytes:
    """Return the headers of a film so long, without a picture."""
    header = struct.pack(">IIIII", 0, seed, 0, 1000, round(seconds * 1000)) + bytes(80)
    inner = struct.pack(">I4s", 8 + len(header), b"mvhd") + header
    movie = struct.pack(">I4s", 8 + len(inner), b"moov") + inner
    return struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + movie
