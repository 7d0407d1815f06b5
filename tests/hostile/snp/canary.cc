// SPDX-License-Identifier: Apache-2.0
// Holds a secret in many pages, and says for each line that it reads whether they are as they were.
// The image does not have the secret: only memory does.
#include <stdio.h>
#include <string.h>

#include <vector>

namespace {

constexpr char kMasked[] = "NSGXcanary-of-the-hostile-guest!";
constexpr unsigned char kMask = 0x5a;
constexpr size_t kSize = sizeof(kMasked) - 1;
constexpr size_t kCopies = (2u << 20) / kSize;

}  // namespace

int main() {
  const volatile char* masked = kMasked;
  std::vector<unsigned char> secret(kSize * kCopies);
  for (size_t i = 0; i < secret.size(); ++i) {
    secret[i] = static_cast<unsigned char>(masked[i % kSize]) ^ kMask;
  }
  puts("ready");
  fflush(stdout);
  char line[16];
  while (fgets(line, sizeof(line), stdin) != nullptr) {
    bool intact = true;
    for (size_t i = 0; i < secret.size(); ++i) {
      intact = intact && secret[i] == (static_cast<unsigned char>(masked[i % kSize]) ^ kMask);
    }
    puts(intact ? "intact" : "hurt");
    fflush(stdout);
  }
  return 0;
}
