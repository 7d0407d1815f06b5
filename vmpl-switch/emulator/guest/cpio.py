# SPDX-License-Identifier: Apache-2.0
"""Writes archives that Linux unpacks as its first file system (cpio, format "newc"). The same files give the same bytes."""

import os
import stat


class Archive:
    def __init__(self):
        self._data = bytearray()
        self._inode = 0
        self._folders = set()

    def _entry(self, name, mode, data=b"", device=(0, 0)):
        self._inode += 1
        raw = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(raw), 0)
        self._data += b"070701" + b"".join(b"%08x" % field for field in fields) + raw
        self._pad()
        self._data += data
        self._pad()

    def _pad(self):
        self._data += bytes(-len(self._data) % 4)

    def add_folder(self, path):
        """Adds the folder and those above it, unless they are there."""
        if path and path not in self._folders:
            self.add_folder(os.path.dirname(path))
            self._folders.add(path)
            self._entry(path, stat.S_IFDIR | 0o755)

    def add_file(self, path, data, mode=0o644):
        self.add_folder(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, data)

    def add_device(self, path, major, minor):
        self.add_folder(os.path.dirname(path))
        self._entry(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        """The whole archive, with its end. Archives may follow each other."""
        self._inode = -1
        end = Archive()
        end._entry("TRAILER!!!", 0)
        return bytes(self._data + end._data + bytes(-(len(self._data) + len(end._data)) % 512))
