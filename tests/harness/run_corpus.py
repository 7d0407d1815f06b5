#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a libFuzzer program once on each file of a corpus: run_corpus.py FUZZER CORPUS_FOLDER [OPTION...]"""

import os
import subprocess
import sys


def main():
    fuzzer, corpus, *options = sys.argv[1:]
    files = sorted(os.path.join(corpus, name) for name in os.listdir(corpus))
    if not files:
        print(f"{corpus} is empty")
        return 1
    # Files, not the folder: libFuzzer then runs each as it is and writes nothing.
    # libFuzzer's own status for a finding is the one that means "skipped" here.
    return 1 if subprocess.run([fuzzer, "-timeout=10"] + options + files).returncode else 0


if __name__ == "__main__":
    sys.exit(main())
