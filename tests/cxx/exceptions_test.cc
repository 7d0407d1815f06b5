// SPDX-License-Identifier: Apache-2.0
// C++ exceptions: through frames of musl, across threads, nested, out of constructors.

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

namespace {

struct CountsItself {
  explicit CountsItself(int& counter) : count(counter) { ++count; }
  ~CountsItself() { --count; }
  CountsItself(const CountsItself&) = delete;
  CountsItself& operator=(const CountsItself&) = delete;
  int& count;
};

TEST(Exceptions, UnwindRunsDestructors) {
  int alive = 0;
  const std::function<void(int)> recurse = [&](int depth) {
    CountsItself here(alive);
    if (depth == 0) {
      throw std::runtime_error("bottom");
    }
    recurse(depth - 1);
  };
  EXPECT_THROW(recurse(200), std::runtime_error);
  EXPECT_EQ(alive, 0);
}

TEST(Exceptions, PassThroughQsort) {
  std::array<int, 64> numbers;
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<int>(numbers.size() - i);
  }
  const auto compare = [](const void*, const void*) -> int { throw std::logic_error("compare"); };
  EXPECT_THROW(std::qsort(numbers.data(), numbers.size(), sizeof(int), compare), std::logic_error);
}

TEST(Exceptions, PassThroughBsearch) {
  const std::array<int, 4> numbers = {1, 2, 3, 4};
  const int key = 3;
  const auto compare = [](const void*, const void*) -> int { throw 7; };
  EXPECT_THROW((void)std::bsearch(&key, numbers.data(), numbers.size(), sizeof(int), compare), int);
}

TEST(Exceptions, CallOnceIsRepeatedAfterThrow) {
  std::once_flag flag;
  int calls = 0;
  EXPECT_THROW(std::call_once(flag,
                              [&] {
                                ++calls;
                                throw std::runtime_error("first");
                              }),
               std::runtime_error);
  std::call_once(flag, [&] { ++calls; });
  std::call_once(flag, [&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

TEST(Exceptions, TravelBetweenThreads) {
  std::promise<int> promise;
  std::future<int> future = promise.get_future();
  std::thread([&] {
    try {
      throw std::out_of_range("from the other thread");
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }).join();
  try {
    future.get();
    FAIL() << "nothing thrown";
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "from the other thread");
  }
}

TEST(Exceptions, NestedAndRethrown) {
  try {
    try {
      throw std::runtime_error("inner");
    } catch (...) {
      std::throw_with_nested(std::logic_error("outer"));
    }
  } catch (const std::exception& outer) {
    EXPECT_STREQ(outer.what(), "outer");
    try {
      std::rethrow_if_nested(outer);
      FAIL() << "nothing nested";
    } catch (const std::runtime_error& inner) {
      EXPECT_STREQ(inner.what(), "inner");
    }
  }
}

TEST(Exceptions, EachThreadHasItsOwn) {
  std::vector<std::thread> threads;
  std::array<bool, 8> caught{};
  for (size_t i = 0; i < caught.size(); ++i) {
    threads.emplace_back([&caught, i] {
      for (int round = 0; round < 200; ++round) {
        try {
          throw i;
        } catch (size_t value) {
          caught[i] = value == i;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const bool each : caught) {
    EXPECT_TRUE(each);
  }
}

TEST(Exceptions, OutOfMemoryIsBadAlloc) {
  // Larger than any address range; both are hidden from the compiler, which may otherwise leave the
  // allocation out.
  volatile size_t size = size_t{1} << 46;
  [[maybe_unused]] static void* volatile memory;
  EXPECT_THROW(memory = operator new(size), std::bad_alloc);
}

TEST(Exceptions, RttiNamesAndCasts) {
  struct Base {
    virtual ~Base() = default;
  };
  struct Left : virtual Base {};
  struct Right : virtual Base {};
  struct Bottom : Left, Right {};
  Bottom bottom;
  Left* left = &bottom;
  EXPECT_EQ(dynamic_cast<Right*>(left), static_cast<Right*>(&bottom));
  EXPECT_EQ(typeid(*left), typeid(Bottom));
  EXPECT_THROW((void)dynamic_cast<Right&>(static_cast<Base&>(*std::make_unique<Left>())),
               std::bad_cast);
}

}  // namespace
