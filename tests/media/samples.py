"""Media made by the tests themselves: small, whole, and of each format that is told by its head."""

from __future__ import annotations

import io
import struct
import wave
import zlib


def png(number: int = 0, *, size: int = 0, description: str = "") -> bytes:
    """Return a picture of one point, another for each number; `size` makes it that long."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    point = zlib.compress(b"\0" + number.to_bytes(3, "big"))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    if description:
        start += chunk(b"tEXt", b"Description\0" + description.encode("latin-1"))
    end = chunk(b"IDAT", point) + chunk(b"IEND", b"")
    padding = size - len(start) - len(end) - 12
    return start + (chunk(b"teXt", b"\0" * padding) if padding > 0 else b"") + end


def jpeg(number: int = 0) -> bytes:
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0" + number.to_bytes(4, "big") + b"\xff\xd9"


def wav(seconds: float = 1.0, number: int = 0) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(100)
        sound.writeframes(bytes([number % 256]) * round(100 * seconds))
    return file.getvalue()


def mp4(seconds: float = 1.0, *, brand: bytes = b"isom", moov_last: bool = True) -> bytes:
    """Return a film without a picture: its boxes alone."""

    def box(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), name) + body

    mvhd = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, round(1000 * seconds)) + b"\0" * 80)
    moov, mdat = box(b"moov", mvhd), box(b"mdat", b"\0" * 50)
    rest = mdat + moov if moov_last else moov + mdat
    return box(b"ftyp", brand + b"\0\0\2\0" + brand) + rest


def pdf(pages: int = 1, number: int = 0) -> bytes:
    page = b"\n1 0 obj <</Type /Page>> endobj"
    return b"%PDF-1.4\n%" + str(number).encode() + page * pages + b"\n%%EOF\n"


_PAGE = "/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"


def document(*pages: str) -> bytes:
    """Return a PDF that libraries can read: pages with a line of text each, or with none."""
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


MP3 = b"ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64" + b"\0" * 400
