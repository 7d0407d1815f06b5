# SPDX-License-Identifier: Apache-2.0
"""Runs upstream programs as enclave and as native twin, in the out folder."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from typing import NamedTuple


class Ended(NamedTuple):
    status: int
    printed: str  # on standard output
    said: str  # on standard error


def command(program, side, options=()):
    """The command line of "FOLDER/NAME" on a side, which is "enclave" or "native"; `options` are for nsgx-run."""
    path = os.path.join("programs", program)
    return ["./nsgx-run", *options, path] if side == "enclave" else [f"{path}.native"]


def run(program, side, *arguments, stdin=b"", timeout=300, options=()):
    done = subprocess.run(
        [*command(program, side, options), *arguments], input=stdin, capture_output=True, timeout=timeout
    )
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def run_both(program, *arguments, stdin=b"", timeout=300):
    """What the enclave did; raises AssertionError unless its twin ended the same way and printed the same."""
    enclave = run(program, "enclave", *arguments, stdin=stdin, timeout=timeout)
    native = run(program, "native", *arguments, stdin=stdin, timeout=timeout)
    assert enclave[:2] == native[:2], f"{program} {arguments}:\nin the enclave {enclave}\nnatively {native}"
    return enclave


def free_port():
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(program, side, port, *arguments, stdin=b"", options=(), stop=None):
    """A program that listens on `port`, while the caller talks to it. Gives its process, whose `said` is all that it has
    printed when it has ended. `stop()` has to make it exit with 0; without that, SIGTERM ends it, of which an enclave
    knows nothing. Raises if it has ended before, or otherwise."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            [*command(program, side, options), *arguments], stdin=given, stdout=output, stderr=subprocess.STDOUT
        )

        def said():
            output.seek(0)
            return output.read().decode(errors="replace")

        try:
            _wait_until_it_listens(process, port, said)
            yield process
            early = process.poll()
            if stop:
                stop()
            else:
                process.terminate()
            status = process.wait(timeout=60)
            process.said = said()
            if early is not None or (stop and status != 0):
                raise AssertionError(f"{program} ({side}) ended with {status}:\n{process.said}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_until_it_listens(process, port, said):
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{process.args} does not listen:\n{said()}") from None
            time.sleep(0.05)
