// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/snp/cpu/ghcb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "base/core/bytes.h"
#include "vmpl-switch/abi/snp.h"

namespace nsgx::snp {
namespace {

constexpr GuestPhys kAddress{0x80d5000};

// A host that sees the page. `answer` is what it does with an exit; it starts as an honest one.
class FakeHost final : public HostGate {
 public:
  FakeHost() { Honest(); }

  uint64_t Leave(uint64_t request) override {
    requests.push_back(request);
    if (GHCB_MSR_CODE(request) != 0) {
      return msr_answer(request);
    }
    EXPECT_EQ(request, kAddress.raw());
    seen.push_back(page);
    answer(page);
    return request;
  }

  void Honest() {
    answer = [](ghcb_page& p) { Ok(p); };
    msr_answer = [](uint64_t request) { return request + 1; };
  }

  void Prepare(uint64_t request) override { requests.push_back(request); }

  static void SetValid(ghcb_page& page, size_t offset) {
    page.valid_bitmap[offset / 64] |= static_cast<uint8_t>(1 << (offset / 8 % 8));
  }
  static bool IsValid(const ghcb_page& page, size_t offset) {
    return (page.valid_bitmap[offset / 64] & 1 << (offset / 8 % 8)) != 0;
  }
  // An answer without complaints.
  static void Ok(ghcb_page& page, uint64_t info2 = 0) {
    std::fill(std::begin(page.valid_bitmap), std::end(page.valid_bitmap), uint8_t{0});
    page.sw_exit_info_1 = 0;
    page.sw_exit_info_2 = info2;
    SetValid(page, offsetof(ghcb_page, sw_exit_info_1));
    SetValid(page, offsetof(ghcb_page, sw_exit_info_2));
  }

  ghcb_page page = {};
  std::vector<ghcb_page> seen;
  std::vector<uint64_t> requests;
  std::function<void(ghcb_page&)> answer;
  std::function<uint64_t(uint64_t)> msr_answer;
};

class GhcbTest : public testing::Test {
 protected:
  GhcbTest() : ghcb_(host_) {
    EXPECT_TRUE(
        ghcb_.Initialize(reinterpret_cast<volatile std::byte*>(&host_.page), kAddress).ok());
  }

