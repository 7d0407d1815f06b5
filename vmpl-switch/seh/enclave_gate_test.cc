// SPDX-License-Identifier: Apache-2.0
// What an enclave can and cannot make the SEH do.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "base/crypto/ecdsa_p384.h"
#include "base/crypto/hkdf.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/seh/enclave_fixture.h"
#include "vmpl-switch/seh/page_rules.h"

namespace nsgx::seh {
namespace {

constexpr Status kOk = Status::kOk;
constexpr uint64_t kMax = ~uint64_t{0};

std::vector<std::byte> Copy(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

// A running enclave with 16 writable pages at the start of the heap.
struct Running : EnclaveFixture {
  explicit Running(const TestImage& image_to_use = TestImage()) : EnclaveFixture(image_to_use) {
    Start();
    CHECK(Gate(NSGX_GATE_COMMIT, heap(), 16 * kPageSize, kRw) == kOk);
  }

  uint64_t read_only() const { return base() + image.runs[0].offset; }
  uint64_t code() const { return base() + image.runs[1].offset; }
  uint64_t data() const { return base() + image.runs[2].offset; }
  uint64_t slot() const { return enclave.slot_address(0).raw(); }
  uint64_t boot() const { return base() + enclave.layout().boot_offset; }
  uint64_t end() const { return base() + enclave.layout().size; }
};

TEST(Gate, AnswersWithNegativeStatuses) {
  Running fixture;
  EXPECT_EQ(fixture.enclave.GateCall(0, NSGX_GATE_ENTROPY, fixture.heap(), 8, 0, 0, 0), 0);
  EXPECT_EQ(fixture.enclave.GateCall(0, NSGX_GATE_ENTROPY, fixture.heap(), 0, 0, 0, 0),
            -NSGX_INVALID_ARGUMENT);
}

TEST(Gate, KnowsItsCallsOnly) {
  Running fixture;
  for (uint64_t call :
       {uint64_t{0}, uint64_t{3}, uint64_t{15}, uint64_t{26}, uint64_t{1} << 32 | 16, kMax}) {
    EXPECT_EQ(fixture.Gate(call), Status::kInvalidArgument) << call;
  }
}

// ---- pages

TEST(GatePages, CommitProtectTrim) {
  Running fixture;
  const uint64_t start = fixture.heap() + 100 * kPageSize;
  const EnclaveVirt page(start + kPageSize);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, start, 3 * kPageSize, kRw), kOk);
  Permissions permissions;
  ASSERT_TRUE(fixture.machine.IsCommitted(page, &permissions));
  EXPECT_EQ(permissions, Permissions::kReadWrite);
  fixture.At<uint64_t>(page.raw()) = 7;
  for (Permissions wanted : {Permissions::kRead, Permissions::kNone, Permissions::kReadExecute,
                             Permissions::kReadWrite}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, page.raw(), kPageSize, static_cast<uint64_t>(wanted)),
              kOk);
    ASSERT_TRUE(fixture.machine.IsCommitted(page, &permissions));
    EXPECT_EQ(permissions, wanted);
  }
  EXPECT_EQ(fixture.At<uint64_t>(page.raw()), 7u);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, start, 3 * kPageSize), kOk);
  EXPECT_FALSE(fixture.machine.IsCommitted(page));
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, start, 3 * kPageSize, kR), kOk);
  EXPECT_EQ(fixture.At<uint64_t>(page.raw()), 0u);
}

TEST(GatePages, RefuseRangesThatAreNone) {
  Running fixture;
  const uint64_t heap = fixture.heap();
  struct Range {
    uint64_t address;
    uint64_t size;
    Status expected;
  };
  const Range ranges[] = {
      {heap, 0, Status::kInvalidArgument},
      {heap + 1, kPageSize, Status::kInvalidArgument},
      {heap, kPageSize + 1, Status::kInvalidArgument},
      {heap, 1, Status::kInvalidArgument},
      {heap, kMax, Status::kInvalidArgument},
      {heap, (NSGX_GATE_MAX_PAGES + 1) * kPageSize, Status::kInvalidArgument},
      {heap, ~kPageMask, Status::kInvalidArgument},
      {heap, uint64_t{1} << 63, Status::kInvalidArgument},
      {fixture.end(), kPageSize, Status::kOutOfRange},
      {fixture.end() - kPageSize, 2 * kPageSize, Status::kOutOfRange},
      {fixture.base() - kPageSize, kPageSize, Status::kOutOfRange},
      {fixture.base() - kPageSize, 2 * kPageSize, Status::kOutOfRange},
      {0, kPageSize, Status::kOutOfRange},
      {0, 0, Status::kInvalidArgument},
      {~kPageMask, kPageSize, Status::kOutOfRange},      // ends in the last page of all
      {~kPageMask, 2 * kPageSize, Status::kOutOfRange},  // wraps
      {~kPageMask - heap, 2 * kPageSize, Status::kOutOfRange},
      {fixture.base() - (uint64_t{1} << 63), kPageSize, Status::kOutOfRange},
  };
  fixture.machine.ForgetHistory();
  for (const Range& range : ranges) {
    for (int number : {NSGX_GATE_COMMIT, NSGX_GATE_PROTECT, NSGX_GATE_TRIM}) {
      const uint64_t call = static_cast<uint64_t>(number);
      EXPECT_EQ(fixture.Gate(call, range.address, range.size, kR), range.expected)
          << call << " " << std::hex << range.address << " " << range.size;
    }
  }
  EXPECT_TRUE(fixture.machine.history().empty());
}

