// SPDX-License-Identifier: Apache-2.0
// Random operations on a small tree, side by side with a model of maps and strings. Results,
// errors, contents, sizes and link counts must agree after each step.

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libos/vfs/syscalls.h"
#include "libos/vfs/testing/files_test.h"
#include "libos/vfs/testing/user_arena.h"

namespace nsgx::libos::testing {
namespace {

struct Node {
  enum class Type { kFile, kDirectory, kLink } type = Type::kFile;
  std::string data;  // of a file, or where a link leads
  std::map<std::string, std::shared_ptr<Node>> entries;
  std::weak_ptr<Node> parent;
  int names = 0;

  bool is_directory() const { return type == Type::kDirectory; }
};
using NodePointer = std::shared_ptr<Node>;

// What Linux's tmpfs would do, as far as the operations below go: absolute paths without dots, as
// root.
class Model {
 public:
  Model() : root_(std::make_shared<Node>()) { root_->type = Node::Type::kDirectory; }

  struct Found {
    Errno error = Errno::kEIO;  // when there is no parent
    NodePointer parent;
    std::string name;
    NodePointer node;  // null: nothing of that name
  };

  // The last component is followed if asked for; links on the way always are.
  Found Walk(const std::string& path, bool follow) const {
    int links = 0;
    return WalkFrom(root_, path, follow, links);
  }

  int64_t Open(const std::string& path, bool create, bool exclusive, NodePointer& opened) {
    Found found = Walk(path, !(create && exclusive));
    if (!found.parent) {
      return Fails(found.error);
    }
    if (!found.node) {
      if (!create) {
        return Fails(Errno::kENOENT);
      }
      opened = Add(found, Node::Type::kFile, "");
      return 0;
    }
    if (create && exclusive) {
      return Fails(Errno::kEEXIST);
    }
    if (found.node->is_directory()) {
      return Fails(Errno::kEISDIR);
    }
    opened = found.node;
    return 0;
  }

  int64_t Mkdir(const std::string& path) {
    const Found found = Walk(path, false);
    if (!found.parent) {
      return Fails(found.error);
    }
    if (found.node) {
      return Fails(Errno::kEEXIST);
    }
    Add(found, Node::Type::kDirectory, "");
    return 0;
  }

  int64_t Symlink(const std::string& target, const std::string& path) {
    const Found found = Walk(path, false);
    if (!found.parent) {
      return Fails(found.error);
    }
    if (found.node) {
      return Fails(Errno::kEEXIST);
    }
    Add(found, Node::Type::kLink, target);
    return 0;
  }

  int64_t Link(const std::string& from, const std::string& to) {
    const Found source = Walk(from, false);
    if (!source.parent || !source.node) {
      return Fails(source.parent ? Errno::kENOENT : source.error);
    }
    const Found target = Walk(to, false);
    if (!target.parent) {
      return Fails(target.error);
    }
    if (target.node) {
      return Fails(Errno::kEEXIST);
    }
    if (source.node->is_directory()) {
      return Fails(Errno::kEPERM);
    }
    target.parent->entries[target.name] = source.node;
    ++source.node->names;
    return 0;
  }

  int64_t Remove(const std::string& path, bool is_rmdir) {
    const Found found = Walk(path, false);
    if (!found.parent || !found.node) {
      return Fails(found.parent ? Errno::kENOENT : found.error);
    }
    if (is_rmdir && !found.node->is_directory()) {
      return Fails(Errno::kENOTDIR);
    }
    if (is_rmdir && !found.node->entries.empty()) {
      return Fails(Errno::kENOTEMPTY);
    }
    if (!is_rmdir && found.node->is_directory()) {
      return Fails(Errno::kEISDIR);
    }
    found.parent->entries.erase(found.name);
    --found.node->names;
    return 0;
  }

  int64_t Rename(const std::string& from, const std::string& to, uint32_t flags) {
    const Found source = Walk(from, false);
    const Found target = Walk(to, false);
    if (!source.parent) {
      return Fails(source.error);
    }
    if (!target.parent) {
      return Fails(target.error);
    }
    if (!source.node) {
      return Fails(Errno::kENOENT);
    }
    if (target.node && flags == kRENAME_NOREPLACE) {
      return Fails(Errno::kEEXIST);
    }
    if (!target.node && flags == kRENAME_EXCHANGE) {
      return Fails(Errno::kENOENT);
    }
    if (source.node == target.node) {
      return 0;
    }
    if (source.node->is_directory() && IsBelow(target.parent, source.node)) {
      return Fails(Errno::kEINVAL);
    }
    if (target.node && target.node->is_directory() && IsBelow(source.parent, target.node)) {
      return Fails(flags == kRENAME_EXCHANGE ? Errno::kEINVAL : Errno::kENOTEMPTY);
    }
    if (target.node && flags != kRENAME_EXCHANGE) {
      if (source.node->is_directory() && !target.node->is_directory()) {
        return Fails(Errno::kENOTDIR);
      }
      if (!source.node->is_directory() && target.node->is_directory()) {
        return Fails(Errno::kEISDIR);
      }
      if (!target.node->entries.empty()) {
        return Fails(Errno::kENOTEMPTY);
      }
    }
    source.parent->entries.erase(source.name);
    if (flags == kRENAME_EXCHANGE) {
      source.parent->entries[source.name] = target.node;
      target.node->parent = source.parent;
    } else if (target.node) {
      --target.node->names;
    }
    target.parent->entries[target.name] = source.node;
    source.node->parent = target.parent;
    return 0;
  }

