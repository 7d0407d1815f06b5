#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Standard streams of an enclave, and signals for nsgx-run: standard_streams_test.py, run in the out folder."""

import errno
import fcntl
import os
import pty
import signal
import subprocess
import sys
import threading
import unittest

_COMMAND = ["./nsgx-run", "copy.elf"]
_TIMEOUT = 60


def start(**streams):
    streams.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(_COMMAND, **streams)


def copied(data):
    """What comes out when `data` goes in through a pipe."""
    return subprocess.run(_COMMAND, input=data, stdout=subprocess.PIPE, timeout=_TIMEOUT, check=True).stdout


class StreamsTest(unittest.TestCase):

    def ends(self, process, status):
        _, err = process.communicate(timeout=_TIMEOUT)
        self.assertEqual(process.returncode, status, err)

    def test_pipes_carry_every_byte(self):
        data = os.urandom(3_000_001)
        self.assertEqual(copied(data), data)
        self.assertEqual(copied(b""), b"")

    def test_files_carry_every_byte(self):
        with open("copy.elf", "rb") as stream:
            done = subprocess.run(_COMMAND, stdin=stream, stdout=subprocess.PIPE, timeout=_TIMEOUT, check=True)
        with open("copy.elf", "rb") as stream:
            self.assertEqual(done.stdout, stream.read())

    def test_a_slow_writer_is_waited_for(self):
        process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for text in b"one", b"two", b"three":
            process.stdin.write(text)
            process.stdin.flush()
            self.assertEqual(os.read(process.stdout.fileno(), 100), text)
        process.stdin.close()
        self.assertEqual(process.stdout.read(), b"")
        self.assertEqual(process.wait(_TIMEOUT), 0)
        process.stdout.close()
        process.stderr.close()

    def test_a_slow_reader_is_waited_for(self):
        data = os.urandom(1_000_000)
        process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        writer = threading.Thread(target=lambda: (process.stdin.write(data), process.stdin.close()))
        writer.start()
        out = b""
        while part := os.read(process.stdout.fileno(), 4096):
            out += part
        writer.join()
        self.assertEqual(out, data)
        process.stdout.close()
        self.assertEqual(process.wait(_TIMEOUT), 0)
        process.stderr.close()

    def test_a_reader_that_left_is_sigpipe(self):
        process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.close()
        process.stdin.write(b"x")
        process.stdin.close()
        self.assertEqual(process.wait(_TIMEOUT), 128 + signal.SIGPIPE)
        process.stderr.close()

    def test_closed_streams_are_ebadf(self):
        closed_input = subprocess.run(["sh", "-c", "exec ./nsgx-run copy.elf <&-"], timeout=_TIMEOUT, check=False)
        self.assertEqual(closed_input.returncode, errno.EBADF)
        closed_output = subprocess.run(
            ["sh", "-c", "echo x | ./nsgx-run copy.elf >&-"], timeout=_TIMEOUT, check=False
        )
        self.assertEqual(closed_output.returncode, errno.EBADF)

    def test_a_directory_cannot_be_read(self):
        done = subprocess.run(["sh", "-c", "exec ./nsgx-run copy.elf </"], timeout=_TIMEOUT, check=False)
        self.assertEqual(done.returncode, errno.EISDIR)

    def test_flags_that_others_share_stay(self):
        inside, outside = os.pipe()
        before = fcntl.fcntl(inside, fcntl.F_GETFL)
        process = start(stdin=inside, stdout=subprocess.PIPE)
        os.write(outside, b"x")
        self.assertEqual(os.read(process.stdout.fileno(), 1), b"x")
        self.assertEqual(fcntl.fcntl(inside, fcntl.F_GETFL), before)
        os.close(outside)
        os.close(inside)
        self.ends(process, 0)

    def test_terminals(self):
        master, terminal = pty.openpty()
        before = fcntl.fcntl(terminal, fcntl.F_GETFL)
        process = start(stdin=terminal, stdout=subprocess.PIPE)
        os.write(master, b"typed\n")
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"typed\n")
        self.assertEqual(fcntl.fcntl(terminal, fcntl.F_GETFL), before)
        os.write(master, b"\x04")  # Ctrl-D
        self.ends(process, 0)
        os.close(terminal)
        os.close(master)

    def test_signals_end_it(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL:
            process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            process.stdin.write(b"x")
            process.stdin.flush()
            self.assertEqual(os.read(process.stdout.fileno(), 1), b"x")  # it runs, and now waits
            process.send_signal(number)
            process.wait(_TIMEOUT)  # before its input ends, which would end it, too
            self.ends(process, -number)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
