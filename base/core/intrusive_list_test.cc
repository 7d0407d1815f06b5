// SPDX-License-Identifier: Apache-2.0
#include "base/core/intrusive_list.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace nsgx {
namespace {

// Declared only: a list must be usable as a member of the class that it will hold.
class Item;
constinit IntrusiveList<Item> constant_list;

struct ByColour;

class Item : public ListNode<>, public ListNode<ByColour> {
 public:
  explicit Item(int value) : value_(value) {}
  int value() const { return value_; }

 private:
  int value_;
};

using List = IntrusiveList<Item>;
using ColourList = IntrusiveList<Item, ByColour>;

std::vector<int> Values(const List& list) {
  std::vector<int> values;
  for (const Item& item : list) {
    values.push_back(item.value());
  }
  return values;
}

class IntrusiveListTest : public testing::Test {
 protected:
  void TearDown() override {
    while (list_.PopFront() != nullptr) {
    }
  }

  std::array<Item, 4> items_{Item(0), Item(1), Item(2), Item(3)};
  List list_;
};

TEST_F(IntrusiveListTest, Empty) {
  EXPECT_TRUE(list_.is_empty());
  EXPECT_EQ(list_.Front(), nullptr);
  EXPECT_EQ(list_.Back(), nullptr);
  EXPECT_EQ(list_.PopFront(), nullptr);
  EXPECT_TRUE(constant_list.is_empty());
}

TEST_F(IntrusiveListTest, KeepsOrder) {
  list_.PushBack(items_[1]);
  list_.PushBack(items_[3]);
  list_.PushFront(items_[0]);
  list_.InsertBefore(items_[3], items_[2]);
  EXPECT_EQ(Values(list_), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(list_.Front(), &items_[0]);
  EXPECT_EQ(list_.Back(), &items_[3]);
  EXPECT_EQ(list_.PopFront(), &items_[0]);
  EXPECT_FALSE(static_cast<ListNode<>&>(items_[0]).is_linked());
  EXPECT_EQ(Values(list_), (std::vector{1, 2, 3}));
}

TEST_F(IntrusiveListTest, EraseAnywhere) {
  for (size_t victim = 0; victim < items_.size(); ++victim) {
    for (Item& item : items_) {
      list_.PushBack(item);
    }
    list_.Erase(items_[victim]);
    std::vector<int> expected{0, 1, 2, 3};
    expected.erase(expected.begin() + static_cast<int>(victim));
    EXPECT_EQ(Values(list_), expected);
    while (list_.PopFront() != nullptr) {
    }
  }
}

TEST_F(IntrusiveListTest, EraseWhileIterating) {
  for (Item& item : items_) {
    list_.PushBack(item);
  }
  for (auto it = list_.begin(); it != list_.end();) {
    Item& item = *it++;
    if (item.value() % 2 == 0) {
      list_.Erase(item);
    }
  }
  EXPECT_EQ(Values(list_), (std::vector{1, 3}));
}

TEST_F(IntrusiveListTest, TakeAll) {
  List other;
  list_.TakeAll(other);
  EXPECT_TRUE(list_.is_empty());
  list_.PushBack(items_[0]);
  list_.TakeAll(other);
  list_.TakeAll(list_);
  EXPECT_EQ(Values(list_), (std::vector{0}));
  other.PushBack(items_[1]);
  other.PushBack(items_[2]);
  list_.TakeAll(other);
  EXPECT_TRUE(other.is_empty());
  EXPECT_EQ(Values(list_), (std::vector{0, 1, 2}));
  list_.PushBack(items_[3]);
  list_.Erase(items_[1]);
  EXPECT_EQ(Values(list_), (std::vector{0, 2, 3}));
}

TEST_F(IntrusiveListTest, OneObjectInTwoLists) {
  ColourList red;
  list_.PushBack(items_[0]);
  list_.PushBack(items_[1]);
  red.PushBack(items_[1]);
  EXPECT_EQ(red.Front(), &items_[1]);
  list_.Erase(items_[1]);
  EXPECT_EQ(red.PopFront(), &items_[1]);
  EXPECT_EQ(Values(list_), (std::vector{0}));
}

using IntrusiveListDeathTest = IntrusiveListTest;

TEST_F(IntrusiveListDeathTest, MisuseIsOurBug) {
  list_.PushBack(items_[0]);
  EXPECT_DEATH(list_.PushBack(items_[0]), "is_linked");
  EXPECT_DEATH(list_.Erase(items_[1]), "check failed");
  EXPECT_DEATH(list_.InsertBefore(items_[1], items_[2]), "is_linked");
  EXPECT_DEATH(
      {
        Item item(9);
        list_.PushBack(item);
      },
      "check failed");
  EXPECT_DEATH(
      {
        List list;
        list.PushBack(items_[2]);
      },
      "is_empty");
}

}  // namespace
}  // namespace nsgx
