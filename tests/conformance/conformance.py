#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs suites of others in enclaves, each test beside its native twin: conformance.py OUT [SUITE...] [OPTION...]

OUT is a build folder that holds the target `conformance_kit`. Without SUITE, all suites run that need no --source. The
results are compared with the suites' tables (suites/SUITE/results.tsv). The exit status is 1 if a test passes natively,
does not pass in the enclave, and has no reason for that in the table; 2 if something stops a suite from running at all;
130 after Ctrl-C.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "toolchain", "third_party"))

import fetch_source  # noqa: E402
from fetch import unpack  # noqa: E402
from fetch.errors import FetchError  # noqa: E402

from harness import results  # noqa: E402
from harness.execute import Running  # noqa: E402
from harness.kit import BuildError, Kit, KitError  # noqa: E402
from harness.runner import Runner  # noqa: E402

_SUITES = os.path.join(HERE, "suites")
_SHOWN = 40  # of each kind of difference


class CannotRun(Exception):
    """Its text is one sentence for the person who runs this."""


def load_suite(folder):
    name = os.path.basename(folder)
    spec = importlib.util.spec_from_file_location(f"suite_{name}", os.path.join(folder, "suite.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SUITE


def suite_folders(suites):
    return {
        name: os.path.join(suites, name)
        for name in sorted(os.listdir(suites))
        if os.path.exists(os.path.join(suites, name, "suite.py"))
    }


def fetched_tree(name, suite, folder, given):
    """The folder with the suite's sources: the user's, or what is fetched."""
    if given:
        return os.path.abspath(given)
    if suite.source is None:
        raise CannotRun(f"{name} is not fetched: say --source DIR ({suite.where})")
    tree = os.path.join(folder, "tree")
    key = hashlib.sha256(json.dumps(suite.source, sort_keys=True).encode()).hexdigest()
    stamp = os.path.join(folder, "tree.stamp")
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as stream:
            if stream.read() == key:
                return tree
    files = fetch_source.source_files(f"conformance-{name}", suite.source, fetch_source.default_cache())
    unpack.write_tree(files, tree)
    with open(stamp, "w", encoding="utf-8") as stream:
        stream.write(key)
    return tree


def chosen(tests, options, suite, table):
    """The tests that the options ask for."""
    if options.quick:
        wanted = set(suite.quick)
        unknown = wanted - {test.name for test in tests}
        if unknown:
            raise CannotRun(f"the suite has no test {sorted(unknown)[0]}, which its short set names")
        return [test for test in tests if test.name in wanted]
    if options.filter:
        tests = [test for test in tests if any(text in test.name for text in options.filter)]
    if options.missing:
        tests = [test for test in tests if test.name not in table]
    if options.differing:
        tests = [test for test in tests if test.name in table and table[test.name].differs()]
    step, _, first = options.every.partition(":")
    if int(step) > 1:
        # Those that are skipped cost nothing: a sample is one of those that run.
        runnable = [test for test in tests if not test.skip][int(first or 0) :: int(step)]
        tests = [test for test in tests if test.skip] + runnable
    return tests


class Report:
    """What a suite's run comes to, for people and as JSON."""

    def __init__(self, name, table, outcomes, listed, complete):
        self.name, self.outcomes, self.complete = name, outcomes, complete
        rows = {test: outcome.row for test, outcome in outcomes.items()}
        self.counts = results.counts(rows, listed)
        self.differences = results.differences(table, rows)
        self.table = table

    def print(self, quiet):
        counts = self.counts
        print(
            f"{self.name}: {counts.run} run: {counts.native} pass natively, {counts.enclave} in the enclave; "
            f"{counts.skipped} skipped, {counts.not_run} not run"
        )
        if not quiet:
            self._print_names("better than the table", self.differences.better)
            self._print_names("other than in the table", self.differences.changed)
            self._print_names("differ for a known reason", self.differences.explained)
        self._print_names("PASS NATIVELY ONLY", self.differences.unexplained)

    def _print_names(self, title, names):
        if not names:
            return
        print(f"  {title}: {len(names)}")
        for name in names[:_SHOWN]:
            row = self.outcomes[name].row
            reason = row.reason or (self.table[name].reason if name in self.table else "")
            print(f"    {name}: native {row.native}, enclave {row.enclave}{f' ({reason})' if reason else ''}")
        if len(names) > _SHOWN:
            print(f"    and {len(names) - _SHOWN} more")

    def as_json(self):
        return {
            "complete": self.complete,
            "counts": self.counts._asdict(),
            "differences": self.differences._asdict(),
            "tests": {
                name: {**outcome.row._asdict(), "seconds": round(outcome.seconds, 2)}
                for name, outcome in sorted(self.outcomes.items())
            },
        }


def run_suite(name, suite_folder, options, kit, running, say):
    """A Report; None with --list."""
    suite = load_suite(suite_folder)
    folder = os.path.join(options.work_folder, name)
    work = os.path.join(folder, "work")
    os.makedirs(work, exist_ok=True)
    tree = fetched_tree(name, suite, folder, options.source.get(name))
    tests = list(suite.tests(tree, work))
    if len({test.name for test in tests}) != len(tests):
        raise CannotRun(f"{name} names two tests alike")
    table_path = os.path.join(suite_folder, "results.tsv")
    table, _ = results.read(table_path)
    some = chosen(tests, options, suite, table)
    if options.list:
        for test in some:
            print(f"{name}\t{test.name}\t{test.skip}")
        return None
    say(f"{name}: {len(some)} of {len(tests)} tests; {suite.title}")
    scratch = tempfile.mkdtemp(prefix="nsgx-conformance-")
    os.chmod(scratch, 0o755)
    outcomes, complete = {}, True
    try:
        runner = Runner(kit, running, suite, tree, work, folder, scratch)
        runner.prepare(some)
        try:
            runner.run(some, options.jobs, options.resume, outcomes, say)
        except KeyboardInterrupt:
            complete = False
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report = Report(name, table, outcomes, len(tests), complete)
    if options.update:
        rows = {test: outcome.row for test, outcome in outcomes.items()}
        results.write(table_path, results.merged(table, rows, {test.name for test in tests}), len(tests))
    return report


def print_counts(folders):
    """The tables as one table, for docs/conformance.md."""
    print("| suite | tests | skipped | run | pass natively | pass in the enclave | natively only | in neither | not run |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, folder in folders.items():
        rows, listed = results.read(os.path.join(folder, "results.tsv"))
        if rows:
            c = results.counts(rows, listed)
            cells = (c.listed, c.skipped, c.run, c.native, c.enclave, c.worse, c.other, c.not_run)
            print(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./run conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out")
    parser.add_argument("suites", nargs="*", metavar="SUITE")
    parser.add_argument("--filter", action="append", default=[], metavar="TEXT", help="tests whose name contains TEXT")
    parser.add_argument("--every", default="1", metavar="K[:FIRST]", help="a sample: every K-th test")
    parser.add_argument("--missing", action="store_true", help="tests that the table has no line for")
    parser.add_argument("--differing", action="store_true", help="tests that pass natively only, by the table")
    parser.add_argument("--quick", action="store_true", help="the short set that ./run tests runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="tests at a time")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
    parser.add_argument("--update", action="store_true", help="write the results into the suites' tables")
    parser.add_argument(
        "--source", action="append", default=[], metavar="[SUITE=]DIR", help="the sources of a suite, if not fetched"
    )
    parser.add_argument("--list", action="store_true", help="print names, and why tests are skipped; run nothing")
    parser.add_argument("--counts", action="store_true", help="print the counts of the tables; run nothing")
    parser.add_argument("--quiet", action="store_true", help="print what counts only")
    parser.add_argument("--json", default="", metavar="FILE", help="default: OUT/conformance/results.json")
    parser.add_argument("--suites-folder", default=_SUITES, metavar="DIR", help="default: tests/conformance/suites")
    parser.add_argument("--work-folder", default="", metavar="DIR", help="default: OUT/conformance")
    options = parser.parse_args(arguments)
    options.work_folder = os.path.abspath(options.work_folder or os.path.join(options.out, "conformance"))
    sources = {}
    for given in options.source:
        name, equals, folder = given.partition("=")
        if not equals:
            if len(options.suites) != 1:
                parser.error("--source DIR needs one SUITE; or say --source SUITE=DIR")
            name, folder = options.suites[0], given
        if not os.path.isdir(folder):
            parser.error(f"{folder} is no folder")
        sources[name] = folder
    options.source = sources
    if not options.every.replace(":", "", 1).isdigit() or options.jobs < 1:
        parser.error("--every and --jobs take numbers from 1")
    return options


def main():
    options = parse(sys.argv[1:])
    folders = suite_folders(options.suites_folder)
    unknown = [name for name in options.suites if name not in folders]
    if unknown:
        print(f"nsgx: there is no suite {unknown[0]}; there are: {' '.join(folders)}.", file=sys.stderr)
        return 2
    if options.counts:
        print_counts(folders)
        return 0
    # Ctrl-C also when this was started in the background of a script.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = Running()
    say = (lambda text: None) if options.quiet else (lambda text: print(text, flush=True))
    top = options.work_folder
    os.makedirs(top, exist_ok=True)
    reports, problems = [], []
    with open(os.path.join(top, ".lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"nsgx: another run uses {top}.", file=sys.stderr)
            return 2
        try:
            kit = Kit(options.out, running.run)
            for name, folder in folders.items():
                suite = load_suite(folder)
                if options.suites and name not in options.suites:
                    continue
                if not options.suites and suite.source is None and name not in options.source:
                    continue
                if options.quick and not suite.quick:
                    continue
                try:
                    report = run_suite(name, folder, options, kit, running, say)
                except (BuildError, CannotRun, FetchError, results.TableError) as error:
                    problems.append(f"{name}: {error}")
                    print(f"nsgx: {name}: {error}", file=sys.stderr)
                    continue
                if report is not None:
                    reports.append(report)
                    report.print(options.quiet)
                    if not report.complete:
                        break
        except KitError as error:
            print(f"nsgx: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
        if reports:
            path = options.json or os.path.join(top, "results.json")
            with open(f"{path}.part", "w", encoding="utf-8") as stream:
                json.dump({report.name: report.as_json() for report in reports}, stream, indent=1)
            os.replace(f"{path}.part", path)
            say(f"details: {path}; what tests printed: {top}/SUITE/logs")
    if any(not report.complete for report in reports):
        print("interrupted; --resume goes on", file=sys.stderr)
        return 130
    if any(report.differences.unexplained for report in reports):
        return 1
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
