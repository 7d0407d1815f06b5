#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the tools what they have to refuse: one line on standard error, the right exit status, nothing left behind.

Runs in the out folder, which holds hello.elf and the tools.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from typing import Callable, NamedTuple

from spoiler import PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, Spoiler

_TIMEOUT = 30
_NOBODY = 65534

_PAGE = 4096
_CONFIG_VERSION_OFFSET = 8
_SIGNATURE_NUMBER_OFFSET = 128 + 384


class Spoiled(NamedTuple):
    """An image with one defect, and what nsgx-run says of it."""

    name: str
    spoil: Callable[[Spoiler], object]  # changes the copy; bytes that it returns replace it
    cause: str  # regular expression
    only_at_run_time: bool = False  # nsgx-inspect describes the image, and only says that it is not good


def _make_dynamic(image):
    image.segment(PT_GNU_STACK).type = PT_INTERP


def _ask_for_text_relocations(image):
    at = image.segment(PT_DYNAMIC).offset
    image.data[at : at + 8] = b"\x16" + bytes(7)


def _overlap(image):
    image.loads(PF_R | PF_X)[0].memory_size += 0x100000


def _huge(image):
    image.loads(PF_R | PF_W)[-1].memory_size = 1 << 50


def _remove_config(image):
    image.section(".nsgx.config").name = 0


def _repeat_config(image):
    image.section(".nsgx.hostcalls").name = image.section(".nsgx.config").name


def _spoil_config_version(image):
    image.data[image.section(".nsgx.config").offset + _CONFIG_VERSION_OFFSET] = 2


def _spoil_config(image):
    image.data[image.section(".nsgx.config").offset] ^= 1


def _empty_config(image):
    at = image.section(".nsgx.config").offset
    image.data[at : at + _PAGE] = bytes(_PAGE)


