# SPDX-License-Identifier: Apache-2.0
"""The emulated machine for tests. They run in the out folder."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import NamedTuple

_SKIPPED_STATUS = 77
_processors = 1


class Result(NamedTuple):
    status: int
    out: bytes
    err: bytes
    console: str


def require():
    """Ends the test as skipped where the build has no emulated machine; in CI, as failed.

    Takes an option of the test: --cpus=N, how many processors the machine has if nothing else is said.
    """
    global _processors
    for argument in [argument for argument in sys.argv if argument.startswith("--cpus=")]:
        sys.argv.remove(argument)
        _processors = int(argument.removeprefix("--cpus="))
    with open("emu/unavailable", encoding="utf-8") as stream:
        reason = stream.read().strip()
    if reason:
        print(f"no emulated machine: {reason}")
        sys.exit(1 if os.environ.get("CI") == "true" else _SKIPPED_STATUS)


def processors():
    """How many the machine has if nothing else is said."""
    return _processors


def run(*arguments, given=b"", timeout=150, program="./nsgx-run", environment=None, processors=None):
    """Runs nsgx-run --machine=emu with these arguments."""
    with tempfile.TemporaryDirectory() as folder:
        console = os.path.join(folder, "console")
        command = [program, "--machine=emu", f"--emu-cpus={processors or _processors}", f"--emu-console={console}"]
        command += arguments
        # Ends by SIGTERM when it takes too long: nsgx-run then ends QEMU.
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
        ) as process:
            try:
                out, err = process.communicate(given, timeout)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate()
                err += b"\nstopped: took too long"
        text = ""
        if os.path.exists(console):
            with open(console, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
    return Result(process.returncode, out, err, text)


def shell(script, files=(), **options):
    """Runs a shell script in the guest's Linux, outside of all enclaves; the files lie in its /share."""
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            os.symlink(os.path.abspath(file), os.path.join(folder, os.path.basename(file)))
        return run("--emu-shell", f"--emu-share={folder}", given=script.encode(), **options)


def changed(folder, monitor=None, qemu_options=""):
    """Makes a copy of the machine in the folder, with another monitor or more options for QEMU. Returns its nsgx-run."""
    program = os.path.join(folder, "nsgx-run")
    shutil.copy("nsgx-run", program)
    shutil.copytree("emu", os.path.join(folder, "emu"))
    if monitor is not None:
        shutil.copy(monitor, os.path.join(folder, "emu", "monitor.elf"))
    with open("emu/qemu", encoding="utf-8") as stream:
        qemu = stream.read().strip()
    script = os.path.join(folder, "qemu.sh")
    with open(script, "w", encoding="utf-8") as stream:
        stream.write(f'#!/bin/sh\nexec "{qemu}" "$@" {qemu_options}\n')
    os.chmod(script, 0o755)
    with open(os.path.join(folder, "emu", "qemu"), "w", encoding="utf-8") as stream:
        stream.write(script + "\n")
    return program


def identity_of(image):
    """The image's identity as nsgx-inspect computes it."""
    said = subprocess.run(["./nsgx-inspect", image], capture_output=True, text=True, check=True).stdout
    return re.search(r"identity\W+([0-9a-f]{64})", said)[1]
