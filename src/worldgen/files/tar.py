"""Reading the entries of a tar archive. Every entry is checked, and errors name the place in the archive."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from worldgen.core.errors import InputError, Received

BLOCK = tarfile.BLOCKSIZE
KINDS = {
    tarfile.LNKTYPE: "a hard link", tarfile.SYMTYPE: "a symbolic link", tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a pipe",
}  # fmt: skip
MAX_EXTENSION_BYTES = 1 << 20
"""Size of the largest extended header accepted; valid ones hold a name or a time."""

MAX_DIGITS = 19
"""Digits of the largest size accepted, about 2**63."""


@dataclass(frozen=True)
class TarEntry:
    """One file of an archive.

    Attributes:
        name: path in the archive.
        offset: position of its first byte in the archive.
        size: number of bytes.
    """

    name: str
    offset: int
    size: int


def entries(file: BinaryIO, where: str) -> Iterator[TarEntry]:
    """Yield the regular files of an uncompressed tar archive in order; folders are skipped.

    The standard library stops silently at a damaged header, so a cut shard would look complete. Source: POSIX pax
    interchange format (headers ``x`` and ``g``), GNU tar long names (``L``).

    Args:
        file: the archive; at each yield it is positioned at the first byte of the entry.
        where: name of the archive for errors.

    Raises:
        InputError: naming the archive and the entry or offset, for a cut or damaged archive, and for an entry that is
            a link or device or whose name leads out of a folder.
    """
    end = file.seek(0, io.SEEK_END)
    offset = 0
    extended: dict[str, str] = {}
    while True:
        file.seek(offset)
        header = file.read(BLOCK)
        if len(header) < BLOCK:
            raise InputError(f"shard {where}", Received(f"an archive cut short at byte {offset}"), "an end marker")
        if not header.strip(b"\0"):
            return
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise InputError(
                f"shard {where}", Received(f"a damaged header at byte {offset}"), "a tar archive"
            ) from error
        start = offset + BLOCK
        name, size = extended.pop("path", info.name), int(extended.pop("size", info.size))
        if not name.isprintable():  # half surrogates stand for bytes that are not UTF-8
            raise InputError(f"shard {where}, entry at byte {offset}", Received(ascii(name)), "a name in UTF-8")
        if size < 0 or start + size > end:
            raise InputError(
                f"shard {where}", Received(f"{name!r} at byte {offset} cut short"),
                f"{size} bytes, {max(end - start, 0)} are there",
            )  # fmt: skip
        offset = start + (size + BLOCK - 1) // BLOCK * BLOCK
        if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
            if size > MAX_EXTENSION_BYTES:
                raise InputError(f"shard {where}", Received(f"an extended header of {size} bytes"), "a short one")
            if info.type != tarfile.XGLTYPE:
                extended = _extension(info.type, file.read(size), where)
            continue
        extended = {}
        _refuse(info, name, where)
        if info.isreg():
            file.seek(start)
            yield TarEntry(name.removeprefix("./"), start, size)


def _extension(kind: bytes, data: bytes, where: str) -> dict[str, str]:
    """Name and size from an extended header; other records (times, owners) are not used."""
    if kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    found, at = {}, 0
    while at < len(data):
        space = data.find(b" ", at)
        digits = data[at:space] if space > 0 else b""
        if not _is_count(digits) or not 0 < int(digits) <= len(data) - at:
            raise InputError(f"shard {where}", Received("a damaged extended header"), "a tar archive")
        key, _, value = data[space + 1 : at + int(digits) - 1].partition(b"=")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        at += int(digits)
    if not _is_count(found.get("size", "0").encode("utf-8", "surrogateescape")):
        raise InputError(f"shard {where}", Received("a damaged extended header"), "a tar archive")
    return {key: found[key] for key in ("path", "size") if key in found}


def _is_count(word: bytes) -> bool:
    """Whether a header field is a number of at most ``MAX_DIGITS`` ASCII digits."""
    return word.isdigit() and len(word) <= MAX_DIGITS


def _refuse(info: tarfile.TarInfo, name: str, where: str) -> None:
    """Refuse entries that could write outside a folder when the archive is extracted."""
    if info.isdir():
        return
    if not info.isreg():
        raise InputError(f"shard {where} entry {name!r}", Received(KINDS.get(info.type, "a special file")), "a file")
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or parts[0].endswith(":") or "\0" in name:
        raise InputError(f"shard {where} entry {name!r}", Received("a name that leads outside"), "KEY.EXTENSION")
