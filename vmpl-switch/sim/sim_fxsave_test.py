#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs an enclave's tests on a processor without XSAVE: sim_fxsave_test.py INIT LOADER IMAGE

In a machine of QEMU's, as every processor that one has at hand has XSAVE. Exit status 77: it cannot be had.
"""

import os
import sys

import sim_pku_test

PROCESSOR = "EPYC,-xsave,-smap"


def main():
    init, loader, image = sys.argv[1:]
    try:
        output = sim_pku_test.boot(PROCESSOR, init, [loader],
                                   f"/files/{os.path.basename(image)} --gtest_brief=1 {sim_pku_test.NOT_UNDER_QEMU}",
                                   [image])
    except sim_pku_test.Unavailable as reason:
        print(reason)
        return sim_pku_test.SKIPPED
    return 0 if output is not None and output.count("exit status 0") == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
