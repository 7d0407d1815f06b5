#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Folders of the host and files of the image, as the operator and the program see them.

mounts_test.py ROOT, run in the out folder.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv[1]
sys.path.insert(0, os.path.join(ROOT, "tests/harness"))

import run_twins  # noqa: E402


class MountsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nsgx-mounts-")
        self.addCleanup(folder.cleanup)
        self.top = folder.name
        self.folder = os.path.join(self.top, "folder")
        os.mkdir(self.folder)

    def write(self, name, text):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as stream:
            return stream.read()

    def sign(self, image, config, *options, status=0):
        """Signs an image of the build once more; returns (path, what nsgx-sign said)."""
        out = os.path.join(self.top, os.path.basename(image))
        command = ["./nsgx-sign", "sign", "--key", "development-key.pem", "--date", "20000101", "--in", image,
                   "--out", out, "--config", self.write("app.toml", config), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return out, done.stderr

    def run_image(self, image, *options, arguments=(), status=0):
        command = ["./nsgx-run", "--machine=sim", *options, image, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, f"{command}\n{done.stdout}\n{done.stderr}")
        return done

    def refused(self, image, *options, arguments=(), status=125):
        """The one line that says why."""
        done = self.run_image(image, *options, arguments=arguments, status=status)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def inspect(self, image):
        done = subprocess.run(["./nsgx-inspect", "--json", image], capture_output=True, timeout=60, check=True)
        return json.loads(done.stdout)["configuration"]

    # ---- files as those of Linux

    def on_a_mount(self, name):
        """The same cases, natively in one folder and as an enclave in another one that is mounted."""
        image, _ = self.sign(f"{name}.elf",
                             'mounts = ["hostfs:/data:rw"]\n[args]\nany = true\n[env]\nallow = ["TMPDIR"]\n')
        native_folder = os.path.join(self.top, "native")
        os.mkdir(native_folder)
        native = subprocess.run([f"./{name}.native"], env={**os.environ, "TMPDIR": native_folder},
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        command = ["./nsgx-run", "--machine=sim", "--mount", f"{self.folder}:/data", "--env", "TMPDIR=/data", image]
        enclave = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        native_cases = run_twins.cases(native.stdout)
        self.assertGreater(len(native_cases), 10, native.stdout + native.stderr)
        found = run_twins.differences(run_twins.cases(enclave.stdout), native_cases)
        self.assertEqual(found, [], f"{enclave.stdout[-8000:]}\n{enclave.stderr[-2000:]}")
        self.assertEqual(enclave.returncode, 0, enclave.stderr)
        self.assertEqual(os.listdir(self.folder), [], "what was made there was removed")

    def test_posix_files(self):
        self.on_a_mount("posix_files_test")

    def test_filesystem_library(self):
        self.on_a_mount("filesystem_test")

    # ---- the operator

    def test_the_example_reads_and_writes(self):
        mount = ["--mount", f"{self.folder}:/data"]
        for visit in 1, 2:
            done = self.run_image("files.elf", *mount)
            self.assertEqual((done.stdout, done.stderr), (f"Good day, visit {visit}\n", ""))
        self.assertEqual(self.read("visits.txt"), "Good day\nGood day\n")

    def test_read_only_is_read_only(self):
        self.write("folder/visits.txt", "one\n")
        for image, option in (
            ("files.elf", f"{self.folder}:/data:ro"),
            (self.sign("files.elf", 'mounts = ["hostfs:/data:ro"]\n', "--embed",
                       f"{ROOT}/examples/04-files/greeting.txt=/app/greeting.txt")[0], f"{self.folder}:/data"),
        ):
            done = self.run_image(image, "--mount", option, status=1)
            self.assertIn("cannot be written", done.stderr)
            self.assertEqual(self.read("visits.txt"), "one\n")

    def test_the_image_can_name_the_folder(self):
        image, _ = self.sign("files.elf", f'mounts = ["hostfs:/data:rw,source={self.folder}"]\n', "--embed",
                             f"{ROOT}/examples/04-files/greeting.txt=/app/greeting.txt")
        self.run_image(image)
        self.assertEqual(self.read("visits.txt"), "Good day\n")
        other = os.path.join(self.top, "other")
        os.mkdir(other)
        self.run_image(image, "--mount", f"{other}:/data")
        self.assertEqual(os.listdir(other), ["visits.txt"])
        os.rename(self.folder, self.folder + ".gone")
        self.assertIn("No such file or directory", self.refused(image))

    def test_what_no_rule_allows_is_refused(self):
        line = self.refused("files.elf", "--mount", f"{self.folder}:/other")
        self.assertIn("the image's mounts have no rule for /other", line)
        self.assertIn('mounts = ["hostfs:/other:rw"]', line)
        line = self.refused("hello.elf", "--mount", f"{self.folder}:/data")
        self.assertIn("no rule for /data", line)
        image, _ = self.sign("files.elf", 'mounts = ["hostfs:/*:ro"]\n', "--embed",
                             f"{ROOT}/examples/04-files/greeting.txt=/app/greeting.txt")
        self.assertIn("is ro", self.refused(image, "--mount", f"{self.folder}:/data:rw"))
        self.assertIn("would hide the image's own file /app/greeting.txt",
                      self.refused(image, "--mount", f"{self.folder}:/app"))
        for target in "/etc", "/proc/x", "/a/../b", "/":
            self.assertIn("no rule", self.refused(image, "--mount", f"{self.folder}:{target}"))

    def test_a_folder_that_is_not_there_is_named(self):
        line = self.refused("files.elf", "--mount", f"{self.top}/none:/data")
        self.assertIn(f"{self.top}/none for /data can't be opened (No such file or directory)", line)
        path = self.write("plain", "")
        self.assertIn("Not a directory", self.refused("files.elf", "--mount", f"{path}:/data"))

    def test_links_lead_nowhere_else(self):
        secret = self.write("secret", "outside\n")
        os.symlink(secret, os.path.join(self.folder, "visits.txt"))
        done = self.run_image("files.elf", "--mount", f"{self.folder}:/data", status=1)
        self.assertIn("cannot be written", done.stderr)  # the link's text is a path in the enclave
        with open(secret, encoding="utf-8") as stream:
            self.assertEqual(stream.read(), "outside\n")

    def test_arguments_and_variables_that_do_not_get_in(self):
        line = self.refused("hello.elf", arguments=["one"])
        self.assertIn("takes no arguments from outside", line)
        self.assertIn("args.any = true", line)
        done = self.run_image("hello.elf", "--env", "COLOUR=blue")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("variable COLOUR is not passed on: the image's env.allow has no rule for it", done.stderr)

    # ---- what an image may ask for

    def test_only_images_with_mounts_can_call_for_files(self):
        def file_calls(image):
            return [name for name in self.inspect(image)["host_calls"] if name.startswith("file_")]

        self.assertEqual(file_calls("hello.elf"), [])
        self.assertIn("file_look_up", file_calls("files.elf"))
        without, _ = self.sign("files.elf", "")
        self.assertEqual(file_calls(without), [])

    # ---- files of the image

    def test_embedded_files_are_shown(self):
        with open(f"{ROOT}/examples/04-files/greeting.txt", "rb") as stream:
            contents = stream.read()
        shown = self.inspect("files.elf")
        self.assertEqual(shown["mounts"], ["hostfs:/data:rw"])
        self.assertEqual(len(shown["files"]), 1)
        self.assertEqual(shown["files"][0]["path"], "/app/greeting.txt")
        self.assertEqual(shown["files"][0]["size"], len(contents))
        self.assertEqual(shown["files"][0]["sha256"], hashlib.sha256(contents).hexdigest())

    def test_a_changed_byte_is_refused(self):
        with open("files.elf", "rb") as stream:
            image = bytearray(stream.read())
        at = image.rindex(b"Good day\n")
        image[at + 5] ^= 1
        changed = os.path.join(self.top, "changed.elf")
        with open(changed, "wb") as stream:
            stream.write(image)
        self.assertIn("changed after it was signed", self.refused(changed, "--mount", f"{self.folder}:/data",
                                                                  status=126))

    def test_the_configuration_names_files_too(self):
        self.write("words/here.txt", "Hello there\n")
        image, _ = self.sign("files.elf",
                             'mounts = ["hostfs:/data:rw"]\nfiles = ["words/here.txt=/app/greeting.txt"]\n')
        self.assertEqual(self.run_image(image, "--mount", f"{self.folder}:/data").stdout, "Hello there, visit 1\n")
        again, _ = self.sign(image, 'mounts = ["hostfs:/data:rw"]\n')
        done = self.run_image(again, "--mount", f"{self.folder}:/data", status=1)
        self.assertIn("the greeting is missing", done.stderr)

    def test_files_that_cannot_be_embedded(self):
        here = self.write("here.txt", "x")
        for options, what in (
            (["--embed", f"{here}"], "is not of the form HOST=/PATH"),
            (["--embed", f"{here}=app"], "is not of the form HOST=/PATH"),
            (["--embed", f"{here}=/a/../b"], "its name has to be absolute, without empty parts, . and .."),
            (["--embed", f"{here}=/{'x' * 256}"], "each part of at most 255 bytes"),
            (["--embed", f"{here}=/dev/x"], "what is in /dev is the library OS's"),
            (["--embed", f"{here}=/a", "--embed", f"{here}=/a"], "is embedded twice"),
            (["--embed", f"{self.top}/none=/a"], "is not there"),
            (["--embed", f"{self.top}=/a"], "is a directory"),
            (["--embed", f"{here}=/data/a"], "the mount hostfs:/data:rw would hide"),
        ):
            _, said = self.sign("files.elf", 'mounts = ["hostfs:/data:rw"]\n', *options, status=1)
            self.assertIn(what, said)
            self.assertEqual(said.count("\n"), 1, said)
        long = [option for i in range(100) for option in ("--embed", f"{here}=/{i}/{'x' * 40}")]
        _, said = self.sign("files.elf", "", *long, status=1)
        self.assertIn("the image has room for", said)
        _, said = self.sign("files.elf", f'files = ["none=/a"]\n', status=1)
        self.assertIn("app.toml: file to embed", said)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
