// SPDX-License-Identifier: Apache-2.0
// The guest's calls about enclaves, with right and with hostile arguments.
#include <gtest/gtest.h>

#include <random>

#include "vmpl-switch/snp/enclave/enclave_machine.h"

namespace nsgx::snp {
namespace {

constexpr uint32_t Refused(uint32_t status) { return SVSM_PROTOCOL_RESULT + status; }

class CallsTest : public testing::Test, public EnclaveMachine {
 protected:
  // The RMP and the table of page states say the same of who may touch what.
  void ExpectConsistent() {
    uint64_t pool = 0;
    for (uint64_t i = 0; i < kGuestPages; ++i) {
      const GuestPhys page = kGuest + i * kPageSize;
      const PageState state = machine.pages.StateOf(page);
      EXPECT_EQ(machine.rmp.GuestMayWrite(page), GuestMayAccess(state)) << page.raw();
      pool += state == PageState::kEnclavePool ? 1 : 0;
    }
    EXPECT_EQ(Call(NSGX_SEH_QUERY), SVSM_SUCCESS);
    EXPECT_EQ(registers.r9, pool);
  }
};

TEST_F(CallsTest, AnEnclaveLivesAndDies) {
  Start();
  ExpectConsistent();
  ASSERT_EQ(Call(NSGX_SEH_INFO, number, kRequest.raw()), SVSM_SUCCESS);
  const nsgx_seh_info info = *machine.At<nsgx_seh_info>(kRequest);
  const Sha256::Digest identity = image.Identity();
  EXPECT_EQ(std::memcmp(info.identity, identity.data(), identity.size()), 0);
  EXPECT_EQ(info.state, 2u);
  EXPECT_EQ(info.pool_pages + info.used_pages, donated);
  EXPECT_EQ(machine.pages.StateOf(kWindow), PageState::kWindow);

  hardware.actions = {Gate(NSGX_GATE_HOST_CALL, 3, 1, 2, 3, 4),
                      Gate(NSGX_GATE_DONE, NSGX_DONE_EXIT, 5)};
  ASSERT_EQ(Enter(), SVSM_SUCCESS);
  EXPECT_EQ(registers.rcx, NSGX_SEH_EXIT_HOST_CALL);
  EXPECT_EQ(exit().number, 3u);
  EXPECT_EQ(exit().arguments[0], 1u);
  EXPECT_EQ(exit().arguments[3], 4u);
  ASSERT_EQ(Enter(0, 77), SVSM_SUCCESS);
  EXPECT_EQ(exit().reason, NSGX_SEH_EXIT_DONE);
  EXPECT_EQ(exit().arguments[1], 5u);
  EXPECT_EQ(Enter(), Refused(NSGX_BAD_STATE));

  const uint32_t old = number;
  EXPECT_EQ(TakeAllBack(), donated);
  for (uint64_t i = 0; i < donated; ++i) {
    const GuestPhys page = kDonation + i * kPageSize;
    EXPECT_EQ(machine.pages.StateOf(page), PageState::kGuest);
    const std::byte* bytes = machine.At<std::byte>(page);
    EXPECT_TRUE(
        std::all_of(bytes, bytes + kPageSize, [](std::byte b) { return b == std::byte{0}; }));
  }
  EXPECT_EQ(machine.pages.StateOf(kWindow), PageState::kGuest);
  ExpectConsistent();

  // The number is gone, also when its place is used again.
  EXPECT_EQ(Create(), SVSM_SUCCESS);
  EXPECT_NE(number, old);
  for (const uint32_t call :
       {NSGX_SEH_DONATE, NSGX_SEH_RECLAIM, NSGX_SEH_ADD_PAGES, NSGX_SEH_ADD_ZERO_PAGES,
        NSGX_SEH_ADD_WINDOW, NSGX_SEH_INIT, NSGX_SEH_ENTER, NSGX_SEH_DESTROY, NSGX_SEH_INFO,
        NSGX_SEH_DEBUG_READ, NSGX_SEH_DEBUG_WRITE}) {
    // ENTER takes r8 for flags.
    EXPECT_EQ(Call(call, old, kList.raw(), call == NSGX_SEH_ENTER ? 0 : kRequest.raw(), 1),
              Refused(NSGX_NOT_FOUND))
        << call;
    if (call != NSGX_SEH_ENTER) {
      EXPECT_EQ(registers.rcx, 0u) << call;  // pages done
    }
    if (call != NSGX_SEH_ENTER) {
      EXPECT_EQ(Call(call, number | uint64_t{1} << 32, kList.raw(), kRequest.raw(), 1),
                Refused(NSGX_NOT_FOUND));
    }
  }
}

TEST_F(CallsTest, DonatingPagesOfTwelveWrongKinds) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  const GuestPhys own = kOwn + 5 * kPageSize;
  const GuestPhys other = kGuest + 0x90000;
  const struct {
    const char* what;
    uint64_t page;
    PageState state;
    uint32_t status;
  } kWrong[] = {
      {"not aligned", kDonation.raw() + 8, PageState::kGuest, NSGX_INVALID_ARGUMENT},
      {"the SEH's", own.raw(), PageState::kOwn, NSGX_PERMISSION_DENIED},
      {"an enclave's", other.raw(), PageState::kEnclavePool, NSGX_PERMISSION_DENIED},
      {"a window's", other.raw(), PageState::kWindow, NSGX_PERMISSION_DENIED},
      {"another calling area", other.raw(), PageState::kCallingArea, NSGX_PERMISSION_DENIED},
      {"its own calling area", kArea.raw(), PageState::kCallingArea, NSGX_PERMISSION_DENIED},
      {"a VMSA", other.raw(), PageState::kVmsa, NSGX_PERMISSION_DENIED},
      {"shared with the host", other.raw(), PageState::kShared, NSGX_PERMISSION_DENIED},
      {"no RAM", other.raw(), PageState::kAbsent, NSGX_PERMISSION_DENIED},
      {"the firmware's", other.raw(), PageState::kFirmware, NSGX_PERMISSION_DENIED},
      {"behind the end of RAM", FakeMachine::kPages * kPageSize, PageState::kGuest,
       NSGX_INVALID_ARGUMENT},
      {"behind the end of everything", ~uint64_t{0xfff}, PageState::kGuest, NSGX_INVALID_ARGUMENT},
  };
  for (const auto& wrong : kWrong) {
    const bool has_state = wrong.page < FakeMachine::kPages * kPageSize && wrong.page % 4096 == 0;
    if (has_state) {
      SetState(GuestPhys(wrong.page), wrong.state);
    }
    // What comes before it is taken, what comes after is not.
    const uint64_t good = (kDonation + donated * kPageSize).raw();
    PutList({good, wrong.page, good + kPageSize});
    EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), Refused(wrong.status)) << wrong.what;
    EXPECT_EQ(registers.rcx, 1u) << wrong.what;
    ++donated;
    if (has_state) {
      EXPECT_EQ(machine.pages.StateOf(GuestPhys(wrong.page)), wrong.state) << wrong.what;
      if (wrong.page == other.raw()) {
        SetState(other, PageState::kGuest);
      }
    }
  }
  ExpectConsistent();
}

