# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the tests of one suite, each as an enclave and as its native twin, and tells how far it is."""

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
from typing import NamedTuple

from . import placed_files, results
from .kit import ENCLAVE, HERE, NATIVE, BuildError, is_cxx
from .results import Row
from .suite import CRASH, NO_BUILD, PASS, SKIP, TIMEOUT

_PROLOGUE = os.path.join(HERE, "kit", "prologue.c")
_PATH = "/usr/bin:/bin"
_LOCALE = "C.UTF-8"
_NOBODY = 65534
_SECONDS_BETWEEN_LINES = 10
_TRIES_ALONE = 2
# What the library OS says when a program asks for something that no enclave has.
_LIMITS = (
    (r"refused: an enclave (is|has) one process", "needs a second process: an enclave is one"),
    (r"refused: an enclave is one measured image", "starts another program: an enclave is one image"),
    (r"memory that is writable and executable at once is refused", "writable and executable memory is refused"),
)


class Outcome(NamedTuple):
    name: str
    row: Row
    seconds: float


def _build_reason(printed):
    """The first thing that the compiler or the linker complained about, without the folders."""
    for line in printed.splitlines():
        if "error:" in line:
            return re.sub(r"(?:[^\s:'\"]*/)+", "", line)
    return "; ".join(printed.split("\n")[:1]) or "the compiler failed"


def _how_it_ended(suite, ended, timeout, in_enclave):
    if ended.timed_out:
        return TIMEOUT, f"ran longer than {timeout:g} s"
    number = -ended.status
    if in_enclave and 128 < ended.status < 128 + signal.NSIG:  # how nsgx-run says it
        number = ended.status - 128
    if number > 0:
        try:
            return CRASH, f"ended by {signal.Signals(number).name}"
        except ValueError:
            return CRASH, f"ended by signal {number}"
    return suite.verdict(ended.status, ended.printed)


