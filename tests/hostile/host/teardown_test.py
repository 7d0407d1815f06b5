#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Linux goes away while an enclave has a secret. It runs in the out folder.

The monitor looks for the secret when the machine has ended, before it overwrites anything: what the SEH and the guest module have
wiped is gone then, and the rest must be where nobody below VMPL0 can read it.
"""

import unittest

import hostile_machine
import machine


class TeardownTest(unittest.TestCase):
    def end(self, how, files=()):
        result = hostile_machine.run(f"start 100000\n./knock search\n{how}\nsleep 100\n", files)
        [(visible, hidden)] = hostile_machine.secret(result.console, "search")
        self.assertEqual(visible, 0)
        self.assertGreater(hidden, 200)
        [(visible, hidden)] = hostile_machine.secret(result.console)
        self.assertEqual(visible, 0)
        return hidden, result

    def test_ends_that_the_module_hears_of(self):
        for how in ("reboot -f", "poweroff -f", "kill -9 $!; wait; reboot -f"):
            with self.subTest(how):
                hidden, _ = self.end(how)
                self.assertEqual(hidden, 0)

    def test_ends_that_nobody_hears_of(self):
        for how in ("echo b > /proc/sysrq-trigger", "echo c > /proc/sysrq-trigger"):
            with self.subTest(how):
                hidden, _ = self.end(how)
                self.assertGreater(hidden, 200)

    def test_kexec(self):
        """The next kernel gets the memory only after the enclave is gone. (It ends soon: nobody hands it the CPUID page.)"""
        hidden, result = self.end("./kexec vmlinuz console=ttyS0", ["native/kexec", "emu/vmlinuz"])
        self.assertIn(b"kexec loaded", result.out)
        self.assertEqual(hidden, 0)


if __name__ == "__main__":
    machine.require()
    unittest.main()