TEST_F(CallsTest, NoPageIsTakenTwice) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  PutList({kDonation.raw(), kDonation.raw()});
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), Refused(NSGX_BUSY));
  EXPECT_EQ(registers.rcx, 1u);
  PutList({kDonation.raw()});
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), Refused(NSGX_PERMISSION_DENIED));
  EXPECT_EQ(registers.rcx, 0u);
  // The list itself.
  PutList({kList.raw()});
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_SUCCESS);
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(registers.rcx, 0u);
  // In the window of one enclave and no other's.
  PutList(PageRun(kDonation + kPageSize, 40), kRequest);
  ASSERT_EQ(Call(NSGX_SEH_DONATE, number, kRequest.raw()), SVSM_SUCCESS);
  PutList({kWindow.raw(), kWindow.raw()}, kRequest);
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kRequest.raw(), 0), Refused(NSGX_PERMISSION_DENIED));
  EXPECT_EQ(registers.rcx, 1u);
  ExpectConsistent();
}

TEST_F(CallsTest, ListsAreReadOnce) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  PutList(PageRun(kDonation, 3));
  // While the first page is taken the guest names another third one, which is the SEH's.
  machine.rmp.context = this;
  machine.rmp.on_revoke = [](void* context, GuestPhys) {
    static_cast<CallsTest*>(context)->PutList({kOwn.raw(), kOwn.raw(), kOwn.raw()});
  };
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_SUCCESS);
  EXPECT_EQ(registers.rcx, 3u);
  machine.rmp.on_revoke = nullptr;
  ExpectConsistent();
}