TEST(GatePages, AreNeverWritableAndExecutable) {
  Running fixture;
  fixture.machine.ForgetHistory();
  for (uint64_t permissions : {uint64_t{2}, uint64_t{4}, uint64_t{6}, uint64_t{7}, uint64_t{8},
                               uint64_t{9}, uint64_t{1} << 32 | kRw, kMax}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, fixture.heap(), kPageSize, permissions),
              Status::kInvalidArgument);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap() + (1 << 20), kPageSize, permissions),
              Status::kInvalidArgument);
  }
  EXPECT_TRUE(fixture.machine.history().empty());
}

TEST(GatePages, OfTheImageOnlyLoseRights) {
  struct Case {
    uint64_t address;
    uint64_t permissions;
    Status expected;
  };
  Running fixture;
  const Case cases[] = {
      {fixture.code(), kRw, Status::kPermissionDenied},
      {fixture.code(), kRx, kOk},
      {fixture.code() + kPageSize, kR, kOk},
      {fixture.code() + kPageSize, kRx, Status::kPermissionDenied},
      {fixture.read_only(), kRw, Status::kPermissionDenied},
      {fixture.read_only(), kRx, Status::kPermissionDenied},
      {fixture.data(), kRx, Status::kPermissionDenied},
      {fixture.data(), kR, kOk},  // as RELRO does
      {fixture.data(), kRw, Status::kPermissionDenied},
      {fixture.data(), 0, kOk},
      {fixture.data(), kR, Status::kPermissionDenied},
      {fixture.data() + 2 * kPageSize, kR, kOk},                // zeros are image, too
      {fixture.base() + 2 * kPageSize, kR, Status::kNotFound},  // a gap
  };
  for (const Case& now : cases) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, now.address, kPageSize, now.permissions),
              now.expected)
        << std::hex << now.address - fixture.base() << " " << now.permissions;
  }
  // One page that may not spoils all.
  fixture.machine.ForgetHistory();
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, fixture.code(), 3 * kPageSize, kRx),
            Status::kPermissionDenied);
  EXPECT_TRUE(fixture.machine.history().empty());
}

TEST(GatePages, OfTheSehStayAsTheyAre) {
  Running fixture;
  fixture.machine.ForgetHistory();
  for (uint64_t address :
       {fixture.slot(), fixture.slot() + NSGX_SLOT_FRAME_OFFSET,
        fixture.slot() + NSGX_SLOT_EXCEPTION_STACK_OFFSET, fixture.slot() + NSGX_SLOT_STACK_OFFSET,
        fixture.boot(), fixture.boot() + kPageSize, fixture.boot() + 2 * kPageSize}) {
    for (uint64_t permissions : {uint64_t{0}, uint64_t{kR}, uint64_t{kRw}, uint64_t{kRx}}) {
      EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, address, kPageSize, permissions),
                Status::kPermissionDenied);
    }
    EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, address, kPageSize), Status::kPermissionDenied);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, address, kPageSize, kRw), Status::kPermissionDenied);
  }
  for (uint64_t address : {fixture.code(), fixture.data(), fixture.read_only()}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, address, kPageSize), Status::kPermissionDenied);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, address, kPageSize, kRw), Status::kPermissionDenied);
  }
  // Guard pages, gaps, slots that were not asked for, room for more arguments.
  for (uint64_t address : {fixture.slot() + 0x5000, fixture.slot() + 0xa000,
                           fixture.base() + 2 * kPageSize, fixture.enclave.slot_address(2).raw(),
                           fixture.boot() + 3 * kPageSize, fixture.heap() - kPageSize}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, address, kPageSize, kRw), Status::kPermissionDenied);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, address, kPageSize, kRw), Status::kNotFound);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, address, kPageSize), Status::kNotFound);
  }
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap() - kPageSize, 2 * kPageSize, kRw),
            Status::kPermissionDenied);
  EXPECT_TRUE(fixture.machine.history().empty());
}

TEST(GatePages, AreCommittedOnce) {
  Running fixture;
  const uint64_t heap = fixture.heap();
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, heap, kPageSize, kRw), Status::kAlreadyExists);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, heap + 15 * kPageSize, 2 * kPageSize, kRw),
            Status::kAlreadyExists);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, heap + 15 * kPageSize, 2 * kPageSize), Status::kNotFound);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, heap + 15 * kPageSize, 2 * kPageSize, kR),
            Status::kNotFound);
  EXPECT_EQ(fixture.machine.IsCommitted(EnclaveVirt(heap + 16 * kPageSize)), false);
}

TEST(GatePages, TakeAllOfAHugeRangeCheaply) {
  ConfigBuilder builder;
  builder.config.address_range_size = uint64_t{64} << 30;
  Running fixture{TestImage(builder)};
  const size_t tables = fixture.machine.table_page_count();
  const uint64_t start = fixture.heap() + (1 << 20);
  const uint64_t size = uint64_t{16} << 30;
  // As the library OS does it: in pieces that end where a leaf of the table does.
  constexpr uint64_t kPiece = NSGX_GATE_MAX_PAGES * kPageSize;
  for (const uint64_t call :
       std::array<uint64_t, 3>{NSGX_GATE_COMMIT, NSGX_GATE_PROTECT, NSGX_GATE_TRIM}) {
    for (uint64_t at = start; at < start + size;) {
      const uint64_t offset = at - fixture.base();
      const uint64_t end = std::min(at + kPiece - offset % kPiece, start + size);
      ASSERT_EQ(fixture.Gate(call, at, end - at, kR), kOk);
      at = end;
    }
  }
  EXPECT_LE(fixture.machine.table_page_count(), tables + 6);
}

