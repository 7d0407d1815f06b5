# SPDX-License-Identifier: Apache-2.0
"""Servers as enclave and as native twin, in turn, with the same client: an echo server, Redis, lighttpd.

Each row has what clients got done in a second, and the processor time that the server needed for it, which other work
on the machine disturbs less.
"""

import contextlib
import csv
import http.client
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "../programs"))

import twins  # noqa: E402
from lighttpd import web_server  # noqa: E402

_SIDES = ("enclave", "native")
_TICK = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_kib(pid):
    """What a process has in memory and shares with nobody, and what it has in all."""
    kinds = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as stream:
        for line in stream:
            name, _, rest = line.partition(":")
            if rest.strip().endswith("kB"):
                kinds[name] = int(rest.split()[0])
    return {"private": kinds["Private_Clean"] + kinds["Private_Dirty"], "resident": kinds["Rss"]}


def compare(name, rounds, measure):
    """`measure(side)` gives (requests, seconds, processor seconds of the server). The sides take turns."""
    samples = {side: [] for side in _SIDES}
    for _ in range(rounds):
        for side in _SIDES:
            requests, seconds, busy = measure(side)
            samples[side].append((requests / seconds, busy / requests * 1e6))
    row = {"name": name}
    for index, kind in enumerate(("per_second", "processor_us")):
        row[kind] = {side: statistics.median(sample[index] for sample in samples[side]) for side in _SIDES}
    row["ratio"] = row["per_second"]["enclave"] / row["per_second"]["native"]
    row["processor_ratio"] = row["processor_us"]["native"] / max(row["processor_us"]["enclave"], 1e-9)
    print(f"{name:<36} enclave {row['per_second']['enclave']:>9.0f}/s {row['processor_us']['enclave']:>7.2f} us   "
          f"native {row['per_second']['native']:>9.0f}/s {row['processor_us']['native']:>7.2f} us   "
          f"enclave/native {row['ratio']:.2f}, by processor time {row['processor_ratio']:.2f}", flush=True)
    return row


# ---- echo


@contextlib.contextmanager
def echo_server(out, side, connections):
    """Gives (process, port); ends when so many connections have gone."""
    command = [f"{out}/nsgx-run", f"{out}/server.elf"] if side == "enclave" else [f"{out}/server.native"]
    process = subprocess.Popen([*command, "epoll", str(connections)], stdout=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline())
        process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def bench_echo(out, rounds, is_wanted):
    rows = []
    for clients in (1, 100, 1000):
        name = f"echo, epoll, {clients} clients"
        if not is_wanted(name):
            continue
        requests = 100_000 if clients > 1 else 30_000

        def measure(side, clients=clients, requests=requests):
            with echo_server(out, side, clients) as (process, port):
                done = subprocess.run([f"{out}/load", str(port), str(clients), str(requests)], stdout=subprocess.PIPE,
                                      check=True, timeout=300)
                # The process is not waited for yet, so that its times are still there.
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                return requests, json.loads(done.stdout)["seconds"], processor_seconds(process.pid)

        rows.append(compare(name, rounds, measure))
    return rows