_SPOILED = [
    Spoiled("empty", lambda image: b"", "not an ELF file"),
    Spoiled("text", lambda image: b"#!/bin/sh\necho hello\n", "not an ELF file"),
    Spoiled("truncated-4", lambda image: image.data[:4], "truncated"),
    Spoiled("truncated-100", lambda image: image.data[:100], "truncated"),
    Spoiled("truncated-half", lambda image: image.data[: len(image.data) // 2], "truncated"),
    Spoiled("truncated-1", lambda image: image.data[:-1], "truncated"),
    Spoiled("32-bit", lambda image: setattr(image.header, "class", 1), "32-bit"),
    Spoiled("arm", lambda image: setattr(image.header, "machine", 183), "another processor"),
    Spoiled("fixed-address", lambda image: setattr(image.header, "type", 2), "not position-independent"),
    Spoiled("object-file", lambda image: setattr(image.header, "type", 1), "no program"),
    Spoiled("dynamic", _make_dynamic, "dynamically linked"),
    Spoiled("text-relocations", _ask_for_text_relocations, "relocations in read-only segments"),
    Spoiled("w+x", lambda image: setattr(image.loads(PF_R | PF_X)[0], "flags", 7), "writable and executable"),
    Spoiled("overlap", _overlap, "shares a page"),
    Spoiled("huge", _huge, "larger than any address range"),
    Spoiled(
        "large",
        lambda image: setattr(image.loads(PF_R | PF_W)[-1], "memory_size", 1 << 41),
        "more than its configured address range",
        only_at_run_time=True,
    ),
    Spoiled("entry", lambda image: setattr(image.header, "entry", 0), "entry point 0x0"),
    Spoiled("no-config", _remove_config, "no launch configuration"),
    Spoiled("two-configs", _repeat_config, "two launch configurations"),
    Spoiled(
        "unaligned-config",
        lambda image: setattr(image.section(".nsgx.config"), "address", image.section(".nsgx.config").address + 8),
        "does not start a page",
    ),
    Spoiled("newer-config", _spoil_config_version, "newer version", only_at_run_time=True),
    Spoiled("malformed-config", _spoil_config, "configuration breaks its format", only_at_run_time=True),
    Spoiled("not-signed", _empty_config, "not signed", only_at_run_time=True),
    Spoiled(
        "no-signature",
        lambda image: setattr(image.section(".nsgx.signature"), "name", 0),
        "is not signed",
        only_at_run_time=True,
    ),
    Spoiled(
        "changed-code",
        lambda image: image.flip(image.loads(PF_R | PF_X)[0].offset + 0x2000),
        "changed after it was signed",
        only_at_run_time=True,
    ),
    Spoiled(
        "changed-constants",
        lambda image: image.flip(image.section(".nsgx.config").offset - 1),
        "changed after it was signed",
        only_at_run_time=True,
    ),
    Spoiled(
        "forged-signature",
        lambda image: image.flip(image.section(".nsgx.signature").offset + _SIGNATURE_NUMBER_OFFSET + 9),
        "not one of the key that it names",
        only_at_run_time=True,
    ),
]


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


class Bench:
    """Runs tools in a folder of its own and collects what was wrong."""

    def __init__(self, folder, tools):
        self.folder = folder
        self.tools = tools
        self.findings = []
        self.count = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as stream:
            stream.write(data)
        return self.path(name)

    def run(self, command, **options):
        """Runs a tool by name; complains about processes and files that outlive it."""
        before = sorted(os.listdir(self.folder))
        process = subprocess.Popen(
            [os.path.join(self.tools, command[0])] + command[1:],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            start_new_session=True,
            **options,
        )
        try:
            out, err = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.complain(command, f"took longer than {_TIMEOUT} s")
        try:
            os.killpg(process.pid, signal.SIGKILL)
            self.complain(command, "left a process behind")
        except ProcessLookupError:
            pass
        if sorted(os.listdir(self.folder)) != before:
            self.complain(command, f"left files behind: {sorted(os.listdir(self.folder))}")
        return Outcome(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def complain(self, command, what):
        self.findings.append(f"{' '.join(command)}: {what}")

    def expect_refusal(self, command, status, cause, **options):
        """The tool ends with `status`, and says why in one line: "TOOL: CAUSE; REMEDY"."""
        self.count += 1
        outcome = self.run(command, **options)
        line = re.compile(rf"^{command[0]}: .*{cause}[^\n]*; [^\n]+\n$")
        if outcome.status != status:
            self.complain(command, f"exit status {outcome.status}, not {status}")
        if not line.search(outcome.err) or outcome.err.count("\n") != 1:
            self.complain(command, f"said {outcome.err!r}, not one line about {cause!r}")
        if outcome.out:
            self.complain(command, f"wrote {outcome.out[:80]!r} to standard output")

    def expect_success(self, command, **options):
        self.count += 1
        outcome = self.run(command, **options)
        if outcome.status != 0:
            self.complain(command, f"exit status {outcome.status}: {outcome.err!r}")
        return outcome


def check_spoiled_images(bench, good):
    for case in _SPOILED:
        image = Spoiler(good)
        data = case.spoil(image)
        path = bench.write(case.name + ".elf", data if isinstance(data, (bytes, bytearray)) else image.data)
        bench.expect_refusal(["nsgx-run", path], 126, case.cause)
        if case.only_at_run_time:
            outcome = bench.run(["nsgx-inspect", path])
            bench.count += 1
            if outcome.status != 1 or "signature       good" in outcome.out or not outcome.out:
                bench.complain(["nsgx-inspect", path], f"does not say that it is not good: {outcome}")
        else:
            bench.expect_refusal(["nsgx-inspect", path], 1, case.cause)
        os.unlink(path)


def check_what_is_no_file(bench, good):
    bench.expect_refusal(["nsgx-run", bench.path("missing.elf")], 127, "is not there")
    bench.expect_refusal(["nsgx-run", bench.folder], 126, "is a directory")
    os.mkfifo(bench.path("fifo"))
    bench.expect_refusal(["nsgx-run", bench.path("fifo")], 126, "no regular file")
    bench.expect_refusal(["nsgx-inspect", bench.path("fifo")], 1, "no regular file")
    bench.expect_refusal(["nsgx-run", "/dev/null"], 126, "no regular file")
    unreadable = bench.write("unreadable.elf", good)
    os.chmod(unreadable, 0)
    options = {"user": _NOBODY} if os.geteuid() == 0 else {}
    bench.expect_refusal(["nsgx-run", unreadable], 126, "cannot be read", **options)


def check_command_lines(bench, hello):
    bench.expect_refusal(["nsgx-run", "--bogus", hello], 125, "no option --bogus")
    bench.expect_refusal(["nsgx-run"], 125, "no image given")
    bench.expect_refusal(["nsgx-run", "--vcpus", "two", hello], 125, "--vcpus")
    bench.expect_refusal(["nsgx-run", "--vcpus", "0", hello], 125, "--vcpus")
    bench.expect_refusal(["nsgx-run", "--vcpus", "65", hello], 125, "at most 64 vCPUs")
    bench.expect_refusal(["nsgx-run", "--vcpus", "257", hello], 125, "--vcpus")
    bench.expect_refusal(["nsgx-run", "--machine=snp", hello], 125, "no machine snp")
    bench.expect_refusal(["nsgx-run", "--machine=pdp11", hello], 125, "no machine pdp11")
    bench.expect_refusal(["nsgx-run", "--identity", "00", hello], 125, "64 hexadecimal digits")
    bench.expect_refusal(["nsgx-run", "--identity", "00" * 32, hello], 126, "another identity")
    bench.expect_refusal(["nsgx-inspect", "--bogus", hello], 1, "--bogus")
    bench.expect_refusal(["nsgx-inspect"], 1, "no image")
    bench.expect_refusal(["nsgx-sign"], 1, "a command is missing")
    bench.expect_refusal(["nsgx-sign", "sign", "--in", hello], 1, "--key is missing")


def check_signers(bench, hello):
    key, public = bench.write("other.pem", b""), bench.write("other.pub", b"")
    bench.expect_success(["nsgx-sign", "keygen", "--out", key, "--public", public])
    other = bench.write("other.elf", b"")
    bench.expect_success(["nsgx-sign", "sign", "--key", key, "--in", hello, "--out", other])
    signer = bench.expect_success(["nsgx-sign", "signer", "--key", public]).out.strip()
    bench.expect_refusal(["nsgx-run", "--signer", signer, hello], 126, "signed by another key")
    bench.expect_refusal(["nsgx-run", "--signer", public, hello], 126, "signed by another key")
    bench.expect_refusal(["nsgx-run", "--signer", key, hello], 125, "no public key")
    bench.expect_refusal(["nsgx-run", "--signer", "me", hello], 125, "64 hexadecimal digits or a file")
    for accepted in signer, public:
        outcome = bench.expect_success(["nsgx-run", "--signer", accepted, other])
        if not outcome.out.startswith("Hello"):
            bench.complain(["nsgx-run", "--signer", accepted, other], f"printed {outcome.out!r}")


def check_signing(bench, good, hello):
    key = bench.write("development.pem", b"")
    bench.expect_success(["nsgx-sign", "keygen", "--development", "--out", key])
    out = bench.write("out.elf", b"left alone")
    sign = ["nsgx-sign", "sign", "--key", key, "--out", out, "--in"]
    bench.expect_refusal(sign + [bench.write("text", b"text")], 1, "not an ELF file")
    bench.expect_refusal(sign + [bench.path("missing")], 1, "is not there")
    bench.expect_refusal(["nsgx-sign", "sign", "--key", hello, "--in", hello, "--out", out], 1, "hello.elf")
    config = bench.write("app.toml", b"max_vcpus = 4\nmax_vpcus = 4\n")
    bench.expect_refusal(sign + [hello, "--config", config], 1, r"app.toml:2: there is no key max_vpcus")
    bench.write("app.toml", b"max_vcpus = \n")
    bench.expect_refusal(sign + [hello, "--config", config], 1, r"app.toml:1: ")
    bench.expect_refusal(sign + [hello, "--date", "20261301"], 1, "no date")
    with open(out, "rb") as stream:
        if stream.read() != b"left alone":
            bench.complain(sign, "touched its output although it had refused")
    small = bench.write("app.toml", b"address_range = '16 MiB'\nmain_stack = '1 MiB'\n")
    image = Spoiler(good)
    image.loads(PF_R | PF_W)[-1].memory_size = 16 << 20
    large = bench.write("large.elf", image.data)
    bench.expect_refusal(sign + [large, "--config", small], 1, "more than its configured")


def check_limits(bench, hello):
    def limit_address_space():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    cause = "65536 MiB, more than this machine gives"
    bench.expect_refusal(["nsgx-run", hello], 126, cause, preexec_fn=limit_address_space)


def main():
    # A folder that others may enter, with the tools in it, so that an unprivileged user can run them too.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as tools:
        os.chmod(folder, 0o755)
        os.chmod(tools, 0o755)
        for tool in "nsgx-run", "nsgx-inspect", "nsgx-sign":
            shutil.copy(tool, tools)
        bench = Bench(folder, tools)
        with open("hello.elf", "rb") as stream:
            good = stream.read()
        hello = bench.write("hello.elf", good)
        bench.expect_success(["nsgx-run", hello])
        check_spoiled_images(bench, good)
        check_what_is_no_file(bench, good)
        check_command_lines(bench, hello)
        check_signers(bench, hello)
        check_signing(bench, good, hello)
        check_limits(bench, hello)
    print("\n".join(bench.findings) or f"{bench.count} runs: all refused as they should be")
    return 1 if bench.findings else 0


if __name__ == "__main__":
    sys.exit(main())
