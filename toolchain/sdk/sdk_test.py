#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the SDK in the folder sdk of the out folder: what a build system does with nsgx-cc, from a copy somewhere else."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

_C = "int main(void) { return 42; }\n"
_CXX = """
#include <iostream>
#include <stdexcept>
#include <thread>
int main(int argc, char** argv) {
  std::thread([] { std::cout << "thread\\n"; }).join();
  try {
    throw std::runtime_error("thrown");
  } catch (const std::exception& error) {
    std::cout << error.what() << '\\n';
  }
  for (int i = 1; i < argc; ++i) {
    std::cout << argv[i] << '\\n';
  }
}
"""


class SdkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory(prefix="nsgx-sdk-")
        # Another place than that of the build, with a blank in its name: nothing in the SDK may know where it was made.
        cls.sdk = os.path.join(cls.top.name, "another place")
        shutil.copytree("sdk", cls.sdk)
        cls.environment = {
            "PATH": f"{cls.sdk}/bin:/usr/bin:/bin",
            "HOME": cls.top.name,
            "LC_ALL": "C",
            "LIBRARY_PATH": "/usr/lib/x86_64-linux-gnu",
            "CPATH": "/usr/include",
        }

        with open(f"{cls.top.name}/cxx.cc", "w", encoding="utf-8") as stream:
            stream.write(_CXX)
        # Once: <iostream> is what takes time here.
        subprocess.run(
            [f"{cls.sdk}/bin/nsgx-c++", "-O1", "-c", "cxx.cc"], cwd=cls.top.name, env=cls.environment, check=True
        )

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.top.name)
        self.write("c.c", _C)
        shutil.copy(f"{self.top.name}/cxx.o", self.folder)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)

    def exists(self, name):
        return os.path.exists(os.path.join(self.folder, name))

    def call(self, *command, status=0, input=None, **variables):
        """What the command printed, standard error after standard output."""
        done = subprocess.run(
            command, cwd=self.folder, env={**self.environment, **variables}, input=input, capture_output=True, text=True
        )
        printed = done.stdout + done.stderr
        self.assertEqual(done.returncode, status, f"{command}: {printed}")
        return printed

    def test_links_an_image_that_runs(self):
        self.call("nsgx-c++", "cxx.o", "-o", "app.elf")
        self.assertEqual(self.call("nsgx-run", "app.elf"), "thread\nthrown\n")

    def test_the_first_image_says_which_key_signs(self):
        home = os.path.join(self.folder, "home")
        said = self.call("nsgx-cc", "c.c", HOME=home)
        self.assertIn(f"made {home}/.config/nsgx/development-key.pem", said)
        self.assertEqual(self.call("nsgx-cc", "c.c", HOME=home), "")
        self.call("nsgx-sign", "keygen", "--out", "own.pem", "--public", "own.pub")
        self.call("nsgx-cc", "c.c", NSGX_KEY="own.pem")
        self.call("nsgx-run", "--signer", "own.pub", "a.out", status=42)
        self.assertIn("correct NSGX_KEY", self.call("nsgx-cc", "c.c", NSGX_KEY="none.pem", status=1))

    def test_configuration_by_option_by_variable_and_beside(self):
        self.write("app.toml", "[args]\nany = true\n")
        self.write("wrong.toml", "[args]\nall = true\n")
        self.call("nsgx-c++", "cxx.o", "--nsgx-config=app.toml", "-o", "option.elf")
        self.assertEqual(self.call("nsgx-run", "option.elf", "one"), "thread\nthrown\none\n")
        self.call("nsgx-c++", "cxx.o", "-Xlinker", "--nsgx-config=app.toml", "-o", "linker.elf")
        self.assertEqual(self.call("nsgx-run", "linker.elf", "one"), "thread\nthrown\none\n")
        self.call("nsgx-c++", "cxx.o", "-o", "variable", NSGX_CONFIG="app.toml")
        self.assertEqual(self.call("nsgx-run", "variable", "one"), "thread\nthrown\none\n")
        os.rename(os.path.join(self.folder, "app.toml"), os.path.join(self.folder, "beside.nsgx.toml"))
        self.call("nsgx-c++", "cxx.o", "-o", "beside.elf")
        self.assertEqual(self.call("nsgx-run", "beside.elf", "one"), "thread\nthrown\none\n")
        self.assertIn("there is no key args.all", self.call("nsgx-cc", "c.c", "--nsgx-config=wrong.toml", status=1))
        self.assertFalse(self.exists("a.out"))

    def test_the_native_twin_has_the_same_objects(self):
        self.call("nsgx-cc", "-c", "c.c", "--native", "-Werror")
        self.call("nsgx-c++", "cxx.o", "--native", "-o", "app")
        self.assertEqual(self.call("./app", "one"), "thread\nthrown\none\n")
        self.call("nsgx-c++", "cxx.o", "--twin", "-o", "both.elf")
        self.assertEqual(self.call("nsgx-run", "both.elf"), self.call("./both.native"))
        self.call("nsgx-c++", "cxx.o", "-o", "third.elf", NSGX_LINK="twin")
        self.assertTrue(self.exists("third.native"))

    def test_takes_what_build_systems_say(self):
        for options in (
            ["-static"], ["-pie", "-fPIE"], ["-no-pie", "-fno-pie"], ["-static-pie"], ["-rdynamic"], ["-pthread"], ["-s"],
            ["-flto"], ["-fPIC", "-Wl,-rpath,/usr/lib"], ["-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-O2"],
            ["-lm", "-ldl", "-lrt", "-lpthread", "-lutil", "-lstdc++", "-lgcc"], ["-Wl,-z,execstack"],
        ):
            with self.subTest(options=options):
                self.call("nsgx-cc", "c.c", *options)
                self.call("nsgx-run", "a.out", status=42)

    def test_answers_as_clang(self):
        self.assertEqual(self.call("nsgx-cc", "-dumpmachine"), "x86_64-nsgx-linux-musl\n")
        self.assertIn(f"{self.sdk}/lib/nsgx/sysroot/usr/lib/libc.a", self.call("nsgx-cc", "-print-file-name=libc.a").replace("//", "/"))
        self.assertIn("clang version", self.call("nsgx-cc", "-v"))
        self.assertIn("ld.lld", self.call("nsgx-cc", "-###", "c.c"))
        self.assertIn("no input files", self.call("nsgx-cc", status=1))
        self.assertIn("__nsgx__ 1", self.call("nsgx-cc", "-dM", "-E", "-", input=""))
        self.call("nsgx-cc", "-S", "c.c", "-Werror")
        self.assertTrue(self.exists("c.s"))
        self.call("nsgx-cc", "-x", "c", "-", "-o", "piped.elf", input=_C)
        self.call("nsgx-run", "piped.elf", status=42)
        self.write("options", "c.c -o 'with blank.elf'\n")
        self.call("nsgx-cc", "@options")
        self.call("nsgx-run", "with blank.elf", status=42)
        self.call("nsgx-cc", "-c", "c.c")
        self.call("nsgx-cc", "-r", "c.o", "-o", "more.o")
        self.call("nsgx-cc", "more.o", "-o", "more.elf")
        self.call("nsgx-run", "more.elf", status=42)

    def test_archives(self):
        self.write("one.c", "int one(void) { return 1; }\n")
        self.write("use.c", "int one(void);\nint main(void) { return one(); }\n")
        self.call("nsgx-cc", "-c", "one.c")
        self.call("nsgx-ar", "rcs", "libone.a", "one.o")
        self.call("nsgx-ranlib", "libone.a")
        self.assertIn(" T one", self.call("nsgx-nm", "libone.a"))
        self.call("nsgx-cc", "use.c", "-L.", "-lone")
        self.call("nsgx-run", "a.out", status=1)

    def test_a_library_of_the_program_is_not_the_library_os_s(self):
        # The library OS has mbedTLS's SHA-256 in it. A program that brings its own must not get into the other's way.
        self.write("own.c", "int mbedtls_sha256_init(void) { return 7; }\nint psa_crypto_init(void) { return 9; }\n")
        self.write("main.c", "int mbedtls_sha256_init(void), psa_crypto_init(void);\n"
                   "int main(void) { return mbedtls_sha256_init() + psa_crypto_init(); }\n")
        self.call("nsgx-cc", "main.c", "own.c")
        self.call("nsgx-run", "a.out", status=16)

    def test_errors_name_cause_and_remedy(self):
        self.assertIn("build it as an archive", self.call("nsgx-cc", "-shared", "c.c", "-o", "x.so", status=1))
        self.assertIn("leave out -fsanitize", self.call("nsgx-cc", "-fsanitize=address", "c.c", status=1))
        self.assertIn("name its folder with -L", self.call("nsgx-cc", "c.c", "-lnowhere", status=1))
        self.write("glibc.c", "int __printf_chk(int, const char*);\nint main(void) { return __printf_chk(1, 0); }\n")
        self.assertIn("compile it with nsgx-cc", self.call("nsgx-cc", "glibc.c", status=1))
        self.assertIn("there is no option --nsgx-what", self.call("nsgx-cc", "c.c", "-Wl,--nsgx-what", status=1))
        self.assertIn("set NSGX_LLVM", self.call("nsgx-cc", "c.c", status=1, NSGX_LLVM="/nowhere"))
        self.call("nsgx-cc", "c.c", "-o", "signed.elf")
        self.assertIn("link it with -s", self.call("nsgx-strip", "signed.elf", status=1))
        self.call("nsgx-run", "signed.elf", status=42)

    def test_an_image_that_could_leave_by_itself_is_not_made(self):
        self.write("leaving.c", 'int main(void) { __asm__("syscall"); return 0; }\n')
        said = self.call("nsgx-cc", "leaving.c", "-o", "leaving.elf", status=1)
        self.assertIn("instruction syscall", said)
        self.assertFalse(self.exists("leaving.elf"))
        # What is not reached is not linked, so it does no harm.
        self.write("unused.c", 'void leave(void) { __asm__("syscall"); }\nint main(void) { return 42; }\n')
        self.call("nsgx-cc", "unused.c", "-o", "unused.elf")
        self.call("nsgx-run", "unused.elf", status=42)

    @unittest.skipUnless(shutil.which("cmake"), "needs cmake")
    def test_cmake(self):
        self.write("CMakeLists.txt", """
cmake_minimum_required(VERSION 3.16)
project(app C CXX)
include(CheckFunctionExists)
find_package(Threads REQUIRED)
check_function_exists(strlcpy HAVE_STRLCPY)
if(NOT HAVE_STRLCPY)
  message(FATAL_ERROR "musl has it")
endif()
add_library(part c2.c)
add_executable(app cxx.cc)
target_link_libraries(app part Threads::Threads)
nsgx_config(app app.toml)
install(TARGETS app)
""")
        self.write("cxx.cc", _CXX)
        self.write("c2.c", "int part(void) { return 1; }\n")
        self.write("app.toml", "[args]\nany = true\n")
        self.call("cmake", "-S", ".", "-B", "b", f"-DCMAKE_TOOLCHAIN_FILE={self.sdk}/share/cmake/nsgx.cmake")
        self.call("cmake", "--build", "b")
        self.assertEqual(self.call("nsgx-run", "b/app", "one"), "thread\nthrown\none\n")

    @unittest.skipUnless(shutil.which("meson"), "needs meson")
    def test_meson(self):
        self.write("cxx.cc", _CXX)
        self.write("meson.build", "project('app', 'c', 'cpp')\n"
                   "executable('app', 'cxx.cc', dependencies: [dependency('threads'), meson.get_compiler('c').find_library('m')])\n")
        self.call("meson", "setup", "b", "--cross-file", f"{self.sdk}/share/meson/cross/nsgx.ini")
        self.call("meson", "compile", "-C", "b")
        self.assertEqual(self.call("nsgx-run", "b/app"), "thread\nthrown\n")

    def test_pkg_config_sees_the_sysroot_only(self):
        folder = os.path.join(self.sdk, "lib/nsgx/sysroot/usr/lib/pkgconfig")
        os.makedirs(folder)
        with open(os.path.join(folder, "one.pc"), "w", encoding="utf-8") as stream:
            stream.write("Name: one\nDescription: one\nVersion: 1\nLibs: -L/usr/lib -lone\nLibs.private: -lm\n")
        if not shutil.which("pkg-config"):
            self.skipTest("needs pkg-config")
        self.assertIn("-lone", self.call("nsgx-pkg-config", "--libs", "one"))
        self.assertEqual(self.call("nsgx-pkg-config", "--list-all").split()[0], "one")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
