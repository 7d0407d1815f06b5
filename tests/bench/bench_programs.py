#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Upstream programs as enclave, as native twin, and as an ordinary program on glibc.

bench_programs.py OUT_FOLDER [--rounds N] [--json FILE] [--only PART ...]

Measures processor time (user and system, all threads), which other work on the machine disturbs less than it does the
clock; of servers also what they get done in a second. The sides alternate; medians. Nothing is asserted.
"""

import glob
import os
import statistics
import subprocess
import tempfile

import bench_main
import bench_servers

_HERE = os.path.dirname(os.path.abspath(__file__))


def text(name):
    with open(os.path.join(_HERE, "programs", name), encoding="utf-8") as stream:
        return stream.read()


def workloads():
    """{row: (program, arguments)}; a program without a folder is of our own; {file} in an argument is a file on a file system in memory,
    {host} one that is the host's for the enclave, too."""
    speedtest = ["--size", "20"]
    rows = {f"lua {name}": ("lua/lua", ["-e", f"arg={{'{name}'}} " + text("work.lua")]) for name in ("calls", "tables", "strings")}
    rows["quickjs"] = ("quickjs/qjs", ["--std", "-e", text("work.js")])
    rows["malloc, 1 thread"] = ("malloc_stress", ["1", "10000000"])
    rows["malloc, 4 threads"] = ("malloc_stress", ["4", "2500000"])
    rows["sqlite speedtest1, in memory"] = ("sqlite/speedtest1", [*speedtest, "--memdb"])
    rows["sqlite speedtest1, memory file"] = ("sqlite/speedtest1", [*speedtest, "{file}"])
    rows["sqlite speedtest1, memory file, WAL"] = ("sqlite/speedtest1", [*speedtest, "--journal", "wal", "{file}"])
    rows["sqlite speedtest1, host's file"] = ("sqlite/speedtest1", [*speedtest, "{host}"])
    return rows


def glibc_program(out, program):
    """The same sources compiled by the same compiler for glibc; made when it is first asked for. None: not for this one."""
    if "/" not in program:
        return f"{out}/{program}_glibc"
    path = f"{out}/programs/{program}.glibc"
    if os.path.exists(path):
        return path
    source = f"{out}/programs/{os.path.dirname(program)}/source"
    common = ["clang-19", "-O2", "-w", "-o", path]
    if program == "lua/lua":
        files = [file for file in sorted(glob.glob(f"{source}/src/*.c")) if not file.endswith("/luac.c")]
        command = [*common, "-DLUA_COMPAT_5_3", "-DLUA_USE_POSIX", *files, "-lm"]
    elif program == "sqlite/speedtest1":
        command = [*common, "-DSQLITE_THREADSAFE=1", "-DSQLITE_ENABLE_FTS5", "-DSQLITE_ENABLE_RTREE",
                   "-DSQLITE_ENABLE_MATH_FUNCTIONS", f"-I{source}", f"{source}/sqlite3.c", f"{source}/test/speedtest1.c",
                   "-lm", "-lpthread"]
    else:
        return None
    subprocess.run(command, check=True)
    return path


def seconds(command):
    """Processor seconds of one run; raises if it fails."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise RuntimeError(f"{command[:3]} ended with wait status {status}")
    return usage.ru_utime + usage.ru_stime


def bench_row(out, program, arguments, rounds):
    image = f"{out}/{program}.elf" if "/" not in program else f"{out}/programs/{program}"
    folder = tempfile.mkdtemp(prefix="nsgx-bench-", dir="/dev/shm")
    mount = ["--mount", f"{folder}:/data"] if "{host}" in arguments else []
    sides = {
        "enclave": [f"{out}/nsgx-run", *mount, image],
        "native": [f"{image.removesuffix('.elf')}.native"],
        "glibc": [glibc_program(out, program)],
    }
    files = {"{file}": "/tmp/bench.db", "{host}": "/data/bench.db"}
    samples = {side: [] for side, command in sides.items() if command[0]}
    for _ in range(rounds):
        for side in samples:
            native = f"{folder}/bench.db"
            words = [(files[word] if side == "enclave" else native) if word in files else word for word in arguments]
            samples[side].append(seconds(sides[side] + words))
            for left in glob.glob(f"{folder}/*"):
                os.unlink(left)
    os.rmdir(folder)
    return {side: statistics.median(values) for side, values in samples.items()}


def bench_programs(out, rounds, is_wanted):
    rows = []
    for name, (program, words) in workloads().items():
        if not is_wanted(name):
            continue
        row = {"name": name, "unit": "s", **bench_row(out, program, words, rounds)}
        rows.append(row)
        ratios = ", ".join(f"{side} {row[side]:.2f} s ({row[side] / row['enclave']:.2f})" for side in row if side in ("native", "glibc"))
        print(f"{name:<36} enclave {row['enclave']:.2f} s, {ratios}", flush=True)
    return rows


def measure(out, rounds, is_wanted):
    os.chdir(out)  # where twins.py looks for programs
    return {"programs": bench_programs(out, rounds, is_wanted), "servers": bench_servers.measure(out, rounds, is_wanted)}


if __name__ == "__main__":
    bench_main.run("bench_programs", __doc__, measure)
