#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares enclaves with their native twins in the same, interleaved run.

bench.py OUT_FOLDER [--rounds N] [--json FILE] [--only PART ...]

Prints a table of medians and ratios (native / enclave: above 1 the enclave is faster) and writes the same as JSON.
Nothing is asserted: the machine may be shared and noisy.
"""

import json
import os
import statistics
import subprocess
import sys

import bench_main

MICRO = [
    "getppid", "clock_gettime", "mutex_uncontended", "futex_wake_nobody", "write_1_byte_host",
    "pthread_create_join", "condvar_ping_pong", "pipe_ping_pong", "memcpy_64k", "compute",
    "pwrite_1_byte_memory_file", "file_4k_blocks", "malloc_64k_free",
]


def run_micro(command, name):
    """One measurement in one process; nanoseconds per operation, or None when it cannot run."""
    with open(os.devnull, "wb") as sink:
        done = subprocess.run(command + [name], stdout=sink, stderr=subprocess.PIPE, text=True, timeout=300,
                              check=False)
    if done.returncode != 0:
        print(f"bench: {' '.join(command + [name])} ended with {done.returncode}: {done.stderr.strip()[:500]}",
              file=sys.stderr)
        return None
    return bench_main.json_lines(done.stderr)[0]["ns"]


def bench_micro(out, rounds, names):
    sides = {
        "enclave": [f"{out}/nsgx-run", f"{out}/micro.elf"],
        "native": [f"{out}/micro.native"],
    }
    rows = []
    for name in names:
        samples = {side: [] for side in sides}
        for _ in range(rounds):
            for side, command in sides.items():
                value = run_micro(command, name)
                if value is not None:
                    samples[side].append(value)
        if all(samples.values()):
            medians = {side: statistics.median(values) for side, values in samples.items()}
            rows.append({"name": name, "unit": "ns", **medians,
                         "ratio": medians["native"] / medians["enclave"] if medians["enclave"] else None})
            print_row(rows[-1])
    return rows


def bench_start(out, rounds):
    """Whole processes: hello as enclave, as static musl program, as dynamic glibc program."""
    command = [f"{out}/spawn_bench", str(rounds),
               f"enclave={out}/nsgx-run", f"{out}/hello.elf", "--",
               f"native={out}/hello.native", "--",
               f"glibc={out}/hello_glibc"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    row = {"name": "hello_start_to_exit", "unit": "us"}
    for result in bench_main.json_lines(done.stdout):
        row[result["name"]] = result["median_us"]
    row["ratio"] = row["native"] / row["enclave"]
    print_row(row)
    return row


def hello_phases(out, rounds):
    """Median of each phase that `nsgx-run --stats=json` reports."""
    samples = {}
    for _ in range(rounds):
        done = subprocess.run([f"{out}/nsgx-run", "--stats=json", f"{out}/hello.elf"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=True, timeout=60)
        for name, value in bench_main.json_lines(done.stderr)[-1]["phases_us"].items():
            samples.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in samples.items()}


def bench_switch(out):
    done = subprocess.run([f"{out}/switch_bench"], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


def print_row(row):
    extra = f"   glibc {row['glibc']:.1f}" if "glibc" in row else ""
    print(f"{row['name']:<28} enclave {row['enclave']:>12.1f} {row['unit']}   native {row['native']:>12.1f} {row['unit']}   "
          f"native/enclave {row['ratio']:>8.2f}{extra}", flush=True)


def measure(out, rounds, is_wanted):
    if os.path.isdir("/dev/shm"):
        os.environ["MICRO_TMPFS"] = "/dev/shm"
    result = {
        "start": bench_start(out, rounds * 20),
        "phases_us": hello_phases(out, rounds * 4),
        "switch": bench_switch(out),
        "micro": bench_micro(out, rounds, [name for name in MICRO if is_wanted(name)]),
    }
    print("phases of hello in us: " + ", ".join(f"{name} {value:.0f}" for name, value in result["phases_us"].items()))
    print("switch: " + json.dumps(result["switch"]))
    return result


if __name__ == "__main__":
    bench_main.run("bench", __doc__, measure)