  FakeHost host_;
  Ghcb ghcb_;
};

TEST_F(GhcbTest, Registers) {
  EXPECT_EQ(host_.requests[0], kAddress.raw() | GHCB_MSR_REGISTER_REQUEST);
  FakeHost other;
  Ghcb ghcb(other);
  const uint64_t kAnswers[] = {0, ~uint64_t{0xfff} | GHCB_MSR_REGISTER_RESPONSE,
                               (kAddress.raw() + 0x1000) | GHCB_MSR_REGISTER_RESPONSE,
                               kAddress.raw() | GHCB_MSR_REGISTER_REQUEST};
  for (const uint64_t answer : kAnswers) {
    other.msr_answer = [answer](uint64_t) { return answer; };
    EXPECT_EQ(ghcb.Initialize(reinterpret_cast<volatile std::byte*>(&other.page), kAddress).error(),
              Status::kHostFault);
    EXPECT_FALSE(ghcb.is_ready());
  }
}

TEST_F(GhcbTest, SendsOnlyWhatIsMeant) {
  // Something is left over from before.
  std::memset(static_cast<void*>(&host_.page), 0xee, offsetof(ghcb_page, buffer));
  ASSERT_TRUE(ghcb_.WritePort8(0x43, 0xb0).ok());
  const ghcb_page& page = host_.seen.at(0);
  EXPECT_EQ(page.sw_exit_code, SNP_EXIT_IOIO);
  EXPECT_EQ(page.sw_exit_info_1, 0x430210u);
  EXPECT_EQ(page.rax, 0xb0u);
  EXPECT_TRUE(FakeHost::IsValid(page, offsetof(ghcb_page, rax)));
  EXPECT_FALSE(FakeHost::IsValid(page, offsetof(ghcb_page, rbx)));
  EXPECT_FALSE(FakeHost::IsValid(page, offsetof(ghcb_page, rcx)));
  EXPECT_FALSE(FakeHost::IsValid(page, offsetof(ghcb_page, sw_scratch)));
  EXPECT_EQ(page.rbx, 0u);
  EXPECT_EQ(page.rcx, 0u);
  EXPECT_EQ(page.protocol_version, GHCB_VERSION);
  EXPECT_EQ(page.usage, 0u);
}

TEST_F(GhcbTest, ReadsWhatIsValid) {
  host_.answer = [](ghcb_page& page) {
    FakeHost::Ok(page);
    page.rax = 0x1234;
    FakeHost::SetValid(page, offsetof(ghcb_page, rax));
  };
  EXPECT_EQ(ghcb_.ReadPort8(0x61).value(), 0x34);
  // Without the valid bit it is nothing.
  host_.answer = [](ghcb_page& page) {
    FakeHost::Ok(page);
    page.rax = 0x1234;
  };
  EXPECT_EQ(ghcb_.ReadPort8(0x61).value(), 0);
}

TEST_F(GhcbTest, RefusesComplaintsAndSilence) {
  const std::function<void(ghcb_page&)> kAnswers[] = {
      [](ghcb_page&) {},  // info 1 is still ours, and says more than "all is well"
      [](ghcb_page& page) {
        FakeHost::Ok(page);
        page.sw_exit_info_1 = GHCB_ANSWER_MALFORMED;
      },
      [](ghcb_page& page) {
        FakeHost::Ok(page);
        page.sw_exit_info_1 = GHCB_ANSWER_EXCEPTION;
        page.sw_exit_info_2 = 0x8000000d;
      },
      [](ghcb_page& page) {
        std::fill(std::begin(page.valid_bitmap), std::end(page.valid_bitmap), uint8_t{0});
        page.sw_exit_info_1 = 0;
      },
  };
  for (const auto& answer : kAnswers) {
    host_.answer = answer;
    EXPECT_EQ(ghcb_.WritePort8(0x43, 1).error(), Status::kHostFault);
  }
}

TEST_F(GhcbTest, WritesTextByTheBufferful) {
  const std::string_view text = "[SEH] hello\r\n";
  ASSERT_TRUE(ghcb_.WritePortText(0x3f8, BytesOf(text)).ok());
  const ghcb_page& page = host_.seen.at(0);
  EXPECT_EQ(page.sw_exit_info_1, 0x3f8021cu);
  EXPECT_EQ(page.sw_exit_info_2, text.size());
  EXPECT_EQ(page.sw_scratch, kAddress.raw() + 0x800);
  EXPECT_EQ(std::memcmp(page.buffer, text.data(), text.size()), 0);
  const std::vector<std::byte> large(GHCB_BUFFER_SIZE + 1);
  ASSERT_TRUE(ghcb_.WritePortText(0x3f8, large).ok());
  EXPECT_EQ(host_.seen.size(), 3u);
  EXPECT_EQ(host_.seen[2].sw_exit_info_2, 1u);
}

ghcb_page_state_header& HeaderOf(ghcb_page& page) {
  return *reinterpret_cast<ghcb_page_state_header*>(page.buffer);
}

TEST_F(GhcbTest, ChangesPageStates) {
  host_.answer = [](ghcb_page& page) {
    HeaderOf(page).next = static_cast<uint16_t>(HeaderOf(page).end + 1);
    FakeHost::Ok(page);
  };
  ASSERT_TRUE(ghcb_.ChangePageStates(GuestPhys(0x200000), 2, true, GHCB_PAGE_PRIVATE).ok());
  const ghcb_page& page = host_.seen.at(0);
  uint64_t entries[2];
  std::memcpy(entries, page.buffer + sizeof(ghcb_page_state_header), sizeof(entries));
  EXPECT_EQ(entries[0], 0x0110000000200000u);
  EXPECT_EQ(entries[1], 0x0110000000400000u);
  ASSERT_TRUE(
      ghcb_.ChangePageStates(GuestPhys(0x5000), Ghcb::kMaxPageStates, false, GHCB_PAGE_SHARED)
          .ok());
  std::memcpy(entries, host_.seen.at(1).buffer + sizeof(ghcb_page_state_header), sizeof(entries));
  EXPECT_EQ(entries[1], 0x0020000000006000u);
}

TEST_F(GhcbTest, AsksAgainForTheRest) {
  host_.answer = [](ghcb_page& page) {
    ++HeaderOf(page).next;
    FakeHost::Ok(page);
  };
  ASSERT_TRUE(ghcb_.ChangePageStates(GuestPhys(0x5000), 5, false, GHCB_PAGE_SHARED).ok());
  EXPECT_EQ(host_.seen.size(), 5u);
}

TEST_F(GhcbTest, DoesNotWaitForEver) {
  // No progress, progress that is taken back, an end that moves, an error.
  const std::function<void(ghcb_page&)> kAnswers[] = {
      [](ghcb_page& page) { FakeHost::Ok(page); },
      [](ghcb_page& page) {
        HeaderOf(page).next = HeaderOf(page).next == 0 ? 1 : 0;
        FakeHost::Ok(page);
      },
      [](ghcb_page& page) {
        HeaderOf(page).end = 0;
        HeaderOf(page).next = 1;
        FakeHost::Ok(page);
      },
      [](ghcb_page& page) {
        HeaderOf(page).next = 5;
        FakeHost::Ok(page, 0x100);
      },
  };
  for (const auto& answer : kAnswers) {
    host_.answer = answer;
    EXPECT_EQ(ghcb_.ChangePageStates(GuestPhys(0x5000), 5, false, GHCB_PAGE_SHARED).error(),
              Status::kHostFault);
  }
}

TEST_F(GhcbTest, NothingIsAskedForWhileRing3Runs) {
  EXPECT_TRUE(ghcb_.WritePort8(0x3f8, 'x').ok());
  ghcb_.Disarm();
  EXPECT_EQ(host_.requests.back(), kAddress.raw());
  for (uint8_t bits : host_.page.valid_bitmap) {
    EXPECT_EQ(bits, 0);
  }
}

TEST_F(GhcbTest, MsrProtocol) {
  EXPECT_TRUE(ChangePageStateByMsr(host_, GuestPhys(0x5000), GHCB_PAGE_SHARED).error() ==
              Status::kHostFault);  // the fake's answer repeats bits of the request
  host_.msr_answer = [](uint64_t) { return GHCB_MSR_PAGE_STATE_RESPONSE; };
  EXPECT_TRUE(ChangePageStateByMsr(host_, GuestPhys(0x5000), GHCB_PAGE_SHARED).ok());
  EXPECT_EQ(host_.requests.back(), 0x0020000000005014u);
  EXPECT_EQ(RunVmpl(host_, 1).error(), Status::kHostFault);
  host_.msr_answer = [](uint64_t) { return GHCB_MSR_RUN_VMPL_RESPONSE; };
  EXPECT_TRUE(RunVmpl(host_, 1).ok());
  EXPECT_EQ(host_.requests.back(), 0x0000000100000016u);
  host_.msr_answer = [](uint64_t) { return uint64_t{1} << 32 | GHCB_MSR_RUN_VMPL_RESPONSE; };
  EXPECT_EQ(RunVmpl(host_, 1).error(), Status::kHostFault);
}

}  // namespace
}  // namespace nsgx::snp
