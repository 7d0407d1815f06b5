#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lighttpd in an enclave serves files as its native twin does."""

import hashlib
import http.client
import os
import sys
import tempfile
import threading
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_HERE))

import twins  # noqa: E402
from lighttpd import web_server  # noqa: E402

_TIMEOUT = 60
# Sizes around those of pages and of what one host call carries, and one of many.
_SIZES = (0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 3_000_000)


def content(size):
    return (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]


def ask(connection, method, path, body=None, headers=None):
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    return answer, answer.read()


def answers(port):
    """What a client sees of everything that is to be the same on both sides."""
    seen = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    for size in _SIZES:
        answer, _ = ask(connection, "PUT", f"/{size}.bin", content(size))
        seen.append(("put", size, answer.status))
    sockets = {connection.sock.getsockname()}
    for size in _SIZES:
        answer, body = ask(connection, "GET", f"/{size}.bin")
        seen.append(("get", size, answer.status, answer.getheader("Content-Length"), body == content(size)))
        answer, body = ask(connection, "HEAD", f"/{size}.bin")
        seen.append(("head", size, answer.status, answer.getheader("Content-Length"), body))
        sockets.add(connection.sock.getsockname())
    seen.append(("connections", len(sockets)))
    for part, expected in (
        ("0-9", content(3_000_000)[:10]),
        ("65530-65545", content(3_000_000)[65530:65546]),
        ("2999990-", content(3_000_000)[2999990:]),
        ("-7", content(3_000_000)[-7:]),
    ):
        answer, body = ask(connection, "GET", "/3000000.bin", headers={"Range": f"bytes={part}"})
        seen.append((part, answer.status, answer.getheader("Content-Range"), body == expected))
    answer, _ = ask(connection, "GET", "/1.bin", headers={"Range": "bytes=5-"})
    seen.append(("behind the end", answer.status))
    answer, _ = ask(connection, "GET", "/4096.bin")
    tag = answer.getheader("ETag")
    answer, body = ask(connection, "GET", "/4096.bin", headers={"If-None-Match": tag})
    seen.append(("not modified", answer.status, body))
    for method, path in (("GET", "/none"), ("DELETE", "/1.bin"), ("GET", "/1.bin"), ("GET", "/../../etc/hosts"), ("POST", "/0.bin")):
        answer, _ = ask(connection, method, path)
        seen.append((method, path, answer.status))
    connection.close()
    return seen


class LighttpdTest(unittest.TestCase):
    def test_serves_as_its_twin(self):
        seen = {}
        for side in ("enclave", "native"):
            with tempfile.TemporaryDirectory() as folder:
                with web_server.serve(side, folder) as (_, port):
                    seen[side] = answers(port)
        self.assertEqual(seen["enclave"], seen["native"])
        self.assertIn(("get", 3_000_000, 200, "3000000", True), seen["enclave"])
        self.assertIn(("connections", 1), seen["enclave"])
        self.assertIn(("65530-65545", 206, "bytes 65530-65545/3000000", True), seen["enclave"])
        self.assertIn(("GET", "/none", 404), seen["enclave"])
        self.assertIn(("not modified", 304, b""), seen["enclave"])

    def test_many_clients(self):
        clients, requests = 50, 20
        failures = []

        def fetch(port, number):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
            for i in range(requests):
                size = _SIZES[1 + (number + i) % (len(_SIZES) - 2)]
                _, body = ask(connection, "GET", f"/{size}.bin")
                if body != content(size):
                    failures.append((number, i, size))
            connection.close()

        with web_server.serve("enclave", None) as (_, port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
            for size in _SIZES:
                ask(connection, "PUT", f"/{size}.bin", content(size))
            connection.close()
            threads = [threading.Thread(target=fetch, args=(port, number)) for number in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