class Runner:
    """One run over some tests of a suite. `folder` keeps objects and logs between runs, `scratch` nothing."""

    def __init__(self, kit, running, suite, tree, work, folder, scratch):
        self._kit, self._running, self._suite = kit, running, suite
        self._tree, self._work, self._scratch = tree, work, scratch
        self._objects = os.path.join(folder, "objects")
        self._logs = os.path.join(folder, "logs")
        self._progress = os.path.join(folder, "progress.jsonl")
        for name in (self._objects, self._logs):
            os.makedirs(name, exist_ok=True)
        self._c_flags = self._placed(suite.flags)
        self._cxx_flags = self._c_flags + self._placed(suite.cxx_flags)
        self._nsgx_run = os.path.join(scratch, "nsgx-run")
        shutil.copy2(os.path.join(kit.out, "nsgx-run"), self._nsgx_run)
        self._support = []
        self._headers = ""
        self._inputs = {}  # of each test's name

    def _placed(self, flags):
        return [flag.replace("{tree}", self._tree).replace("{work}", self._work) for flag in flags]

    def prepare(self, tests):
        """Compiles what every test is linked with, and headers if they are many; raises BuildError."""
        self._support = [self._kit.compile(_PROLOGUE, self._objects, ["-O1", "-std=c11"])]
        for source in self._suite.support(self._tree):
            self._support.append(self._compile(source, ()))
        users = sum(test.precompiled and not test.skip for test in tests)
        if self._suite.precompiled_headers and users >= self._suite.precompile_from:
            self._headers = self._kit.precompile(self._suite.precompiled_headers, self._objects, self._cxx_flags)

    def _compile(self, source, flags, precompiled=False):
        path = os.path.join(self._tree, source)
        flags = [*(self._cxx_flags if is_cxx(path) else self._c_flags), *flags]
        if precompiled and self._headers:
            try:
                return self._kit.compile(path, self._objects, flags, precompiled=self._headers)
            except BuildError:
                pass  # perhaps for a header that it does not expect
        return self._kit.compile(path, self._objects, flags)

    # --- one test

    def run_one(self, test):
        start = time.monotonic()
        log = os.path.join(self._logs, re.sub(r"[^\w.+-]", "_", test.name) + ".log")
        if os.path.exists(log):
            os.unlink(log)
        if test.skip:
            row = Row(SKIP, SKIP, results.short(test.skip))
        else:
            try:
                row = self._build_and_run(test, log)
            except BuildError as error:
                self._write_log(log, f"--- build\n{error}")
                row = Row(NO_BUILD, NO_BUILD, results.short(_build_reason(str(error))))
        return Outcome(test.name, row, time.monotonic() - start)

    def _build_and_run(self, test, log):
        folder = tempfile.mkdtemp(dir=self._scratch)
        os.chmod(folder, 0o755)
        try:
            try:
                self._suite.make(test, self._tree, self._work)
            except OSError as error:
                raise BuildError(f"error: {error}") from None
            objects = [self._compile(source, test.flags, test.precompiled) for source in test.sources]
            if test.files:
                paths = {name: os.path.join(self._tree, path) for name, path in test.files.items()}
                objects.append(self._kit.compile(placed_files.source_for(paths, self._objects), self._objects, []))
            objects += self._support
            native, native_text = self._run_twin(test, NATIVE, objects, folder)
            enclave, enclave_text = self._run_twin(test, ENCLAVE, objects, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        row = Row(native[0], enclave[0])
        if native[0] != PASS:
            row = row._replace(reason=results.short(native[1]))
        elif row.differs():
            row = row._replace(reason=self._known_limit(enclave_text))
        if native != (PASS, "") or enclave != (PASS, ""):
            self._write_log(
                log, f"--- native: {': '.join(native)}\n{native_text}\n--- enclave: {': '.join(enclave)}\n{enclave_text}"
            )
        return row

    def _known_limit(self, printed):
        for pattern, reason in (*_LIMITS, *self._suite.limits):
            if re.search(pattern, printed):
                return reason
        return ""

    def _run_twin(self, test, world, objects, folder):
        image = os.path.join(folder, world)
        self._kit.link(world, objects, self._suite.libraries, image)
        # A working folder that the test may leave by `..`, and that is its own up to there.
        home = os.path.join(folder, f"{world}-home")
        place = os.path.join(home, "run")
        os.makedirs(place)
        if os.geteuid() == 0:
            os.chown(home, _NOBODY, _NOBODY)
            os.chown(place, _NOBODY, _NOBODY)
        variables = {"PATH": _PATH, "LC_ALL": _LOCALE, "TMPDIR": "/tmp" if world == ENCLAVE else place}
        command = [image, *test.arguments]
        if world == ENCLAVE:
            offered = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
            command = [self._nsgx_run, *offered, *command]
            variables["HOME"] = home
        timeout = test.timeout or self._suite.timeout
        try:
            ended = self._running.run(command, place, timeout, variables, as_nobody=True)
        except OSError as error:
            return (CRASH, f"cannot be started: {error}"), ""
        finally:
            os.unlink(image)  # a few MB each
        return _how_it_ended(self._suite, ended, timeout, world == ENCLAVE), ended.printed

    @staticmethod
    def _write_log(path, text):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")

    # --- many tests

    def run(self, tests, jobs, resume, outcomes, say):
        """Fills {name: Outcome}, also when it is broken off. To resume is to keep what an earlier run has found of tests whose
        inputs are still the same: the build's, and their own."""
        build = self._kit.fingerprint()
        self._inputs = {test.name: self._inputs_of(test, build) for test in tests}
        known = self._read_progress()
        if resume:
            for name, (inputs, outcome) in known.items():
                if self._inputs.get(name) == inputs:
                    outcomes[name] = outcome
        left = [test for test in tests if test.name not in outcomes]
        if outcomes:
            say(f"{len(outcomes)} of {len(tests)} tests were run before")
        with open(self._progress, "w", encoding="utf-8") as stream:
            for name, (inputs, outcome) in known.items():
                if name in outcomes or name not in self._inputs:
                    self._write_progress(inputs, outcome, stream)
            self._run_all(left, jobs, outcomes, stream, len(tests), say)
            self._run_again_alone(tests, outcomes, stream, say)

    def _inputs_of(self, test, build):
        """Another text when the test has to be run again."""
        suite = (self._suite.source, self._c_flags, self._cxx_flags, self._suite.timeout)
        digest = hashlib.sha256(repr((build, suite, test)).encode())
        for path in () if test.skip else (*test.sources, *test.files.values()):
            path = os.path.join(self._tree, path)
            if not path.startswith(self._work):  # what is there is made from the tree, by make()
                with open(path, "rb") as stream:
                    digest.update(hashlib.sha256(stream.read()).digest())
        return digest.hexdigest()[:16]

    def _read_progress(self):
        """{name: (inputs, Outcome)} of earlier runs."""
        known = {}
        try:
            with open(self._progress, encoding="utf-8") as stream:
                for line in stream:
                    inputs, name, native, enclave, reason, seconds = json.loads(line)
                    known[name] = inputs, Outcome(name, Row(native, enclave, reason), seconds)
        except (OSError, ValueError):
            pass  # none yet, or it was broken off in the middle of a line
        return known

    @staticmethod
    def _write_progress(inputs, outcome, stream):
        stream.write(json.dumps([inputs, outcome.name, *outcome.row, round(outcome.seconds, 2)]) + "\n")
        stream.flush()

    def _keep(self, outcome, outcomes, stream):
        outcomes[outcome.name] = outcome
        self._write_progress(self._inputs[outcome.name], outcome, stream)

    def _run_all(self, tests, jobs, outcomes, stream, total, say):
        start, next_line = time.monotonic(), time.monotonic() + _SECONDS_BETWEEN_LINES
        begun = len(outcomes)
        pool = concurrent.futures.ThreadPoolExecutor(jobs)
        try:
            pending = {pool.submit(self.run_one, test) for test in tests}
            while pending:
                done, pending = concurrent.futures.wait(
                    pending, timeout=_SECONDS_BETWEEN_LINES, return_when=concurrent.futures.FIRST_COMPLETED
                )
                for future in done:
                    outcome = future.result()
                    self._keep(outcome, outcomes, stream)
                    if outcome.row.differs():
                        say(f"[{len(outcomes)}/{total}] {outcome.name}: {outcome.row.enclave} in the enclave only")
                if time.monotonic() >= next_line and pending:
                    next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
                    new = len(outcomes) - begun
                    rate = 60 * new / (time.monotonic() - start)
                    rest = f"about {len(pending) / rate:.0f} min to go" if new else "none has ended yet"
                    say(f"[{len(outcomes)}/{total}] {_tally(outcomes)}; {rate:.0f} a minute, {rest}")
        except BaseException:
            self._running.stop_all()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        pool.shutdown()

    def _run_again_alone(self, tests, outcomes, stream, say):
        """A test that differs for no known limit may have lost a race for the processor: nothing else runs when it has its
        other tries."""
        by_name = {test.name: test for test in tests}
        doubtful = [name for name, outcome in outcomes.items() if outcome.row.differs() and not outcome.row.reason]
        for name in sorted(doubtful):
            for _ in range(_TRIES_ALONE):
                outcome = self.run_one(by_name[name])
                if not outcome.row.differs():
                    say(f"{name}: {outcome.row.enclave} when run alone")
                    row = outcome.row
                    if row.enclave == PASS:
                        row = row._replace(reason="passes alone; failed beside other tests")
                    self._keep(outcome._replace(row=row), outcomes, stream)
                    break


def _tally(outcomes):
    counted = {}
    for outcome in outcomes.values():
        counted[outcome.row.enclave] = counted.get(outcome.row.enclave, 0) + 1
    return ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items(), key=lambda pair: -pair[1]))
