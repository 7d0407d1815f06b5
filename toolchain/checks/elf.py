# SPDX-License-Identifier: Apache-2.0
"""Reads what the checks need from a 64-bit little-endian ELF file."""

import struct
from typing import NamedTuple

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_GNU_STACK = 1, 2, 3, 0x6474E551
PF_X, PF_W, PF_R = 1, 2, 4
SHT_SYMTAB, SHT_NOBITS = 2, 8
SHF_WRITE, SHF_ALLOC = 1, 2
DT_NEEDED, DT_TEXTREL, DT_FLAGS = 1, 22, 30
DF_TEXTREL = 4
STB_WEAK = 2


class Segment(NamedTuple):
    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Section(NamedTuple):
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


class Symbol(NamedTuple):
    name: str
    binding: int
    section: int
    value: int
    size: int


class Elf:
    """`data` is the whole file; raises ValueError if it is not an ELF64 file or is cut short."""

    def __init__(self, data):
        self._data = data
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit little-endian ELF file")
        try:
            self._read_headers()
        except (struct.error, IndexError) as error:
            raise ValueError(f"damaged ELF file: {error}") from None

    def _read_headers(self):
        header = struct.unpack_from("<HHIQQQIHHHHHH", self._data, 16)
        (self.type, _, _, self.entry, program_at, section_at, _, _, program_size, programs) = header[:10]
        section_size, sections, names_index = header[10:]
        self.segments = []
        for index in range(programs):
            fields = struct.unpack_from("<IIQQQQQQ", self._data, program_at + index * program_size)
            kind, flags, offset, address, _, file_size, memory_size, _ = fields
            self.segments.append(Segment(kind, flags, offset, address, file_size, memory_size))
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", self._data, section_at + index * section_size)
            for index in range(sections)
        ]
        names = self._data[raw[names_index][4] : raw[names_index][4] + raw[names_index][5]] if raw else b""
        self.sections = [
            Section(self._string(names, name), kind, flags, address, offset, size, link)
            for name, kind, flags, address, offset, size, link, _, _, _ in raw
        ]

    @staticmethod
    def _string(table, at):
        return table[at : table.index(b"\0", at)].decode() if at < len(table) else ""

    def section(self, name):
        return next((section for section in self.sections if section.name == name), None)

    def contents(self, part):
        """Bytes in the file of a section or a segment."""
        size = part.file_size if isinstance(part, Segment) else part.size
        return self._data[part.offset : part.offset + size]

    def symbols(self):
        found = []
        for table in self.sections:
            if table.type != SHT_SYMTAB:
                continue
            names = self.contents(self.sections[table.link])
            for name, info, _, section, value, size in struct.iter_unpack("<IBBHQQ", self.contents(table)):
                found.append(Symbol(self._string(names, name), info >> 4, section, value, size))
        return found

    def dynamic(self):
        """[(tag, value)] of the dynamic section."""
        for segment in self.segments:
            if segment.type == PT_DYNAMIC:
                return list(struct.iter_unpack("<QQ", self.contents(segment)))
        return []
