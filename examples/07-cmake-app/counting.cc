// SPDX-License-Identifier: Apache-2.0
#include "counting.h"

#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::map<std::string, int> CountPart(std::string_view text) {
  std::map<std::string, int> counts;
  for (size_t start = text.find_first_not_of(kBlanks); start != text.npos;) {
    const size_t end = text.find_first_of(kBlanks, start);
    ++counts[std::string(text.substr(start, end - start))];
    start = text.find_first_not_of(kBlanks, end);
  }
  return counts;
}

}  // namespace

std::map<std::string, int> CountWords(std::string_view text, unsigned threads) {
  std::map<std::string, int> counts;
  std::mutex mutex;
  std::vector<std::jthread> workers;
  const size_t share = text.size() / threads + 1;
  while (!text.empty()) {
    // A part ends where a word does.
    const size_t end = text.find_first_of(kBlanks, share);
    workers.emplace_back([&counts, &mutex, part = text.substr(0, end)] {
      for (const auto& [word, count] : CountPart(part)) {
        const std::lock_guard lock(mutex);
        counts[word] += count;
      }
    });
    text.remove_prefix(end == text.npos ? text.size() : end);
  }
  workers.clear();  // waits for them
  return counts;
}
