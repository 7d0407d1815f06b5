// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/ramfs/name_table.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include "libos/fs/ramfs/ramfs.h"
#include "libos/vfs/testing/fake_heap.h"
#include "libos/vfs/testing/files_test.h"

namespace nsgx::libos {
namespace {

class NameTableTest : public ::testing::Test {
 protected:
  // Directories are only compared by their address here.
  const RamDirectory& directory(size_t index) const {
    return *reinterpret_cast<const RamDirectory*>(&places_[index]);
  }

  RamName& NewName(size_t index, const std::string& text) {
    RamName& name = *RamName::New(text).value();
    name.directory = const_cast<RamDirectory*>(&directory(index));
    name.hash = NameTable::Hash(directory(index), text);
    return name;
  }

  void TearDown() override {
    testing::StopFailingAllocations();
    for (auto& [key, name] : model_) {
      table_->Erase(*name);
      name->directory = nullptr;
      RamName::Free(name);
    }
    table_.reset();
    EXPECT_EQ(testing::heap_use().objects, 0u);
  }

  void AddAll(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const std::string text = "name" + std::to_string(i);
      RamName& name = NewName(i % 3, text);
      table_->Insert(name);
      model_[{i % 3, text}] = &name;
    }
  }

  void Check() {
    for (const auto& [key, name] : model_) {
      for (size_t i = 0; i < 3; ++i) {
        const uint64_t hash = NameTable::Hash(directory(i), key.second);
        const auto it = model_.find({i, key.second});
        ASSERT_EQ(table_->Find(directory(i), key.second, hash),
                  it == model_.end() ? nullptr : it->second);
      }
    }
    EXPECT_EQ(table_->count(), model_.size());
  }

  uint64_t places_[3] = {};
  std::unique_ptr<NameTable> table_ = std::make_unique<NameTable>();
  std::map<std::pair<size_t, std::string>, RamName*> model_;
};

TEST_F(NameTableTest, FindsWhatIsThereAndNothingElse) {
  AddAll(3000);
  Check();
  std::mt19937 random(5);
  for (auto it = model_.begin(); it != model_.end();) {
    if (random() % 2 == 0) {
      table_->Erase(*it->second);
      RamName::Free(it->second);
      it = model_.erase(it);
    } else {
      ++it;
    }
  }
  Check();
}

TEST_F(NameTableTest, WithoutMemoryChainsBecomeLonger) {
  std::vector<RamName*> names;
  for (size_t i = 0; i < 300; ++i) {
    names.push_back(&NewName(0, "n" + std::to_string(i)));
  }
  testing::FailAllocationsAfter(0);
  for (size_t i = 0; i < 300; ++i) {
    table_->Insert(*names[i]);
    model_[{0, "n" + std::to_string(i)}] = names[i];
  }
  Check();
}

TEST_F(NameTableTest, NamesOfAllLengths) {
  for (size_t size = 1; size <= 255; ++size) {
    const std::string text(size, 'x');
    RamName& name = NewName(0, text);
    table_->Insert(name);
    model_[{0, text}] = &name;
  }
  Check();
}

}  // namespace
}  // namespace nsgx::libos
