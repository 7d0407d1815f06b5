// SPDX-License-Identifier: Apache-2.0
// Traces: filters, the text of calls, and enclaves that tell nonsense.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "enclave-loader/trace/call_text.h"
#include "enclave-loader/trace/filter.h"
#include "enclave-loader/trace/tracer.h"
#include "syscall-shim/table/limits.h"

namespace nsgx::loader {
namespace {

constexpr uint64_t kRead = 0, kOpen = 2, kMmap = 9, kFutex = 202, kOpenat = 257, kConnect = 42;

// What an enclave would tell.
class Told {
 public:
  Told(uint64_t number, int32_t tid, bool is_leave, std::vector<uint64_t> words) {
    record_.magic = shim::kTraceMagic;
    record_.number = static_cast<uint16_t>(number);
    record_.is_leave = is_leave ? 1 : 0;
    record_.tid = tid;
    std::copy(words.begin(), words.end(), record_.words);
  }
  Told& With(uint8_t argument, std::string_view bytes, uint32_t whole = 0) {
    const shim::TraceMemory memory = {
        .argument = argument,
        .is_unreadable = 0,
        .size = static_cast<uint16_t>(bytes.size()),
        .whole = whole != 0 ? whole : static_cast<uint32_t>(bytes.size())};
    memory_.append(reinterpret_cast<const char*>(&memory), sizeof memory).append(bytes);
    ++record_.memories;
    return *this;
  }
  std::string line() const {
    return std::string(reinterpret_cast<const char*>(&record_), sizeof record_) + memory_;
  }

