// SPDX-License-Identifier: Apache-2.0
// Counts words, on several threads.
#pragma once

#include <map>
#include <string>
#include <string_view>

// Returns how often each word is in `text`, found by `threads` threads.
std::map<std::string, int> CountWords(std::string_view text, unsigned threads);