TEST(GatePages, NeedNoTablesOnceTheyAreThere) {
  Running fixture;
  const uint64_t start = fixture.heap() + (1 << 20);
  ASSERT_EQ(fixture.Gate(NSGX_GATE_COMMIT, start, kPageSize, kRw), kOk);
  const size_t tables = fixture.machine.table_page_count();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(fixture.Gate(NSGX_GATE_TRIM, start, kPageSize), kOk);
    ASSERT_EQ(fixture.Gate(NSGX_GATE_COMMIT, start, kPageSize, kRw), kOk);
    ASSERT_EQ(fixture.Gate(NSGX_GATE_PROTECT, start, kPageSize, kR), kOk);
  }
  EXPECT_EQ(fixture.machine.table_page_count(), tables);
}

TEST(GatePages, AreBusyWhileTheMachineChangesThem) {
  Running fixture;
  struct Context {
    Running& fixture;
    uint64_t start;
    std::vector<Status> same;
    std::vector<Status> other;
  } context{fixture, fixture.heap() + 32 * kPageSize, {}, {}};
  ASSERT_EQ(fixture.Gate(NSGX_GATE_COMMIT, context.start - kPageSize, kPageSize, kRw), kOk);
  fixture.machine.during_call_context = &context;
  fixture.machine.during_call = [](void* raw) {
    Context& now = *static_cast<Context*>(raw);
    FakeMachine& machine = now.fixture.machine;
    const auto hook = machine.during_call;
    machine.during_call = nullptr;
    now.same.push_back(now.fixture.Gate(NSGX_GATE_COMMIT, now.start, kPageSize, kRw));
    now.same.push_back(now.fixture.Gate(NSGX_GATE_PROTECT, now.start + kPageSize, kPageSize, kRw));
    now.same.push_back(now.fixture.Gate(NSGX_GATE_TRIM, now.start - kPageSize, 2 * kPageSize));
    now.same.push_back(now.fixture.Gate(NSGX_GATE_ENTROPY, now.start, 8));
    now.other.push_back(now.fixture.Gate(NSGX_GATE_PROTECT, now.fixture.heap(), kPageSize, kRw));
    now.other.push_back(now.fixture.Gate(NSGX_GATE_ENTROPY, now.fixture.heap(), 8));
    machine.during_call = hook;
  };
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, context.start, 2 * kPageSize, kRw), kOk);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, context.start, 2 * kPageSize, kR), kOk);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_TRIM, context.start, 2 * kPageSize), kOk);
  EXPECT_EQ(context.same, std::vector<Status>(12, Status::kBusy));
  EXPECT_EQ(context.other, std::vector<Status>(6, kOk));
  fixture.machine.during_call = nullptr;
}

TEST(GatePages, StayWhenTheMachineFails) {
  Running fixture;
  const uint64_t heap = fixture.heap();
  const std::function<Status()> calls[] = {
      // Far away, so that tables are needed.
      [&] {
        return fixture.Gate(NSGX_GATE_COMMIT, heap + (40 << 20) + kPageSize, 4096 * kPageSize, kRw);
      },
      [&] {
        return fixture.Gate(NSGX_GATE_PROTECT, heap + (40 << 20) + 9 * kPageSize, kPageSize, kR);
      },
      [&] { return fixture.Gate(NSGX_GATE_PROTECT, heap, 16 * kPageSize, 0); },
      [&] { return fixture.Gate(NSGX_GATE_PROTECT, fixture.data(), kPageSize, kR); },
      [&] { return fixture.Gate(NSGX_GATE_TRIM, heap, kPageSize); },
  };
  for (const auto& call : calls) {
    for (uint32_t n = 1;; ++n) {
      const uint64_t committed = fixture.machine.committed_size();
      fixture.machine.FailCall(n);
      const Status status = call();
      fixture.machine.FailCall(0);
      if (status == kOk) {
        break;
      }
      EXPECT_EQ(status, Status::kNoMemory);
      EXPECT_EQ(fixture.machine.committed_size(), committed);
      ASSERT_LT(n, 20u);
    }
  }
}