  const NodePointer& root() const { return root_; }

 private:
  static NodePointer Add(const Found& found, Node::Type type, const std::string& data) {
    auto node = std::make_shared<Node>();
    node->type = type;
    node->data = data;
    node->parent = found.parent;
    node->names = 1;
    found.parent->entries[found.name] = node;
    return node;
  }

  Found WalkFrom(NodePointer at, const std::string& path, bool follow, int& links) const {
    if (path.starts_with("/")) {
      at = root_;
    }
    size_t begin = path.find_first_not_of('/');
    while (true) {
      const size_t end = std::min(path.find('/', begin), path.size());
      const std::string name = path.substr(begin, end - begin);
      const bool is_last = end == path.size();
      if (!at->is_directory()) {
        return {.error = Errno::kENOTDIR, .parent = nullptr, .name = {}, .node = nullptr};
      }
      const auto it = at->entries.find(name);
      NodePointer next = it == at->entries.end() ? nullptr : it->second;
      if (next && next->type == Node::Type::kLink && (!is_last || follow)) {
        if (++links > 40) {
          return {.error = Errno::kELOOP, .parent = nullptr, .name = {}, .node = nullptr};
        }
        const Found inner = WalkFrom(at, next->data, true, links);
        if (is_last || !inner.parent) {
          return inner;
        }
        next = inner.node;
      }
      if (is_last) {
        return {.error = Errno::kEIO, .parent = at, .name = name, .node = next};
      }
      if (!next) {
        return {.error = Errno::kENOENT, .parent = nullptr, .name = {}, .node = nullptr};
      }
      at = next;
      begin = end + 1;
    }
  }

  static bool IsBelow(NodePointer node, const NodePointer& ancestor) {
    for (; node; node = node->parent.lock()) {
      if (node == ancestor) {
        return true;
      }
    }
    return false;
  }

  NodePointer root_;
};

class ModelTest : public FilesTest, public ::testing::WithParamInterface<uint32_t> {
 protected:
  // "/tmp" of the library OS is "/" of the model.
  static std::string Real(const std::string& path) { return "/tmp" + path; }

  std::string RandomPath() {
    std::string path;
    const uint32_t depth = 1 + random_() % 3;
    for (uint32_t i = 0; i < depth; ++i) {
      path += std::string("/") + static_cast<char>('a' + random_() % 4);
    }
    return path;
  }

  std::string RandomData() {
    // Small and large ones take different ways; some reach over page borders.
    const size_t sizes[] = {1, 3, 100, 256, 257, 1000, 4096, 9000};
    std::string data(sizes[random_() % 8] + random_() % 3, '\0');
    for (char& byte : data) {
      byte = static_cast<char>('A' + random_() % 50);
    }
    return data;
  }

  void CompareTree(const Node& node, const std::string& path) {
    std::vector<std::string> names;
    uint64_t subdirectories = 0;
    for (const auto& [name, entry] : node.entries) {
      names.push_back(name);
      subdirectories += entry->is_directory() ? 1 : 0;
    }
    ASSERT_EQ(ListOf(path), names) << path;
    const LinuxStat status = Stat(path).stat;
    if (path != "/tmp") {
      ASSERT_EQ(status.st_nlink, 2 + subdirectories) << path;
    }
    for (const auto& [name, entry] : node.entries) {
      const std::string below = path + "/" + name;
      const LinuxStat entry_status = Lstat(below).stat;
      switch (entry->type) {
        case Node::Type::kDirectory:
          CompareTree(*entry, below);
          break;
        case Node::Type::kFile:
          ASSERT_EQ(entry_status.st_mode & kS_IFMT, kS_IFREG);
          ASSERT_EQ(ReadWhole(below), entry->data) << below;
          ASSERT_EQ(entry_status.st_nlink, static_cast<uint64_t>(entry->names)) << below;
          break;
        case Node::Type::kLink:
          ASSERT_EQ(Readlink(below).data, entry->data) << below;
          break;
      }
    }
  }