TEST_F(CallsTest, ListsThatBreakTheirFormat) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  nsgx_seh_list& list = *machine.At<nsgx_seh_list>(kList);
  PutList({kDonation.raw()});
  for (const uint32_t count : {0u, NSGX_SEH_LIST_PAGES + 1, ~0u}) {
    list.count = count;
    EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_INVALID_FORMAT);
  }
  list.count = 1;
  list.reserved = 1;
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_INVALID_FORMAT);
  list.reserved = 0;
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw() + 8), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kOwn.raw()), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, ~uint64_t{0xfff}), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(Call(NSGX_SEH_RECLAIM, number, kOwn.raw()), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Call(NSGX_SEH_RECLAIM, number, kList.raw() + 1), SVSM_INVALID_PARAMETER);
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_SUCCESS);
}

TEST_F(CallsTest, WishesThatCannotBe) {
  const auto refuse = [&](const char* what, auto change) {
    ASSERT_EQ(Create(), SVSM_SUCCESS);  // puts everything right
    ASSERT_EQ(TakeAllBack(), 0u);
    nsgx_seh_create& wish = *machine.At<nsgx_seh_create>(kRequest);
    change(wish);
    EXPECT_NE(Call(NSGX_SEH_CREATE, kRequest.raw()), SVSM_SUCCESS) << what;
    EXPECT_EQ(registers.rcx, 0u) << what;
    Call(NSGX_SEH_QUERY);
    EXPECT_EQ(registers.rdx, 0u) << what;
  };
  refuse("no configuration", [](nsgx_seh_create& wish) { wish.config_size = 0; });
  refuse("half a page", [](nsgx_seh_create& wish) { wish.config_size = 2048; });
  refuse("too much", [](nsgx_seh_create& wish) { wish.config_size = 17 * 4096; });
  refuse("the SEH's", [](nsgx_seh_create& wish) { wish.config[0] = kOwn.raw(); });
  refuse("not aligned", [](nsgx_seh_create& wish) { wish.config[0] += 8; });
  refuse("not a configuration", [](nsgx_seh_create& wish) { wish.config[0] = kList.raw(); });
  refuse("no slots", [](nsgx_seh_create& wish) { wish.vcpus = 0; });
  refuse("too many slots", [](nsgx_seh_create& wish) { wish.vcpus = 5; });
  refuse("window", [](nsgx_seh_create& wish) { wish.window_size = 1; });
  refuse("large window", [](nsgx_seh_create& wish) { wish.window_size = uint64_t{1} << 40; });
  refuse("endless window", [](nsgx_seh_create& wish) { wish.window_size = uint64_t{1} << 63; });
  refuse("large image", [](nsgx_seh_create& wish) { wish.image_size = uint64_t{1} << 40; });
  refuse("odd image", [](nsgx_seh_create& wish) { wish.image_size += 1; });
  EXPECT_EQ(Call(NSGX_SEH_CREATE, kOwn.raw()), SVSM_INVALID_ADDRESS);
  EXPECT_EQ(Call(NSGX_SEH_CREATE, kRequest.raw() + kPageSize - 8), SVSM_INVALID_PARAMETER);
}

