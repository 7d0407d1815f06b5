#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of make_initramfs.py, against a kernel of three modules."""

import lzma
import os
import subprocess
import sys
import tempfile
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))


def entries(data):
    """{path: (mode, contents)} of an archive, read as Linux reads it."""
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701", data[at : at + 6]
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        at += (110 + fields[11] + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (fields[1], data[at : at + fields[6]])
        at += (fields[6] + 3) // 4 * 4


class InitramfsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.write("linux/release", "6.12.0-test\n")
        modules = "linux/lib/modules/6.12.0-test"
        self.write(f"{modules}/modules.builtin", "kernel/fs/built-in.ko\n")
        for name, needs in (("sev-guest", "tsm,built_in"), ("tsm", "configfs"), ("configfs", "")):
            module = lzma.compress(f"ELF\0depends={needs}\0name={name}\0".encode())
            self.write(f"{modules}/kernel/{name}.ko.xz", module)
        self.write("busybox/bin/busybox", "shell")
        self.write("init", "init")
        self.write("nsgx.ko", "module")
        self.stamp("linux", "ok", f"{self.folder}/linux")
        self.stamp("busybox", "ok", f"{self.folder}/busybox")

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data if isinstance(data, bytes) else data.encode())

    def stamp(self, name, *lines):
        self.write(f"{name}.stamp", "\n".join(lines) + "\n")

    def make(self, *options):
        command = [sys.executable, os.path.join(_HERE, "make_initramfs.py"), "--out=out"]
        command += ["--linux=linux.stamp", "--busybox=busybox.stamp", "--file=init=init"]
        command += ["--file=lib/modules/nsgx.ko=nsgx.ko", *options]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        self.said = done.stderr
        with open(os.path.join(self.folder, "out"), "rb") as stream:
            return stream.read()

    def test_modules_come_after_what_they_need(self):
        found = entries(self.make("--module=sev-guest", "--network=tsm"))
        self.assertEqual(found["lib/modules/always"][1], b"configfs.ko\ntsm.ko\nsev_guest.ko\nnsgx.ko\n")
        self.assertEqual(found["lib/modules/network"][1], b"")  # loaded already
        self.assertTrue(found["lib/modules/tsm.ko"][1].startswith(b"ELF"))
        self.assertEqual(found["init"], (0o100755, b"init"))
        self.assertEqual(found["dev/console"][0], 0o020600)

    def test_the_same_files_give_the_same_bytes(self):
        first = self.make("--module=tsm")
        os.utime(os.path.join(self.folder, "init"), (1, 1))
        self.assertEqual(self.make("--module=tsm"), first)

    def test_a_module_that_was_not_built_is_left_out(self):
        self.write("nsgx.ko", "")
        found = entries(self.make("--module=tsm"))
        self.assertEqual(found["lib/modules/always"][1], b"configfs.ko\ntsm.ko\n")
        self.assertNotIn("lib/modules/nsgx.ko", found)

    def test_names_a_module_that_the_kernel_does_not_have(self):
        self.write("out", "")
        self.make("--module=floppy")
        self.assertIn("this kernel has no module floppy", self.said)

    def test_is_empty_without_its_parts(self):
        self.stamp("linux", "unavailable", "no mirror")
        self.assertEqual(self.make("--module=tsm"), b"")


if __name__ == "__main__":
    unittest.main()
