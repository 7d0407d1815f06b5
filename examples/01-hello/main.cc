// SPDX-License-Identifier: Apache-2.0
// The smallest enclave. Nothing in it knows that it is one.

#include <iostream>

int main() {
  std::cout << "Hello from inside the enclave.\n";
  return 0;
}
