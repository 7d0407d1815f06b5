// SPDX-License-Identifier: Apache-2.0
// The calls on files against a host that answers whatever a test wants.
#include <errno.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "libos/host/files.h"
#include "syscall-shim/hostcall/fake_gate.h"
#include "syscall-shim/hostcall/host_calls.h"

namespace nsgx::libos::host {
namespace {

using shim::FileRecord;

class TakesAll final : public FileSink {
 public:
  size_t Put(std::span<const std::byte> bytes) override {
    taken.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return bytes.size();
  }
  std::string taken;
};

class Gives final : public FileSource {
 public:
  explicit Gives(std::string_view text) : text_(text) {}
  size_t Fill(std::span<std::byte> room) override {
    const size_t size = std::min(room.size(), text_.size());
    std::memcpy(room.data(), text_.data(), size);
    return size;
  }

 private:
  std::string_view text_;
};

class Names final : public FileEntrySink {
 public:
  bool Add(std::string_view name, uint64_t, uint8_t) override {
    names.emplace_back(name);
    return names.size() < limit;
  }
  std::vector<std::string> names;
  size_t limit = 1000;
};

FileRecord GoodRecord() {
  FileRecord record = {};
  record.token = 5;
  record.mode = 0100644;
  record.links = 1;
  record.size = 10;
  record.block_size = 4096;
  return record;
}

// Answers `reply` with this at the start of the window.
void AnswerBytes(FakeHost& host, std::string bytes, int64_t reply) {
  host.set_answer([bytes = std::move(bytes), reply](const GateCall&, std::span<std::byte> window) {
    std::memcpy(window.data(), bytes.data(), bytes.size());
    return reply;
  });
}
template <typename T>
std::string Raw(const T& object) {
  return {reinterpret_cast<const char*>(&object), sizeof(object)};
}

TEST(FileClientTest, LookUpSendsTheNameAndUnpacksTheRecord) {
  FakeHost host;
  std::string name;
  host.set_answer([&](const GateCall& call, std::span<std::byte> window) {
    name.assign(reinterpret_cast<const char*>(window.data()), call.a[2]);
    EXPECT_EQ(call.a[1], 3u);
    FileRecord record = GoodRecord();
    record.is_own = 1;
    record.modification_seconds = -7;
    std::memcpy(window.data(), &record, sizeof(record));
    return int64_t{1};
  });
  const FileFacts facts = FileLookUp(3, "a name").value();
  EXPECT_EQ(name, "a name");
  EXPECT_EQ(facts.token, 5u);
  EXPECT_EQ(facts.size, 10u);
  EXPECT_TRUE(facts.is_own);
  EXPECT_EQ(facts.modification.seconds, -7);
}

// Each field with each value that it may not have.
TEST(FileClientTest, MalformedRecordsAreNotUsed) {
  const std::vector<std::function<void(FileRecord&)>> spoilers = {
      [](FileRecord& r) { r.token = kFileTokenLimit; },
      [](FileRecord& r) { r.mode = 0644; },
      [](FileRecord& r) { r.mode = 0170644; },
      [](FileRecord& r) { r.mode = 0x10000 | 0100644; },
      [](FileRecord& r) { r.is_own = 2; },
      [](FileRecord& r) { r.size = uint64_t{1} << 63; },
      [](FileRecord& r) { r.blocks = ~uint64_t{0}; },
      [](FileRecord& r) { r.block_size = 0; },
      [](FileRecord& r) { r.block_size = 511; },
      [](FileRecord& r) { r.block_size = 4097; },
      [](FileRecord& r) { r.block_size = 1u << 21; },
      [](FileRecord& r) { r.access_nanoseconds = 1'000'000'000; },
      [](FileRecord& r) { r.modification_nanoseconds = 1'000'000'000; },
      [](FileRecord& r) { r.change_nanoseconds = ~0u; },
  };
  for (size_t i = 0; i < spoilers.size(); ++i) {
    FakeHost host;
    FileRecord record = GoodRecord();
    AnswerBytes(host, Raw(record), 1);
    EXPECT_TRUE(FileLookUp(0, "x").ok());
    spoilers[i](record);
    AnswerBytes(host, Raw(record), 1);
    EXPECT_EQ(FileLookUp(0, "x").error(), Errno::kEIO) << i;
    EXPECT_EQ(FileStatus(5).error(), Errno::kEIO) << i;
    EXPECT_EQ(FileMake(0, "x", 0100600, {}).error(), Errno::kEIO) << i;
    EXPECT_EQ(host.log_lines().size(), 3u) << i;
  }
}

TEST(FileClientTest, ARecordIsWhatWasAskedFor) {
  FakeHost host;
  AnswerBytes(host, Raw(GoodRecord()), 1);
  EXPECT_TRUE(FileStatus(5).ok());
  EXPECT_EQ(FileStatus(6).error(), Errno::kEIO) << "another token";
  EXPECT_TRUE(FileMake(0, "x", 0100600, {}).ok());
  EXPECT_EQ(FileMake(0, "x", 0040700, {}).error(), Errno::kEIO) << "a file for a directory";
  EXPECT_EQ(FileMake(0, "x", 0120777, "there").error(), Errno::kEIO) << "a file for a link";
  AnswerBytes(host, Raw(GoodRecord()), 0);
  EXPECT_EQ(FileLookUp(0, "x").error(), Errno::kEIO) << "no record";
}

TEST(FileClientTest, TransfersStayInsideWhatWasAskedFor) {
  FakeHost host;
  TakesAll sink;
  AnswerBytes(host, "0123456789", 10);
  EXPECT_EQ(FileRead(1, 0, 10, sink).value(), 10u);
  EXPECT_EQ(sink.taken, "0123456789");
  sink.taken.clear();
  AnswerBytes(host, "0123456789", 4);
  EXPECT_EQ(FileRead(1, 0, 10, sink).value(), 4u);
  EXPECT_EQ(sink.taken, "0123");
  sink.taken.clear();
  for (const int64_t reply : {int64_t{11}, INT64_MAX, INT64_MIN, int64_t{-EAGAIN}, int64_t{-EINTR},
                              int64_t{-EBADF}, int64_t{-4096}}) {
    host.AnswerWith(reply);
    EXPECT_EQ(FileRead(1, 0, 10, sink).error(), Errno::kEIO) << reply;
    Gives source("0123456789");
    EXPECT_EQ(FileWrite(1, 0, 10, source).error(), Errno::kEIO) << reply;
  }
  EXPECT_EQ(sink.taken, "");
  Gives source("0123456789");
  host.AnswerWith(0);
  EXPECT_EQ(FileWrite(1, 0, 10, source).error(), Errno::kEIO) << "written without progress";
  host.AnswerWith(3);
  EXPECT_EQ(FileWrite(1, 0, 10, source).value(), 3u);
  host.AnswerWith(-ENOSPC);
  EXPECT_EQ(FileWrite(1, 0, 10, source).error(), Errno::kENOSPC);
}

std::string Entry(std::string_view name, uint64_t next = 1, uint8_t type = 8) {
  shim::FileEntryRecord record = {};
  record.next = next;
  record.type = type;
  record.name_size = static_cast<uint8_t>(name.size());
  return Raw(record).append(name);
}

TEST(FileClientTest, ListsNames) {
  FakeHost host;
  uint64_t position = 0;
  Names sink;
  const std::string entries = Entry("one", 7) + Entry(std::string(255, 'x'), 9, 0);
  AnswerBytes(host, entries, static_cast<int64_t>(entries.size()));
  EXPECT_TRUE(FileList(2, &position, sink).value());
  EXPECT_EQ(position, 9u);
  EXPECT_EQ(sink.names, (std::vector<std::string>{"one", std::string(255, 'x')}));
  host.AnswerWith(0);
  EXPECT_FALSE(FileList(2, &position, sink).value());
}

TEST(FileClientTest, MalformedListsAreNotUsed) {
  using namespace std::string_view_literals;
  shim::FileEntryRecord long_name = {};
  long_name.next = 1;
  long_name.name_size = 10;
  const std::vector<std::string> bad = {
      Entry(""),
      Entry("."),
      Entry(".."),
      Entry("a/b"),
      Entry("/"),
      Entry("a\0b"sv),
      Entry("x", uint64_t{1} << 63),
      Entry("x", 1, 3),
      Entry("x", 1, 200),
      Entry("x") + "tail",
      Raw(long_name) + "short",
  };
  for (const std::string& entries : bad) {
    FakeHost host;
    uint64_t position = 0;
    Names sink;
    AnswerBytes(host, entries, static_cast<int64_t>(entries.size()));
    EXPECT_EQ(FileList(2, &position, sink).error(), Errno::kEIO) << testing::PrintToString(entries);
    EXPECT_EQ(host.log_lines().size(), 1u);
  }
}

TEST(FileClientTest, LinksMountsAndSpaceAreChecked) {
  using namespace std::string_view_literals;
  FakeHost host;
  std::array<char, 64> buffer;
  AnswerBytes(host, "there", 5);
  EXPECT_EQ(FileReadLink(1, buffer).value(), "there");
  AnswerBytes(host, std::string("a\0b"sv), 3);
  EXPECT_EQ(FileReadLink(1, buffer).error(), Errno::kEIO);
  host.AnswerWith(0);
  EXPECT_EQ(FileReadLink(1, buffer).error(), Errno::kEIO);
  host.AnswerWith(65);
  EXPECT_EQ(FileReadLink(1, buffer).error(), Errno::kEIO);

  AnswerBytes(host, Raw(shim::FileMountRecord{4, 1}) + "/data", 13);
  EXPECT_EQ(GetFileMount(0, buffer).value().target, "/data");
  AnswerBytes(host, Raw(shim::FileMountRecord{4, 2}) + "/data", 13);
  EXPECT_EQ(GetFileMount(0, buffer).error(), Errno::kEIO);
  AnswerBytes(host, Raw(shim::FileMountRecord{kFileTokenLimit, 1}) + "/data", 13);
  EXPECT_EQ(GetFileMount(0, buffer).error(), Errno::kEIO);
  AnswerBytes(host, Raw(shim::FileMountRecord{4, 1}), 8);
  EXPECT_EQ(GetFileMount(0, buffer).error(), Errno::kEIO);
  host.AnswerWith(-ENOENT);
  EXPECT_EQ(GetFileMount(0, buffer).error(), Errno::kENOENT);

  shim::FileSpaceRecord space = {};
  AnswerBytes(host, Raw(space), 1);
  EXPECT_TRUE(GetFileSpace(1).ok());
  space.free_files = ~uint64_t{0};
  AnswerBytes(host, Raw(space), 1);
  EXPECT_EQ(GetFileSpace(1).error(), Errno::kEIO);

  host.AnswerWith(100);
  EXPECT_EQ(FileSeek(1, 3, 100).value(), 100u);
  EXPECT_EQ(FileSeek(1, 3, 101).error(), Errno::kEIO) << "before where the search began";
}

}  // namespace
}  // namespace nsgx::libos::host
