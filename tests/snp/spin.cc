// SPDX-License-Identifier: Apache-2.0
// Computes for ever: without a call, and so that no compiler sees through it.

int main() {
  for (volatile unsigned long count = 0;; count = count + 1) {
  }
}
