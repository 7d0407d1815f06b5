# SPDX-License-Identifier: Apache-2.0
"""Does what the README says: evidence from an enclave, verified, and refused for the right reason."""

import json
import pathlib
import subprocess
import tempfile
import unittest

NONCE = "8a55c0ffee"
VERIFIED, REFUSED, MALFORMED = 0, 1, 2


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, check=False)


class AttestationExampleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = run("./nsgx-run", "attestation.elf", NONCE)
        if done.returncode != 0:
            raise RuntimeError(f"no evidence: {done.stderr.decode()}")
        cls.evidence = done.stdout
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def verify(self, *options, evidence=None, nonce=NONCE):
        """Returns the exit status and the parsed JSON."""
        path = pathlib.Path(self.folder.name) / "evidence.bin"
        path.write_bytes(self.evidence if evidence is None else evidence)
        done = run("./nsgx-verify", path, "--nonce", nonce, "--json", *options)
        return done.returncode, json.loads(done.stdout)

    def failed(self, verdict):
        return {check["name"] for check in verdict["checks"] if check["result"] == "failed"}

    def value(self, verdict, name):
        return next(check["got"] for check in verdict["checks"] if check["name"] == name)

    def test_verified(self):
        status, verdict = self.verify("--allow-simulated")
        self.assertEqual((status, verdict["result"]), (VERIFIED, "verified"), self.failed(verdict))
        self.assertTrue(verdict["simulated"])

    def test_identity_and_signer(self):
        _, verdict = self.verify("--allow-simulated")
        identity, signer = self.value(verdict, "identity"), self.value(verdict, "signer")
        status, verdict = self.verify("--allow-simulated", "--identity", identity, "--signer", signer)
        self.assertEqual(status, VERIFIED)
        self.assertEqual(verdict["first_failure"], None)

    def test_simulated_is_refused_by_name(self):
        status, verdict = self.verify()
        self.assertEqual(status, REFUSED)
        self.assertEqual(self.failed(verdict), {"root", "machine"})
        self.assertIn("SIMULATED", self.value(verdict, "root"))
        self.assertEqual(self.value(verdict, "machine"), "sim")

    def test_another_nonce(self):
        status, verdict = self.verify("--allow-simulated", nonce="8a55c0ffef")
        self.assertEqual((status, self.failed(verdict)), (REFUSED, {"report-data"}))

    def test_another_identity(self):
        status, verdict = self.verify("--allow-simulated", "--identity", "ab" * 32)
        self.assertEqual((status, self.failed(verdict)), (REFUSED, {"identity"}))

    def test_changed_bytes(self):
        for offset in range(0, len(self.evidence), 211):
            changed = bytearray(self.evidence)
            changed[offset] ^= 1
            status, _ = self.verify("--allow-simulated", evidence=changed)
            self.assertIn(status, (REFUSED, MALFORMED), f"byte {offset}")

    def test_cut(self):
        status, verdict = self.verify("--allow-simulated", evidence=self.evidence[:-1])
        self.assertEqual((status, verdict["result"]), (MALFORMED, "malformed"))

    def test_evidence_differs_between_launches(self):
        other = run("./nsgx-run", "attestation.elf", NONCE).stdout
        self.assertEqual(len(other), len(self.evidence))
        self.assertNotEqual(other, self.evidence)
        self.assertEqual(self.verify("--allow-simulated", evidence=other)[0], VERIFIED)

    def test_wrong_nonces_are_complaints(self):
        for nonce in ("xyz", "abc", "00" * 65):
            done = run("./nsgx-run", "attestation.elf", nonce)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(b"attestation: ", done.stderr)

    def test_native_twin_has_no_evidence(self):
        done = run("./attestation.native", NONCE)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"No such device", done.stderr)


if __name__ == "__main__":
    unittest.main()
