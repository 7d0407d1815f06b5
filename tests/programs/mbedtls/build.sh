# SPDX-License-Identifier: Apache-2.0
make -j2 -C library static CC=nsgx-cc AR=nsgx-ar
make -C programs test/selftest test/benchmark CC=nsgx-cc AR=nsgx-ar
cp programs/test/selftest programs/test/selftest.native programs/test/benchmark programs/test/benchmark.native "$RESULT"