// Random calls, hostile ones among them, against a model of one byte a page. The machine must have
// what the model has.
TEST(GatePages, AgreeWithAModel) {
  Running fixture;
  constexpr uint64_t kPages = 4400;  // one leaf of the table and a bit
  enum : int { kUncommitted = -1 };
  std::vector<int> model(kPages, kUncommitted);
  for (uint64_t page = 0; page < 16; ++page) {
    model[page] = kRw;
  }
  std::mt19937_64 random(7);
  const std::array<uint64_t, 6> rights = {0, kR, kRw, kRx, 2, 7};
  for (int step = 0; step < 4000; ++step) {
    const uint64_t first = random() % kPages;
    const uint64_t count = std::min(kPages - first, 1 + random() % (step % 7 == 0 ? kPages : 20));
    const uint64_t wanted = rights[random() % rights.size()];
    const uint64_t call =
        std::array<uint64_t, 3>{NSGX_GATE_COMMIT, NSGX_GATE_PROTECT, NSGX_GATE_TRIM}[random() % 3];
    bool any_committed = false;
    bool all_committed = true;
    for (uint64_t page = first; page < first + count; ++page) {
      any_committed |= model[page] != kUncommitted;
      all_committed &= model[page] != kUncommitted;
    }
    Status expected = kOk;
    if (count > NSGX_GATE_MAX_PAGES || (call != NSGX_GATE_TRIM && (wanted == 2 || wanted == 7))) {
      expected = Status::kInvalidArgument;
    } else if (call == NSGX_GATE_COMMIT) {
      expected = any_committed ? Status::kAlreadyExists : kOk;
    } else {
      expected = all_committed ? kOk : Status::kNotFound;
    }
    ASSERT_EQ(fixture.Gate(call, fixture.heap() + first * kPageSize, count * kPageSize, wanted),
              expected)
        << step;
    if (expected == kOk) {
      std::fill_n(model.begin() + static_cast<ptrdiff_t>(first), count,
                  call == NSGX_GATE_TRIM ? int{kUncommitted} : static_cast<int>(wanted));
    }
    for (uint64_t page :
         {first, first + count - 1, random() % kPages, first == 0 ? 0 : first - 1}) {
      Permissions permissions = Permissions::kNone;
      const bool committed =
          fixture.machine.IsCommitted(EnclaveVirt(fixture.heap() + page * kPageSize), &permissions);
      ASSERT_EQ(committed, model[page] != kUncommitted) << step << " " << page;
      ASSERT_TRUE(!committed || static_cast<int>(permissions) == model[page])
          << step << " " << page;
    }
  }
}

TEST(GatePages, CanBeChangedFromSeveralSlots) {
  Running fixture;
  fixture.Claim(1);
  // Two slots, overlapping ranges: each call succeeds or says why not, and the machine (which
  // checks) is never asked for anything wrong.
  const auto work = [&](uint32_t slot) {
    std::mt19937_64 random(slot);
    for (int i = 0; i < 3000; ++i) {
      const uint64_t address = fixture.heap() + (100 + random() % 30) * kPageSize;
      const uint64_t size = (1 + random() % 6) * kPageSize;
      const uint64_t call = NSGX_GATE_COMMIT + random() % 3;
      const int64_t result = fixture.enclave.GateCall(slot, call, address, size, kRw, 0, 0);
      EXPECT_TRUE(result == 0 || result == -NSGX_BUSY || result == -NSGX_ALREADY_EXISTS ||
                  result == -NSGX_NOT_FOUND)
          << result;
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
}

TEST(PageRules, ForbidWhatTheTableSays) {
  for (Permissions given : {Permissions::kNone, Permissions::kRead, Permissions::kReadWrite,
                            Permissions::kReadExecute}) {
    for (Permissions wanted : {Permissions::kNone, Permissions::kRead, Permissions::kReadWrite,
                               Permissions::kReadExecute}) {
      const auto protect = [&](PageState state) {
        return ToStatus(MayProtect(PageEntry(state, given), wanted));
      };
      const bool fewer = wanted == given || wanted == Permissions::kNone ||
                         (wanted == Permissions::kRead && given != Permissions::kNone);
      EXPECT_EQ(protect(PageState::kImage), fewer ? kOk : Status::kPermissionDenied);
      EXPECT_EQ(protect(PageState::kRegular), kOk);
      EXPECT_EQ(protect(PageState::kSlot), Status::kPermissionDenied);
      EXPECT_EQ(protect(PageState::kBoot), Status::kPermissionDenied);
      EXPECT_EQ(protect(PageState::kFree), Status::kNotFound);
      EXPECT_EQ(protect(PageState::kDeferred), Status::kBusy);
    }
  }
}

// ---- memory that the enclave names

// Calls that read `in` bytes at their first argument, and those that write `out` bytes.
struct Pointer {
  const char* name;
  uint64_t size;
  bool writes;
  std::function<Status(Running&, uint64_t address)> call;
};

// A good place for the other argument of a call.
uint64_t Spare(const Running& fixture) { return fixture.heap() + 8 * kPageSize; }

const Pointer kPointers[] = {
    {"entropy", 256, true,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_ENTROPY, a, 256); }},
    {"clock", sizeof(nsgx_clock), true,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_CLOCK, a); }},
    {"report_request", sizeof(nsgx_report_request), false,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_REPORT, a, Spare(f)); }},
    {"report", sizeof(nsgx_report), true,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_REPORT, Spare(f), a); }},
    {"key_request", sizeof(nsgx_key_request), false,
     [](Running& f, uint64_t a) {
       // Whatever lies there, it is no good request; it only must be read.
       const Status status = f.Gate(NSGX_GATE_KEY, a, Spare(f));
       return status == Status::kInvalidArgument ? kOk : status;
     }},
    {"key", 32, true,
     [](Running& f, uint64_t a) {
       f.At<nsgx_key_request>(Spare(f)) = {NSGX_KEY_BY_IDENTITY, 0, 0, {}};
       return f.Gate(NSGX_GATE_KEY, Spare(f), a);
     }},
    {"verify", sizeof(nsgx_report), false,
     [](Running& f, uint64_t a) {
       const Status status = f.Gate(NSGX_GATE_VERIFY, a);
       return status == Status::kBadTag ? kOk : status;
     }},
    {"evidence_data", 64, false,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_EVIDENCE, a, Spare(f)); }},
    {"evidence", sizeof(nsgx_evidence_core), true,
     [](Running& f, uint64_t a) { return f.Gate(NSGX_GATE_EVIDENCE, Spare(f), a); }},
};

