"""Members of a zip archive, zstandard ones too, which Python 3.12 does not read by itself."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa

from seedlock.prereg.errors import BadInput, Finding

ZSTANDARD = 93
IS_ENCRYPTED = 0x1
LOCAL_HEADER = struct.Struct("<4s2B4HL2L2H")
MEMBER_LIMIT_BYTES = 512 * 2**20
MOST_RATIO = 1000
FREE_FROM = 2**20
"""Bytes that any member may unpack to; above, at most `MOST_RATIO` times its size in the archive."""
PLAIN = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""What Python unpacks piece by piece; it reads other methods whole, however much comes out."""


class BadMember(ValueError):
    """A member that cannot be read whole."""


class Archive:
    """An open zip archive. Use `open_archive`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._zip = zipfile.ZipFile(stream)

    @property
    def names(self) -> list[str]:
        """Names of the members, in the archive's order."""
        return self._zip.namelist()

    def read(self, name: str, *, limit_bytes: int = MEMBER_LIMIT_BYTES) -> bytes:
        """Return a member's bytes, checked against its size and CRC-32.

        Raises
        ------
        BadMember
            Absent, encrypted, compressed by another method than deflate or zstandard, larger than `limit_bytes` or than
        its archive makes likely, or damaged.
        """
        try:
            member = self._zip.getinfo(name)
        except KeyError:
            raise BadMember("not in the archive") from None
        if member.file_size > limit_bytes:
            raise BadMember(f"{member.file_size:,} bytes, more than {limit_bytes:,}")
        if member.file_size > max(FREE_FROM, MOST_RATIO * member.compress_size):
            raise BadMember(f"{member.file_size:,} bytes out of {member.compress_size:,}")
        if member.flag_bits & IS_ENCRYPTED:
            raise BadMember("encrypted")
        if member.compress_type not in {*PLAIN, ZSTANDARD}:
            raise BadMember(f"compressed by method {member.compress_type}")
        try:
            content = self._zstandard(member) if member.compress_type == ZSTANDARD else self._plain(member)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, struct.error) as error:
            raise BadMember(f"damaged, or compressed by an unknown method ({error})") from error
        if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
            raise BadMember("damaged: its size or its CRC-32 is not the promised one")
        return content

    def _plain(self, member: zipfile.ZipInfo) -> bytes:
        with self._zip.open(member) as stream:
            return stream.read(member.file_size + 1)

    def _zstandard(self, member: zipfile.ZipInfo) -> bytes:
        """Decompress one member, never further than its promised size and one byte."""
        self._stream.seek(member.header_offset)
        header = LOCAL_HEADER.unpack(self._stream.read(LOCAL_HEADER.size))
        self._stream.seek(header[-2] + header[-1], 1)
        packed = pa.py_buffer(self._stream.read(member.compress_size))
        content = bytearray()
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as unpacking:
            while len(content) <= member.file_size:
                part = unpacking.read(member.file_size + 1 - len(content))
                if not part:
                    break
                content += part
        return bytes(content)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip archive whose members' names are all different.

    Raises
    ------
    BadInput
        Not a zip archive, cut short, or with two members of one name.
    """
    with path.open("rb") as stream:
        try:
            archive = Archive(stream)
        except zipfile.BadZipFile as error:
            found = Finding(where=path.name, found=str(error), promised="a whole zip archive")
            raise BadInput(f"{path.name} cannot be read as a zip archive", found) from error
        if len(set(archive.names)) != len(archive.names):
            found = Finding(where=path.name, found="two members of one name", promised="each name once")
            raise BadInput(f"{path.name} says something twice", found)
        yield archive
