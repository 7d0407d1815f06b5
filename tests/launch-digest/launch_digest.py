#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Computes the launch digest of an IGVM file for SEV-SNP: launch_digest.py FILE [DIGEST_FILE]

Written from the formats' descriptions alone and shares nothing with the rest of the tree, so that it finds what our own writer
and reader might both have wrong. Prints the digest; with DIGEST_FILE, fails unless that holds the same.
"""

import hashlib
import struct
import sys
import zlib

_PLATFORM, _POLICY = 0x001, 0x101
_AREA, _PAGE, _INSERT, _PROCESSOR, _REQUIRED = 0x301, 0x302, 0x303, 0x304, 0x305
_COUNT, _MAP, _ENVIRONMENT = 0x307, 0x30C, 0x313

# Kinds of pages in the firmware's page information.
_NORMAL, _VMSA, _UNMEASURED, _SECRETS, _CPUID = 1, 2, 4, 5, 6


class Bad(Exception):
    pass


def _need(condition, what):
    if not condition:
        raise Bad(what)


def _headers(data):
    """[(type, content)] of the variable headers, and where the file's data begins."""
    _need(len(data) >= 24, "file too short")
    magic, version, start, size, total, checksum = struct.unpack_from("<4sIIIII", data)
    _need(magic == b"IGVM" and version == 1 and start == 24, "no IGVM file of version 1")
    end = start + size
    _need(total == len(data) and end < total, "wrong size")
    unchecked = data[:20] + bytes(4) + data[24:end]
    _need(zlib.crc32(unchecked) == checksum, "wrong checksum")
    found, at = [], start
    while at < end:
        kind, length = struct.unpack_from("<II", data, at)
        found.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + (length + 7) // 8 * 8
    _need(at == end, "headers do not end where they should")
    return found, end


def _page_at(data, offset, first):
    if offset == 0:
        return bytes(4096)
    _need(first <= offset and offset + 4096 <= len(data), "page outside the file")
    return data[offset : offset + 4096]


def launch_digest(data):
    headers, first = _headers(data)
    kinds = [kind for kind, _ in headers]
    _need(kinds[:2] == [_PLATFORM, _POLICY], "platform and policy do not come first")
    _need(kinds[-1] == _PROCESSOR and kinds.count(_PROCESSOR) == 1, "the processor's state is not the last header")
    mask, vtl, platform, version, boundary = struct.unpack("<IBBHQ", headers[0][1])
    _need((mask, vtl, platform, version, boundary) == (1, 0, 2, 1, 0), "another platform than SEV-SNP")

    digest = bytes(48)

    def chain(kind, address, contents=None):
        nonlocal digest
        hashed = bytes(48) if contents is None else hashlib.sha384(contents).digest()
        information = digest + hashed + struct.pack("<HBBIQ", 0x70, kind, 0, 0, address)
        digest = hashlib.sha384(information).digest()

    seen, last, areas = set(), -1, {}
    for kind, content in headers[2:]:
        if kind == _AREA:
            size, index, offset = struct.unpack("<QII", content)
            _need(size == 4096 and offset == 0, "a parameter area that is not one page of zeros")
            areas[index] = True
        elif kind in (_COUNT, _MAP, _ENVIRONMENT):
            index, offset = struct.unpack("<II", content)
            _need(index in areas and offset < 4096, "a parameter outside its area")
            _need(kind != _MAP or offset == 0, "QEMU puts the memory map at the front of its area")
        elif kind == _REQUIRED:
            address, _, size, flags, _ = struct.unpack("<QIIII", content)
            _need(address % 4096 == 0 and size % 4096 == 0 and flags == 0, "required memory that is not pages")
        elif kind == _INSERT:
            address, _, index = struct.unpack("<QII", content)
            _need(areas.pop(index, None), "an area inserted twice, or never declared")
            _need(last == -1, "a parameter page after other pages")
            chain(_UNMEASURED, address)
            seen.add(address)
        elif kind == _PAGE:
            address, _, offset, flags, sort, _ = struct.unpack("<QIIIHH", content)
            _need(flags in (0, 2) and address % 4096 == 0, "a page of a kind that not every host knows")
            _need(address > last and address not in seen, "pages are not in ascending order")
            last = address
            if sort == 1:
                chain(_SECRETS, address)
            elif sort == 2:
                chain(_CPUID, address)
            elif flags == 2:
                chain(_UNMEASURED, address)
            else:
                chain(_NORMAL, address, _page_at(data, offset, first))
        elif kind == _PROCESSOR:
            address, _, offset, index, _ = struct.unpack("<QIIHH", content)
            _need(address == 0xFFFFFFFFF000 and index == 0, "the processor's state is not where KVM measures it")
            vmsa = _page_at(data, offset, first)
            (efer,) = struct.unpack_from("<Q", vmsa, 0xD0)
            (cr0,) = struct.unpack_from("<Q", vmsa, 0x158)
            (features,) = struct.unpack_from("<Q", vmsa, 0x3B0)
            _need(efer & 0x1000 and not efer & 0x500 and cr0 in (0x30, 0x31), "a start state that KVM would change")
            _need(features & 1, "a start state without SNP")
            chain(_VMSA, address, vmsa)
        else:
            raise Bad(f"header {kind:#x}, which not every host knows")
    return digest.hex()


def main():
    try:
        with open(sys.argv[1], "rb") as stream:
            digest = launch_digest(stream.read())
    except (Bad, struct.error) as error:
        print(f"{sys.argv[1]}: {error}")
        return 1
    print(digest)
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="ascii") as stream:
            wanted = stream.read().strip()
        if wanted != digest:
            print(f"{sys.argv[2]} has {wanted}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
