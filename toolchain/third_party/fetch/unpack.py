# SPDX-License-Identifier: Apache-2.0
"""Source archives as {path: bytes}: taken out of an archive, patched, and written into a build folder."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import re
import subprocess
import tarfile
import tempfile

from .errors import FetchError, explain_disk_errors

_BLOCK = 1 << 18


class _XzStream(io.RawIOBase):
    """Decompresses a .tar.xz as it is read. A file cut short gives what is there, where lzma.open would refuse."""

    def __init__(self, stream):
        super().__init__()
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor()
        self._ready = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._ready:
            if self._decompressor.eof:
                return 0
            block = self._stream.read(_BLOCK) if self._decompressor.needs_input else b""
            if not block and self._decompressor.needs_input:
                return 0
            self._ready = self._decompressor.decompress(block, 1 << 20)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def _decompress(stream, name):
    if ".tar.xz" in name:
        return io.BufferedReader(_XzStream(stream), 1 << 20)
    if ".tar.bz2" in name:
        return bz2.open(stream)
    if ".tar.gz" in name:
        return gzip.open(stream)
    return stream


def _is_wanted(name, wanted):
    return any(name == entry or name.startswith(entry + "/") for entry in wanted)


def read_members(path, wanted, strip_top=True):
    """Files of the archive at or below the paths in `wanted`, or all of them if that is None.

    With strip_top, names lose the archive's top folder.
    Reads no further than the last top-level entry that something is wanted from, so the front of an archive can
    be enough. Links and special files are left out. Raises FetchError if a wanted path is not there."""
    roots = {entry.split("/")[0] for entry in wanted or []}
    found, passed, current = {}, set(), None
    try:
        with open(path, "rb") as raw, tarfile.open(
            fileobj=_decompress(raw, os.path.basename(path)), mode="r|"
        ) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if strip_top:
                    name = name.partition("/")[2]
                root = name.split("/")[0]
                if root != current:
                    passed.add(current)
                    current = root
                    if wanted is not None and roots <= passed:
                        break
                if member.isfile() and ".." not in name.split("/") and (wanted is None or _is_wanted(name, wanted)):
                    found[name] = archive.extractfile(member).read()
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise FetchError(f"{path} cannot be unpacked ({error}); remove it and run again") from None
    for entry in wanted or []:
        if not any(_is_wanted(name, [entry]) for name in found):
            raise FetchError(f"{path} does not hold {entry}")
    return found


def pack(files, stream):
    """Writes the files to `stream` as a plain tar. The same files give the same bytes."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))


def unpack(path):
    """The files of a tar written by pack()."""
    with open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}


def find_patches(path, folder, pinned):
    """The pinned patches [(name, sha256)] out of a Debian revision archive; FetchError if one is not there as pinned."""
    files = read_members(path, [folder], strip_top=False)
    patches = []
    for name, sha256 in pinned:
        text = files.get(f"{folder}/{name}")
        if text is None or hashlib.sha256(text).hexdigest() != sha256:
            raise FetchError(f"{os.path.basename(path)} does not hold {name} as pinned")
        patches.append((name, text))
    return patches


def apply_patch(files, name, text):
    """Changes `files` as the unified diff `text` says."""
    touched = {path.decode() for path in re.findall(rb"^\+\+\+ b/(\S+)", text, re.MULTILINE)}
    with tempfile.TemporaryDirectory(prefix="nsgx-patch-") as folder:
        for path in touched & files.keys():  # the others are new
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "wb") as stream:
                stream.write(files[path])
        try:
            done = subprocess.run(
                ["patch", "-s", "-p1", "--no-backup-if-mismatch", "-d", folder], input=text, capture_output=True
            )
        except FileNotFoundError:
            raise FetchError("the program `patch` is missing: apt-get install patch") from None
        if done.returncode != 0:
            raise FetchError(f"{name} does not apply: {done.stdout.decode(errors='replace').strip()}")
        for path in touched:
            with open(os.path.join(folder, path), "rb") as stream:
                files[path] = stream.read()


def write_if_changed(path, data):
    """Leaves a file that already holds `data` alone, so that nothing that was made from it is made again."""
    try:
        with open(path, "rb") as stream:
            if stream.read() == data:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = f"{path}.part"
    with open(part, "wb") as stream:
        stream.write(data)
    os.replace(part, path)


def write_tree(files, folder):
    """Makes `folder` hold these files; files of an earlier version that are no longer there go."""
    with explain_disk_errors(folder):
        for name, data in files.items():
            write_if_changed(os.path.join(folder, name), data)
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                if os.path.relpath(path, folder) not in files:
                    os.unlink(path)
