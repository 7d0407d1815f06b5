#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts the SEH as a host should not, and looks at the reason for which it ends the machine (docs/seh.md).

Each test changes the IGVM file, or what fw_cfg holds, in one way. The monitor does what the file says, as a host would.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../emu"))

import machine  # noqa: E402

_TIMEOUT = 60
_SET = 7  # of the SEH's reasons

_PARAMETER_AREA = 0x301
_PAGE_DATA = 0x302
_VP_CONTEXT = 0x304
_REQUIRED_MEMORY = 0x305
_MEMORY_MAP = 0x30C
_FILE_OFFSET = {_PARAMETER_AREA: 12, _PAGE_DATA: 12, _VP_CONTEXT: 12}
_NORMAL, _SECRETS, _CPUID = range(3)
_PAGE = 4096
_SEV_FEATURES = 0x3B0  # in the VMSA
_FIXED_SIZE = 0x18


class Igvm:
    """The headers of a file, to be changed and written again."""

    def __init__(self, data):
        start, size = struct.unpack_from("<II", data, 8)
        self._end = start + size
        self.data = bytearray(data[self._end:])
        self.headers = []
        at = start
        while at < self._end:
            kind, length = struct.unpack_from("<II", data, at)
            self.headers.append((kind, bytearray(data[at + 8:at + 8 + length])))
            at += 8 + (length + 7) // 8 * 8

    def pages(self, kind):
        """The headers of all pages of this type of data."""
        return [content for header, content in self.headers
                if header == _PAGE_DATA and struct.unpack_from("<H", content, 20)[0] == kind]

    def make_ordinary(self, content):
        """Makes a page that the firmware should fill in one of zeros."""
        struct.pack_into("<I", content, 12, 0)
        struct.pack_into("<H", content, 20, _NORMAL)

    def add_page(self, address):
        """Adds a page of zeros, in front of the processor's state."""
        content = struct.pack("<QIIIHH", address, 1, 0, 0, _NORMAL, 0)
        at = next(i for i, (kind, _) in enumerate(self.headers) if kind == _VP_CONTEXT)
        self.headers.insert(at, (_PAGE_DATA, bytearray(content)))

    def change_features(self, features):
        """Sets the processor's SEV_FEATURES."""
        content = next(content for kind, content in self.headers if kind == _VP_CONTEXT)
        offset = struct.unpack_from("<I", content, 12)[0] - self._end
        struct.pack_into("<Q", self.data, offset + _SEV_FEATURES, features)

    def bytes(self):
        """The file, with its offsets and its checksum."""
        size = sum(8 + (len(content) + 7) // 8 * 8 for _, content in self.headers)
        variable = b""
        for kind, content in self.headers:
            content = bytearray(content)
            if kind in _FILE_OFFSET:
                offset = struct.unpack_from("<I", content, _FILE_OFFSET[kind])[0]
                if offset != 0:
                    offset += _FIXED_SIZE + size - self._end
                    struct.pack_into("<I", content, _FILE_OFFSET[kind], offset)
            variable += struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)
        total = _FIXED_SIZE + size + len(self.data)
        fixed = struct.pack("<4sIIIII", b"IGVM", 1, _FIXED_SIZE, size, total, 0)
        checksum = zlib.crc32(fixed + variable)
        return fixed[:20] + struct.pack("<I", checksum) + variable + self.data


def start(igvm, kernel="emu/vmlinuz", command_line=b"quiet", monitor="emu/monitor.elf", more=()):
    """Runs the machine until it ends or Linux is about to start; returns what SEH and monitor said."""
    with open("emu/qemu", encoding="utf-8") as stream:
        qemu = stream.read().strip()
    with tempfile.TemporaryDirectory() as folder:
        files = {"igvm": igvm, "cmdline": command_line}
        paths = {name: os.path.join(folder, name) for name in [*files, "log"]}
        for name, contents in files.items():
            with open(paths[name], "wb") as out:
                out.write(contents)
        command = [qemu, "-accel", "tcg", "-M", "q35", "-cpu", "EPYC,+svm,+npt,phys-bits=48", "-m", "1G", "-nodefaults"]
        command += ["-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
        command += ["-debugcon", f"file:{paths['log']}", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        command += ["-kernel", monitor, "-initrd", paths["igvm"], *more]
        command += ["-fw_cfg", f"name=opt/org.nsgx/cmdline,file={paths['cmdline']}"]
        if kernel is not None:
            command += ["-fw_cfg", f"name=opt/org.nsgx/kernel,file={kernel}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as process:
            watchdog = threading.Timer(_TIMEOUT, process.kill)
            watchdog.start()
            console = b""
            for line in process.stdout:
                console += line
                if b"[SEH] Linux at" in line:
                    process.kill()
            process.wait()
            watchdog.cancel()
        with open(paths["log"], "rb") as stream:
            log = stream.read()
    return (console + log).decode(errors="replace")


class SehStartTest(unittest.TestCase):
    def setUp(self):
        with open("emu/seh.igvm", "rb") as stream:
            self.igvm = Igvm(stream.read())

    def expect(self, reason, **given):
        said = start(self.igvm.bytes(), **given)
        ends = re.findall(r"VMPL0 terminated itself, set (\d+) reason 0x([0-9a-f]+)", said)
        self.assertEqual([(str(_SET), f"{reason:x}")], ends, said[-2000:])
        self.assertNotIn("Linux at", said)

    def test_starts_where_all_is_well(self):
        self.assertIn("[SEH] Linux at", start(self.igvm.bytes()))

    def test_no_restricted_injection(self):
        self.igvm.change_features(0x1)
        self.expect(3)

    def test_top_of_memory(self):
        self.igvm.change_features(0xB)
        self.expect(4)

    def test_cpuid_page_that_nobody_filled_in(self):
        for content in self.igvm.pages(_CPUID):
            self.igvm.make_ordinary(content)
        self.expect(1)

    def test_secrets_that_nobody_filled_in(self):
        for content in self.igvm.pages(_SECRETS):
            self.igvm.make_ordinary(content)
        self.expect(25)

    def test_no_memory_map(self):
        self.igvm.headers = [header for header in self.igvm.headers if header[0] != _MEMORY_MAP]
        self.expect(9)

    def test_page_in_the_region_that_is_validated_already(self):
        region = next(content for kind, content in self.igvm.headers if kind == _REQUIRED_MEMORY)
        address = struct.unpack_from("<Q", region)[0]
        self.igvm.add_page(address + 0x800000)
        self.expect(11)

    def test_page_of_ram_that_is_validated_already(self):
        self.igvm.add_page(0x2000000)
        self.expect(11)

    def test_no_kernel(self):
        self.expect(20, kernel=None)

    def test_no_kernel_but_something(self):
        self.expect(20, kernel="emu/seh.igvm")

    def test_command_line_without_room(self):
        self.expect(21, command_line=b"x" * 0x10000)


if __name__ == "__main__":
    machine.require()
    unittest.main()
