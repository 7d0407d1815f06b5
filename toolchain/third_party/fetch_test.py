#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of fetching: against a mirror on the loopback interface that can misbehave."""

import hashlib
import http.server
import io
import lzma
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import fetch_source  # noqa: E402
from fetch import download, mirror, unpack  # noqa: E402
from fetch.errors import FetchError, MirrorError  # noqa: E402

_FETCH_SOURCE = os.path.abspath(fetch_source.__file__)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tar_xz(files):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return lzma.compress(raw.getvalue())


class Mirror:
    """A mirror that holds `files` {path: bytes}; `ways` {path: way} makes it misbehave for a path.

    Ways: "whole" ignores Range, "cut" ends early, "slow" sends one byte and waits until the test is over."""

    def __init__(self):
        self.files, self.ways, self.requests = {}, {}, []
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer._serve(self)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}/debian"

    def add(self, file, data, way=""):
        self.files[f"/debian/pool/main/{file}"] = data
        self.ways[f"/debian/pool/main/{file}"] = way

    def _serve(self, request):
        self.requests.append(request.path)
        data, way = self.files.get(request.path), self.ways.get(request.path, "")
        if data is None:
            request.send_error(404)
            return
        asked = request.headers.get("Range")
        if asked and way != "whole":
            data = data[: int(asked.rpartition("-")[2]) + 1]
            request.send_response(206)
        else:
            request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if way == "cut":
            data = data[: len(data) // 2]
        if way == "slow":
            request.wfile.write(data[:1])
            request.wfile.flush()
            self.over.wait(30)
            return
        try:
            request.wfile.write(data)
        except ConnectionError:
            pass  # who asked for the front of a file may leave before its end

    def close(self):
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.mirror = Mirror()
        self.addCleanup(self.mirror.close)
        environment = mock.patch.dict(os.environ, {"no_proxy": "127.0.0.1"})
        environment.start()
        self.addCleanup(environment.stop)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.cache = os.path.join(self.folder, "cache")
        os.makedirs(self.cache)

    def cached(self):
        return sorted(name for name in os.listdir(self.cache) if name != ".lock")

    def get(self, file, data, **options):
        return download.download(self.cache, file, sha256(data), bases=[self.mirror.base], **options)


class DownloadTest(FetchTest):
    def test_keeps_what_has_the_pinned_hash(self):
        self.mirror.add("a/a.tar", b"abc")
        path = self.get("a/a.tar", b"abc")
        with open(path, "rb") as stream:
            self.assertEqual(stream.read(), b"abc")
        self.assertEqual(self.cached(), ["a.tar"])

    def test_asks_nobody_when_the_cache_has_it(self):
        self.mirror.add("a/a.tar", b"abc")
        self.get("a/a.tar", b"abc")
        download.download(self.cache, "a/a.tar", sha256(b"abc"), bases=[])
        self.assertEqual(len(self.mirror.requests), 1)

    def test_refuses_other_bytes(self):
        self.mirror.add("a/a.tar", b"evil")
        with self.assertRaisesRegex(FetchError, "a.tar: .* sends other bytes"):
            self.get("a/a.tar", b"abc")
        self.assertEqual(self.cached(), [])

    def test_refuses_a_cut_download(self):
        self.mirror.add("a/a.tar", b"x" * 1000, "cut")
        with self.assertRaisesRegex(FetchError, "broke off after 500 of 1000 bytes"):
            self.get("a/a.tar", b"x" * 1000)
        self.assertEqual(self.cached(), [])

    def test_tries_the_next_mirror(self):
        self.mirror.add("a/a.tar", b"abc")
        bases = ["http://127.0.0.1:9/debian", self.mirror.base + "/nothing", self.mirror.base]
        download.download(self.cache, "a/a.tar", sha256(b"abc"), bases=bases)
        self.assertEqual(self.cached(), ["a.tar"])

    def test_says_what_each_mirror_did(self):
        bases = ["http://127.0.0.1:9/debian", self.mirror.base]
        with self.assertRaisesRegex(FetchError, "cannot be reached .*; .* answers 404; try again, or put the file"):
            download.download(self.cache, "a/a.tar", sha256(b"abc"), bases=bases)

    def test_says_that_a_mirror_is_no_address(self):
        with self.assertRaisesRegex(FetchError, "mirror is no address"):
            download.download(self.cache, "a/a.tar", sha256(b"abc"), bases=["mirror"])

    def test_says_when_there_is_no_mirror(self):
        with self.assertRaisesRegex(MirrorError, "names no mirror; set NSGX_MIRROR"):
            download.download(self.cache, "a/a.tar", sha256(b"abc"), bases=[])

    def test_fetches_a_damaged_file_again(self):
        self.mirror.add("a/a.tar", b"abc")
        path = self.get("a/a.tar", b"abc")
        with open(path, "wb") as stream:
            stream.write(b"ab")
        with mock.patch("sys.stderr", io.StringIO()):
            self.get("a/a.tar", b"abc")
        self.assertEqual(download.sha256_of(path), sha256(b"abc"))

    def test_takes_the_front_of_a_file(self):
        for way in ("", "whole"):
            with self.subTest(way=way):
                self.mirror.add("a/a.tar", b"front" + b"x" * 5_000_000, way)
                path = self.get("a/a.tar", b"front", prefix_bytes=5)
                self.assertEqual(self.cached(), ["a.tar.first-5"])
                os.unlink(path)

    def test_refuses_a_front_that_is_too_short(self):
        self.mirror.add("a/a.tar", b"fro")
        with self.assertRaisesRegex(FetchError, "sends other bytes"):
            self.get("a/a.tar", b"front", prefix_bytes=5)
        self.assertEqual(self.cached(), [])


class SourceTest(FetchTest):
    """Whole source trees, with patches."""

    _PATCH = b"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-old\n+new\n--- /dev/null\n+++ b/y.c\n@@ -0,0 +1 @@\n+added\n"

    def source(self, **changes):
        self.archive = tar_xz({"top/x.c": b"old\n", "top/skip/z.c": b"z\n", "top/end": b""})
        self.debian = tar_xz({"debian/patches/fix.patch": self._PATCH})
        source = {
            "file": "x/x_1.orig.tar.xz",
            "sha256": sha256(self.archive),
            "top": "top",
            "members": ["x.c"],
            "patches": {
                "file": "x/x_1-1.debian.tar.xz",
                "sha256": sha256(self.debian),
                "source_package": "x",
                "suites": ["stable"],
                "folder": "debian/patches",
                "apply": [["fix.patch", sha256(self._PATCH)]],
            },
        }
        return source | changes

    def files(self, source):
        return fetch_source.source_files("x", source, self.cache, [self.mirror.base])

    def add_index(self, archive):
        self.mirror.add("x/x_1-2.debian.tar.xz", archive)
        index = "Package: other\nDirectory: pool/main/o\n\nPackage: x\nDirectory: pool/main/x\nChecksums-Sha256:\n"
        index += f" {sha256(archive)} {len(archive)} x_1-2.debian.tar.xz\n\n"
        self.mirror.files["/debian/dists/stable/main/source/Sources.xz"] = lzma.compress(index.encode())

    def test_unpacks_and_patches(self):
        source = self.source()
        self.mirror.add(source["file"], self.archive)
        self.mirror.add(source["patches"]["file"], self.debian)
        wanted = {"x.c": b"new\n", "y.c": b"added\n"}
        self.assertEqual(self.files(source), wanted)
        # With a filled cache, no mirror is needed.
        self.assertEqual(fetch_source.source_files("x", source, self.cache, []), wanted)

    def test_makes_a_damaged_tree_again(self):
        source = self.source()
        self.mirror.add(source["file"], self.archive)
        self.mirror.add(source["patches"]["file"], self.debian)
        wanted = self.files(source)
        (packed,) = [name for name in self.cached() if name.endswith(".tar")]
        with open(os.path.join(self.cache, packed), "r+b") as stream:
            stream.truncate(700)
        with mock.patch("sys.stderr", io.StringIO()):
            self.assertEqual(self.files(source), wanted)

    def test_takes_patches_from_a_newer_revision(self):
        source = self.source()
        self.mirror.add(source["file"], self.archive)
        self.add_index(tar_xz({"debian/patches/more.patch": b"", "debian/patches/fix.patch": self._PATCH}))
        self.assertEqual(self.files(source)["x.c"], b"new\n")

    def test_refuses_other_patches(self):
        source = self.source()
        self.mirror.add(source["file"], self.archive)
        self.add_index(tar_xz({"debian/patches/fix.patch": self._PATCH + b"\n"}))
        with self.assertRaisesRegex(
            FetchError, "security patches of x: .* answers 404, and no other revision .*; put x_1-1.debian.tar.xz "
        ):
            self.files(source)

    def test_takes_the_whole_file_when_the_front_cannot_be_had(self):
        source = self.source(prefix_bytes=10, prefix_sha256="0" * 64)
        self.mirror.add(source["file"], self.archive)
        self.mirror.add(source["patches"]["file"], self.debian)
        with mock.patch("sys.stderr", io.StringIO()):
            self.assertEqual(self.files(source)["x.c"], b"new\n")

    def test_front_of_an_archive_is_enough(self):
        noise = os.urandom(3_000_000)
        archive = tar_xz({"top/a/x.c": b"x", "top/b/y.c": b"y", "top/c": noise})
        path = os.path.join(self.cache, "x.tar.xz.first-100000")
        with open(path, "wb") as stream:
            stream.write(archive[:100_000])
        self.assertEqual(unpack.read_members(path, ["a"]), {"a/x.c": b"x"})
        with self.assertRaises(FetchError):
            unpack.read_members(path, ["d"])

    def test_says_what_an_archive_does_not_hold(self):
        source = self.source(members=["x.c", "gone"])
        self.mirror.add(source["file"], self.archive)
        with self.assertRaisesRegex(FetchError, "x_1.orig.tar.xz does not hold gone"):
            self.files(source)


class ProgramTest(FetchTest):
    """fetch_source.py as the build calls it: one sentence, exit status 1, and a clean cache."""

    def start(self, data, **options):
        sources = os.path.join(self.folder, "sources.toml")
        with open(sources, "w", encoding="utf-8") as stream:
            stream.write(f'[x]\nfile = "x/x.tar.xz"\nsha256 = "{sha256(data)}"\ntop = "top"\nmembers = ["x.c"]\n')
        out = os.path.join(self.folder, "out")
        command = [sys.executable, _FETCH_SOURCE, "x", out, "--cache", self.cache, "--sources", sources]
        environment = os.environ | {"NSGX_MIRROR": self.mirror.base}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)

    def test_a_full_disk(self):
        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        data = tar_xz({"top/x.c": os.urandom(1_000_000)})
        self.mirror.add("x/x.tar.xz", data)
        process = self.start(data, preexec_fn=limit_files)
        _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(said, f"nsgx: no space left in {self.cache}; free some and run again.\n")
        self.assertEqual(self.cached(), [])

    def test_a_full_disk_while_unpacking(self):
        def limit_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        data = tar_xz({"top/x.c": bytes(1_000_000)})  # small as an archive
        self.mirror.add("x/x.tar.xz", data)
        process = self.start(data, preexec_fn=limit_files)
        _, said = process.communicate(timeout=30)
        self.assertEqual((process.returncode, len(said.splitlines())), (1, 1))
        self.assertEqual(self.cached(), ["x.tar.xz"])

    def test_wrong_bytes(self):
        self.mirror.add("x/x.tar.xz", b"evil")
        process = self.start(b"good")
        _, said = process.communicate(timeout=30)
        self.assertEqual((process.returncode, len(said.splitlines())), (1, 1))
        self.assertRegex(said, "^nsgx: cannot fetch x.tar.xz: .* sends other bytes")
        self.assertEqual(self.cached(), [])

    def test_interrupted(self):
        data = tar_xz({"top/x.c": b"x"})
        self.mirror.add("x/x.tar.xz", data, "slow")
        process = self.start(data)
        for _ in range(300):
            if any(name.startswith(".part-") for name in self.cached()):
                break
            self.mirror.over.wait(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.cached(), [])


class MirrorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.makedirs(f"{self.folder}/sources.list.d")
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("NSGX_MIRROR", None)

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as stream:
            stream.write(text)

    def bases(self):
        return mirror.bases(self.folder, ask_apt=False)

    def test_reads_both_forms_of_sources(self):
        self.write("sources.list", "# deb http://no.example/\ndeb [arch=amd64 trusted=yes] http://a.example/debian/ x main\n")
        self.write("sources.list.d/b.sources", "Types: deb\nURIs: https://b.example/debian http://a.example/debian\n")
        self.write("sources.list.d/c.sources.off", "URIs: http://no.example/\n")
        self.assertEqual(self.bases(), ["http://a.example/debian", "https://b.example/debian"])

    def test_reads_lists_of_mirrors(self):
        self.write("mirrors.list", "https://a.example/debian/ priority:1\n")
        self.write("sources.list.d/a.sources", f"URIs: mirror+file://{self.folder}/mirrors.list\n")
        self.assertEqual(self.bases(), ["https://a.example/debian"])

    def test_finds_none(self):
        self.write("sources.list", "deb cdrom:[Debian]/ x main\n")
        self.assertEqual(self.bases(), [])

    def test_a_given_mirror_replaces_all(self):
        self.write("sources.list", "deb http://a.example/debian x main\n")
        os.environ["NSGX_MIRROR"] = "http://b.example/debian/"
        self.assertEqual(self.bases(), ["http://b.example/debian"])


if __name__ == "__main__":
    unittest.main()
