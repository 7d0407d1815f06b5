# SPDX-License-Identifier: Apache-2.0
"""Runs one program: for a bounded time, keeping a bounded part of what it prints, and leaving nothing behind."""

import os
import select
import signal
import subprocess
import time
from typing import NamedTuple

_KEPT_BYTES = 1 << 15  # of the beginning, and as many of the end
_NOBODY = 65534
_TICK_SECONDS = 0.2  # how soon the end of a program is noticed whose children hold its output open


class Ended(NamedTuple):
    status: int  # as in subprocess: -N after signal N
    timed_out: bool
    printed: str
    seconds: float


class _Kept:
    """The beginning and the end of a stream."""

    def __init__(self):
        self._head, self._tail, self._left_out = b"", b"", 0

    def add(self, data):
        room = _KEPT_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room < len(data) else b""
        if len(self._tail) > 2 * _KEPT_BYTES:
            self._left_out += len(self._tail) - _KEPT_BYTES
            self._tail = self._tail[-_KEPT_BYTES:]

    def text(self):
        gap = f"\n[{self._left_out} bytes left out]\n".encode() if self._left_out else b""
        return (self._head + gap + self._tail).decode(errors="replace")


class Running:
    """The programs that run now, so that all can be ended when the user has had enough."""

    def __init__(self):
        self._processes = set()
        self._stopped = False

    def stop_all(self):
        self._stopped = True
        for process in list(self._processes):
            _end(process)

    def run(self, command, folder, timeout, environment=None, as_nobody=False):
        """Raises OSError if the program cannot be started, and KeyboardInterrupt after stop_all()."""
        if self._stopped:
            raise KeyboardInterrupt
        who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if as_nobody and os.geteuid() == 0 else {}
        start = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **who,
        )
        self._processes.add(process)
        try:
            kept = _Kept()
            timed_out = not _read(process, kept, start + timeout)
        finally:
            _end(process)
            process.stdout.close()
            status = process.wait()
            self._processes.discard(process)
        if self._stopped:
            raise KeyboardInterrupt
        return Ended(status, timed_out, kept.text(), time.monotonic() - start)


def _read(process, kept, deadline):
    """Reads until the program has ended; False if the deadline came first."""
    output = process.stdout.fileno()
    os.set_blocking(output, False)
    while True:
        ended = process.poll() is not None
        left = deadline - time.monotonic()
        if left <= 0 and not ended:
            return False
        wait = 0 if ended else min(_TICK_SECONDS, left)
        if select.select([output], [], [], wait)[0]:
            data = os.read(output, 1 << 16)
            if data:
                kept.add(data)
                # A child that stays and prints for ever does not keep us.
                if not ended or left > 0:
                    continue
            elif not ended:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    return False
        if ended:
            return True


def _end(process):
    """Ends the program and what it started in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