TEST_F(CallsTest, ThereIsRoomForSoManyEnclavesAndNoMore) {
  for (uint32_t i = 0; i < EnclaveTable::kMaxEnclaves; ++i) {
    ASSERT_EQ(Create(), SVSM_SUCCESS);
  }
  EXPECT_EQ(Create(), Refused(NSGX_NO_MEMORY));
}

TEST_F(CallsTest, WithoutPagesNothingHappensAndWithPagesItGoesOn) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  EXPECT_EQ(AddWindow(), Refused(NSGX_NO_MEMORY));
  const auto feed = [&](auto step) {
    uint32_t result = step();
    for (int i = 0; i < 200 && result == Refused(NSGX_NO_MEMORY); ++i) {
      ASSERT_EQ(Donate(1), SVSM_SUCCESS);
      ExpectConsistent();
      result = step();
    }
    ASSERT_EQ(result, SVSM_SUCCESS);
  };
  PutList({kWindow.raw()});
  for (uint64_t i = 0; i < 4; ++i) {
    feed([&] {
      PutList({(kWindow + i * kPageSize).raw()});
      return Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), i);
    });
  }
  for (const TestRun& run : image.runs) {
    const uint64_t count = run.bytes.empty() ? run.zero_page_count : run.bytes.size() / kPageSize;
    for (uint64_t i = 0; i < count; ++i) {
      TestRun page = {run.offset + i * kPageSize, run.permissions, {}, 1};
      if (!run.bytes.empty()) {
        page.bytes.assign(run.bytes.begin() + static_cast<ptrdiff_t>(i * kPageSize),
                          run.bytes.begin() + static_cast<ptrdiff_t>((i + 1) * kPageSize));
      }
      feed([&] { return AddRun(page); });
    }
  }
  feed([&] { return Init(); });
  EXPECT_EQ(TakeAllBack(), donated);
}

TEST_F(CallsTest, LongCallsStopWhenSomethingWaitsForTheGuest) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  hardware.has_event = true;
  PutList(PageRun(kDonation, 40));
  EXPECT_EQ(Call(NSGX_SEH_DONATE, number, kList.raw()), SVSM_INCOMPLETE);
  EXPECT_EQ(registers.rcx, 32u);
  EXPECT_EQ(Call(NSGX_SEH_RECLAIM, number, kList.raw()), SVSM_SUCCESS);
  EXPECT_EQ(registers.rcx, 1u);
  hardware.has_event = false;
  EXPECT_EQ(Call(NSGX_SEH_RECLAIM, number, kList.raw()), SVSM_SUCCESS);
  EXPECT_EQ(registers.rcx, 31u);
  ASSERT_EQ(Donate(120), SVSM_SUCCESS);
  hardware.has_event = true;
  PutList(PageRun(kWindow, 4));
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), 0), SVSM_INCOMPLETE);
  EXPECT_EQ(registers.rcx, 1u);
  EXPECT_EQ(AddRun(image.runs[0]), SVSM_INCOMPLETE);
  EXPECT_EQ(registers.rcx, 1u);
}

TEST_F(CallsTest, LoadingInTheWrongOrder) {
  Start();
  EXPECT_EQ(Init(), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(AddRun(image.runs[0]), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(AddRun(image.runs[3]), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(AddWindow(), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(Call(NSGX_SEH_DESTROY, number), SVSM_SUCCESS);
  EXPECT_EQ(Call(NSGX_SEH_DESTROY, number), SVSM_SUCCESS);
  EXPECT_EQ(Donate(1), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(AddRun(image.runs[0]), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(Enter(), Refused(NSGX_BAD_STATE));
}

TEST_F(CallsTest, AnEnclaveWithoutItsWholeWindowDoesNotStart) {
  ASSERT_EQ(Create(), SVSM_SUCCESS);
  ASSERT_EQ(Donate(120), SVSM_SUCCESS);
  PutList({kWindow.raw()});
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), 4), Refused(NSGX_OUT_OF_RANGE));
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), ~uint64_t{0}),
            Refused(NSGX_OUT_OF_RANGE));
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), 3), SVSM_SUCCESS);
  PutList({kWindow.raw() + kPageSize});
  EXPECT_EQ(Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), 3), Refused(NSGX_ALREADY_EXISTS));
  for (const TestRun& run : image.runs) {
    ASSERT_EQ(AddRun(run), SVSM_SUCCESS);
  }
  EXPECT_EQ(Init(), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(TakeAllBack(), donated);
  ExpectConsistent();
}