TEST(GatePointers, MustLieInPagesThatTheEnclaveCouldUse) {
  Running fixture;
  ASSERT_EQ(fixture.Gate(NSGX_GATE_PROTECT, fixture.heap() + kPageSize, kPageSize, kR), kOk);
  ASSERT_EQ(fixture.Gate(NSGX_GATE_PROTECT, fixture.heap() + 2 * kPageSize, kPageSize, 0), kOk);
  for (const Pointer& pointer : kPointers) {
    const auto status = [&](uint64_t address) { return pointer.call(fixture, address); };
    const Status denied_if_written = pointer.writes ? Status::kPermissionDenied : kOk;
    const std::pair<uint64_t, Status> cases[] = {
        {fixture.heap() + 4 * kPageSize, kOk},
        {fixture.heap() + 4 * kPageSize + 3, kOk},              // no alignment asked for
        {fixture.heap() + 5 * kPageSize - 17, kOk},             // two pages
        {fixture.heap() + 16 * kPageSize - pointer.size, kOk},  // up to the end
        {fixture.heap() + 16 * kPageSize - pointer.size + 1, Status::kNotFound},
        {fixture.heap() + 16 * kPageSize, Status::kNotFound},
        {fixture.heap() + kPageSize, denied_if_written},
        {fixture.heap() + kPageSize - 1, denied_if_written},
        {fixture.heap() + 2 * kPageSize, Status::kPermissionDenied},
        {fixture.heap() + 3 * kPageSize - 1, Status::kPermissionDenied},
        {fixture.data() + 5, kOk},
        {fixture.slot() + NSGX_SLOT_STACK_OFFSET, kOk},
        {fixture.slot() + 0x5000, Status::kNotFound},
        {fixture.code(), denied_if_written},
        {fixture.read_only(), denied_if_written},
        {fixture.boot() + kPageSize, denied_if_written},
        {fixture.base() - 1, Status::kOutOfRange},
        {fixture.base() - pointer.size, Status::kOutOfRange},
        {fixture.end() - pointer.size + 1, Status::kOutOfRange},
        {fixture.end() - 1, Status::kOutOfRange},
        {fixture.end(), Status::kOutOfRange},
        {0, Status::kOutOfRange},
        {kMax, Status::kOutOfRange},
        {kMax - pointer.size + 1, Status::kOutOfRange},
        {fixture.heap() ^ uint64_t{1} << 63, Status::kOutOfRange},
        {0x1000, Status::kOutOfRange},
    };
    for (const auto& [address, expected] : cases) {
      EXPECT_EQ(status(address), expected)
          << pointer.name << " " << std::hex << address - fixture.base();
    }
  }
}

TEST(GatePointers, KeepTheirNeighbours) {
  Running fixture;
  for (const Pointer& pointer : kPointers) {
    if (!pointer.writes) {
      continue;
    }
    const uint64_t address = fixture.heap() + 5 * kPageSize - 100;
    std::span<std::byte> around =
        fixture.machine.Access(EnclaveVirt(address - 64), pointer.size + 128);
    std::fill(around.begin(), around.end(), std::byte{0xa5});
    ASSERT_EQ(pointer.call(fixture, address), kOk);
    for (size_t i = 0; i < 64; ++i) {
      EXPECT_EQ(around[i], std::byte{0xa5}) << pointer.name;
      EXPECT_EQ(around[around.size() - 1 - i], std::byte{0xa5}) << pointer.name;
    }
    const std::span<const std::byte> written = around.subspan(64, pointer.size);
    EXPECT_TRUE(std::any_of(written.begin(), written.end(), [](std::byte byte) {
      return byte != std::byte{0xa5};
    })) << pointer.name;
  }
}

TEST(GatePointers, MayPointIntoDeferredPages) {
  EnclaveFixture fixture;
  fixture.StartLazily();
  const uint64_t data = fixture.base() + fixture.image.runs[2].offset;
  EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, data + kPageSize - 8, 16), kOk);
  Permissions permissions = Permissions::kNone;
  ASSERT_TRUE(fixture.machine.IsCommitted(EnclaveVirt(data), &permissions));
  EXPECT_EQ(permissions, Permissions::kReadWrite);
  // Written to after they were checked: the rest is as signed.
  EXPECT_EQ(fixture.At<std::byte>(data), fixture.image.runs[2].bytes[0]);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, data, 2 * kPageSize, kR), kOk);
}

TEST(GatePages, AreCheckedBeforeTheirRightsChange) {
  EnclaveFixture fixture;
  fixture.StartLazily();
  const uint64_t data = fixture.base() + fixture.image.runs[2].offset;
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, data, kPageSize, kR), kOk);
  Permissions permissions = Permissions::kNone;
  ASSERT_TRUE(fixture.machine.IsCommitted(EnclaveVirt(data), &permissions));
  EXPECT_EQ(permissions, Permissions::kRead);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, data, kPageSize, kRw), Status::kPermissionDenied);
  // Not even for a call that is refused.
  const uint64_t code = fixture.base() + fixture.image.runs[1].offset;
  EXPECT_EQ(fixture.Gate(NSGX_GATE_PROTECT, code, kPageSize, kRw), Status::kPermissionDenied);
}

