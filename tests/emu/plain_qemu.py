#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands for QEMU in a test of nsgx-run --machine=emu: plain_qemu.py QEMU NSGX_RUN FAULT ARGUMENT...

Starts the real QEMU with Linux directly in it instead of monitor and SEH, and has the nsgx-run inside use the machine sim. So
starter, initramfs, init and streams are tested without anything below being right. FAULT, if not "none", breaks the machine:
"no-guest" starts nothing at all, "dead-guest" a guest whose init ends at once.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../vmpl-switch/emulator/guest"))

import cpio  # noqa: E402

_INSTEAD = """#!/bin/busybox sh
shift
exec /bin/nsgx-run.real --machine=sim "$@"
"""


def main():
    qemu, nsgx_run, fault, *arguments = sys.argv[1:]
    firmware = {}
    kept = []
    given = iter(arguments)
    for argument in given:
        if argument in ("-kernel", "-initrd"):
            next(given)
        elif argument == "-fw_cfg":
            name, value = next(given).removeprefix("name=opt/org.nsgx/").split(",", 1)
            firmware[name] = value.split("=", 1)[1].replace(",,", ",")
        else:
            kept.append(argument)
    archive = cpio.Archive()
    archive.add_file("bin/nsgx-run", _INSTEAD.encode(), 0o755)
    with open(nsgx_run, "rb") as stream:
        archive.add_file("bin/nsgx-run.real", stream.read(), 0o755)
    if fault == "dead-guest":
        archive.add_file("init", b"#!/bin/busybox true\n", 0o755)
    if fault == "no-guest":
        print("qemu: this machine does not start", file=sys.stderr)
        sys.exit(1)
    initrd = os.memfd_create("initrd", 0)
    with open(firmware["initrd"], "rb") as base:
        os.write(initrd, base.read() + archive.bytes())
    start = ["-kernel", firmware["kernel"], "-initrd", f"/proc/self/fd/{initrd}", "-append", firmware["cmdline"]]
    os.set_inheritable(initrd, True)
    os.execv(qemu, [qemu, *kept, *start])


if __name__ == "__main__":
    main()