TEST_F(CallsTest, SlotsAndFlagsThatDoNotExist) {
  Start();
  EXPECT_EQ(Enter(2), Refused(NSGX_NOT_FOUND));
  EXPECT_EQ(Enter(~0u), Refused(NSGX_NOT_FOUND));
  EXPECT_EQ(Enter(0, 0, 2), Refused(NSGX_INVALID_ARGUMENT));
  EXPECT_EQ(Enter(0, 0, ~uint64_t{0}), Refused(NSGX_INVALID_ARGUMENT));
  EXPECT_EQ(hardware.runs, 0u);
}

TEST_F(CallsTest, NobodyEntersASlotTwiceOrDestroysARunningEnclave) {
  Start();
  hardware.actions = {[&](Ring3State&) -> Ring3Event {
    // As from another processor.
    const AddressSpace* active = hardware.active;
    EXPECT_EQ(Enter(0), Refused(NSGX_BUSY));
    EXPECT_EQ(Call(NSGX_SEH_DESTROY, number), Refused(NSGX_BUSY));
    hardware.Activate(active);
    return {.vector = kVectorHv, .error_code = 0, .address = 0};
  }};
  // It is over all the same.
  EXPECT_EQ(Enter(), SVSM_SUCCESS);
  EXPECT_EQ(exit().reason, NSGX_SEH_EXIT_INTERRUPTED);
  EXPECT_EQ(Enter(), Refused(NSGX_BAD_STATE));
  EXPECT_EQ(TakeAllBack(), donated);
}

TEST_F(CallsTest, DebuggersLookIntoDebugEnclavesOnly) {
  Start();
  const uint64_t code = code_address();
  EXPECT_EQ(Call(NSGX_SEH_DEBUG_READ, number, code, kRequest.raw(), 16),
            Refused(NSGX_PERMISSION_DENIED));
  EXPECT_EQ(Call(NSGX_SEH_DEBUG_WRITE, number, code, kRequest.raw(), 16),
            Refused(NSGX_PERMISSION_DENIED));
  TakeAllBack();

  ConfigBuilder config;
  config.config.attributes = NSGX_ATTRIBUTE_DEBUG;
  EnclaveMachine debugged(config);
  debugged.Start();
  std::byte* page = debugged.machine.At<std::byte>(kRequest);
  // Across a page of the enclave.
  const uint64_t end = (code & ~kPageMask) + kPageSize - 8;
  EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_READ, debugged.number, end, kRequest.raw(), 16),
            SVSM_SUCCESS);
  EXPECT_EQ(std::memcmp(page, debugged.image.runs[1].bytes.data() + kPageSize - 8, 16), 0);
  page[0] = std::byte{0xcc};
  EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_WRITE, debugged.number, code, kRequest.raw(), 1),
            SVSM_SUCCESS);
  page[0] = std::byte{0};
  EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_READ, debugged.number, code, kRequest.raw(), 1),
            SVSM_SUCCESS);
  EXPECT_EQ(page[0], std::byte{0xcc});
  // Not beyond its memory, not into anything else.
  for (const uint64_t address :
       {uint64_t{0}, kGateAddress, kWindowAddress, kEnclaveBase - 8, uint64_t{kHeap}, kAliasBase,
        ~uint64_t{0}, uint64_t{0xffff800000200000}}) {
    EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_READ, debugged.number, address, kRequest.raw(), 16),
              Refused(NSGX_NOT_FOUND))
        << address;
  }
  EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_READ, debugged.number, code, kOwn.raw(), 16),
            SVSM_INVALID_ADDRESS);
  EXPECT_EQ(debugged.Call(NSGX_SEH_DEBUG_READ, debugged.number, code, kRequest.raw(), 4097),
            SVSM_INVALID_PARAMETER);
}

