# SPDX-License-Identifier: Apache-2.0
"""Makes the image of the worked example in docs/measurement.md, and variants of it for tests.

Nothing in it can run; it has one of everything that the measurement distinguishes.
"""

import struct

PAGE = 4096
R, RW, RX = 4, 6, 5


class Segment:
    def __init__(self, offset, vaddr, flags, contents, memory_size):
        self.offset = offset
        self.vaddr = vaddr
        self.flags = flags
        self.contents = contents
        self.memory_size = memory_size


def config_section():
    """A launch configuration: 64 MiB, 2 vCPUs, product 7, version 3, host calls 0 and 3, no strings."""
    config = b"NSGXCFG1" + struct.pack("<IIQQIHHQQQ", 1, 176, 64 << 20, 0, 2, 7, 3, 64 << 10, 0b1001, 0)
    config += bytes(5 * 16 + 32)
    return config + bytes(PAGE - len(config))


def example_segments():
    code = bytes(range(32))
    data = b"data".ljust(48, b"!")
    return [
        # Page 0: the file's own headers. Page 1: the configuration.
        Segment(0, 0, R, None, 2 * PAGE),
        # Page 2 is a gap. Page 3: 32 bytes of code; the file has other bytes behind them.
        Segment(2 * PAGE, 3 * PAGE, RX, code, len(code)),
        # Page 4 is a gap. Page 5: 48 bytes of data from the middle of the page on. Pages 6 and 7: zeros.
        Segment(3 * PAGE + 0x810, 5 * PAGE + 0x810, RW, data, 2 * PAGE + 0x400),
    ]


def make_elf(segments, config=None, filler=0xCC):
    """Returns the file. The first segment starts at file offset 0 and gets headers and configuration as its contents."""
    config = config_section() if config is None else config
    names = b"\0.nsgx.config\0.shstrtab\0"
    end = max(segment.offset + len(segment.contents or b"") for segment in segments)
    names_offset = (max(end, PAGE + len(config)) + 15) // 16 * 16
    sections_offset = (names_offset + len(names) + 15) // 16 * 16
    entry = segments[1].vaddr + 16

    header = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, entry, 64, sections_offset, 0, 64, 56, len(segments), 64, 3, 2)
    for segment in segments:
        size = PAGE + len(config) if segment.contents is None else len(segment.contents)
        memory_size = max(size, segment.memory_size)
        header += struct.pack(
            "<IIQQQQQQ", 1, segment.flags, segment.offset, segment.vaddr, segment.vaddr, size, memory_size, PAGE
        )

    sections = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 2, PAGE, PAGE, len(config), 0, 0, PAGE, 0)
    sections += struct.pack("<IIQQQQIIQQ", 14, 3, 0, 0, names_offset, len(names), 0, 0, 1, 0)

    file = bytearray([filler]) * (sections_offset + len(sections))
    file[0:PAGE] = header.ljust(PAGE, b"\0")
    file[PAGE : PAGE + len(config)] = config
    for segment in segments:
        if segment.contents is not None:
            file[segment.offset : segment.offset + len(segment.contents)] = segment.contents
    file[names_offset : names_offset + len(names)] = names
    file[sections_offset:] = sections
    return bytes(file)


def example():
    return make_elf(example_segments())
