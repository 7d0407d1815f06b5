# SPDX-License-Identifier: Apache-2.0
"""libc++'s own suite, the parts of the standard that lean on what lies below the library. A test is a program; comments
at its top say for which configurations it is meant."""

import os
import re

from harness.suite import FOLDER_COMMANDS, Suite, Test

_TOP = "libcxx/test"
_PARTS = (
    "atomics",
    "containers",
    "diagnostics",
    "input.output",
    "language.support",
    "ranges",
    "thread",
    "time",
    "utilities",
)
# What our libc++ is, in the suite's words.
_FEATURES = {
    "-fsized-deallocation",
    "buildhost=linux",
    "c++23",
    "c++experimental",
    "can-create-symlinks",
    "clang",
    "clang-19",
    "clang-19.1",
    "gcc-style-warnings",
    "has-64-bit-atomics",
    "has-fconstexpr-steps",
    "has-unix-headers",
    "large_tests",
    "libc++",
    "libcpp-has-no-availability-markup",
    "libcpp-hardening-mode=fast",
    "linux",
    "long_tests",
    "no-tzdb",
    "stdlib=libc++",
    "stdlib=llvm-libc++",
    "target=x86_64-unknown-linux-musl",
}
# Those that most tests include, directly or not.
_HEADERS = """
algorithm any array atomic bitset charconv chrono cmath compare concepts condition_variable coroutine deque exception
expected filesystem format forward_list fstream functional future iomanip ios iostream istream iterator limits list locale map
mdspan memory memory_resource mutex new optional ostream queue random ranges ratio regex scoped_allocator semaphore set
shared_mutex span sstream stack stdexcept stop_token streambuf string string_view syncstream system_error thread tuple
type_traits unordered_map unordered_set utility variant vector version
""".split()
_DIRECTIVE = re.compile(r"^\s*//\s*([A-Z_]+)(?:\(([\w-]+)\))?:\s*(.*?)\s*$")
_TOKEN = re.compile(r"\s*(\(|\)|&&|\|\||!|(?:\{\{.+?\}\}|[-\w.=+])+)")
_OTHER_KINDS = {
    ".verify.cpp": "looks at what the compiler says; runs nothing",
    ".fail.cpp": "must not compile; runs nothing",
    ".compile.pass.cpp": "must compile; runs nothing",
    ".link.pass.cpp": "must link; runs nothing",
    ".sh.cpp": "a list of commands; an enclave runs programs",
}


def _has(word):
    """Whether a feature is there; {{...}} in its name is a regular expression."""
    parts = re.split(r"\{\{(.+?)\}\}", word)
    pattern = "".join(part if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return any(re.fullmatch(pattern, feature) for feature in _FEATURES)


class _Expression:
    """`a && (b || !c)` over features."""

    def __init__(self, text):
        self._tokens = _TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s", "", text):
            raise ValueError(f"not an expression over features: {text}")

    def value(self):
        found = self._any()
        if self._tokens:
            raise ValueError(f"left over: {' '.join(self._tokens)}")
        return found

    def _take(self, token):
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _any(self):
        found = self._all()
        while self._take("||"):
            found = self._all() or found
        return found

    def _all(self):
        found = self._one()
        while self._take("&&"):
            found = self._one() and found
        return found

    def _one(self):
        if self._take("!"):
            return not self._one()
        if self._take("("):
            found = self._any()
            if not self._take(")"):
                raise ValueError("no closing bracket")
            return found
        return _has(self._tokens.pop(0))


def holds(text):
    """Whether one of the expressions between the commas holds."""
    return any([_Expression(part).value() for part in text.split(",") if part.strip()])


def _why_skipped(kind, text):
    if kind == "UNSUPPORTED" and holds(text):
        return f"not for {text}"
    if kind == "REQUIRES" and not all(holds(part) for part in text.split(",") if part.strip()):
        locale = re.search(r"locale\.\S+", text)
        return f"needs {text}" + (": musl has no locale data" if locale else "")
    return ""


def _defines_first(lines):
    """Whether a macro is defined before a header is included, for which it may be meant."""
    for line in lines:
        if re.match(r"\s*#\s*(define|undef)", line):
            return True
        if re.match(r"\s*#\s*include", line):
            return False
    return False


class Libcxx(Suite):
    title = "libc++ 19.1.7, test/std: " + ", ".join(_PARTS)
    source = {
        "file": "l/llvm-toolchain-19/llvm-toolchain-19_19.1.7.orig.tar.xz",
        "sha256": "ae498f3bc58ae2d9f64ef5f0c035c4240152bf015a5b7738b15c22e93bdc97ce",
        "prefix_bytes": 25165824,
        "prefix_sha256": "d3d9cad57f8ccf357c4fe191a8f3e610fae6e2cf3523c1caa7d0e9e214942cc0",
        "members": ["libcxx/LICENSE.TXT", f"{_TOP}/support"] + [f"{_TOP}/std/{part}" for part in _PARTS],
    }
    flags = ("-O0", f"-I{{tree}}/{_TOP}/support")
    cxx_flags = ("-std=c++23",)
    precompiled_headers = _HEADERS
    timeout = 60
    quick = (
        "input.output/file.streams/fstreams/ifstream.members/open_pointer",
        "input.output/filesystems/fs.op.funcs/fs.op.rename/rename",
        "language.support/support.exception/except.nested/rethrow_if_nested",
        "thread/thread.condition/thread.condition.condvar/wait_for",
        "thread/thread.jthread/join",
        "thread/thread.mutex/thread.once/thread.once.callonce/call_once",
        "thread/thread.semaphore/timed",
        "time/time.clock/time.clock.steady/now",
    )

    def support(self, tree):
        # The helper for tests of filesystems calls system() to make and remove folders.
        return (FOLDER_COMMANDS,)

    def tests(self, tree, work):
        top = os.path.join(tree, _TOP, "std")
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                short = os.path.relpath(path, top)
                kind = next((kind for kind in _OTHER_KINDS if name.endswith(kind)), "")
                if kind:
                    yield Test(name=short.removesuffix(".cpp"), skip=_OTHER_KINDS[kind])
                elif name.endswith(".pass.cpp"):
                    yield self._test(tree, path, short.removesuffix(".pass.cpp"))

    @staticmethod
    def _test(tree, path, name):
        skip, flags, files = "", [], {}
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
        for line in lines:
            match = _DIRECTIVE.match(line)
            if not match:
                continue
            kind, condition, text = match.groups()
            skip = skip or _why_skipped(kind, text)
            if kind == "ADDITIONAL_COMPILE_FLAGS" and (not condition or _has(condition)):
                flags += text.split()
            elif kind == "FILE_DEPENDENCIES":
                for file in re.split(r"[,\s]+", text):
                    files[os.path.basename(file)] = os.path.join(os.path.dirname(path), file)
            elif kind == "MODULE_DEPENDENCIES":
                skip = skip or "needs C++ modules"
        # XFAIL is not looked at: such a test fails in both twins.
        return Test(
            name=name,
            sources=(os.path.relpath(path, tree),),
            flags=tuple(flags),
            files=files,
            precompiled=all(flag.startswith("-fconstexpr-steps") for flag in flags) and not _defines_first(lines),
            skip=skip,
        )


SUITE = Libcxx()
