#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs programs against a host that lies about host calls, in each way that it knows, and looks how they end.

hostile_replies_test.py [--seeds N] [--rate PERCENT], run in the out folder.

Whatever the host does, a program ends before its deadline, by itself: neither by a crash nor by the library OS. What a
host may do (little at a time, late, out of order) changes nothing about the result; what it may not do is noticed.
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile

_DEADLINE = 60

# Legal, if unkind: a program does not notice.
_HARMLESS = ["short", "spurious-wake", "lost-wake", "reordering", "never", "single-step"]
# About data that these programs do not read from outside.
_ABOUT_INPUT = ["double-fetch", "garbage"]
# A program may fail; the library OS says what the host did.
_ILLEGAL = ["long", "negative", "wrong-errno"]
# May change what the world sees of a program, but not the program.
_FALSE = ["reused-token", "stale-reply", "time-back"]
_ALL = _HARMLESS + _ABOUT_INPUT + _ILLEGAL + _FALSE

_WARNING = "the host gave an illegal answer, which is not used"

Program = collections.namedtuple("Program", "name arguments input lies exact mount", defaults=(None,))

_DATA = os.urandom(300_000)

# `exact`: lies under which status and standard output are those of an honest run.
_PROGRAMS = [
    Program("hello", [], b"", _ALL, _HARMLESS + _ABOUT_INPUT),
    Program("threads", [], b"", _ALL, _HARMLESS + _ABOUT_INPUT),
    Program("args-env", ["one"], b"", _ALL, []),
    Program("copy", [], _DATA, _ALL, _HARMLESS),
    # What it prints is how many lines a file of the host has.
    Program("files", [], b"", _ALL, [], "/data"),
    Program("attestation", ["00" * 32], b"", _ILLEGAL + _FALSE + _ABOUT_INPUT, []),
    # Their own checks are the oracle: 0 when all held.
    Program("threads_test", [], b"", _HARMLESS + _ILLEGAL, []),
    Program("streams_test", [], b"", _HARMLESS + _ILLEGAL, []),
    Program("memory_test", [], b"", _ILLEGAL, []),
    Program("cancellation_test", [], b"", ["single-step"], []),
    Program("readiness_test", [], b"", ["single-step"], []),
    Program("signals_test", [], b"", ["single-step"], []),
]


def run(program, options=()):
    """Returns (status, standard output, standard error); the status is None if the deadline passed."""
    with tempfile.TemporaryDirectory() as folder:
        mounts = ["--mount", f"{folder}:{program.mount}"] if program.mount else []
        command = ["./nsgx-run", "--machine=sim", "--log=warning", *mounts, *options, program.name + ".elf",
                   *program.arguments]
        try:
            done = subprocess.run(command, input=program.input, capture_output=True, timeout=_DEADLINE)
        except subprocess.TimeoutExpired as late:
            return None, late.stdout or b"", late.stderr or b""
        return done.returncode, done.stdout, done.stderr


def fault(program, lie, honest, ended):
    """What is wrong with how a program ended, or None."""
    status, out, err = ended
    if status is None:
        return f"has not ended after {_DEADLINE} s"
    if status < 0:
        return f"nsgx-run died of signal {-status}"
    if status == 125:
        return "the library OS or nsgx-run gave up"
    if status >= 128:
        return f"was ended by signal {status - 128}"
    if b"found itself broken" in err:
        return "the library OS found itself broken"
    if lie in program.exact and (status, out) != honest[:2]:
        return f"ended with status {status} and {len(out)} bytes of output, not {honest[0]} and {len(honest[1])}"
    if program.name.endswith("_test") and lie in _HARMLESS and status != 0:
        return f"failed with status {status}: {out[-2000:].decode(errors='replace')}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rate", type=int, default=30)
    parser.add_argument("--only", help="one of the programs")
    arguments = parser.parse_args()
    faults, runs = [], 0
    warned = collections.Counter()
    for program in _PROGRAMS:
        if arguments.only not in (None, program.name):
            continue
        honest = run(program)
        if honest[0] != 0:
            faults.append(f"{program.name} does not even work with an honest host: {honest}")
            continue
        for lie in program.lies:
            # A second for each answer that does not come.
            rate = min(arguments.rate, 3) if lie == "never" else arguments.rate
            for seed in range(1, arguments.seeds + 1):
                options = [f"--hostile={lie}", f"--hostile-seed={seed}", f"--hostile-rate={rate}"]
                ended = run(program, options)
                runs += 1
                warned[lie] += _WARNING.encode() in ended[2]
                if what := fault(program, lie, honest, ended):
                    faults.append(f"nsgx-run {' '.join(options)} {program.name}.elf: {what}\n"
                                  f"{ended[2][-1000:].decode(errors='replace')}")
    for lie in _ILLEGAL:
        if arguments.only is None and warned[lie] == 0:
            faults.append(f"no illegal answer was noticed in any run with lie {lie}")
    print("\n".join(faults) or f"{runs} runs with a hostile host ended well")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
