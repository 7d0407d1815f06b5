# SPDX-License-Identifier: Apache-2.0
make -j2 -C src redis-server redis-cli redis-benchmark \
  CC=nsgx-cc AR=nsgx-ar RANLIB=nsgx-ranlib MALLOC=libc OPTIMIZATION=-O2 USE_SYSTEMD=no
for name in redis-server redis-cli redis-benchmark; do
  cp "src/$name" "src/$name.native" "$RESULT"
done