TEST(GatePointers, StayReadableFromSeveralSlotsWhileDeferred) {
  EnclaveFixture fixture;
  fixture.StartLazily();
  fixture.Claim(1);
  const uint64_t data = fixture.base() + fixture.image.runs[2].offset;
  const auto work = [&](uint32_t slot) {
    for (uint64_t i = 0; i < 64; ++i) {
      EXPECT_EQ(fixture.enclave.GateCall(slot, NSGX_GATE_ENTROPY, data + i * 128, 8, 0, 0, 0), 0);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
}

// ---- handlers, entropy, clock

TEST(GateHandlers, AreSetOnceAndInMeasuredCode) {
  Running fixture;
  ASSERT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap() + (1 << 20), kPageSize, kRx), kOk);
  const uint64_t good = fixture.code() + 5;
  EXPECT_EQ(fixture.enclave.exception_entry().raw(), 0u);
  for (uint64_t bad : {fixture.data(), fixture.read_only(), fixture.heap(),
                       fixture.heap() + (1 << 20), fixture.slot(), fixture.boot()}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, bad, good), Status::kPermissionDenied);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, good, bad), Status::kPermissionDenied);
  }
  for (uint64_t bad : {uint64_t{1}, fixture.base() - 1, fixture.end(), kMax}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, bad, good), Status::kOutOfRange);
    EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, good, bad), Status::kOutOfRange);
  }
  EXPECT_EQ(fixture.enclave.exception_entry().raw(), 0u);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, good, good + 1), kOk);
  EXPECT_EQ(fixture.enclave.exception_entry().raw(), good);
  EXPECT_EQ(fixture.enclave.syscall_entry().raw(), good + 1);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_SET_HANDLER, good, good), Status::kAlreadyExists);
  EXPECT_EQ(fixture.enclave.syscall_entry().raw(), good + 1);
}

TEST(GateEntropy, GivesWhatIsAskedFor) {
  Running fixture;
  const uint64_t address = fixture.heap();
  std::fill_n(&fixture.At<std::byte>(address), 512, std::byte{0});
  EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, address, 1), kOk);
  EXPECT_EQ(fixture.At<std::byte>(address + 1), std::byte{0});
  EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, address, 256), kOk);
  const std::vector<std::byte> first = Copy(fixture.machine.Access(EnclaveVirt(address), 256));
  EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, address, 256), kOk);
  EXPECT_NE(first, Copy(fixture.machine.Access(EnclaveVirt(address), 256)));
  for (uint64_t size : {uint64_t{0}, uint64_t{257}, uint64_t{1} << 32, kMax}) {
    EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, address, size), Status::kInvalidArgument);
  }
  fixture.machine.FailCall(1);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_ENTROPY, address, 16), Status::kEntropyFailure);
  fixture.machine.FailCall(0);
}

TEST(GateClock, IsTheMachines) {
  Running fixture;
  EXPECT_EQ(fixture.Gate(NSGX_GATE_CLOCK, fixture.heap()), kOk);
  EXPECT_EQ(fixture.At<nsgx_clock>(fixture.heap()).ns_base, 2000u);
  fixture.machine.FailCall(1);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_CLOCK, fixture.heap()), Status::kUnsupported);
  fixture.machine.FailCall(0);
}

// ---- reports, keys, evidence

nsgx_report MakeReport(Running& fixture, const uint8_t (&target)[32]) {
  nsgx_report_request request = {};
  std::memcpy(request.target, target, sizeof(request.target));
  std::memset(request.report_data, 0x42, sizeof(request.report_data));
  fixture.At<nsgx_report_request>(fixture.heap()) = request;
  EXPECT_EQ(fixture.Gate(NSGX_GATE_REPORT, fixture.heap(), fixture.heap() + kPageSize), kOk);
  return fixture.At<nsgx_report>(fixture.heap() + kPageSize);
}

Status Verify(Running& fixture, const nsgx_report& report) {
  fixture.At<nsgx_report>(fixture.heap()) = report;
  return fixture.Gate(NSGX_GATE_VERIFY, fixture.heap());
}

TEST(GateReport, SaysWhoTheEnclaveIs) {
  Running fixture;
  const nsgx_report report = MakeReport(fixture, fixture.enclave.body().identity);
  nsgx_report_body expected = fixture.enclave.body();
  std::memset(expected.report_data, 0x42, sizeof(expected.report_data));
  EXPECT_EQ(std::memcmp(&report.body, &expected, sizeof(expected)), 0);
  EXPECT_EQ(Verify(fixture, report), kOk);
}

TEST(GateReport, IsForItsTargetOnly) {
  Running fixture;
  const uint8_t somebody[32] = {1};
  nsgx_report report = MakeReport(fixture, somebody);
  EXPECT_EQ(Verify(fixture, report), Status::kBadTag);
  // Nor does it help to say that it is for the verifier.
  std::memcpy(report.target, fixture.enclave.body().identity, sizeof(report.target));
  EXPECT_EQ(Verify(fixture, report), Status::kBadTag);
}

TEST(GateReport, CannotBeChanged) {
  Running fixture;
  const nsgx_report report = MakeReport(fixture, fixture.enclave.body().identity);
  for (size_t byte = 0; byte < sizeof(report); byte += 7) {
    nsgx_report changed = report;
    reinterpret_cast<uint8_t*>(&changed)[byte] ^= 1;
    EXPECT_EQ(Verify(fixture, changed), Status::kBadTag) << byte;
  }
}

TEST(GateReport, IsWorthNothingToAnotherSeh) {
  Running fixture;
  const nsgx_report report = MakeReport(fixture, fixture.enclave.body().identity);
  FakeMachine machine;
  std::array<std::byte, 32> other_start;
  ASSERT_TRUE(machine.Random(other_start).ok());
  KeyStore other(machine);
  EXPECT_EQ(ToStatus(other.VerifyReport(fixture.enclave.body(), report)), Status::kBadTag);
}

