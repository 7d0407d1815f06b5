# SPDX-License-Identifier: Apache-2.0
# The one-file form of the sources needs programs of the build machine; nsgx-cc makes them.
make -f main.mk TOP=. BCC='nsgx-cc --native -O1' TCC=nsgx-cc TLIBS= sqlite3.c shell.c
options='-O2 -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_MATH_FUNCTIONS -I.'
[ -e sqlite3.o ] || nsgx-cc $options -c sqlite3.c
nsgx-cc $options sqlite3.o shell.c -o sqlite3
nsgx-cc $options sqlite3.o test/speedtest1.c -o speedtest1
cp sqlite3 sqlite3.native speedtest1 speedtest1.native "$RESULT"
