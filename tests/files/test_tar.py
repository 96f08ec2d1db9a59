"""Every entry of an archive is checked, and errors name the place where it breaks."""

from __future__ import annotations

import io
import tarfile

import pytest

from worldgen.core.errors import InputError
from worldgen.files.tar import BLOCK, TarEntry, entries


def archive(*members: tuple[str, bytes], kind: int = tarfile.USTAR_FORMAT, **changes: object) -> bytes:
    """A tar with the files ``members``; ``changes`` are attributes of all their headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in changes.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(data: bytes) -> list[tuple[TarEntry, bytes]]:
    file = io.BytesIO(data)
    return [(entry, file.read(entry.size)) for entry in entries(file, "a.tar")]


def test_entries_come_in_order_with_their_bytes():
    data = archive(("k0.mp4", b"x" * 700), ("k0.json", b"{}"), ("empty", b""))
    found = read(data)
    assert [(entry.name, content) for entry, content in found] == [
        ("k0.mp4", b"x" * 700),
        ("k0.json", b"{}"),
        ("empty", b""),
    ]
    assert [data[entry.offset : entry.offset + entry.size] for entry, _ in found] == [b"x" * 700, b"{}", b""]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["k" * 300 + ".json", "ключ.json", "./plain.json"])
def test_long_and_foreign_names(kind, name):
    [(entry, content)] = read(archive((name, b"{}"), kind=kind))
    assert entry.name == name.removeprefix("./") and content == b"{}"


def test_folders_are_skipped():
    assert read(archive(("folder", b""), type=tarfile.DIRTYPE)) == []


@pytest.mark.parametrize("name", ["../up.json", "/etc/passwd", "a/../../up", "c:/x", "\\\\host\\x"])
def test_names_that_lead_outside_are_refused(name):
    with pytest.raises(InputError, match="leads outside"):
        read(archive((name, b"{}")))


@pytest.mark.parametrize(
    ("kind", "words"), [(tarfile.SYMTYPE, "symbolic link"), (tarfile.LNKTYPE, "hard link"), (tarfile.CHRTYPE, "device")]
)
def test_links_and_devices_are_refused(kind, words):
    with pytest.raises(InputError, match=rf"shard a\.tar entry 'k0'.*{words}"):
        read(archive(("k0", b""), type=kind, linkname="elsewhere"))


def test_a_cut_archive_is_named_with_its_place():
    data = archive(("k0", b"x" * 600), ("k1", b"y" * 600))
    with pytest.raises(InputError, match=rf"'k1' at byte {3 * BLOCK} cut short"):
        read(data[: 3 * BLOCK + BLOCK + 100])
    with pytest.raises(InputError, match=f"cut short at byte {3 * BLOCK}"):
        read(data[: 3 * BLOCK])


def test_a_damaged_header_is_an_error_and_not_the_end():
    data = bytearray(archive(("k0", b"x" * 600), ("k1", b"y")))
    data[3 * BLOCK + 5] ^= 0xFF
    with pytest.raises(InputError, match=f"damaged header at byte {3 * BLOCK}"):
        read(bytes(data))
