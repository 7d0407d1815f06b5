#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of fetching packages: this machine's apt, against an archive that is made on the spot."""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_HERE, os.path.join(os.path.dirname(_HERE), "third_party")]

import apt_source  # noqa: E402
import fetch_packages  # noqa: E402
import fetched  # noqa: E402
from fetch.errors import FetchError, MirrorError  # noqa: E402


class Archive:
    """A Debian archive in a folder, with one suite; it is not signed, so the tests tell apt to trust it."""

    def __init__(self, folder):
        self._folder = folder
        self._index = os.path.join(folder, "dists/stable/main/binary-amd64")
        os.makedirs(self._index)
        os.makedirs(os.path.join(folder, "pool"))
        self._entries = []
        self.base = f"file://{folder}"

    def add(self, name, version, files, depends=""):
        """Returns the package's SHA-256."""
        with tempfile.TemporaryDirectory() as tree:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as stream:
                    stream.write(text)
            os.makedirs(f"{tree}/DEBIAN")
            control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody\nDescription: x\n"
            control += f"Depends: {depends}\n" if depends else ""
            with open(f"{tree}/DEBIAN/control", "w", encoding="utf-8") as stream:
                stream.write(control)
            file = f"pool/{name}_{version.rpartition(':')[2]}.deb"
            path = os.path.join(self._folder, file)
            subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, path], check=True, capture_output=True)
        with open(path, "rb") as stream:
            data = stream.read()
        sha256 = hashlib.sha256(data).hexdigest()
        self._entries.append(f"{control}Filename: {file}\nSize: {len(data)}\nSHA256: {sha256}\n")
        self._publish()
        return sha256

    def spoil(self, file):
        with open(os.path.join(self._folder, "pool", file), "r+b") as stream:
            stream.seek(-1, os.SEEK_END)
            last = stream.read(1)
            stream.seek(-1, os.SEEK_END)
            stream.write(bytes([last[0] ^ 1]))

    def _publish(self):
        packages = "\n".join(self._entries).encode()
        with open(os.path.join(self._index, "Packages"), "wb") as stream:
            stream.write(packages)
        line = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages\n"
        with open(os.path.join(self._folder, "dists/stable/Release"), "w", encoding="utf-8") as stream:
            stream.write(f"Suite: stable\nCodename: stable\nArchitectures: amd64\nComponents: main\nSHA256:\n{line}")


class PackagesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.makedirs(f"{self.folder}/archive")
        self.archive = Archive(f"{self.folder}/archive")
        self.cache = f"{self.folder}/cache"
        trust = mock.patch.object(apt_source, "source_options", lambda: "arch=amd64 trusted=yes")
        trust.start()
        self.addCleanup(trust.stop)

    def part(self, **changes):
        return {
            "suites": ["stable"],
            "packages": ["shell"],
            "dependencies": False,
            "at_least": "1.0",
            "tested": ["1.0-1", self.sha256],
        } | changes

    def add_shell(self, version="1.0-1", **options):
        self.sha256 = self.archive.add("shell", version, {"bin/shell": "shell\n"}, **options)

    def make(self, part, name="shell", bases=None):
        with mock.patch("sys.stderr", io.StringIO()) as said, mock.patch("sys.stdout", io.StringIO()):
            folder = fetch_packages.make_part(name, part, self.cache, bases or [self.archive.base])
        self.said = said.getvalue()
        return folder

    def left_behind(self):
        return [name for name in os.listdir(f"{self.cache}/emulator") if name not in (".lock", "apt")]

    def test_unpacks_what_was_asked_for(self):
        self.add_shell(depends="library")
        self.archive.add("library", "3", {"lib/library": "library\n"})
        folder = self.make(self.part())
        self.assertEqual(folder, f"{self.cache}/emulator/shell")
        self.assertEqual(sorted(os.listdir(folder)), ["PACKAGES", "bin"])
        self.assertEqual(self.said, "")
        self.assertEqual(self.left_behind(), ["shell"])

    def test_unpacks_what_it_depends_on(self):
        self.add_shell(depends="library")
        self.archive.add("library", "1:3", {"lib/library": "library\n"})
        folder = self.make(self.part(dependencies=True))
        self.assertTrue(os.path.exists(f"{folder}/lib/library"))
        with open(f"{folder}/PACKAGES", encoding="utf-8") as stream:
            self.assertEqual([line.split()[:2] for line in stream][1:], [["library", "1:3"], ["shell", "1.0-1"]])

    def test_needs_no_mirror_once_the_cache_is_filled(self):
        self.add_shell()
        part = self.part()
        folder = self.make(part)
        self.assertEqual(self.make(part, bases=["file:///nonexistent"]), folder)

    def test_unpacks_again_when_something_else_is_wanted(self):
        self.add_shell()
        self.make(self.part())
        with self.assertRaisesRegex(MirrorError, "nonexistent does not give stable: "):
            self.make(self.part(at_least="0.9"), bases=["file:///nonexistent"])
        self.assertEqual(self.left_behind(), ["shell"])

    def test_takes_another_version_and_says_so(self):
        self.add_shell("1.1-1")
        self.make(self.part())
        self.assertEqual(self.said, "nsgx: taking shell 1.1-1; 1.0-1 was tested\n")

    def test_refuses_an_old_version(self):
        self.add_shell("0.9-1")
        with self.assertRaisesRegex(FetchError, "stable has shell 0.9-1, and nothing before 1.0 will do"):
            self.make(self.part())
        self.assertEqual(self.left_behind(), [])

    def test_refuses_other_bytes_of_the_pinned_version(self):
        self.add_shell()
        with self.assertRaisesRegex(FetchError, "has sha256 [0-9a-f]{64}, not the pinned 0000"):
            self.make(self.part(tested=["1.0-1", "0" * 64]))
        self.assertEqual(self.left_behind(), [])

    def test_refuses_bytes_that_the_index_does_not_vouch_for(self):
        self.add_shell()
        self.archive.spoil("shell_1.0-1.deb")
        with self.assertRaisesRegex(MirrorError, "cannot fetch shell: .*; try again"):
            self.make(self.part())
        self.assertEqual(self.left_behind(), [])

    def test_says_that_a_package_is_gone(self):
        self.add_shell()
        with self.assertRaisesRegex(MirrorError, "Unable to locate package editor"):
            self.make(self.part(packages=["editor"]))
        with self.assertRaisesRegex(FetchError, r"stable holds no package editor-\(.*\) any more; name what"):
            self.make(self.part(packages=[r"editor-(\d+)"]))

    def test_tries_the_next_mirror(self):
        self.add_shell()
        self.make(self.part(), bases=["file:///nonexistent", self.archive.base])
        self.assertEqual(self.left_behind(), ["shell"])

    def test_takes_the_newest_kernel(self):
        makefile = "include /usr/src/linux-headers-6.12.{0}-common/Makefile\n"
        for minor in ("9", "85", "10"):
            release = f"6.12.{minor}-cloud-amd64"
            sha256 = self.archive.add(
                f"linux-image-{release}",
                f"6.12.{minor}-1",
                {
                    f"boot/vmlinuz-{release}": "kernel\n",
                    f"usr/src/linux-headers-{release}/Makefile": makefile.format(minor),
                },
            )
            if minor == "85":
                tested = ["6.12.85-1", sha256]
        part = {
            "suites": ["stable"],
            "packages": [r"linux-image-(6\.12\.\d+)-cloud-amd64"],
            "dependencies": False,
            "at_least": "6.12",
            "tested": tested,
        }
        folder = self.make(part, name="linux")
        with open(f"{folder}/release", encoding="utf-8") as stream:
            self.assertEqual(stream.read(), "6.12.85-cloud-amd64\n")
        # The headers work where they lie.
        with open(f"{folder}/headers/Makefile", encoding="utf-8") as stream:
            self.assertNotIn("/usr/src", stream.read())


class StampTest(unittest.TestCase):
    def run_program(self, folder, **environment):
        packages = os.path.join(folder, "packages.toml")
        with open(packages, "w", encoding="utf-8") as stream:
            stream.write('[shell]\nsuites = ["stable"]\npackages = ["shell"]\ndependencies = false\nat_least = "1"\n')
            stream.write('tested = ["1", ""]\n')
        stamp = os.path.join(folder, "stamp")
        program = os.path.abspath(fetch_packages.__file__)
        command = [sys.executable, program, "shell", stamp, "--cache", f"{folder}/cache", "--packages", packages]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
        return stamp, done

    def test_a_part_that_cannot_be_had_is_left_out_and_tried_again(self):
        with tempfile.TemporaryDirectory() as folder:
            stamp, done = self.run_program(folder, NSGX_MIRROR="file:///nonexistent")
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"^nsgx: file:///nonexistent does not give stable: .* The machine emu is left out.\n$")
            with self.assertRaisesRegex(fetched.Unavailable, "does not give stable"):
                fetched.folder_of(stamp)
            self.assertEqual(os.stat(stamp).st_mtime, 0)

    def test_says_where_a_part_is(self):
        with tempfile.TemporaryDirectory() as folder:
            stamp = os.path.join(folder, "stamp")
            with open(stamp, "w", encoding="utf-8") as stream:
                stream.write("ok\n/somewhere\n")
            self.assertEqual(fetched.folder_of(stamp), "/somewhere")


if __name__ == "__main__":
    unittest.main()
