# SPDX-License-Identifier: Apache-2.0
"""Runs upstream programs as enclave and as native twin, in the out folder."""

import os
import subprocess
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
