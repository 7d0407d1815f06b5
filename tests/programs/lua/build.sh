# SPDX-License-Identifier: Apache-2.0
make -j2 -C src lua CC=nsgx-cc AR='nsgx-ar rcu' RANLIB=nsgx-ranlib SYSCFLAGS=-DLUA_USE_POSIX SYSLIBS= MYCFLAGS= MYLDFLAGS=
cp src/lua src/lua.native "$RESULT"