 private:
  shim::TraceRecord record_ = {};
  std::string memory_;
};

class TracerTest : public testing::Test {
 protected:
  TracerTest() : fd_(memfd_create("trace", MFD_CLOEXEC)) {}
  ~TracerTest() override { close(fd_); }
  std::string Text() const {
    std::string text(static_cast<size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }
  int fd_;
};

TEST(TraceFilterTest, ClassesCallsAndWhatIsLeftOut) {
  const auto has = [](std::string_view text, uint64_t number) {
    return TraceFilter::Parse(text).value().HasCall(number);
  };
  EXPECT_TRUE(has("file", kOpen));
  EXPECT_TRUE(has("%file", kOpenat));
  EXPECT_FALSE(has("file", kRead));
  EXPECT_TRUE(has("desc", kRead));
  EXPECT_TRUE(has("file,%memory", kMmap));
  EXPECT_TRUE(has("network", kConnect));
  EXPECT_TRUE(has("!futex", kRead));
  EXPECT_FALSE(has("!futex", kFutex));
  EXPECT_FALSE(has("file,!open", kOpen));
  EXPECT_TRUE(has("file,!open", kOpenat));
  EXPECT_FALSE(TraceFilter::Parse("open").value().HasHostCalls());
  EXPECT_TRUE(TraceFilter::Parse("host").value().HasHostCalls());
  EXPECT_FALSE(TraceFilter::Parse("host").value().HasCalls());
  EXPECT_TRUE(TraceFilter().HasCall(kFutex));
  for (const char* wrong : {"", "opne", "file,", "%", "!", "file,%bogus"}) {
    EXPECT_FALSE(TraceFilter::Parse(wrong).ok()) << wrong;
  }
}

TEST_F(TracerTest, ReadsLikeStrace) {
  Tracer tracer({}, {}, fd_);
  tracer.OnRecord(
      Told(kOpenat, 1, false, {uint64_t(-100), 0x1000, O_RDWR | O_CREAT | O_CLOEXEC, 0644})
          .With(1, "/tmp/a\n\"b\"")
          .line());
  tracer.OnRecord(Told(kOpenat, 1, true, {3}).line());
  tracer.OnRecord(Told(kRead, 1, false, {3, 0x2000, 100}).line());
  tracer.OnRecord(Told(kRead, 1, true, {5}).With(1, std::string_view("a\0001\1z", 5)).line());
  tracer.OnRecord(Told(kOpen, 1, false, {0x1000, 0, 0}).With(0, "/none").line());
  tracer.OnRecord(Told(kOpen, 1, true, {uint64_t(-ENOENT)}).line());
  tracer.OnRecord(
      Told(kMmap, 1, false, {0, 4096, PROT_READ | PROT_WRITE, 0x22, uint64_t(-1), 0}).line());
  tracer.OnRecord(Told(kMmap, 1, true, {0x7000}).line());
  tracer.OnRecord(Told(231, 1, false, {7}).line());
  tracer.OnEnd("exited with 7");
  EXPECT_EQ(Text(),
            "openat(AT_FDCWD, \"/tmp/a\\n\\\"b\\\"\", O_RDWR|O_CREAT|O_CLOEXEC, 0644) = 3\n"
            "read(3, \"a\\0001\\1z\", 100) = 5\n"
            "open(\"/none\", O_RDONLY, 000) = -1 ENOENT (No such file or directory)\n"
            "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, NULL) = 0x7000\n"
            "exit_group(7) = ?\n"
            "+++ exited with 7 +++\n");
}

TEST_F(TracerTest, ThreadsInterruptEachOther) {
  Tracer tracer({}, {}, fd_);
  tracer.OnRecord(Told(kRead, 1, false, {0, 0x2000, 10}).line());
  tracer.OnRecord(Told(39, 2, false, {}).line());
  tracer.OnRecord(Told(39, 2, true, {1}).line());
  tracer.OnRecord(Told(kRead, 1, true, {2}).With(1, "hi").line());
  EXPECT_EQ(Text(),
            "read(0 <unfinished ...>\n"
            "[pid 2] getpid() = 1\n"
            "[pid 1] <... read resumed>, \"hi\", 10) = 2\n");
}

TEST_F(TracerTest, LongDataIsCut) {
  Tracer tracer({}, {}, fd_);
  tracer.OnRecord(Told(1, 1, false, {1, 0x2000, 1000}).With(1, std::string(128, 'x'), 1000).line());
  tracer.OnRecord(Told(1, 1, true, {1000}).line());
  EXPECT_EQ(Text(), "write(1, \"" + std::string(32, 'x') + "\"..., 1000) = 1000\n");
}

TEST_F(TracerTest, NonsenseIsNotPrinted) {
  Tracer tracer({}, {}, fd_);
  const std::string good = Told(kOpen, 1, false, {1, 0, 0}).With(0, "/name").line();
  for (size_t size = 0; size < good.size(); ++size) {
    tracer.OnRecord(std::string_view(good).substr(0, size));
  }
  tracer.OnRecord(
      "a line of text that is longer than a record, but nevertheless is none of them at all");
  tracer.OnRecord(Told(kOpen, 1, false, {1}).With(6, "no such argument").line());
  tracer.OnRecord(Told(kOpen, 1, false, {1}).With(0, "more than there was", 3).line());
  tracer.OnRecord(Told(kOpen, 9, true, {1}).line());  // never began
  EXPECT_EQ(Text(), "");
}

// Whatever an enclave says, and for every call: no crash, and no control character.
TEST_F(TracerTest, RandomRecords) {
  Tracer tracer({}, {.relative = true, .epoch = true, .spent = true}, fd_);
  uint64_t random = 7;
  const auto next = [&] { return random = random * 6364136223846793005u + 1442695040888963407u; };
  for (int round = 0; round < 20'000; ++round) {
    std::vector<uint64_t> words(6);
    for (uint64_t& word : words) {
      word = next() >> (next() >> 58);
    }
    Told told((next() >> 33) % (SYSCALL_COUNT + 5), static_cast<int32_t>(next() >> 62),
              (next() >> 60) % 2 != 0, words);
    for (uint64_t count = (next() >> 60) % 4; count > 0; --count) {
      std::string bytes((next() >> 40) % 160, '\0');
      for (char& byte : bytes) {
        byte = static_cast<char>(next() >> 56);
      }
      told.With(static_cast<uint8_t>((next() >> 60) % 7), bytes);
    }
    tracer.OnRecord(told.line());
  }
  for (const char byte : Text()) {
    ASSERT_TRUE((byte >= 0x20 && byte < 0x7f) || byte == '\n');
  }
}

// A call without a row would be shown as six numbers.
TEST(ArgumentsTest, EveryCallThatIsMadeIsDescribed) {
#define CALL(number, name, ...) EXPECT_TRUE(shim::HasArguments(number)) << #name;
#define REFUSE(...)
#include "syscall-shim/table/syscalls.inc"
#undef CALL
#undef REFUSE
}

// The names in both tables are the same.
TEST(ArgumentsTest, NamesAreThoseOfTheTable) {
  constexpr std::pair<uint64_t, std::string_view> kRows[] = {
#define ARGUMENTS(number, name, ...) {number, #name},
#include "syscall-shim/table/syscall_arguments.inc"
#undef ARGUMENTS
  };
  for (const auto& [number, name] : kRows) {
    EXPECT_EQ(shim::SyscallName(number), name) << number;
  }
}

}  // namespace
}  // namespace nsgx::loader