TEST_F(CallsTest, CertificatesComeAsEvidenceWantsThem) {
  const auto put = [&](size_t at, std::array<uint8_t, 16> guid, uint32_t offset, uint32_t size) {
    std::memcpy(firmware.certificate_bytes.data() + at, guid.data(), guid.size());
    std::memcpy(firmware.certificate_bytes.data() + at + 16, &offset, 4);
    std::memcpy(firmware.certificate_bytes.data() + at + 20, &size, 4);
  };
  constexpr std::array<uint8_t, 16> kArk = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52,
                                            0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae};
  constexpr std::array<uint8_t, 16> kAskTurned = {0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f,
                                                  0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82};
  constexpr std::array<uint8_t, 16> kVcek = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                             0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
  firmware.certificate_bytes.resize(kPageSize);
  put(0, kArk, 200, 3);
  put(24, kAskTurned, 210, 2);
  put(48, kVcek, 220, 1);
  std::memset(firmware.certificate_bytes.data() + 200, 0xaa, 3);
  std::memset(firmware.certificate_bytes.data() + 210, 0xbb, 2);
  std::memset(firmware.certificate_bytes.data() + 220, 0xcc, 1);
  PutList({kRequest.raw()});
  ASSERT_EQ(Call(NSGX_SEH_CERTIFICATES, kList.raw()), SVSM_SUCCESS);
  ASSERT_EQ(registers.rcx, 18u);
  const uint8_t kWanted[] = {1,    0,    0, 0, 0xcc, 2, 0,    0,    0,
                             0xbb, 0xbb, 3, 0, 0,    0, 0xaa, 0xaa, 0xaa};
  EXPECT_EQ(std::memcmp(machine.At<std::byte>(kRequest), kWanted, sizeof(kWanted)), 0);

  put(24, kAskTurned, 0x7ffe, 10);
  EXPECT_EQ(Call(NSGX_SEH_CERTIFICATES, kList.raw()), Refused(NSGX_MALFORMED));
  put(24, {}, 0, 0);
  EXPECT_EQ(Call(NSGX_SEH_CERTIFICATES, kList.raw()), Refused(NSGX_NOT_FOUND));
}

// Whatever a guest says, in whatever order: pages are always somebody's, and nobody's twice.
TEST_F(CallsTest, RandomCallsLeaveEveryPageWithOneOwner) {
  std::mt19937_64 random(20261126);
  hardware.actions.clear();
  for (int i = 0; i < 20000; ++i) {
    const auto value = [&]() -> uint64_t {
      switch (random() % 10) {
        case 0:
          return random();
        case 1:
          return number;
        case 2:
          return kList.raw();
        case 3:
          return kRequest.raw();
        case 4:
          return (kGuest + random() % kGuestPages * kPageSize).raw();
        case 5:
          return kOwn.raw() + random() % 64 * kPageSize;
        case 6:
          return random() % 8;
        case 7:
          return random() % 16 * kPageSize;
        default:
          return kArea.raw();
      }
    };
    if (machine.pages.StateOf(kList) == PageState::kGuest && random() % 2 == 0) {
      std::vector<uint64_t> pages;
      for (uint64_t n = random() % 20; n != 0; --n) {
        pages.push_back(value());
      }
      PutList(pages);
    }
    const uint32_t call = static_cast<uint32_t>(random() % (NSGX_SEH_LAST_CALL + 2));
    if (call == NSGX_SEH_CREATE && machine.pages.StateOf(kRequest) == PageState::kGuest &&
        machine.pages.StateOf(kBounce) == PageState::kGuest) {
      Create();
      continue;
    }
    hardware.has_event = random() % 4 == 0;
    Call(call, random() % 4 == 0 ? value() : number, value(), value(), value());
    hardware.has_event = false;
    if (i % 500 == 0) {
      ExpectConsistent();
    }
  }
  ExpectConsistent();
}

}  // namespace
}  // namespace nsgx::snp
