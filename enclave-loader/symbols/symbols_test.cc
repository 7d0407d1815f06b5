// SPDX-License-Identifier: Apache-2.0
// What is asked about is this test program itself.
#include <link.h>

#include <string>

#include "enclave-loader/image/mapped_file.h"
#include "enclave-loader/symbols/debug_file.h"
#include "enclave-loader/symbols/function_names.h"
#include "enclave-loader/symbols/readable.h"
#include "enclave-loader/symbols/source_lines.h"
#include "gtest/gtest.h"

namespace nsgx::loader {
namespace {

uint64_t LoadAddress() {
  uint64_t address = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* context) {
        *static_cast<uint64_t*>(context) = info->dlpi_addr;
        return 1;  // the first one is the program itself
      },
      &address);
  return address;
}

// Where the program is when it says so, and on which line that stands.
struct Here {
  uint64_t address;
  uint32_t line;
};
[[gnu::noinline]] Here FunctionToBeFound() {
  uint64_t address;
  const uint32_t line = __LINE__ + 1;
  asm volatile("leaq 0f(%%rip), %0\n0:\tnop" : "=r"(address));
  return {address - LoadAddress(), line};
}

class Symbols : public testing::Test {
 protected:
  Result<MappedFile, Refusal> program_ = MappedFile::Open("/proc/self/exe");
  DebugFile file_ = DebugFile::Of(program_.value().bytes());
};

TEST_F(Symbols, FindFunctions) {
  const Here here = FunctionToBeFound();
  const NamedPlace place = FunctionAt(file_, here.address);
  EXPECT_EQ(place.function, "nsgx::loader::(anonymous namespace)::FunctionToBeFound()");
  EXPECT_GT(place.offset, 0u);
  EXPECT_LT(place.offset, 400u);
  EXPECT_EQ(FunctionAt(file_, here.address - place.offset).offset, 0u);
  EXPECT_EQ(FunctionAt(file_, 0).function, "");
  EXPECT_EQ(FunctionAt(file_, ~uint64_t{0}).function, "");
}

TEST_F(Symbols, FindLines) {
  const Here here = FunctionToBeFound();
  const SourceLine line = LineAt(file_, here.address);
  EXPECT_TRUE(line.file.ends_with("enclave-loader/symbols/symbols_test.cc")) << line.file;
  EXPECT_GE(line.line, here.line);
  EXPECT_LE(line.line, here.line + 2);
  EXPECT_EQ(LineAt(file_, 0).file, "");
  EXPECT_EQ(LineAt(file_, ~uint64_t{0}).file, "");
}

TEST_F(Symbols, NameThePlacesOfALine) {
  const Here here = FunctionToBeFound();
  char place[32];
  snprintf(place, sizeof place, "image+0x%lx", static_cast<unsigned long>(here.address));
  const std::string named = WithNames(std::string("at ") + place + ", and " + place + "!", file_);
  EXPECT_TRUE(named.starts_with(std::string("at ") + place + " nsgx::loader::")) << named;
  EXPECT_NE(named.find("symbols_test.cc:"), named.npos) << named;
  EXPECT_NE(named.find(std::string("), and ") + place + " nsgx::"), named.npos) << named;
  EXPECT_TRUE(named.ends_with(")!")) << named;
}

TEST_F(Symbols, LeaveOtherTextAlone) {
  for (const char* line : {"", "nothing", "image+0x", "image+0x!", "image+0x1 image+0x",
                           "image+0xffffffffffffffffffff", "image+", "image+0x0"}) {
    EXPECT_EQ(WithNames(line, file_), line);
    EXPECT_EQ(WithNames(line, DebugFile()), line);
  }
}

// Whatever a file holds, a report about it does not crash.
TEST_F(Symbols, SurviveDamage) {
  const Here here = FunctionToBeFound();
  std::vector<std::byte> lines(file_.lines.begin(), file_.lines.end());
  lines.resize(std::min<size_t>(lines.size(), 60000));
  std::vector<std::byte> symbols(file_.symbols.begin(), file_.symbols.end());
  symbols.resize(std::min<size_t>(symbols.size(), 60000));
  uint64_t random = 1;
  for (int round = 0; round < 500; ++round) {
    for (auto* bytes : {&lines, &symbols}) {
      for (int i = 0; i < 20; ++i) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        (*bytes)[(random >> 16) % bytes->size()] = std::byte(random >> 56);
      }
    }
    DebugFile damaged = file_;
    damaged.lines = lines;
    damaged.symbols = symbols;
    LineAt(damaged, here.address);
    FunctionAt(damaged, here.address);
  }
}

}  // namespace
}  // namespace nsgx::loader
