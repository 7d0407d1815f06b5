#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of check_elf.py: check_elf_test.py CLANG_FOLDER. Small images are assembled and linked, each with one fault."""

import os
import subprocess
import sys
import tempfile
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
_CLANG_FOLDER = sys.argv.pop(1) if len(sys.argv) > 1 else "/usr/lib/llvm-19/bin"

_CONFIG = """
  .section .nsgx.config, "aR", @progbits
  .balign 4096
  .zero 4096
"""
_GOOD = """
  .text
  .globl _start
  .type _start, @function
_start:
  movl $0x050f, %eax   # the bytes of `syscall`, inside another instruction
  ret
"""


class CheckElfTest(unittest.TestCase):
    def check(self, assembly, *, config=_CONFIG, link=("-pie", "-z", "separate-code"), allowed=""):
        """(exit status, what was said) for an image made of the assembly."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "image")
            with open(f"{path}.s", "w", encoding="utf-8") as stream:
                stream.write(assembly + config)
            with open(f"{path}.toml", "w", encoding="utf-8") as stream:
                stream.write(allowed)
            subprocess.run(
                [f"{_CLANG_FOLDER}/clang", "--target=x86_64-linux-musl", "-c", f"{path}.s", "-o", f"{path}.o"],
                check=True,
            )
            subprocess.run(
                [f"{_CLANG_FOLDER}/ld.lld", "-static", "--no-dynamic-linker", *link, f"{path}.o", "-o", path], check=True
            )
            done = subprocess.run(
                [sys.executable, f"{_HERE}/check_elf.py", f"--objdump={_CLANG_FOLDER}/llvm-objdump"]
                + [f"--allowed={path}.toml", f"--stamp={path}.stamp", path],
                capture_output=True,
                text=True,
            )
            self.assertEqual(os.path.exists(f"{path}.stamp"), done.returncode == 0)
            return done.returncode, done.stderr

    def refuses(self, what, assembly, **options):
        status, said = self.check(assembly, **options)
        self.assertEqual(status, 1)
        self.assertRegex(said, what)

    def test_accepts_a_good_image(self):
        self.assertEqual(self.check(_GOOD), (0, ""))

    def test_refuses_ways_out(self):
        for instruction in ("syscall", "sysenter", "int $0x80", "wrpkru", "xrstor (%rax)", "xrstor64 (%rax)", "hlt", "iretq"):
            with self.subTest(instruction):
                name = instruction.split()[0]
                self.refuses(f"instruction {name}.* in gate", f"{_GOOD}\n  .type gate, @function\ngate: {instruction}\n ret\n")

    def test_allows_by_name_of_function(self):
        assembly = f"{_GOOD}\n  .type gate, @function\ngate: xrstor (%rax)\n ret\n"
        allowed = '[gate]\ninstructions = ["xrstor"]\nreason = "a test"\n'
        self.assertEqual(self.check(assembly, allowed=allowed), (0, ""))
        self.refuses("instruction xrstor", assembly, allowed=allowed.replace("gate", "other"))
        self.refuses("instruction syscall", assembly.replace("xrstor (%rax)", "syscall"), allowed=allowed)

    def test_refuses_writable_code(self):
        self.refuses("writable and executable", _GOOD, link=("-pie", "-N"))

    def test_refuses_relocated_code(self):
        self.refuses("relocations in code", f"{_GOOD}\n .quad _start\n", link=("-pie", "-z", "notext"))

    def test_refuses_an_executable_stack(self):
        self.refuses("executable stack", _GOOD, link=("-pie", "-z", "execstack"))

    def test_refuses_undefined_weak_symbols(self):
        self.refuses("refers to nobody", f"{_GOOD}\n .weak nobody\n .data\n .quad nobody\n")

    def test_refuses_a_missing_configuration(self):
        self.refuses("no section .nsgx.config", _GOOD, config="")

    def test_refuses_a_writable_configuration(self):
        self.refuses("nsgx.config is not a read-only", _GOOD, config=_CONFIG.replace('"aR"', '"awR"'))


if __name__ == "__main__":
    unittest.main()
