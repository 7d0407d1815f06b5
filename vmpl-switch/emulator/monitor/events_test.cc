// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/monitor/events.h"

#include <gtest/gtest.h>

#include <map>

#include "vmpl-switch/emulator/monitor/test_machine.h"

namespace nsgx::emu {
namespace {

constexpr EventWindow kOpen = {.interrupts_enabled = true};
constexpr EventWindow kClosed = {.interrupts_enabled = false};

uint64_t Interrupt(uint64_t vector) { return vector | kEventTypeInterrupt | kEventValid; }
constexpr uint64_t kNmi = kVectorNmi | kEventTypeNmi | kEventValid;
constexpr uint64_t kHv = SNP_VECTOR_HV | kEventTypeException | kEventValid;

uint64_t WithError(uint64_t vector, uint64_t error) {
  return vector | kEventTypeException | kEventValid | kEventHasError | error << 32;
}

TEST(Events, InjectsNothingWhenNothingWaits) {
  PendingEvents pending;
  const EntryPlan plan = PrepareEntry(0, kOpen, pending);
  EXPECT_EQ(plan.kind, EntryKind::kEnter);
  EXPECT_EQ(plan.event_inj, 0u);
  EXPECT_FALSE(plan.wants_window);
}

TEST(Events, IgnoresWhatAnEarlierDeliveryHasLeftBehind) {
  PendingEvents pending;
  EXPECT_EQ(PrepareEntry(0xb0d, kOpen, pending).event_inj, 0u);
  EXPECT_EQ(pending, PendingEvents());
}

TEST(Events, DeliversAgainWhatWasCutShort) {
  for (const uint64_t event :
       {Interrupt(0x30), Interrupt(0xef), kNmi, kHv, WithError(kVectorPageFault, 0x12345678),
        WithError(kVectorDoubleFault, 0),
        uint64_t{kVectorDebug} | kEventTypeException | kEventValid}) {
    PendingEvents pending;
    const EntryPlan plan = PrepareEntry(event, kClosed, pending);
    EXPECT_EQ(plan.event_inj, event) << std::hex << event;
    EXPECT_EQ(pending, PendingEvents());
  }
}

TEST(Events, LeavesToTheInstructionWhatItRaisesAgain) {
  for (const uint64_t event : {uint64_t{0x80} | kEventTypeSoftware | kEventValid,
                               uint64_t{kVectorBreakpoint} | kEventTypeException | kEventValid,
                               uint64_t{kVectorOverflow} | kEventTypeException | kEventValid,
                               WithError(SNP_VECTOR_VC, SNP_EXIT_CPUID)}) {
    PendingEvents pending;
    EXPECT_EQ(PrepareEntry(event, kOpen, pending).event_inj, 0u) << std::hex << event;
  }
}

TEST(Events, KnowsADevicesInterruptUnderTheNameOfAnException) {
  PendingEvents pending;
  const EntryPlan plan =
      PrepareEntry(uint64_t{0xec} | kEventTypeException | kEventValid, kClosed, pending);
  EXPECT_EQ(plan.event_inj, Interrupt(0xec));
}

TEST(Events, GivesAnExceptionOfOursTheFirstPlaceAndKeepsTheRest) {
  PendingEvents pending;
  pending.exception = Exception{.vector = kVectorGeneralProtection, .error_code = 0};
  EntryPlan plan = PrepareEntry(Interrupt(0x41), kOpen, pending);
  EXPECT_EQ(plan.event_inj, WithError(kVectorGeneralProtection, 0));
  EXPECT_TRUE(plan.wants_window);
  plan = PrepareEntry(0, kClosed, pending);
  EXPECT_EQ(plan.event_inj, 0u);
  EXPECT_TRUE(plan.wants_window);
  plan = PrepareEntry(0, kOpen, pending);
  EXPECT_EQ(plan.event_inj, Interrupt(0x41));
  EXPECT_FALSE(plan.wants_window);
}

TEST(Events, KeepsEveryInterruptAndTakesTheHighestFirst) {
  PendingEvents pending;
  for (const uint64_t vector : {0x31u, 0xf0u, 0x80u}) {
    pending.Keep(Interrupt(vector));
  }
  for (const uint64_t vector : {0xf0u, 0x80u, 0x31u}) {
    EXPECT_EQ(PrepareEntry(0, kOpen, pending).event_inj, Interrupt(vector));
  }
  EXPECT_FALSE(pending.HasInterrupt());
}

TEST(Events, DoesNotLoseADoorbellToAnException) {
  PendingEvents pending;
  pending.exception = Exception{.vector = kVectorInvalidOpcode, .error_code = std::nullopt};
  EXPECT_EQ(PrepareEntry(kHv, kOpen, pending).event_inj,
            uint64_t{kVectorInvalidOpcode} | kEventTypeException | kEventValid);
  EXPECT_EQ(PrepareEntry(0, kClosed, pending).event_inj, kHv);
}

TEST(Events, PutsNmiBeforeDoorbellBeforeInterrupt) {
  PendingEvents pending;
  pending.nmi = true;
  pending.doorbell = true;
  pending.Keep(Interrupt(0x50));
  EXPECT_EQ(PrepareEntry(0, kOpen, pending).event_inj, kNmi);
  EXPECT_EQ(PrepareEntry(0, kOpen, pending).event_inj, kHv);
  EXPECT_EQ(PrepareEntry(0, kOpen, pending).event_inj, Interrupt(0x50));
}

TEST(Events, MakesDoubleFaultsAsProcessorsDo) {
  struct Case {
    uint32_t first;
    uint32_t second;
    uint32_t delivered;
  };
  for (const Case& item : {
           Case{kVectorDivide, kVectorGeneralProtection, kVectorDoubleFault},
           Case{kVectorGeneralProtection, kVectorStack, kVectorDoubleFault},
           Case{kVectorPageFault, kVectorPageFault, kVectorDoubleFault},
           Case{kVectorPageFault, kVectorInvalidTss, kVectorDoubleFault},
           Case{kVectorGeneralProtection, kVectorPageFault, kVectorPageFault},
           Case{kVectorDebug, kVectorGeneralProtection, kVectorGeneralProtection},
           Case{kVectorPageFault, kVectorInvalidOpcode, kVectorInvalidOpcode},
       }) {
    PendingEvents pending;
    pending.exception = Exception{.vector = item.second, .error_code = 0};
    const EntryPlan plan = PrepareEntry(WithError(item.first, 0), kOpen, pending);
    EXPECT_EQ(plan.event_inj & 0xff, item.delivered) << item.first << " then " << item.second;
    EXPECT_FALSE(pending.exception.has_value());
  }
}

TEST(Events, ShutsDownOnAFaultDuringADoubleFault) {
  PendingEvents pending;
  pending.exception = Exception{.vector = kVectorPageFault, .error_code = 2};
  EXPECT_EQ(PrepareEntry(WithError(kVectorDoubleFault, 0), kOpen, pending).kind,
            EntryKind::kShutdown);
}

// A guest and an interrupt controller at random. Each interrupt, NMI and #HV that was handed over
// is delivered once; what is injected is legal at that moment; nothing that comes back by itself
// is injected.
TEST(Events, LosesNothingAndDoublesNothingInAnySchedule) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    PendingEvents pending;
    std::map<uint64_t, int> owed;  // by event_inj
    uint64_t in_flight = 0;        // injected, and perhaps about to be cut short
    for (int step = 0; step < 200; ++step) {
      uint64_t info = 0;
      // The guest runs: the event in flight arrives, or its delivery is cut short.
      if (in_flight != 0 && random.OneIn(3)) {
        info = in_flight;
        if ((info & kEventTypeMask) == kEventTypeInterrupt && random.OneIn(2)) {
          info |= kEventTypeException;  // QEMU's name for it
        }
      } else {
        if (in_flight != 0 && owed.count(in_flight) != 0) {
          --owed[in_flight];
        }
        // Something new is being delivered when the guest exits; or not.
        switch (random.Below(8)) {
          case 0: {
            // A controller does not hand over a vector twice before it was taken.
            const uint64_t event = Interrupt(32 + random.Below(224));
            if (owed[event] == 0) {
              ++owed[event];
              info = event;
            }
            break;
          }
          case 1:
            if (owed[kNmi] == 0) {
              ++owed[kNmi];
              info = kNmi;
            }
            break;
          case 2:
            info = uint64_t{0x80} | kEventTypeSoftware | kEventValid;
            break;
          case 3:
            info = WithError(SNP_VECTOR_VC, SNP_EXIT_IOIO);
            break;
          case 4:
            info = random.Next() & ~kEventValid;
            break;
          default:
            break;
        }
      }
      // The monitor handles the exit.
      if (random.OneIn(4)) {
        pending.exception = Exception{.vector = kVectorInvalidOpcode, .error_code = std::nullopt};
      }
      if (random.OneIn(8) && owed[kHv] == 0) {
        ++owed[kHv];
        pending.doorbell = true;
      }
      const bool had_exception = pending.exception.has_value();
      const EventWindow window = {.interrupts_enabled = random.OneIn(2)};
      const EntryPlan plan = PrepareEntry(info, window, pending);

      ASSERT_EQ(plan.kind, EntryKind::kEnter);
      ASSERT_EQ(plan.wants_window, pending.HasInterrupt());
      const uint64_t event = plan.event_inj;
      const uint64_t type = event & kEventTypeMask;
      if (event != 0) {
        ASSERT_NE(event & kEventValid, 0u);
        ASSERT_NE(type, kEventTypeSoftware);
        ASSERT_FALSE(type == kEventTypeException && (event & 0xff) == SNP_VECTOR_VC);
        ASSERT_FALSE(type == kEventTypeException && (event & 0xff) >= 32);
      }
      if (had_exception) {
        ASSERT_EQ(event & 0xff, kVectorInvalidOpcode);
      }
      if (event != 0 && type == kEventTypeInterrupt) {
        const bool was_cut_short = (info & kEventValid) != 0 && (info & 0xff) == (event & 0xff);
        ASSERT_TRUE(window.interrupts_enabled || was_cut_short);
      }
      in_flight = event;
      if (owed.count(event) == 0 && (event & 0xff) == kVectorInvalidOpcode) {
        in_flight = 0;  // arrives
      }
    }
    // Let everything arrive.
    for (int step = 0; step < 300; ++step) {
      if (in_flight != 0 && owed.count(in_flight) != 0) {
        --owed[in_flight];
      }
      in_flight = PrepareEntry(0, kOpen, pending).event_inj;
    }
    for (const auto& [event, count] : owed) {
      EXPECT_EQ(count, 0) << std::hex << event;
    }
  }
}

}  // namespace
}  // namespace nsgx::emu
