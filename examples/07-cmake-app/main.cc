// SPDX-License-Identifier: Apache-2.0
// Prints how often each word of standard input occurs.

#include <iostream>
#include <iterator>
#include <string>

#include "counting.h"

int main() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  for (const auto& [word, count] : CountWords(text, 4)) {
    std::cout << count << ' ' << word << '\n';
  }
}
