#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Computes the identity of an enclave image from docs/measurement.md alone: recompute.py [--explain] FILE

Shares no code and no header with the programs that it checks, and needs nothing but Python. Prints the identity; with
--explain every record that goes into it. A signed file is compared with its signature: exit status 1 when the signature is
for another identity or was not made with the key that it names.
"""

import argparse
import hashlib
import struct
import sys

PAGE = 4096


class ImageError(Exception):
    """The file is no image, for the reason in the message."""


def sha256(data):
    return hashlib.sha256(data).digest()


def up(value):
    return (value + PAGE - 1) // PAGE * PAGE


class Elf:
    """The parts of an ELF64 file that matter: loaded segments, sections by name, entry point."""

    def __init__(self, data):
        if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
            raise ImageError("no little-endian ELF64 file")
        self.data = data
        fields = struct.unpack_from("<HHIQQQIHHHHHH", data, 16)
        _, _, _, self.entry, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = fields
        self.segments = []
        for i in range(phnum):
            kind, flags, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", data, phoff + i * phentsize)
            if kind == 1 and memsz != 0:
                self.segments.append((vaddr, memsz, flags, data[offset : offset + filesz]))
        headers = [struct.unpack_from("<IIQQQQ", data, shoff + i * shentsize) for i in range(shnum)]
        names = data[headers[shstrndx][4] :] if headers else b""
        self.sections = {}
        for name, _, _, address, offset, size in headers:
            text = names[name : names.index(b"\0", name)].decode()
            self.sections[text] = (address, data[offset : offset + size])


def permissions_of(flags):
    """R, RW, RX from the segment's flags (R 4, W 2, X 1) as numbers 1, 3, 5."""
    table = {4: 1, 6: 3, 5: 5}
    if flags not in table:
        raise ImageError("a segment is not R, RW or RX")
    return table[flags]


def page_table(elf):
    """Returns {page offset: (permissions, contents or None for zeros)}, ascending."""
    pages = {}
    for vaddr, memsz, flags, contents in elf.segments:
        first = vaddr // PAGE * PAGE
        memory = bytes(vaddr - first) + contents
        end_of_file_bytes = up(len(memory)) if contents else 0
        memory += bytes(end_of_file_bytes - len(memory) if contents else 0)
        for offset in range(0, up(vaddr + memsz) - first, PAGE):
            if first + offset in pages:
                raise ImageError("two segments share a page")
            page = memory[offset : offset + PAGE] if offset < end_of_file_bytes else None
            pages[first + offset] = (permissions_of(flags), page)
    return dict(sorted(pages.items()))


def records_of(pages):
    """Returns [(text for people, 48 bytes)] for the pages."""
    records = []
    run = None  # offset, permissions, page count of a run of zero pages

    def end_run():
        if run:
            text = f"zero run  offset {run[0]:#08x} permissions {run[1]} pages {run[2]}"
            records.append((text, struct.pack("<QIIQQQQ", run[0], 2, run[1], run[2], 0, 0, 0)))

    for offset, (permissions, page) in pages.items():
        if page is None:
            if run and run[1] == permissions and run[0] + run[2] * PAGE == offset:
                run[2] += 1
            else:
                end_run()
                run = [offset, permissions, 1]
            continue
        end_run()
        run = None
        digest = sha256(page)
        text = f"page      offset {offset:#08x} permissions {permissions} sha256 {digest.hex()}"
        records.append((text, struct.pack("<QII", offset, 1, permissions) + digest))
    end_run()
    return records


class Measured:
    """Everything that was computed on the way to the identity."""

    def __init__(self, elf):
        pages = page_table(elf)
        if ".nsgx.config" not in elf.sections:
            raise ImageError("no section .nsgx.config")
        self.config_offset, config = elf.sections[".nsgx.config"]
        self.config_size = len(config)
        self.config_digest = sha256(config)
        self.image_size = max(pages) + PAGE
        self.entry = elf.entry
        self.header = (
            b"NSGXMAS1"
            + struct.pack("<IIQQQQ", 1, PAGE, self.image_size, self.entry, self.config_offset, self.config_size)
            + self.config_digest
        )
        self.records = records_of(pages)
        self.identity = sha256(self.header + b"".join(record for _, record in self.records))

    def explain(self):
        lines = [
            f"header    image_size {self.image_size:#x} entry {self.entry:#x} config_offset {self.config_offset:#x}"
            f" config_size {self.config_size:#x}",
            f"          config sha256 {self.config_digest.hex()}",
        ]
        lines += [text for text, _ in self.records]
        lines += [f"identity  {self.identity.hex()}"]
        return "\n".join(lines)


def mask_generation(seed, size):
    blocks = (sha256(seed + struct.pack(">I", i)) for i in range(-(-size // 32)))
    return b"".join(blocks)[:size]


def is_pss(message_digest, modulus, signature):
    """RSA-PSS of RFC 8017 with SHA-256, 32 bytes of salt, exponent 65537."""
    n = int.from_bytes(modulus, "big")
    s = int.from_bytes(signature, "big")
    if s >= n:
        return False
    encoded = pow(s, 65537, n).to_bytes(len(modulus), "big")
    masked, digest, trailer = encoded[: -32 - 1], encoded[-32 - 1 : -1], encoded[-1]
    block = bytearray(a ^ b for a, b in zip(masked, mask_generation(digest, len(masked))))
    # The modulus has 3072 bits, the encoded message one less.
    if trailer != 0xBC or masked[0] & 0x80:
        return False
    block[0] &= 0x7F
    padding, salt = bytes(block[:-32]), bytes(block[-32:])
    if padding != bytes(len(padding) - 1) + b"\x01":
        return False
    return sha256(bytes(8) + message_digest + salt) == digest


def check_signature(section, identity):
    """Returns what is wrong with the signature, or None."""
    if len(section) != 896 or section[:8] != b"NSGXSIG1":
        return "the signature is none"
    if section[16:48] != identity:
        return f"the signature is for another identity: {section[16:48].hex()}"
    if not is_pss(sha256(section[:128]), section[128:512], section[512:896]):
        return "the signature was not made with the key that it names"
    return None


def main():
    parser = argparse.ArgumentParser(description="Recomputes the identity of an enclave image.")
    parser.add_argument("file")
    parser.add_argument("--explain", action="store_true", help="print every record")
    arguments = parser.parse_args()
    with open(arguments.file, "rb") as stream:
        elf = Elf(stream.read())
    try:
        measured = Measured(elf)
    except ImageError as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    print(measured.explain() if arguments.explain else measured.identity.hex())
    if ".nsgx.signature" in elf.sections:
        section = elf.sections[".nsgx.signature"][1]
        problem = check_signature(section, measured.identity)
        if problem:
            print(f"{arguments.file}: {problem}", file=sys.stderr)
            return 1
        if arguments.explain:
            print(f"signer    {sha256(section[128:512]).hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
