#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exit statuses and last words of programs in an enclave: exit_test.py, run in the out folder."""

import signal
import subprocess
import sys
import unittest


def run(*arguments):
    return subprocess.run(["./nsgx-run", "ending.elf", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


class ExitTest(unittest.TestCase):

    def ends(self, how, status, out=None, err=None):
        done = run(how)
        self.assertEqual(done.returncode, status, f"{how}: {done.stdout!r} {done.stderr!r}")
        if out is not None:
            self.assertEqual(done.stdout, out, how)
        if err is not None:
            self.assertIn(err, done.stderr, how)
        return done

    def test_statuses(self):
        self.ends("return", 7, "static destructor\n")
        self.ends("exit", 8, "atexit\nstatic destructor\n")
        self.ends("quick_exit", 9, "")
        self.ends("_exit", 300 & 0xff, "")
        self.ends("exit_in_thread", 11, "static destructor\n")
        self.ends("pthread_exit", 0, "last thread\nstatic destructor\n")
        self.ends("ignored", 12)

    def test_signals(self):
        self.ends("abort", 128 + signal.SIGABRT)
        self.ends("throw", 128 + signal.SIGABRT, err="nobody catches this")
        self.ends("segv", 128 + signal.SIGSEGV, err="0x18")
        self.ends("ill", 128 + signal.SIGILL)
        self.ends("overflow", 128 + signal.SIGSEGV)
        self.ends("kill", 128 + signal.SIGTERM)

    def test_memory_is_given_back_to_the_machine(self):
        with subprocess.Popen(["./nsgx-run", "ending.elf", "give_back"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            resident = []
            for expected in [b"full\n", b"empty\n", b"full\n", b"empty\n"]:
                self.assertEqual(process.stdout.readline(), expected)
                with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                    resident.append(next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")))
                process.stdin.write(b"x")
                process.stdin.flush()
            self.assertEqual(process.wait(timeout=60), 21)
        # 64 MiB come and go twice.
        for full, empty in [resident[:2], resident[2:]]:
            self.assertGreater(full - empty, 60 << 10, resident)

    def signalled(self, image, how, *numbers, ignored=None):
        """The status and the output of `image` when nsgx-run gets these signals while it runs."""

        def prepare():
            # Whoever runs tests in the background may have them ignored.
            for number in numbers:
                signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)

        with subprocess.Popen(["./nsgx-run", image, how], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, preexec_fn=prepare) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            for number in numbers:
                process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            return process.returncode, out.removesuffix("static destructor\n")

    def test_signals_from_outside_need_permission(self):
        for how in ["wait_for_signal", "spin_for_signal", "spin_beside_sleepers"]:
            for number in [signal.SIGTERM, signal.SIGINT]:
                self.assertEqual(self.signalled("ending.elf", how, number), (-number, ""), how)
                self.assertEqual(self.signalled("signalled.elf", how, number), (20, "handled\n"), how)

    def test_what_is_ignored_outside_stays_so(self):
        for image, status, out in [("ending.elf", -signal.SIGTERM, ""), ("signalled.elf", 20, "handled\n")]:
            self.assertEqual(self.signalled(image, "wait_for_signal", signal.SIGHUP, signal.SIGTERM,
                                            ignored=signal.SIGHUP), (status, out))

    def test_fork_is_refused_with_a_line(self):
        done = self.ends("fork", 13, err="not implemented")
        self.assertIn("fork", done.stderr)
        self.assertIn("docs/threads.md", done.stderr)

    def test_other_programs_are_refused(self):
        for way in ["posix_spawn", "system", "popen", "execve"]:
            done = self.ends(way, 16)
            self.assertIn("docs/threads.md", done.stderr, way)

    def test_lack_of_memory_is_told_with_the_remedy(self):
        self.ends("out_of_memory", 17, err="raise address_range")

    def test_more_endings(self):
        self.ends("abort_handler", 128 + signal.SIGABRT, "handled\n")
        self.ends("at_quick_exit", 18, "second\nfirst\n")
        self.ends("cpu_limit", 128 + signal.SIGKILL)

    def test_unknown_call_is_named_once(self):
        done = self.ends("unknown_call", 14, err="io_setup")
        self.assertEqual(done.stderr.count("io_setup"), 1)

    def test_raw_syscall_is_answered_inside(self):
        self.ends("raw_syscall", 15)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
