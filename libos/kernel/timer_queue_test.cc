// SPDX-License-Identifier: Apache-2.0
#include "libos/kernel/timer_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

namespace nsgx::libos {
namespace {

struct TestTimer : Timer {
  TestTimer() : Timer(&OnFire) {}
  static Deadline OnFire(Timer& timer, Deadline now) {
    TestTimer& self = static_cast<TestTimer&>(timer);
    ++self.fired;
    self.fired_at = now;
    return self.again;
  }
  int fired = 0;
  Deadline fired_at = 0;
  Deadline again = kForever;
};

TEST(TimerQueue, FiresWhatIsDueAndNothingElse) {
  TimerQueue queue;
  TestTimer early, late;
  queue.Arm(late, 20);
  queue.Arm(early, 10);
  EXPECT_EQ(queue.earliest(), 10u);
  EXPECT_EQ(queue.FireDue(9), 0u);
  EXPECT_EQ(queue.FireDue(10), 1u);
  EXPECT_EQ(early.fired, 1);
  EXPECT_EQ(late.fired, 0);
  EXPECT_EQ(queue.earliest(), 20u);
  EXPECT_EQ(queue.FireDue(100), 1u);
  EXPECT_EQ(queue.earliest(), kForever);
}

TEST(TimerQueue, ArmingAgainMoves) {
  TimerQueue queue;
  TestTimer timer;
  queue.Arm(timer, 10);
  queue.Arm(timer, 30);
  EXPECT_EQ(queue.FireDue(20), 0u);
  queue.Arm(timer, 5);
  EXPECT_EQ(queue.FireDue(20), 1u);
  queue.Arm(timer, kForever);
  EXPECT_EQ(queue.earliest(), kForever);
}

TEST(TimerQueue, DisarmTellsWhatWasLeft) {
  TimerQueue queue;
  TestTimer timer;
  EXPECT_EQ(queue.Disarm(timer), kForever);
  queue.Arm(timer, 10);
  EXPECT_EQ(queue.Disarm(timer), 10u);
  EXPECT_EQ(queue.FireDue(100), 0u);
}

TEST(TimerQueue, PeriodicTimersComeBackLater) {
  TimerQueue queue;
  TestTimer timer;
  timer.again = 5;  // in the past by then: must not keep FireDue busy for ever
  queue.Arm(timer, 10);
  EXPECT_EQ(queue.FireDue(50), 1u);
  EXPECT_EQ(queue.earliest(), 51u);
  timer.again = kForever;
  EXPECT_EQ(queue.FireDue(60), 1u);
}

TEST(TimerQueue, AgreesWithASortedMap) {
  TimerQueue queue;
  std::deque<TestTimer> timers(200);
  std::vector<Deadline> deadlines(timers.size(), kForever);
  std::mt19937 random(1);
  Deadline now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const size_t index = random() % timers.size();
    switch (random() % 4) {
      case 0:
      case 1:
        deadlines[index] = now + random() % 1000;
        queue.Arm(timers[index], deadlines[index]);
        break;
      case 2:
        EXPECT_EQ(queue.Disarm(timers[index]), deadlines[index]);
        deadlines[index] = kForever;
        break;
      default: {
        now += random() % 50;
        uint32_t expected = 0;
        for (size_t i = 0; i < timers.size(); ++i) {
          if (deadlines[i] <= now) {
            ++expected;
            deadlines[i] = kForever;
            timers[i].fired = -1;  // becomes 0
          } else {
            timers[i].fired = 0;
          }
        }
        ASSERT_EQ(queue.FireDue(now), expected);
        for (const TestTimer& timer : timers) {
          ASSERT_EQ(timer.fired, 0);
        }
        break;
      }
    }
    Deadline earliest = kForever;
    for (const Deadline deadline : deadlines) {
      earliest = std::min(earliest, deadline);
    }
    ASSERT_EQ(queue.earliest(), earliest);
  }
  for (TestTimer& timer : timers) {
    queue.Disarm(timer);
  }
}

}  // namespace
}  // namespace nsgx::libos
