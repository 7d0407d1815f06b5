# SPDX-License-Identifier: Apache-2.0
"""A suite's table: how each test ended in both twins, and why where that needs saying. One line a test, tab-separated:

    NAME  NATIVE  ENCLAVE  REASON

A test without a line has never been run. The head says how many tests the suite has."""

import os
from typing import NamedTuple

from .suite import PASS, SKIP, VERDICTS

_LISTED = "# tests: "
_HEAD = "# name\tnative\tenclave\treason"
_REASON_LENGTH = 160


class Row(NamedTuple):
    native: str
    enclave: str
    reason: str = ""

    def differs(self):
        """A test that passes natively and not inside is what all this looks for."""
        return self.native == PASS and self.enclave != PASS


class TableError(Exception):
    """Its text is one sentence."""


def short(reason):
    """Fits into a line of the table."""
    reason = " ".join(reason.split())
    return reason if len(reason) <= _REASON_LENGTH else reason[: _REASON_LENGTH - 3] + "..."


def read(path):
    """({name: Row}, number of tests in the suite)"""
    rows, listed = {}, 0
    if not os.path.exists(path):
        return rows, listed
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            line = line.rstrip("\n")
            if line.startswith(_LISTED):
                listed = int(line.removeprefix(_LISTED))
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != 4 or cells[1] not in VERDICTS or cells[2] not in VERDICTS:
                raise TableError(f"{path}:{number}: not NAME, NATIVE, ENCLAVE, REASON with tabs between them")
            if cells[0] in rows:
                raise TableError(f"{path}:{number}: a second line for {cells[0]}")
            rows[cells[0]] = Row(*cells[1:])
    return rows, listed


def write(path, rows, listed):
    with open(f"{path}.part", "w", encoding="utf-8") as stream:
        stream.write(f"# SPDX-License-Identifier: Apache-2.0\n{_LISTED}{listed}\n{_HEAD}\n")
        for name in sorted(rows):
            stream.write("\t".join((name, *rows[name])) + "\n")
    os.replace(f"{path}.part", path)


def merged(old, new, names):
    """The table after a run: what was run anew replaces what was known, and tests that are no more go. A reason that a
    person gave stays while the test ends as it did."""
    rows = {name: row for name, row in old.items() if name in names}
    for name, row in new.items():
        known = old.get(name)
        if known and known[:2] == row[:2] and known.reason:
            row = known
        rows[name] = row
    return rows


class Differences(NamedTuple):
    unexplained: list  # pass natively, fail inside, and the table has no reason for it
    explained: list  # the same, with the reason
    better: list  # failed inside by the table, and pass now
    changed: list  # ended otherwise than in the table, in any other way


def differences(table, run):
    """What a run {name: Row} says that the table does not; lists of names."""
    found = Differences([], [], [], [])
    for name in sorted(run):
        row, known = run[name], table.get(name)
        if row.differs():
            expected = row.reason or (known is not None and known.differs() and known.reason)
            (found.explained if expected else found.unexplained).append(name)
        elif known is not None and known.differs() and row.enclave == PASS:
            found.better.append(name)
        elif known is not None and known[:2] != row[:2]:
            found.changed.append(name)
    return found


class Counts(NamedTuple):
    listed: int
    skipped: int  # in neither twin, each with a reason
    not_run: int
    native: int  # pass natively
    enclave: int  # pass in the enclave
    worse: int  # pass natively, not inside
    other: int  # run, and pass in neither
    run: int


def counts(rows, listed):
    skipped = sum(row.native == SKIP and row.enclave == SKIP for row in rows.values())
    native = sum(row.native == PASS for row in rows.values())
    enclave = sum(row.enclave == PASS for row in rows.values())
    worse = sum(row.differs() for row in rows.values())
    run = len(rows) - skipped
    other = sum(row.native != PASS and row.enclave != PASS for row in rows.values()) - skipped
    return Counts(listed, skipped, max(0, listed - len(rows)), native, enclave, worse, other, run)
