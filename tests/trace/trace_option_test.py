#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nsgx-run --trace from end to end: trace_option_test.py, run in the out folder."""

import os
import re
import subprocess
import tempfile
import unittest


def run(*options, image="traced.elf"):
    command = ["./nsgx-run", "--machine=sim", *options, image]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=60)


class TraceTest(unittest.TestCase):

    def test_calls_arguments_and_results(self):
        done = run("--trace")
        self.assertEqual(done.returncode, 3, done.stderr)
        for line in (
                'open("/etc/none", O_RDONLY|O_LARGEFILE|O_CLOEXEC) = -1 ENOENT (No such file or directory)',
                'open("/name", O_RDWR|O_CREAT|O_TRUNC|O_LARGEFILE, 0640) = 3',
                "pread64(3, \"two\\n\", 16, 4) = 4",
                "lseek(3, 0, SEEK_END) = 8",
                "nanosleep({tv_sec=0, tv_nsec=1000}, NULL) = 0",
                'write(-1, "x", 1) = -1 EBADF (Bad file descriptor)',
        ):
            self.assertIn(line, self.calls(done.stderr))
        self.assertRegex(done.stderr, r"writev\(3, \[\{iov_base=0x\w+, iov_len=4\}, \{iov_base=0x\w+, iov_len=4\}\], 2\) = 8\n")
        self.assertRegex(done.stderr, r"(fstat\(3|newfstatat\(3, \"\"), \{st_mode=S_IFREG\|0640, st_size=8, \.\.\.\}")
        self.assertRegex(done.stderr, r"pipe2?\(\[4, 5\](, 0)?\) = 0\n")
        self.assertTrue(done.stderr.endswith("exit_group(3) = ?\n+++ exited with 3 +++\n"), done.stderr[-200:])

    def calls(self, text):
        # open() passes a mode only if it creates; what else is in the register is shown nevertheless.
        return re.sub(r"(O_RDONLY\|O_LARGEFILE\|O_CLOEXEC), 0\d*\)", r"\1)", re.sub(r"\[pid \d+\] ", "", text)).splitlines()

    def test_a_call_that_waits_is_interrupted_and_resumed(self):
        done = run("--trace", "--trace-filter=read,write,nanosleep")
        self.assertRegex(done.stderr, r"\[pid \d+\] read\(4 <unfinished \.\.\.>\n")
        self.assertRegex(done.stderr, r"\[pid \d+\] <\.\.\. read resumed>, \"!\", 1\) = 1\n")

    def test_filters(self):
        names = set(re.findall(r"^(?:\[pid \d+\] )?(\w+)\(", run("--trace-filter=file,!fstat").stderr, re.M))
        self.assertEqual(names, {"open"})
        names = set(re.findall(r"^(?:\[pid \d+\] )?(\w+)\(", run("--trace-filter=!%desc,!%memory").stderr, re.M))
        self.assertNotIn("writev", names)
        self.assertNotIn("mmap", names)
        self.assertIn("nanosleep", names)

    def test_host_calls_of_any_image(self):
        done = run("--trace-filter=host", image="hello.elf")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\[host, vcpu 0\] stream_write\(stream 1, size \d+\) = \d+\n")

    def test_times_and_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace")
            done = run("--trace=" + path, "--trace-times=epoch,spent")
            self.assertEqual(done.stderr, "")
            with open(path, encoding="utf-8") as stream:
                self.assertRegex(stream.read(), r"\d{9,}\.\d{6} lseek\(3, 0, SEEK_END\) = 8 <\d+\.\d{6}>\n")

    def test_only_debug_images_tell(self):
        done = run("--trace", image="hello.elf")
        self.assertEqual(done.returncode, 125)
        self.assertIn("no debug image", done.stderr)
        # Who leaves out that check learns nothing.
        done = run("--env=NSGX_TRACE=1", "--log=trace", image="hello.elf")
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("log(level 3", done.stderr)
        self.assertIn("log(level 3", run("--env=NSGX_TRACE=1", "--log=trace").stderr)

    def test_without_it_nothing_is_told(self):
        self.assertEqual(run().stderr, "")


if __name__ == "__main__":
    unittest.main()
