"""Bytes of a text file -> text: UTF-8, or UTF-16 where a byte order mark says so."""

from __future__ import annotations

import codecs

#: Byte order marks, the longer ones first, and the encodings that they announce.
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decode(content: bytes) -> str:
    """The text of `content`; `ValueError` (expected, got, what to do) where it is in another encoding.

    A byte order mark is not part of the text. UTF-16 without one is recognised by its zero bytes and refused by name.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = content[error.start : error.start + 1].hex()
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"expected text in UTF-8, got the byte 0x{wrong} in line {line}; save the file as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"expected text in UTF-8, got a zero byte in line {line}; is it UTF-16, or no text at all?")
    return text
