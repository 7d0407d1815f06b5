# SPDX-License-Identifier: Apache-2.0
"""Runs nsgx-verify on reports of real processors: exit status, rows, JSON, policy files, complaints.

usage: nsgx_verify_test.py NSGX_VERIFY VECTORS MANUAL
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

NSGX_VERIFY, VECTORS, MANUAL = pathlib.Path(sys.argv[1]).resolve(), *map(pathlib.Path, sys.argv[2:4])
MILAN = VECTORS / "roots/milan_ask_ark_asvk.pem"
GOOD = ["--snp-report", VECTORS / "milan-trustee/test-report.bin", "--vcek", VECTORS / "milan-trustee/test-vcek.der",
        "--chain", MILAN, "--time", "2026-11-21"]
DEBUG = ["--snp-report", VECTORS / "milan-go-sev-guest/report.bin", "--vcek",
         VECTORS / "milan-go-sev-guest/vcek.der", "--chain", VECTORS / "milan-go-sev-guest/ask_ark.pem",
         "--time", "2026-11-21"]
VERIFIED, REFUSED, MALFORMED, NOTHING = 0, 1, 2, 3


def verify(*arguments, stdin=b""):
    """Returns exit status, standard output and standard error."""
    done = subprocess.run([NSGX_VERIFY, *map(str, arguments)], input=stdin, capture_output=True, timeout=30,
                          check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class NsgxVerifyTest(unittest.TestCase):
    def test_verified(self):
        status, out, err = verify(*GOOD)
        self.assertEqual((status, err), (VERIFIED, ""))
        self.assertIn("\nok       report-signature ", out)
        self.assertRegex(out.splitlines()[-1], r"^verified: \d+ checks ok, \d+ skipped; ANY PROGRAM passes, .*; MAYBE OLD, ")

    def test_refused_names_the_first_failure(self):
        status, out, err = verify(*DEBUG)
        self.assertEqual((status, err), (REFUSED, ""))
        self.assertEqual(out.splitlines()[-1], "refused: guest-debug: expected not allowed, got allowed")
        self.assertEqual(verify(*DEBUG, "--allow-debug")[0], VERIFIED)

    def test_json_says_the_same(self):
        status, out, _ = verify(*DEBUG, "--json")
        self.assertEqual(status, REFUSED)
        verdict = json.loads(out)
        self.assertEqual((verdict["result"], verdict["first_failure"], verdict["simulated"]),
                         ("refused", "guest-debug", False))
        failed = [check for check in verdict["checks"] if check["result"] == "failed"]
        self.assertEqual([check["name"] for check in failed], ["guest-debug"])
        self.assertEqual(set(failed[0]), {"name", "meaning", "result", "expected", "got", "note"})
        verdict = json.loads(verify(*GOOD, "--json")[1])
        self.assertEqual((verdict["result"], verdict["first_failure"]), ("verified", None))

    def test_manual_names_every_check(self):
        checks = json.loads(verify(*GOOD, "--json")[1])["checks"]
        for check in checks:
            self.assertIn(f"`{check['name']}`", MANUAL.read_text())

    def test_expired(self):
        status, out, _ = verify(*GOOD[:-1], "2031-01-01")
        self.assertEqual(status, REFUSED)
        self.assertTrue(out.splitlines()[-1].startswith("refused: chip-validity: "), out)

    def test_policy_file(self):
        with tempfile.TemporaryDirectory() as folder:
            policy = pathlib.Path(folder) / "policy.toml"
            policy.write_text('min-tcb = "bl=3,snp=8,ucode=115"\ngeneration = ["Milan"]\n')
            self.assertEqual(verify(*GOOD, "--policy", policy)[0], VERIFIED)
            policy.write_text('min-tcb = "bl=3,snp=8,ucode=116"\n')
            status, out, _ = verify(*GOOD, "--policy", policy)
            self.assertEqual(status, REFUSED)
            self.assertTrue(out.splitlines()[-1].startswith("refused: min-tcb: "), out)
            policy.write_text("min-tbc = 1\n")
            status, _, err = verify(*GOOD, "--policy", policy)
            self.assertEqual(status, NOTHING)
            self.assertIn("min-tbc", err)

    def test_malformed(self):
        for stdin in (b"", b"NSGXEID1", bytes(8192), bytes(100000)):
            status, out, err = verify("-", stdin=stdin)
            self.assertEqual((status, err), (MALFORMED, ""), out)
            self.assertTrue(out.startswith("malformed: "))
        status, out, _ = verify("-", "--json", stdin=b"x")
        self.assertEqual((status, json.loads(out)["result"]), (MALFORMED, "malformed"))

    def test_nothing_verified(self):
        for arguments in ((), ("/does/not/exist",), ("-", "--identity", "12"), GOOD[:4],
                          ("--root", "/does/not/exist", *GOOD)):
            status, out, err = verify(*arguments)
            self.assertEqual((status, out), (NOTHING, ""), arguments)
            self.assertRegex(err, r"^nsgx-verify: [^\n]*; [^\n]*\n$")

    def test_help(self):
        for option in ("--help", "--version", "--man"):
            status, out, err = verify(option)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("nsgx-verify" if option != "--man" else "nsgx\\-verify", out)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
