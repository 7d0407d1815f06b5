#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses an enclave image that could not run unchanged on every machine, or could leave the enclave by itself.

check_elf.py --objdump LLVM_OBJDUMP --allowed TOML [--stamp FILE] IMAGE

Looks at the disassembly (bytes inside longer instructions do not count), segments, dynamic section and symbols.
Prints one line for each finding; exit status 1 if there is one.
"""

import argparse
import re
import subprocess
import sys
import tomllib

import elf

# Leave the enclave behind the library OS's back, or change which memory the enclave may touch.
_REFUSED = re.compile(r"(syscall|sysenter|sysret[lq]?|sysexit[lq]?|int|iret[lqw]?|wrpkru|xrstors?(64)?|hlt)$")
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\s+(?:(?:rep|repz|repne|lock|cs|ds|data16|notrack|rex\S*)\s+)*(\S+)\s*(.*)$")

# References that the C++ runtime makes to optional functions of a C library, and tests before use.
_WEAK_ALLOWED = {"__cxa_thread_atexit_impl", "__register_frame_info", "__deregister_frame_info"}

_SHOWN = 20


def refused_instructions(disassembly, allowed):
    """Findings in the lines of `llvm-objdump -d --no-show-raw-insn`."""
    findings, function = [], "?"
    for line in disassembly:
        if match := _FUNCTION.match(line):
            function = match[1]
        elif match := _INSTRUCTION.match(line):
            address, name = match[1], match[2]
            if not _REFUSED.match(name):
                continue
            if name in allowed.get(function, {}).get("instructions", []):
                continue
            findings.append(f"instruction {name} {match[3]}".rstrip() + f" at 0x{address} in {function}")
    return findings


def layout_findings(image):
    findings = []
    for segment in image.segments:
        if segment.type == elf.PT_LOAD and segment.flags & elf.PF_W and segment.flags & elf.PF_X:
            findings.append(f"segment at 0x{segment.address:x} is writable and executable")
        if segment.type == elf.PT_INTERP:
            findings.append("asks for a dynamic loader")
        if segment.type == elf.PT_GNU_STACK and segment.flags & elf.PF_X:
            findings.append("asks for an executable stack")
    for tag, value in image.dynamic():
        if tag == elf.DT_NEEDED:
            findings.append("needs a shared library")
        if tag == elf.DT_TEXTREL or (tag == elf.DT_FLAGS and value & elf.DF_TEXTREL):
            findings.append("has relocations in code")
    for symbol in image.symbols():
        if symbol.section == 0 and symbol.name and symbol.name not in _WEAK_ALLOWED:
            findings.append(f"refers to {symbol.name}, which nobody defines")
    config = image.section(".nsgx.config")
    if config is None:
        findings.append("has no section .nsgx.config")
    elif config.flags & elf.SHF_WRITE or not config.flags & elf.SHF_ALLOC or config.address % 4096:
        findings.append("section .nsgx.config is not a read-only part of the image that starts a page")
    return findings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--objdump", required=True)
    parser.add_argument("--allowed", required=True)
    parser.add_argument("--stamp")
    parser.add_argument("image")
    arguments = parser.parse_args()
    with open(arguments.allowed, "rb") as stream:
        allowed = tomllib.load(stream)
    with open(arguments.image, "rb") as stream:
        findings = layout_findings(elf.Elf(stream.read()))
    command = [arguments.objdump, "-d", "--no-show-raw-insn", arguments.image]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as objdump:
        findings += refused_instructions(objdump.stdout, allowed)
    if objdump.returncode != 0:
        findings.append(f"cannot be disassembled (llvm-objdump ends with {objdump.returncode})")
    for finding in findings[:_SHOWN]:
        print(f"{arguments.image}: {finding}", file=sys.stderr)
    if len(findings) > _SHOWN:
        print(f"{arguments.image}: and {len(findings) - _SHOWN} more", file=sys.stderr)
    if findings:
        return 1
    if arguments.stamp:
        with open(arguments.stamp, "w", encoding="utf-8"):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
