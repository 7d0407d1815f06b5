# SPDX-License-Identifier: Apache-2.0
"""Changes single fields of an ELF64 file."""

import struct

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X, PF_W, PF_R = 1, 2, 4

# Where fields lie: (offset, format).
HEADER = {
    "class": (4, "B"),
    "type": (16, "<H"),
    "machine": (18, "<H"),
    "entry": (24, "<Q"),
    "phoff": (32, "<Q"),
    "shoff": (40, "<Q"),
    "phnum": (56, "<H"),
    "shnum": (60, "<H"),
    "shstrndx": (62, "<H"),
}
SEGMENT = {
    "type": (0, "<I"),
    "flags": (4, "<I"),
    "offset": (8, "<Q"),
    "address": (16, "<Q"),
    "file_size": (32, "<Q"),
    "memory_size": (40, "<Q"),
}
SECTION = {
    "name": (0, "<I"),
    "address": (16, "<Q"),
    "offset": (24, "<Q"),
    "size": (32, "<Q"),
}


class Fields:
    """The fields of one header, as attributes."""

    def __init__(self, data, at, layout):
        self.__dict__.update(_data=data, _at=at, _layout=layout)

    def __getattr__(self, name):
        offset, form = self._layout[name]
        return struct.unpack_from(form, self._data, self._at + offset)[0]

    def __setattr__(self, name, value):
        offset, form = self._layout[name]
        struct.pack_into(form, self._data, self._at + offset, value)


class Spoiler:
    """A copy of the file in `data`, with its headers open to be changed."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.header = Fields(self.data, 0, HEADER)
        self.segments = [Fields(self.data, self.header.phoff + 56 * i, SEGMENT) for i in range(self.header.phnum)]
        self.sections = [Fields(self.data, self.header.shoff + 64 * i, SECTION) for i in range(self.header.shnum)]

    def _name_of(self, section):
        at = self.sections[self.header.shstrndx].offset + section.name
        return self.data[at : self.data.index(0, at)].decode()

    def section(self, name):
        return next(section for section in self.sections if self._name_of(section) == name)

    def loads(self, flags):
        """Loaded segments with exactly these flags."""
        return [segment for segment in self.segments if segment.type == PT_LOAD and segment.flags == flags]

    def segment(self, kind):
        return next(segment for segment in self.segments if segment.type == kind)

    def flip(self, at):
        self.data[at] ^= 0x10
