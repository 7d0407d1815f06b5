#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nsgx-run --stats from end to end: stats_option_test.py, run in the out folder."""

import json
import subprocess
import unittest


def stats_of(*arguments):
    """What one run is said to have done, with the run's own status."""
    command = ["./nsgx-run", "--machine=sim", "--stats=json", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stderr.splitlines()[-1])


class StatsTest(unittest.TestCase):

    def test_an_enclave_that_is_not_for_debugging(self):
        status, stats = stats_of("hello.elf")
        self.assertEqual((status, stats["machine"], stats["exits"]["done"]), (0, "sim", 1))
        self.assertEqual(stats["host_calls"]["stream_write"], 1)
        self.assertGreater(stats["events"]["memory_high_water_kib"], 0)
        self.assertNotIn("library_os", stats)

    def test_a_thousand_threads_on_four_vcpus(self):
        status, stats = stats_of("--vcpus=4", "counted_threads.elf")
        self.assertEqual((status, stats["host_calls"]["start_vcpu"]), (0, 3))
        counts = stats["library_os"]
        self.assertGreaterEqual(counts["switches"], 1000)
        # All threads are made on one vCPU; the others have what they took from it.
        self.assertGreater(counts["steals"], 0)

    def test_a_program_that_a_signal_ends(self):
        status, stats = stats_of("crashing.elf", "null")
        self.assertEqual(status, 139)
        self.assertGreater(stats["library_os"]["switches"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