  std::mt19937 random_{GetParam()};
};

TEST_P(ModelTest, BehavesAsTheModel) {
  constexpr int kSteps = 4000;
  constexpr size_t kMaxOpen = 6;
  Model model;
  struct OpenFile {
    int fd;
    NodePointer node;
    size_t position;
    bool append;
  };
  std::vector<OpenFile> open;

  for (int step = 0; step < kSteps; ++step) {
    SCOPED_TRACE(step);
    const std::string path = RandomPath();
    switch (random_() % 14) {
      case 0:
      case 1: {
        const bool create = random_() % 3 != 0;
        const bool exclusive = random_() % 4 == 0;
        const bool append = random_() % 3 == 0;
        NodePointer node;
        const int64_t expected = model.Open(path, create, exclusive, node);
        const int fd = libos::testing::Open(Real(path), kO_RDWR | (create ? kO_CREAT : 0) |
                                                            (create && exclusive ? kO_EXCL : 0) |
                                                            (append ? kO_APPEND : 0));
        if (expected < 0) {
          ASSERT_EQ(fd, expected) << path;
        } else {
          ASSERT_GE(fd, 0) << path;
          if (open.size() == kMaxOpen) {
            Close(open.front().fd);
            open.erase(open.begin());
          }
          open.push_back({fd, node, 0, append});
        }
        break;
      }
      case 2:
        ASSERT_EQ(Mkdir(Real(path)), model.Mkdir(path)) << path;
        break;
      case 3:
        ASSERT_EQ(Unlink(Real(path)), model.Remove(path, false)) << path;
        break;
      case 4:
        ASSERT_EQ(Rmdir(Real(path)), model.Remove(path, true)) << path;
        break;
      case 5:
      case 6: {
        const uint32_t all_flags[] = {0, 0, kRENAME_NOREPLACE, kRENAME_EXCHANGE};
        const uint32_t flags = all_flags[random_() % 4];
        const std::string to = RandomPath();
        ASSERT_EQ(Rename(Real(path), Real(to), flags), model.Rename(path, to, flags))
            << path << " to " << to << " flags " << flags;
        break;
      }
      case 7: {
        const std::string to = RandomPath();
        ASSERT_EQ(Link(Real(path), Real(to)), model.Link(path, to)) << path << " to " << to;
        break;
      }
      case 8: {
        // Relative ones, so that both trees mean the same.
        const std::string target = RandomPath().substr(1);
        ASSERT_EQ(Symlink(target, Real(path)), model.Symlink(target, path)) << path;
        break;
      }
      case 9:
      case 10:
        if (!open.empty()) {
          OpenFile& file = open[random_() % open.size()];
          const std::string data = RandomData();
          std::string& content = file.node->data;
          if (random_() % 2 == 0) {
            file.position = random_() % 20000;
            ASSERT_EQ(Lseek(file.fd, static_cast<int64_t>(file.position), kSEEK_SET),
                      static_cast<int64_t>(file.position));
          }
          const size_t at = file.append ? content.size() : file.position;
          ASSERT_EQ(Write(file.fd, data), static_cast<int64_t>(data.size()));
          if (content.size() < at + data.size()) {
            content.resize(at + data.size());
          }
          content.replace(at, data.size(), data);
          file.position = at + data.size();
        }
        break;
      case 11:
        if (!open.empty()) {
          OpenFile& file = open[random_() % open.size()];
          const size_t size = random_() % 20000;
          const Bytes got = Read(file.fd, size);
          const std::string& content = file.node->data;
          const std::string expected =
              file.position < content.size() ? content.substr(file.position, size) : "";
          ASSERT_EQ(got.data, expected);
          file.position += expected.size();
        }
        break;
      case 12:
        if (!open.empty()) {
          const OpenFile& file = open[random_() % open.size()];
          const size_t size = random_() % 20000;
          ASSERT_EQ(Ftruncate(file.fd, static_cast<int64_t>(size)), 0);
          file.node->data.resize(size);
          const LinuxStat status = Fstat(file.fd).stat;
          ASSERT_EQ(status.st_size, static_cast<int64_t>(size));
          ASSERT_EQ(status.st_nlink, static_cast<uint64_t>(file.node->names));
        }
        break;
      default: {
        const Model::Found found = model.Walk(path, true);
        const StatResult status = Stat(Real(path));
        if (!found.parent || !found.node) {
          ASSERT_EQ(status.result, Fails(found.parent ? Errno::kENOENT : found.error)) << path;
        } else if (found.node->type == Node::Type::kFile) {
          ASSERT_EQ(status.stat.st_size, static_cast<int64_t>(found.node->data.size())) << path;
        } else {
          ASSERT_EQ(status.stat.st_mode & kS_IFMT, kS_IFDIR) << path;
        }
        break;
      }
    }
    if (step % 100 == 99) {
      CompareTree(*model.root(), "/tmp");
      ResetUserArena();
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, ::testing::Range(1u, 9u));

}  // namespace
}  // namespace nsgx::libos::testing
