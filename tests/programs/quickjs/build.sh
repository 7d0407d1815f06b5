# SPDX-License-Identifier: Apache-2.0
# qjsc makes C of JavaScript during the build: its native twin does.
flags='CC=nsgx-cc AR=nsgx-ar STRIP=true CONFIG_LTO='
make -j2 qjsc $flags
make -j2 qjs $flags QJSC=./qjsc.native
cp qjs qjs.native "$RESULT"
