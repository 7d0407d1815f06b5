#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that the build knows: run_tests.py OUT_FOLDER [--jobs N] [--only PART] [--list] [--set NAME]

Reads OUT_FOLDER/tests.json, or another set, whose entries are {name, command, timeout}; a command runs in OUT_FOLDER. Exit status 0 of
a test is passed, 77 is skipped for the reason in its last line, anything else, or too much time, is failed.
The last line printed is "N passed, N failed, N skipped"; the exit status is 1 if a test failed, else 0.
"""

import argparse
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

_SKIPPED_STATUS = 77


class Outcome(NamedTuple):
    name: str
    verdict: str  # "ok", "FAILED" or "skipped"
    detail: str  # why it was skipped, or what it printed
    seconds: float


def _stop(process):
    """Ends the test and everything that it started in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run_one(entry, folder):
    start = time.monotonic()

    def outcome(verdict, detail=""):
        return Outcome(entry["name"], verdict, detail, time.monotonic() - start)

    try:
        process = subprocess.Popen(
            entry["command"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return outcome("FAILED", f"cannot be started: {error}")
    try:
        printed, _ = process.communicate(timeout=entry["timeout"])
    except subprocess.TimeoutExpired:
        _stop(process)
        printed, _ = process.communicate()
        text = printed.decode(errors="replace")
        return outcome("FAILED", f"{text}\nstopped: took longer than {entry['timeout']} s")
    finally:
        _stop(process)
    text = printed.decode(errors="replace")
    if process.returncode == 0:
        return outcome("ok")
    if process.returncode == _SKIPPED_STATUS:
        lines = text.strip().splitlines()
        return outcome("skipped", lines[-1] if lines else "no reason given")
    how = f"exit status {process.returncode}"
    if process.returncode < 0:
        how = f"ended by {signal.Signals(-process.returncode).name}"
    return outcome("FAILED", f"{text}\n{how}")


def run_all(entries, folder, jobs, out=sys.stdout):
    """Runs the entries and prints as they end; returns the outcomes."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        pending = [pool.submit(run_one, entry, folder) for entry in entries]
        try:
            for done in concurrent.futures.as_completed(pending):
                outcome = done.result()
                outcomes.append(outcome)
                count = f"[{len(outcomes)}/{len(entries)}]"
                reason = f": {outcome.detail}" if outcome.verdict == "skipped" else ""
                print(f"{count} {outcome.name} ... {outcome.verdict}{reason} ({outcome.seconds:.1f} s)", file=out)
                if outcome.verdict == "FAILED":
                    print(outcome.detail.strip(), file=out)
                out.flush()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


def summary(outcomes):
    def count(verdict):
        return sum(outcome.verdict == verdict for outcome in outcomes)

    return f"{count('ok')} passed, {count('FAILED')} failed, {count('skipped')} skipped"


def main():
    # What a shell's background job or nohup has ignored stays so, but not for the tests, some of which are about it.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="run the tests whose name contains this")
    parser.add_argument("--set", default="tests", help="tests (the default), emu-tests or programs")
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    arguments = parser.parse_args()
    with open(os.path.join(arguments.out, f"{arguments.set}.json"), encoding="utf-8") as stream:
        entries = [entry for entry in json.load(stream) if arguments.only in entry["name"]]
    entries.sort(key=lambda entry: entry["name"])
    if arguments.list:
        print("\n".join(entry["name"] for entry in entries))
        return 0
    if not entries:
        print("no test has such a name", file=sys.stderr)
        return 1
    try:
        outcomes = run_all(entries, arguments.out, arguments.jobs)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    failed = sorted(outcome.name for outcome in outcomes if outcome.verdict == "FAILED")
    if failed:
        print("failed: " + " ".join(failed))
    print(summary(outcomes))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