// Asks, and while the machine is in the call number `during` that this makes, asks once more.
template <typename Ask>
void AskTwiceAtOnce(FakeMachine& machine, int during, Ask&& ask) {
  struct Context {
    FakeMachine& machine;
    int calls_left;
    Ask& ask;
  } context{machine, during, ask};
  machine.during_call_context = &context;
  machine.during_call = [](void* raw) {
    Context& now = *static_cast<Context*>(raw);
    if (--now.calls_left == 0) {
      now.machine.during_call = nullptr;
      now.ask();
    }
  };
  ask();
  machine.during_call = nullptr;
  machine.during_call_context = nullptr;
}

TEST(GateReport, HasOneKeyWhoeverAsksFirst) {
  Running fixture;
  std::vector<nsgx_report> reports;
  AskTwiceAtOnce(fixture.machine, 1, [&] {
    nsgx_report_request request = {};
    std::memcpy(request.target, fixture.enclave.body().identity, sizeof(request.target));
    nsgx_report report;
    EXPECT_TRUE(fixture.keys.MakeReport(fixture.enclave.body(), request, report).ok());
    reports.push_back(report);
  });
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_EQ(Verify(fixture, reports[0]), kOk);
  EXPECT_EQ(Verify(fixture, reports[1]), kOk);
}

std::vector<std::byte> Key(KeyStore& keys, const nsgx_report_body& owner,
                           const nsgx_key_request& request) {
  std::array<std::byte, 32> key;
  EXPECT_TRUE(keys.DeriveKey(owner, request, key).ok());
  return Copy(key);
}

