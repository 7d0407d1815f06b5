# SPDX-License-Identifier: Apache-2.0
"""How a test is compiled, linked and signed: with the command lines that the build uses for kit/BUILD.gn's seed, so a
change of the toolchain is a change here. Objects are the same for both twins; what lies below the C library is not."""

import hashlib
import json
import os
import shlex
import subprocess
import threading

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SEED = "tests/conformance/kit/conformance_seed."
_RULES = ("enclave_cc", "enclave_cxx", "enclave_link", "native_link")
_CPP = (".cc", ".cpp", ".cxx", ".C")
# Arguments and environment from outside are passed on; everything else is as by default.
_LAUNCH = "[args]\nany = true\n[env]\nany = true\n"
_DATE = "20000101"

ENCLAVE, NATIVE = "enclave", "native"


class KitError(Exception):
    """Its text is one sentence for the person who runs this."""


class BuildError(Exception):
    """A test does not compile or link; the text is what the compiler said."""


def is_cxx(source):
    return source.endswith(_CPP)


def _value_after(words, option):
    return words[words.index(option) + 1]


class Kit:
    """The toolchain in a build folder that holds the target `conformance_kit`."""

    def __init__(self, out, run):
        """`run(command, folder, timeout)` gives an object with status, timed_out and printed."""
        self.out = os.path.abspath(out)
        self._run = run
        self._compiling, self._locks = threading.Lock(), {}  # {object: lock of who makes it}
        for name in ("nsgx-run", "nsgx-sign", "development-key.pem", "native/conformance_seed"):
            if not os.path.exists(os.path.join(self.out, name)):
                raise KitError(f"{out} does not hold {name}; build it: ninja -C {out} conformance_kit")
        commands = self._commands_of_seed()
        self._compile = {rule: self._compile_prefix(commands[rule]) for rule in ("enclave_cc", "enclave_cxx")}
        self._link = {world: self._link_parts(commands[f"{world}_link"]) for world in (ENCLAVE, NATIVE)}
        self.sysroot = next(
            os.path.join(self.out, word.split("=", 1)[1])
            for word in self._compile["enclave_cc"]
            if word.startswith("--sysroot=")
        )

    def _commands_of_seed(self):
        done = subprocess.run(
            ["ninja", "-C", self.out, "-t", "compdb", "-x", *_RULES], capture_output=True, text=True, timeout=120
        )
        start = done.stdout.find("[")
        if done.returncode != 0 or start < 0:
            raise KitError(f"ninja cannot tell how {self.out} is built: {done.stderr.strip()}")
        found = {}
        for edge in json.loads(done.stdout[start:]):
            if _SEED.rstrip(".") not in edge["output"] and "conformance_seed" not in edge["output"]:
                continue
            words = shlex.split(edge["command"])
            if "-c" in words:
                found["enclave_cxx" if is_cxx(edge["file"]) else "enclave_cc"] = words
            else:
                found[f"{_value_after(words, '-o').split('/')[0]}_link"] = words
        missing = [rule for rule in _RULES if rule not in found]
        if missing:
            raise KitError(f"the build's graph in {self.out} has no {missing[0]} of tests/conformance/kit")
        return found

    @staticmethod
    def _compile_prefix(words):
        return words[: words.index("-MD")]

    def _link_parts(self, words):
        """(words before the output, inputs without those of the seed)"""
        output = words.index("-o")
        return words[:output], [word for word in words[output + 2 :] if _SEED not in word]

    def fingerprint(self):
        """Changes when a test has to be run again: with the library OS, the libraries, the loader, the flags."""
        digest = hashlib.sha256(json.dumps([self._compile, self._link]).encode())
        files = {"nsgx-run", "nsgx-sign"}
        for _, inputs in self._link.values():
            files |= {word for word in inputs if word.endswith((".o", ".a"))}
        for name in sorted(files):
            with open(os.path.join(self.out, name), "rb") as stream:
                digest.update(hashlib.sha256(stream.read()).digest())
        return digest.hexdigest()[:16]

    def compile(self, source, folder, flags, precompiled="", timeout=300):
        """The object of a source file, made unless it is there and younger than all that it was made from. `precompiled` is
        what precompile() made with the same flags."""
        rule = "enclave_cxx" if is_cxx(source) else "enclave_cc"
        command = self._compile[rule] + list(flags) + (["-include-pch", precompiled] if precompiled else [])
        key = hashlib.sha256(json.dumps([source, command]).encode()).hexdigest()[:20]
        made = os.path.join(folder, f"{key}.o")
        with self._compiling:
            lock = self._locks.setdefault(made, threading.Lock())
        with lock:  # tests that share a source begin together
            if not _is_current(made, self.out):
                self._make_object(source, command, made, timeout)
        return made

    def _make_object(self, source, command, made, timeout):
        part = f"{made}.part"
        done = self._run([*command, "-MD", "-MF", f"{made}.d", "-c", source, "-o", part], self.out, timeout)
        if done.timed_out:
            raise BuildError(f"compiling {os.path.basename(source)} took longer than {timeout} s")
        if done.status != 0:
            raise BuildError(done.printed)
        os.replace(part, made)

    def precompile(self, headers, folder, flags):
        """What is in headers of the C++ library, as compile() takes it."""
        text = "".join(f"#include <{header}>\n" for header in headers)
        source = os.path.join(folder, f"headers-{hashlib.sha256(text.encode()).hexdigest()[:20]}.cc")
        if not os.path.exists(source):
            with open(source, "w", encoding="utf-8") as stream:
                stream.write(text)
        # Templates that the headers use are instantiated once, too.
        return self.compile(source, folder, [*flags, "-x", "c++-header", "-fpch-instantiate-templates"])

    def link(self, world, objects, libraries, output, timeout=120):
        """An image for one of the worlds. Debug information stays out: thousands of images are written."""
        command, inputs = self._link[world]
        archives = [os.path.join("sysroot/usr/lib", f"lib{name}.a") for name in libraries]
        start = inputs.index("--start-group") + 1
        # Support objects may define what the C library has, too; the test's come first.
        inputs = inputs[:start] + list(objects) + archives + inputs[start:]
        linked = output if world == NATIVE else f"{output}.unsigned"
        done = self._run([*command, "--strip-debug", "-o", linked, *inputs], self.out, timeout)
        if done.status != 0 or done.timed_out:
            raise BuildError(done.printed or f"linking took longer than {timeout} s")
        if world == ENCLAVE:
            self._sign(linked, output, timeout)

    def _sign(self, linked, output, timeout):
        launch = f"{output}.toml"
        with open(launch, "w", encoding="utf-8") as stream:
            stream.write(_LAUNCH)
        done = self._run(
            ["./nsgx-sign", "sign", "--config", launch, "--key", "development-key.pem", "--date", _DATE]
            + ["--in", linked, "--out", output],
            self.out,
            timeout,
        )
        os.unlink(linked)
        os.unlink(launch)
        if done.status != 0:
            raise BuildError(done.printed)
        os.chmod(output, 0o755)


def _is_current(made, folder):
    """Whether the object is younger than every file that its dependency file names; paths in it are below `folder`."""
    try:
        age = os.stat(made).st_mtime
        with open(f"{made}.d", encoding="utf-8") as stream:
            needed = shlex.split(stream.read().replace("\\\n", " ").split(":", 1)[1])
        return all(os.stat(os.path.join(folder, path)).st_mtime <= age for path in needed)
    except (OSError, IndexError):
        return False
