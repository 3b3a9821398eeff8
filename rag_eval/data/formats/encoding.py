"""Decoding of web pages with the encodings that browsers use for a label (https://encoding.spec.whatwg.org).

In that standard iso-8859-1 and ascii mean windows-1252, gb2312 means gb18030, and shift_jis, euc-kr and big5 mean the vendors'
larger sets; Python's codecs of these names differ. A byte order mark has precedence over any label. Labels are from webencodings.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping

import webencodings

BOMS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
OF_A_META = {"utf-16le": "utf-8", "utf-16be": "utf-8", "x-user-defined": "windows-1252"}  # replacements in meta elements, by the standard
XML = re.compile(rb"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"'>]+)""")
JAPANESE = re.compile(rb"[\x00-\x7f]+|(?:[\xa1-\xfe]{2})+|\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|.", re.DOTALL)


def page_text(content: bytes, labels: Callable[[str], Iterable[str]]) -> str:
    """Decode a page; UTF-8 if no encoding is declared.

    Args:
        content: bytes of the page.
        labels: function that returns the encodings declared by the meta elements of a page decoded as Latin-1, in order.

    Returns:
        The text.

    Raises:
        ValueError: naming the encoding and the invalid byte, or a label that browsers do not know or do not decode.
    """
    for mark, name in BOMS.items():
        if content.startswith(mark):
            return _strictly(content[len(mark) :], name, len(mark))
    given = [*labels(content.decode("latin-1")), *(label.decode("latin-1") for label in XML.findall(content[:1024])[:1])]
    for label in given:
        known = webencodings.lookup(label)
        if known is not None and known.name == "replacement":
            raise ValueError(f"is in {label}, which browsers do not read; re-encode it as UTF-8 and say so in it")
        if known is not None:
            return _strictly(content, OF_A_META.get(known.name, known.name))
    return _unlabelled(content, given)


def _unlabelled(content: bytes, given: list[str]) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        why = f"and {given[0]!r}, the encoding that it names, is none that browsers know" if given else "and names no encoding"
        raise ValueError(f"byte {fault.start} of the file is not UTF-8, {why}; re-encode it as UTF-8") from None


def _strictly(content: bytes, name: str, start: int = 0) -> str:
    try:
        return DECODERS[name](content) if name in DECODERS else webencodings.lookup(name).codec_info.decode(content, CONTROLS)[0]
    except UnicodeDecodeError as fault:
        where = start + fault.start
        raise ValueError(
            f"byte {where} of the file is not in {name}, the encoding that it names; re-encode it as UTF-8 and say so"
        ) from None


def _controls(fault: UnicodeError) -> tuple[str, int]:
    """Error handler: bytes 80 to 9F that a Windows code page does not define are control characters, as in browsers.

    Args:
        fault: the decoding error.

    Returns:
        The character, and the position after it.

    Raises:
        UnicodeError: for any other byte.
    """
    if isinstance(fault, UnicodeDecodeError) and fault.encoding == "charmap" and 0x80 <= fault.object[fault.start] <= 0x9F:
        return chr(fault.object[fault.start]), fault.start + 1
    raise fault


def _euc_jp(content: bytes) -> str:
    """Decode EUC-JP with the extensions of the standard, which Python's codec of this name lacks and its cp932 has.

    Args:
        content: bytes.

    Returns:
        The text.

    Raises:
        UnicodeDecodeError: for an invalid byte sequence.
    """
    found, start = [], 0
    for piece in JAPANESE.findall(content):
        try:
            found.append(_shifted(piece).decode("cp932") if piece[0] >= 0xA1 else piece.decode("euc_jp"))
        except UnicodeDecodeError as fault:
            raise UnicodeDecodeError("euc-jp", content, start + fault.start, start + fault.end, fault.reason) from None
        start += len(piece)
    return "".join(found)


def _shifted(pairs: bytes) -> bytes:
    """Convert double-byte characters from EUC (rows of 94) to Shift JIS (rows of 188).

    Args:
        pairs: bytes, two per character.

    Returns:
        Bytes in Shift JIS.

    Raises:
        UnicodeDecodeError: if the number of bytes is odd.
    """
    if len(pairs) % 2:
        raise UnicodeDecodeError("euc-jp", pairs, 0, 1, "incomplete")
    found = bytearray()
    for lead, trail in zip(pairs[::2], pairs[1::2], strict=True):
        row, cell = divmod((lead - 0xA1) * 94 + trail - 0xA1, 188)
        found += bytes((row + (0x81 if row < 0x1F else 0xC1), cell + (0x40 if cell < 0x3F else 0x41)))
    return bytes(found)


CONTROLS = "rag_eval.controls"
codecs.register_error(CONTROLS, _controls)
DECODERS: Mapping[str, Callable[[bytes], str]] = {
    "utf-8": bytes.decode,
    "utf-16-le": lambda content: content.decode("utf-16-le"),
    "utf-16-be": lambda content: content.decode("utf-16-be"),
    "gbk": lambda content: content.decode("gb18030"),
    "euc-jp": _euc_jp,
}
