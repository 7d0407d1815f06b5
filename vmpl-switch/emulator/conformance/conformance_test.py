#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance payload on the emulated machine, in the out folder:

    conformance_test.py QEMU_STAMP MONITOR PARANOID_MONITOR IGVM DIGEST

The payload checks the machine from inside; this looks at how the machine ends, at its log, and at what it refuses to start.
Without QEMU the test is skipped with the reason; where CI=true that is a failure.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../toolchain/emulator"))

import fetched  # noqa: E402

_MINIMUM_CHECKS = 118
_PROCESSOR = "EPYC,+svm,+npt,phys-bits=48"
_SECONDS = 60

# What main.cc's PlantCanary leaves in private memory and in registers.
_CANARY = (0x6E5A172B * 0x9E3779B97F4A7C15 % 2**64 | 1).to_bytes(8, "little")


def holds(path, needle):
    """Whether `needle` is in the file, which has more holes than data."""
    with open(path, "rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        start = 0
        while start < end:
            try:
                start = os.lseek(stream.fileno(), start, os.SEEK_DATA)
            except OSError:
                return False
            stop = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
            stream.seek(start)
            if needle in stream.read(stop - start):
                return True
            start = stop
    return False


class Machine:
    """One run: exit status, what the guests printed, what the monitor logged, whether the canary is in RAM afterwards."""

    def __init__(self, qemu, monitor, igvm, letter="", processor=_PROCESSOR, memory="1G", devices=(), processors=1):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            ram = os.path.join(folder, "ram")
            command = [
                qemu, "-accel", "tcg", "-M", "q35,memory-backend=ram", "-cpu", processor,
                "-object", f"memory-backend-file,id=ram,size={memory},mem-path={ram},share=on", "-m", memory, "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot", "-serial", "stdio", "-debugcon", f"file:{log}", "-smp", str(processors),
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", monitor, "-initrd", igvm,
            ]
            for device in devices:
                command += ["-device", device]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            killer = threading.Timer(_SECONDS, process.kill)
            killer.start()
            printed = b""
            try:
                while line := process.stdout.readline():
                    printed += line
                    if line.strip() == b"READY":
                        process.stdin.write(letter.encode())
                        process.stdin.flush()
                    if line.strip() == b"WAITING":
                        process.kill()
            finally:
                self.status = process.wait()
                killer.cancel()
            self.printed = printed.decode(errors="replace").splitlines()
            self.has_canary = holds(ram, _CANARY)
            with open(log, encoding="utf-8", errors="replace") as stream:
                self.log = stream.read().splitlines()

    def count(self, name):
        for line in self.log:
            if match := re.fullmatch(rf"L0: count {re.escape(name)} (\d+)", line):
                return int(match[1])
        raise AssertionError(f"the log has no count of {name}")

    def end(self):
        ends = [line for line in self.log if line.startswith("L0: end: ")]
        return ends[0] if len(ends) == 1 else f"{len(ends)} lines say how it ended"


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, wanted {wanted!r}")


def failures(machine):
    return [line for line in machine.printed if line.startswith("FAIL")]


def check_payload(machine, digest):
    expect("checks that failed", failures(machine), [])
    expect("the payload came to its end", machine.printed[-1:], ["DONE"])
    passed = sum(line.startswith("OK ") for line in machine.printed)
    if passed < _MINIMUM_CHECKS:
        raise AssertionError(f"only {passed} checks were made")
    expect("status", machine.status, 0)
    expect("something is left of the guest", machine.has_canary, False)
    expect("first line of the log", machine.log[0], f"L0: launch digest {digest}")
    expect("end", machine.end(), "L0: end: power off by VMPL0, port 0x604 value 0x2000")
    expect("interrupts that VMPL0 was told about", machine.count("doorbells"), 1)
    if machine.count("denied") < 10 or machine.count("scrubbed") < 10:
        raise AssertionError("the monitor has counted too little")


def main():
    qemu_stamp, monitor, paranoid, igvm, digest_file = sys.argv[1:]
    try:
        qemu = os.path.join(fetched.folder_of(qemu_stamp), "qemu-system-x86_64")
    except fetched.Unavailable as error:
        if os.environ.get("CI") == "true":
            print(f"FAIL: no QEMU: {error}")
            return 1
        print(f"no QEMU: {error}")
        return 77
    with open(digest_file, encoding="utf-8") as stream:
        digest = stream.read().strip()

    ordinary = Machine(qemu, monitor, igvm, "p")
    check_payload(ordinary, digest)
    machine = Machine(qemu, paranoid, igvm, "p")
    check_payload(machine, digest)
    if machine.count("paranoia.forgotten") < 1000 or machine.count("npf") < ordinary.count("npf") + 20:
        raise AssertionError("the paranoid monitor has not been paranoid")

    # Three processors: two use what the first one takes away.
    for monitor_to_try in monitor, paranoid:
        machine = Machine(qemu, monitor_to_try, igvm, "r", processors=3)
        expect("checks with several processors that failed", failures(machine), [])
        expect("they came to their end", machine.printed[-1:], ["DONE"])
        expect("status with several processors", machine.status, 0)
        expect("something is left of the guest", machine.has_canary, False)
        expect("digest with several processors", machine.log[0], f"L0: launch digest {digest}")
        if machine.count("interruptions") < 100:
            raise AssertionError("nobody was interrupted")

    # A device that VMPL1 programs, with an IOMMU and without: there the checks have to fail.
    for monitor_to_try in monitor, paranoid:
        guarded = Machine(qemu, monitor_to_try, igvm, "d", devices=("intel-iommu,intremap=off", "edu"))
        expect("checks of DMA that failed", failures(guarded), [])
        expect("they came to their end", guarded.printed[-1:], ["DONE"])
    unguarded = Machine(qemu, monitor, igvm, "d", devices=("edu",))
    expect("checks of DMA that fail without IOMMU", [line.split(":")[0] for line in failures(unguarded)], [
        "FAIL it cannot read a private page", "FAIL it cannot write a private page",
        "FAIL and not when it is private again",
    ])

    for letter, status, end in (
            ("s", 9, r"VMPL0 cannot continue without 0x[0-9a-f]+, rip 0x[0-9a-f]+"),
            ("m", 9, r"VMPL0 cannot continue without 0x3c000000, rip 0x[0-9a-f]+"),
            ("f", 7, r"VMPL0 shut down \(triple fault\), rip 0x[0-9a-f]+ cr2 0x[0-9a-f]+"),
            ("h", 7, r"VMPL0 halted for ever, rip 0x[0-9a-f]+"),
            ("x", 5, r"VMPL0 terminated itself, set 15 reason 0x78"),
    ):
        machine = Machine(qemu, monitor, igvm, letter)
        expect(f"status after {letter}", machine.status, status)
        if not re.fullmatch("L0: end: " + end, machine.end()):
            raise AssertionError(f"end after {letter}: {machine.end()}")
        if machine.count("scrubbed") < 10:
            raise AssertionError(f"nothing was scrubbed after {letter}")
        expect(f"something is left of the guest after {letter}", machine.has_canary, False)

    # Nobody overwrites anything when QEMU is killed: the canary can be found.
    machine = Machine(qemu, monitor, igvm, "w")
    expect("the canary is seen when nothing was scrubbed", machine.has_canary, True)

    for changes, end in (
            ({"igvm": digest_file}, "this is no IGVM file that can be loaded"),
            ({"memory": "2G"}, "this is not a machine with 1 GiB of RAM (QEMU's -m must say 1G)"),
            ({"processor": "EPYC,+svm,-npt,phys-bits=48"}, "this processor has no nested paging (QEMU's -cpu must say +npt)"),
            ({"processor": "EPYC,+svm,+npt"}, "the C-bit does not fit (QEMU's -cpu must say phys-bits=48)"),
            ({"processor": "EPYC,-svm,phys-bits=48"}, "this processor has no SVM (QEMU's -cpu must say +svm,+npt)"),
    ):
        machine = Machine(qemu, monitor, **{"igvm": igvm, **changes})
        expect(f"status with {changes}", machine.status, 3)
        expect(f"end with {changes}", machine.end(), "L0: end: " + end)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as error:
        print(f"FAIL: {error}")
        sys.exit(1)
