# SPDX-License-Identifier: Apache-2.0
# Without shared libraries, every module is built in; this is the list that such a build asks for.
mkdir -p build
for module in access accesslog alias deflate dirlisting evhost expire fastcgi indexfile redirect rewrite scgi setenv simple_vhost \
  staticfile status webdav; do
  echo "PLUGIN_INIT(mod_$module)"
done > plugins.new
cmp -s plugins.new build/plugin-static.h || mv plugins.new build/plugin-static.h
[ -e build/Makefile ] || cmake -S . -B build -DCMAKE_TOOLCHAIN_FILE="$SDK/share/cmake/nsgx.cmake" -DCMAKE_BUILD_TYPE=Release \
  -DBUILD_STATIC=ON -DWITH_PCRE2=OFF -DWITH_ZLIB=OFF -DCMAKE_C_FLAGS="-I$PWD/build"
make -j2 -C build lighttpd
cp build/build/lighttpd build/build/lighttpd.native "$RESULT"