def bench_idle(out):
    """Memory of a server, before and after many connect and do nothing."""
    connections = 10_000
    row = {"name": f"{connections} idle connections", "unit": "bytes each"}
    for side in _SIDES:
        with echo_server(out, side, connections) as (process, port):
            before = memory_kib(process.pid)
            client = subprocess.Popen([f"{out}/load", str(port), str(connections), "idle"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
            assert client.stdout.readline() == b"connected\n"
            # The last ones may not have been accepted yet.
            while len(os.listdir(f"/proc/{process.pid}/fd")) < connections:
                time.sleep(0.1)
            after = memory_kib(process.pid)
            client.communicate()
        row[side] = (after["private"] - before["private"]) * 1024 / connections
    print(f"{row['name']:<36} enclave {row['enclave']:.0f} bytes each, native {row['native']:.0f}", flush=True)
    return row


# ---- Redis


@contextlib.contextmanager
def redis_server(side, options=()):
    """Gives (process, port). Files, if any, are in memory."""
    port = twins.free_port()
    cli = [*twins.command("redis/redis-cli", "native"), "-p", str(port), "SHUTDOWN", "NOSAVE"]
    with twins.server("redis/redis-server", side, port, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                      options=options, stop=lambda: subprocess.run(cli, check=False, capture_output=True, timeout=60)) as process:
        yield process, port


def redis_benchmark(port, kind, requests, clients, pipeline):
    """Requests in a second."""
    done = subprocess.run(
        [*twins.command("redis/redis-benchmark", "native"), "-p", str(port), "-t", kind, "-n", str(requests), "-c", str(clients),
         "-P", str(pipeline), "-r", "10000", "-d", "64", "--csv"],
        capture_output=True, text=True, check=True, timeout=300,
    )
    return float(list(csv.reader(io.StringIO(done.stdout)))[1][1])


_REDIS = [(kind, clients, pipeline) for clients, pipeline in ((50, 1), (50, 16), (1, 1)) for kind in ("get", "set")]


def bench_redis(rounds, is_wanted):
    rows = []
    with contextlib.ExitStack() as stack:
        running = {side: stack.enter_context(redis_server(side)) for side in _SIDES}
        rows.append(footprint("redis-server", {side: memory_kib(process.pid) for side, (process, _) in running.items()}))
        for kind, clients, pipeline in _REDIS:
            name = f"redis {kind}, {clients} clients, pipeline {pipeline}"
            if not is_wanted(name):
                continue
            requests = 20_000 if clients == 1 else 60_000 * min(pipeline, 8)

            def measure(side, kind=kind, clients=clients, pipeline=pipeline, requests=requests):
                process, port = running[side]
                before = processor_seconds(process.pid)
                rate = redis_benchmark(port, kind, requests, clients, pipeline)
                return requests, requests / rate, processor_seconds(process.pid) - before

            rows.append(compare(name, rounds, measure))
    return rows


def redis_exits(is_wanted):
    """Host calls for 1000 requests."""
    rows = []
    for kind, clients, pipeline in _REDIS:
        name = f"redis {kind}, {clients} clients, pipeline {pipeline}: host calls"
        if not is_wanted(name):
            continue
        requests = 20_000
        with redis_server("enclave", options=("--stats=json",)) as (process, port):
            redis_benchmark(port, kind, requests, clients, pipeline)
        stats = json.loads([line for line in process.said.splitlines() if line.startswith("{")][-1])
        counts = {call: count * 1000 / requests for call, count in stats["host_calls"].items()}
        most = sorted(counts.items(), key=lambda item: -item[1])[:5]
        rows.append({"name": name, "unit": "for 1000 requests", "all": sum(counts.values()), **dict(most)})
        print(f"{name:<46} {rows[-1]['all']:.0f} for 1000 requests: "
              + ", ".join(f"{call} {count:.0f}" for call, count in most), flush=True)
    return rows


# ---- lighttpd


def bench_web(rounds, is_wanted):
    rows = []
    sizes = {"1 KiB": 1024, "16 KiB": 16384, "1 MiB": 1 << 20}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm"))
        running = {side: stack.enter_context(web_server.serve(side, folder)) for side in _SIDES}
        for _, port in running.values():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for size in sizes.values():
                connection.request("PUT", f"/{size}", body=os.urandom(size))
                connection.getresponse().read()
            connection.close()
        for label, size in sizes.items():
            for clients in (1, 50):
                name = f"lighttpd, {label}, {clients} clients"
                if not is_wanted(name):
                    continue

                def measure(side, size=size, clients=clients):
                    process, port = running[side]
                    before = processor_seconds(process.pid)
                    done = subprocess.run(
                        ["wrk", "-t1", f"-c{clients}", "-d2s", f"http://127.0.0.1:{port}/{size}"], capture_output=True, text=True,
                        check=True, timeout=60,
                    )
                    assert "Non-2xx" not in done.stdout, done.stdout
                    requests, seconds = re.search(r"(\d+) requests in ([0-9.]+)s", done.stdout).groups()
                    return int(requests), float(seconds), processor_seconds(process.pid) - before

                rows.append(compare(name, rounds, measure))
    return rows


# ---- memory


def footprint(name, sides):
    row = {"name": f"memory of {name}", "unit": "KiB", **sides}
    print(f"{row['name']:<36} " + ", ".join(
        f"{side} {kib['private']} KiB private, {kib['resident']} resident" for side, kib in sides.items()), flush=True)
    return row


def bench_hello(out):
    """Memory of hello at the moment when it prints: into a pipe that is full."""
    sides = {}
    for side, command in {"enclave": [f"{out}/nsgx-run", f"{out}/hello.elf"], "native": [f"{out}/hello.native"],
                          "glibc": [f"{out}/hello_glibc"]}.items():
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        process = subprocess.Popen(command, stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        time.sleep(1)
        sides[side] = memory_kib(process.pid)
        os.close(reader)
        process.wait()
    return footprint("hello", sides)


def measure(out, rounds, is_wanted):
    rows = [bench_hello(out)] if is_wanted("memory of hello") else []
    rows += bench_echo(out, rounds, is_wanted)
    if is_wanted("idle connections"):
        rows.append(bench_idle(out))
    if is_wanted("redis"):
        rows += bench_redis(rounds, is_wanted)
        rows += redis_exits(is_wanted)
    if is_wanted("lighttpd"):
        rows += bench_web(rounds, is_wanted)
    return rows
