#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the measurement against its documentation: measure_test.py --root ROOT [--sign NSGX_SIGN] [IMAGE...]

The worked example of docs/measurement.md has the numbers that recompute.py finds; so do a few more files, written down in
tests/golden/measurement.txt (--update writes it anew). With --sign, nsgx-sign signs each of those files and must come to the same
identity. Every IMAGE is a signed file that must carry the identity that recompute.py finds.
"""

import argparse
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree stays as it is

import example_elf  # noqa: E402
import recompute  # noqa: E402

PAGE = example_elf.PAGE


def variants():
    """Returns {name: file}: each differs from the example in something that the rules speak of."""

    def changed(change, **options):
        segments = example_elf.example_segments()
        change(segments)
        return example_elf.make_elf(segments, **options)

    def touching_zeros(segments):
        # Two segments whose zero pages touch: RW zeros up to page 8, then only zeros.
        segments.append(example_elf.Segment(3 * PAGE, 8 * PAGE, example_elf.RW, b"", 3 * PAGE))

    def zero_contents(segments):
        segments[2].contents = bytes(48)

    def full_page(segments):
        segments[1].contents = bytes(i % 251 for i in range(PAGE))
        segments[1].memory_size = PAGE
        segments[2].offset += PAGE

    return {
        "example": example_elf.example(),
        "other bytes in unnamed parts of pages": changed(lambda segments: None, filler=0x33),
        "zero runs of two segments": changed(touching_zeros),
        "a page with contents that are zeros": changed(zero_contents),
        "a full page of code": changed(full_page),
        "no write permission": changed(lambda segments: setattr(segments[2], "flags", example_elf.R)),
    }


def explain(file):
    return recompute.Measured(recompute.Elf(file)).explain()


def documented_blocks(path):
    """Returns the fenced blocks of the page."""
    with open(path, encoding="utf-8") as stream:
        return [block.strip("\n") for block in stream.read().split("```")[1::2]]


def hex_lines(data):
    return "\n".join(data[i : i + 16].hex(" ") for i in range(0, len(data), 16))


class Checks:
    def __init__(self):
        self.failures = 0

    def equal(self, what, found, expected):
        if found != expected:
            self.failures += 1
            print(f"{what}: found\n{found}\nexpected\n{expected}\n")

    def image(self, path):
        """Checks a signed file with the program itself, as a person would."""
        here = os.path.dirname(os.path.abspath(__file__))
        command = [sys.executable, os.path.join(here, "recompute.py"), path]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        self.equal(path, run.stderr, "")
        self.equal(path, run.returncode, 0)


def check_document(checks, root):
    example = recompute.Measured(recompute.Elf(example_elf.example()))
    blocks = documented_blocks(os.path.join(root, "docs/measurement.md"))
    zero_run = example.records[-1][1]
    expected = [example.explain(), hex_lines(example.header), hex_lines(zero_run)]
    checks.equal("numbers in docs/measurement.md", "\n".join(blocks), "\n".join(expected))


def check_golden(checks, root, files, update):
    found = "\n".join(f"{name}\n{explain(file)}\n" for name, file in files.items())
    path = os.path.join(root, "tests/golden/measurement.txt")
    if update:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(found)
    with open(path, encoding="utf-8") as stream:
        checks.equal(path, found, stream.read())
    identities = [explain(file).splitlines()[-1] for file in files.values()]
    # What the file has beside the segments does not count; everything else does.
    checks.equal("unnamed parts", identities[1], identities[0])
    checks.equal("different identities", len(set(identities)), len(identities) - 1)


def check_signer(checks, sign, files):
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key.pem")
        subprocess.run([sign, "keygen", "--development", "--out", key], check=True)
        for name, file in files.items():
            plain, signed = os.path.join(folder, "plain"), os.path.join(folder, "signed")
            with open(plain, "wb") as stream:
                stream.write(file)
            command = [sign, "sign", "--key", key, "--in", plain, "--out", signed, "--date", "20261121"]
            checks.equal(f"nsgx-sign: {name}", subprocess.run(command, check=False).returncode, 0)
            checks.image(signed)
            check_damage(checks, folder, signed)


def check_damage(checks, folder, signed):
    """recompute.py itself can say no: to another identity and to another signature."""
    with open(signed, "rb") as stream:
        file = bytearray(stream.read())
    where = bytes(file).index(b"NSGXSIG1")
    for byte in (where + 16, where + 12, where + 600):
        file[byte] ^= 1
        elf = recompute.Elf(bytes(file))
        problem = recompute.check_signature(elf.sections[".nsgx.signature"][1], recompute.Measured(elf).identity)
        checks.equal(f"signature with byte {byte - where} changed is refused", problem is not None, True)
        file[byte] ^= 1


def main():
    parser = argparse.ArgumentParser(description="Checks the measurement against its documentation.")
    parser.add_argument("--root", required=True)
    parser.add_argument("--sign")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("images", nargs="*")
    arguments = parser.parse_args()

    checks = Checks()
    files = variants()
    check_document(checks, arguments.root)
    check_golden(checks, arguments.root, files, arguments.update)
    if arguments.sign:
        check_signer(checks, os.path.abspath(arguments.sign), files)
    for image in arguments.images:
        checks.image(image)
    print(f"{len(files)} files and {len(arguments.images)} images checked, {checks.failures} failures")
    return 1 if checks.failures else 0


if __name__ == "__main__":
    sys.exit(main())
