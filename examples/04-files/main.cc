// SPDX-License-Identifier: Apache-2.0
// Greets with the words of a measured file, and keeps a list of visits in a folder of the host.

#include <fstream>
#include <iostream>
#include <string>

int main() {
  // Part of the image: its words are those that were signed.
  std::ifstream greeting("/app/greeting.txt");
  std::string words;
  if (!std::getline(greeting, words)) {
    std::cerr << "files: the greeting is missing\n";
    return 1;
  }

  // The host's: it may be gone, changed, or of another size than yesterday.
  std::ofstream visits("/data/visits.txt", std::ios::app);
  visits << words << '\n' << std::flush;
  if (!visits) {
    std::cerr << "files: /data/visits.txt cannot be written; run with --mount FOLDER:/data\n";
    return 1;
  }

  std::ifstream again("/data/visits.txt");
  int count = 0;
  for (std::string line; std::getline(again, line);) {
    ++count;
  }
  std::cout << words << ", visit " << count << '\n';
  return 0;
}
