#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that programs which mix up spaces, drop errors or read shared memory by accident are
refused by the compiler, for the reason given and for no other.

A snippet is compiled twice: as `good`, which must pass (so that a typing error here cannot pass
for a refusal), and as `bad`, which must fail with a message that matches.
"""

import argparse
import re
import subprocess
import sys
from typing import NamedTuple


class Case(NamedTuple):
    name: str
    header: str
    common: str
    good: str
    bad: str
    message: str


CASES = [
    Case(
        "address spaces do not mix in a call",
        "addr.h",
        "void Take(nsgx::GuestPhys);",
        "void F(nsgx::GuestPhys a) { Take(a); }",
        "void F(nsgx::EnclaveVirt a) { Take(a); }",
        r"no (matching function|viable conversion)",
    ),
    Case(
        "address spaces do not compare",
        "addr.h",
        "",
        "bool F(nsgx::GuestPhys a, nsgx::GuestPhys b) { return a < b; }",
        "bool F(nsgx::GuestPhys a, nsgx::MonitorVirt b) { return a < b; }",
        r"invalid operands to binary expression",
    ),
    Case(
        "address spaces do not subtract",
        "addr.h",
        "",
        "auto F(nsgx::HostVirt a, nsgx::HostVirt b) { return a - b; }",
        "auto F(nsgx::HostVirt a, nsgx::KernelVirt b) { return a - b; }",
        r"invalid operands to binary expression",
    ),
    Case(
        "an integer is no address",
        "addr.h",
        "",
        "nsgx::GuestPhys F(uint64_t raw) { return nsgx::GuestPhys(raw); }",
        "nsgx::GuestPhys F(uint64_t raw) { return raw; }",
        r"no viable conversion",
    ),
    Case(
        "an address is no integer",
        "addr.h",
        "",
        "uint64_t F(nsgx::GuestPhys a) { return a.raw(); }",
        "uint64_t F(nsgx::GuestPhys a) { return a; }",
        r"no viable conversion",
    ),
    Case(
        "ranges of different spaces do not mix",
        "range.h",
        "using A = nsgx::PageRange<nsgx::GuestPhysTag>; using B = nsgx::PageRange<nsgx::HostVirtTag>;",
        "bool F(const A& a, const A& b) { return a.Overlaps(b); }",
        "bool F(const A& a, const B& b) { return a.Overlaps(b); }",
        r"no viable conversion",
    ),
    Case(
        "a range is made by a factory that checks",
        "range.h",
        "using R = nsgx::AddrRange<nsgx::GuestPhysTag>; using A = nsgx::GuestPhys;",
        "bool F(A a) { return R::Make(a, 1).ok(); }",
        "bool F(A a, A b) { return R(a, b).empty(); }",
        r"private constructor",
    ),
    Case(
        "a result is not dropped",
        "result.h",
        "nsgx::Result<void> Work();",
        "nsgx::Result<void> F() { TRY(Work()); return {}; }",
        "nsgx::Result<void> F() { Work(); return {}; }",
        r"ignoring return value",
    ),
    Case(
        "a result is not copied",
        "result.h",
        "void Take(nsgx::Result<int>);",
        "void F(nsgx::Result<int> r) { Take(static_cast<nsgx::Result<int>&&>(r)); }",
        "void F(nsgx::Result<int> r) { Take(r); }",
        r"call to deleted constructor",
    ),
    Case(
        "an error of another vocabulary is not passed on silently",
        "result.h",
        "enum class Errno : int { kIo }; nsgx::Result<int> Work();",
        "nsgx::Result<int> F() { return TRY(Work()); }",
        "nsgx::Result<int, Errno> F() { return TRY(Work()); }",
        r"no viable conversion",
    ),
    Case(
        "a status is not a success value by accident",
        "result.h",
        "",
        "nsgx::Result<int> F() { return nsgx::Error(nsgx::Status::kBusy); }",
        "nsgx::Result<int> F() { return nsgx::Status::kBusy; }",
        r"no viable conversion",
    ),
    Case(
        "untrusted memory is not read implicitly",
        "untrusted.h",
        "",
        "uint32_t F(nsgx::Untrusted<uint32_t>& u) { return u.CopyIn(); }",
        "uint32_t F(nsgx::Untrusted<uint32_t>& u) { return u; }",
        r"no viable conversion",
    ),
    Case(
        "untrusted memory is not compared in place",
        "untrusted.h",
        "",
        "bool F(nsgx::Untrusted<uint32_t>& u) { return u.CopyIn() < 4; }",
        "bool F(nsgx::Untrusted<uint32_t>& u) { return u < 4; }",
        r"invalid operands to binary expression",
    ),
    Case(
        "padding does not leave",
        "untrusted.h",
        "struct Full { uint32_t a, b; }; struct Padded { uint8_t a; uint32_t b; };",
        "void F(nsgx::UntrustedBytes u, Full f) { static_cast<void>(u.CopyOutObject(0, f).ok()); }",
        "void F(nsgx::UntrustedBytes u, Padded p) { static_cast<void>(u.CopyOutObject(0, p).ok()); }",
        r"no matching member function",
    ),
    Case(
        "pointers do not cross as plain bytes",
        "bytes.h",
        "",
        "auto F(uint64_t& v) { return nsgx::BytesOf(v); }",
        "auto F(int*& v) { return nsgx::BytesOf(v); }",
        r"no matching function",
    ),
    Case(
        "checked arithmetic does not convert its operands",
        "checked.h",
        "",
        "bool F(uint64_t a, uint64_t b) { return nsgx::CheckedAdd(a, b).ok(); }",
        "bool F(uint64_t a, int b) { return nsgx::CheckedAdd(a, b).ok(); }",
        r"no matching function",
    ),
    Case(
        "a guarded field is not used without its lock",
        "spinlock.h",
        "struct S { nsgx::SpinLock lock; int value GUARDED_BY(lock) = 0; };",
        "void F(S& s) { nsgx::SpinLockGuard guard(s.lock); s.value = 1; }",
        "void F(S& s) { s.value = 1; }",
        r"requires holding spinlock 's.lock'",
    ),
    Case(
        "an object without links is in no list",
        "intrusive_list.h",
        "struct Linked : nsgx::ListNode<> {}; struct Loose {};",
        "void F(nsgx::IntrusiveList<Linked>& l, Linked& i) { l.PushBack(i); }",
        "void F(nsgx::IntrusiveList<Loose>& l, Loose& i) { l.PushBack(i); }",
        r"cannot bind to a value of unrelated type|no viable conversion",
    ),
]


def compile_snippet(args: argparse.Namespace, header: str, text: str) -> subprocess.CompletedProcess:
    source = f'#include <cstdint>\n#include "base/core/{header}"\n{text}\n'
    command = [
        args.compiler, "-std=c++20", "-x", "c++", "-fsyntax-only", "-fno-exceptions", "-fno-rtti",
        "-Werror=unused-result", "-Werror=thread-safety", f"-I{args.root}", "-",
    ]
    return subprocess.run(command, input=source, capture_output=True, text=True, timeout=120)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True, help="root of the source tree")
    parser.add_argument("--compiler", default="clang++-19")
    args = parser.parse_args()

    failures = 0
    for case in CASES:
        good = compile_snippet(args, case.header, case.common + "\n" + case.good)
        bad = compile_snippet(args, case.header, case.common + "\n" + case.bad)
        if good.returncode != 0:
            problem = "the good twin does not compile:\n" + good.stderr
        elif bad.returncode == 0:
            problem = "it compiles"
        elif not re.search(case.message, bad.stderr):
            problem = f"refused, but not with /{case.message}/:\n" + bad.stderr
        else:
            print(f"ok: {case.name}")
            continue
        print(f"FAILED: {case.name}: {problem}", file=sys.stderr)
        failures += 1
    print(f"{len(CASES) - failures} of {len(CASES)} passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