TEST(GateKey, IsTheSameAgainAndDiffersWithEverythingInIt) {
  FakeMachine machine;
  KeyStore keys(machine);
  nsgx_report_body owner = {};
  owner.identity[0] = 1;
  owner.signer[0] = 2;
  owner.product_id = 3;
  owner.svn = 4;
  const nsgx_key_request request = {NSGX_KEY_BY_SIGNER, 2, 0, {9}};
  std::vector<std::vector<std::byte>> seen = {Key(keys, owner, request)};
  const auto add = [&](auto&& change) {
    nsgx_report_body now = owner;
    nsgx_key_request now_request = request;
    change(now, now_request);
    seen.push_back(Key(keys, now, now_request));
  };
  add([](nsgx_report_body& o, nsgx_key_request&) { o.signer[0] = 7; });
  add([](nsgx_report_body& o, nsgx_key_request&) { o.product_id = 7; });
  add([](nsgx_report_body& o, nsgx_key_request&) { o.attributes = NSGX_ATTRIBUTE_DEBUG; });
  add([](nsgx_report_body&, nsgx_key_request& r) { r.svn = 1; });
  add([](nsgx_report_body&, nsgx_key_request& r) { r.key_id[31] = 1; });
  add([](nsgx_report_body&, nsgx_key_request& r) { r.policy = NSGX_KEY_BY_IDENTITY; });
  add([](nsgx_report_body& o, nsgx_key_request& r) {
    r.policy = NSGX_KEY_BY_IDENTITY;
    o.identity[0] = 7;
  });
  for (size_t i = 0; i < seen.size(); ++i) {
    for (size_t j = i + 1; j < seen.size(); ++j) {
      EXPECT_NE(seen[i], seen[j]) << i << " " << j;
    }
  }

  // What must not matter: another image of the signer, its newer version, launch data, another
  // start of the machine.
  nsgx_report_body other = owner;
  other.identity[0] = 99;
  other.svn = 40;
  other.instance[0] = 1;
  other.args_hash[0] = 1;
  other.attributes = NSGX_ATTRIBUTE_ANY_ENV;
  KeyStore restarted(machine);
  EXPECT_EQ(Key(restarted, other, request), seen[0]);
  // Written down: it opens what was sealed years ago.
  const HmacSha256::Mac expected = [] {
    std::array<std::byte, 32> root;
    root.fill(std::byte{0x5a});
    const uint8_t info[80] = {2, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
                              0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                              0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    HmacSha256::Mac key;
    EXPECT_TRUE(
        Hkdf(root, BytesOf("NSGX sealing key v1"), std::as_bytes(std::span(info)), key).ok());
    return key;
  }();
  EXPECT_EQ(seen[0], Copy(expected));
}

TEST(GateKey, RefusesNewerVersionsAndUnknownPolicies) {
  Running fixture;
  const auto status = [&](const nsgx_key_request& request) {
    fixture.At<nsgx_key_request>(fixture.heap()) = request;
    return fixture.Gate(NSGX_GATE_KEY, fixture.heap(), fixture.heap() + kPageSize);
  };
  const uint16_t svn = fixture.image.config.svn;
  EXPECT_EQ(status({NSGX_KEY_BY_IDENTITY, svn, 0, {}}), kOk);
  EXPECT_EQ(status({NSGX_KEY_BY_SIGNER, 0, 0, {}}), kOk);
  EXPECT_EQ(status({NSGX_KEY_BY_SIGNER, static_cast<uint16_t>(svn + 1), 0, {}}),
            Status::kPermissionDenied);
  EXPECT_EQ(status({NSGX_KEY_BY_SIGNER, 0xffff, 0, {}}), Status::kPermissionDenied);
  EXPECT_EQ(status({NSGX_KEY_BY_SIGNER, 0, 1, {}}), Status::kInvalidArgument);
  for (uint32_t policy : {0u, 3u, 4u, 0x80000001u}) {
    EXPECT_EQ(status({policy, 0, 0, {}}), Status::kInvalidArgument);
  }
}

TEST(GateEvidence, IsBoundToTheHardwareReport) {
  Running fixture;
  const uint64_t report_data = fixture.heap();
  const uint64_t address = fixture.heap() + kPageSize;
  std::memset(&fixture.At<std::byte>(report_data), 0x17, 64);
  EXPECT_EQ(fixture.machine.hardware_reports(), 0u);
  ASSERT_EQ(fixture.Gate(NSGX_GATE_EVIDENCE, report_data, address), kOk);
  const nsgx_evidence_core evidence = fixture.At<nsgx_evidence_core>(address);

  nsgx_report_body expected = fixture.enclave.body();
  std::memset(expected.report_data, 0x17, sizeof(expected.report_data));
  EXPECT_EQ(std::memcmp(&evidence.body, &expected, sizeof(expected)), 0);

  const std::span<const std::byte, 96> public_key =
      std::as_bytes(std::span(evidence.seh_public_key));
  EcdsaP384Signature signature;
  std::memcpy(signature.data(), evidence.seh_signature, signature.size());
  const Result<EcdsaP384PublicKey> key = EcdsaP384PublicKey::FromRaw(public_key);
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(key.value().Verify(Sha384::Hash(BytesOf(evidence.body)), signature).ok());

  Sha512 hash;
  hash.Update(BytesOf("NSGX SEH key v1"));
  hash.Update(public_key);
  hash.Update(BytesOf(uint32_t{kSehSvn}));
  const Sha512::Digest bound = hash.Finish();
  snp_report hardware;
  std::memcpy(&hardware, evidence.snp_report, sizeof(hardware));
  EXPECT_EQ(std::memcmp(hardware.report_data, bound.data(), bound.size()), 0);

  // The key and the hardware's report are made once.
  ASSERT_EQ(fixture.Gate(NSGX_GATE_EVIDENCE, report_data, address), kOk);
  const nsgx_evidence_core& second = fixture.At<nsgx_evidence_core>(address);
  EXPECT_EQ(std::memcmp(second.seh_public_key, evidence.seh_public_key, 96), 0);
  EXPECT_EQ(fixture.machine.hardware_reports(), 1u);
}

TEST(GateEvidence, SurvivesAMachineThatFails) {
  for (int number : {NSGX_GATE_EVIDENCE, NSGX_GATE_REPORT, NSGX_GATE_KEY}) {
    const uint64_t call = static_cast<uint64_t>(number);
    Running fixture;
    fixture.At<nsgx_key_request>(fixture.heap()) = {NSGX_KEY_BY_IDENTITY, 0, 0, {}};
    uint32_t n = 1;
    for (;; ++n) {
      fixture.machine.FailCall(n);
      const Status status = fixture.Gate(call, fixture.heap(), fixture.heap() + kPageSize);
      fixture.machine.FailCall(0);
      if (status == kOk) {
        break;
      }
      EXPECT_TRUE(status == Status::kEntropyFailure || status == Status::kUnsupported);
      ASSERT_LT(n, 20u);
    }
    EXPECT_GE(n, 2u);
  }
}

TEST(GateEvidence, HasOneKeyWhoeverAsksFirst) {
  Running fixture;
  std::vector<nsgx_evidence_core> evidence;
  // First a seed, then the hardware's report over the key.
  AskTwiceAtOnce(fixture.machine, 2, [&] {
    nsgx_evidence_core core;
    EXPECT_TRUE(
        fixture.keys.MakeEvidence(fixture.enclave.body(), std::array<std::byte, 64>{}, core).ok());
    evidence.push_back(core);
  });
  ASSERT_EQ(evidence.size(), 2u);
  EXPECT_EQ(fixture.machine.hardware_reports(), 2u);
  EXPECT_EQ(std::memcmp(evidence[0].seh_public_key, evidence[1].seh_public_key, 96), 0);
  EXPECT_EQ(std::memcmp(evidence[0].snp_report, evidence[1].snp_report, sizeof(snp_report)), 0);
  // And it is the one that is published.
  std::array<std::byte, 96> published = {};
  ASSERT_TRUE(fixture.keys.EvidencePublicKey(published).ok());
  EXPECT_EQ(std::memcmp(evidence[0].seh_public_key, published.data(), published.size()), 0);
  EXPECT_EQ(fixture.machine.hardware_reports(), 2u);
}

TEST(GateEvidence, PublishesNoKeyThatTheMachineDoesNotBind) {
  Running fixture;
  std::array<std::byte, 96> published = {};
  fixture.machine.FailCall(2);  // the report
  EXPECT_FALSE(fixture.keys.EvidencePublicKey(published).ok());
  EXPECT_EQ(published[0], std::byte{0});
}

TEST(GateEvidence, IsMadeForSeveralSlotsAtOnce) {
  Running fixture;
  fixture.Claim(1);
  const auto ask = [&](uint32_t slot) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(fixture.enclave.GateCall(slot, NSGX_GATE_EVIDENCE, fixture.heap(),
                                         fixture.heap() + (1 + slot) * kPageSize, 0, 0, 0),
                0);
    }
  };
  std::thread other(ask, 1);
  ask(0);
  other.join();
}

}  // namespace
}  // namespace nsgx::seh
