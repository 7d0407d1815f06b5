// SPDX-License-Identifier: Apache-2.0
// Shows which arguments and environment variables reach an enclave.

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <span>
#include <string_view>

extern char** environ;

int main(int argc, char** argv) {
  for (const char* argument : std::span(argv, static_cast<size_t>(argc)).subspan(1)) {
    std::cout << "argument: " << argument << '\n';
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    std::cout << "variable: " << *variable << '\n';
  }

  // MODE is measured, so the program may rely on it. GREETING is whatever the host likes.
  const char* mode = std::getenv("MODE");
  if (mode == nullptr || std::string_view(mode) != "production") {
    std::cerr << "args-env: MODE is not what was measured\n";
    return 1;
  }
  return 0;
}
