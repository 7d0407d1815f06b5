// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/paranoia.h"

#include "base/core/log.h"

namespace nsgx::emu {
namespace {

constexpr uint64_t kPagesPerEntry = 256;
// The first entries get more of it, so that short runs see something and long ones come to an end.
constexpr uint64_t kEagerEntries = 4096;
constexpr uint64_t kForgottenWhileEager = 16;
constexpr uint64_t kForgottenLater = 2;
constexpr uint64_t kMaxSearch = 1024;

}  // namespace

// xorshift: the same sequence every time, so that a run can be repeated.
uint64_t Paranoia::NextRandom() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

bool Paranoia::BeforeEntry(NestedTables& tables, const Rmp& rmp, unsigned vmpl) {
  if (!is_on_) {
    return true;
  }
  ++entries_;
  for (uint64_t i = 0; i < kPagesPerEntry; ++i) {
    if (!tables.Agrees(next_page_)) {
      LOG(kError, "paranoia: nested tables and RMP disagree about page ", Hex{next_page_});
      return false;
    }
    next_page_ = (next_page_ + 1) % rmp.pages();
    ++checked_;
  }
  if (entries_ % entries_per_forgetting_ != 0) {
    return true;
  }
  const uint64_t wanted = entries_ <= kEagerEntries ? kForgottenWhileEager : kForgottenLater;
  for (uint64_t i = 0; i < wanted; ++i) {
    const Page start = NextRandom() % rmp.pages();
    const View view = (random_ & 1 << 20) != 0 ? View::kPrivate : View::kShared;
    // Most pages of a small guest are not there to be forgotten: the next that is.
    for (Page page = start; page < rmp.pages() && page < start + kMaxSearch; ++page) {
      if (rmp.IsRam(page) && NestedTables::AccessOf(tables.leaf(vmpl, view, page)).can_read) {
        tables.Forget(vmpl, view, page);
        ++forgotten_;
        break;
      }
    }
  }
  return true;
}

}  // namespace nsgx::emu
