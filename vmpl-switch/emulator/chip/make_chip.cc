// SPDX-License-Identifier: Apache-2.0
// Writes the certificates of the simulated chip: ark.der, ask.der and vcek.der, the same bytes each
// time. What is in chain/ was made by it, and a test compares the two; it runs in no ordinary
// build.
//
//   make_chip FOLDER           writes the certificates there
//   make_chip --search LABEL   finds the counters of a new RsaRecipe
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "vmpl-switch/emulator/chip/sim_chain.h"
#include "vmpl-switch/emulator/chip/sim_keys.h"

namespace {

bool WriteFile(const std::string& path, const nsgx::chip::der::Der& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    std::fprintf(stderr, "make_chip: cannot write %s\n", path.c_str());
  }
  return static_cast<bool>(file);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace nsgx::chip;
  if (argc == 3 && std::strcmp(argv[1], "--search") == 0) {
    std::printf("{\"%s\", %u, %u}\n", argv[2], SearchRsaPrime(argv[2], 'p'),
                SearchRsaPrime(argv[2], 'q'));
    return 0;
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_chip FOLDER | make_chip --search LABEL\n");
    return 2;
  }
  const std::string folder = argv[1];
  const SimChain chain = MakeSimChain();
  return WriteFile(folder + "/ark.der", chain.ark) && WriteFile(folder + "/ask.der", chain.ask) &&
                 WriteFile(folder + "/vcek.der", chain.vcek)
             ? 0
             : 1;
}
