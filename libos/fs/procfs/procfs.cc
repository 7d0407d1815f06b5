// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/procfs/procfs.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <utility>

#include "base/core/scope_exit.h"
#include "libos/fs/procfs/content.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// What an entry is, besides its name.
enum class Kind : uint8_t {
  kRoot,
  kSelf,         // a link to the process's directory
  kMountsLink,   // "mounts" in the root
  kProcess,      // the process's directory
  kDescriptors,  // "fd"
  kDescriptor,   // a link in there
  kText,
  kExecutable,        // a link to where the program would be, if it were a file
  kWorkingDirectory,  // a link
  kRootDirectory,     // a link
};

struct Entry {
  std::string_view name;
  Kind kind;
  void (*write)(TextWriter& out);
};

constexpr Entry kRootEntries[] = {
    {"cpuinfo", Kind::kText, WriteCpuInfo}, {"meminfo", Kind::kText, WriteMemInfo},
    {"mounts", Kind::kMountsLink, nullptr}, {"self", Kind::kSelf, nullptr},
    {"uptime", Kind::kText, WriteUptime},   {"version", Kind::kText, WriteVersion},
};

constexpr Entry kProcessEntries[] = {
    {"cmdline", Kind::kText, about::WriteCommandLine},
    {"comm", Kind::kText, WriteProcessName},
    {"cwd", Kind::kWorkingDirectory, nullptr},
    {"environ", Kind::kText, about::WriteEnvironment},
    {"exe", Kind::kExecutable, nullptr},
    {"fd", Kind::kDescriptors, nullptr},
    {"maps", Kind::kText, about::WriteMappings},
    {"mounts", Kind::kText, WriteMounts},
    {"root", Kind::kRootDirectory, nullptr},
    {"stat", Kind::kText, WriteProcessStat},
    {"statm", Kind::kText, WriteProcessMemory},
    {"status", Kind::kText, WriteProcessStatus},
};

// Numbers of inodes: the same for the same thing every time it is looked up.
constexpr uint64_t kRootNumber = 1;
constexpr uint64_t kProcessNumber = 2;
constexpr uint64_t kFirstRootEntry = 0x100;
constexpr uint64_t kFirstProcessEntry = 0x200;
constexpr uint64_t kFirstDescriptor = 0x10000;

class ProcFs final : public FileSystem {
 public:
  constexpr ProcFs() : FileSystem("proc", MakeDevice(0, 4), false) {}

  Inode& root() override { return *root_; }
  void DescribeSpace(LinuxStatfs& out) override {
    out.f_type = kPROC_SUPER_MAGIC;
    out.f_bsize = out.f_frsize = 4096;
  }

  void SetRoot(Ref<Inode> root) { root_ = std::move(root); }

 private:
  Ref<Inode> root_;
};

[[clang::no_destroy]] constinit ProcFs proc;

// The decimal digits of a number, without a sign or zeros in front.
std::optional<uint32_t> ParseNumber(std::string_view text) {
  constexpr size_t kMostDigits = 7;  // as many as descriptors need
  if (text.empty() || text.size() > kMostDigits || (text[0] == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  uint32_t value = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '9') {
      return std::nullopt;
    }
    value = value * 10 + static_cast<uint32_t>(digit - '0');
  }
  return value;
}

class SmallNumber {
 public:
  explicit SmallNumber(uint64_t value) {
    do {
      digits_[--begin_] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
  }
  std::string_view text() const { return {digits_ + begin_, sizeof(digits_) - begin_}; }

 private:
  char digits_[20];
  size_t begin_ = sizeof(digits_);
};

class ProcInode : public Inode {
 public:
  Result<void, Errno> ChangeAttributes(const AttributeChange&) override {
    return Error(Errno::kEPERM);
  }

 protected:
  ProcInode(uint64_t number, uint32_t mode, uint32_t links) : Inode(proc, number, {.mode = mode}) {
    SpinLockGuard guard(lock_);
    links_ = links;
  }
  ~ProcInode() = default;

  void AddSize(FileStatus& status) override {
    status.size = 0;
    status.block_size = 1024;
  }
};

template <typename T, typename... Arguments>
Result<Ref<Inode>, Errno> Make(Arguments&&... arguments) {
  return Ref<Inode>(Ref<T>::Adopt(TRY(New<T>(std::forward<Arguments>(arguments)...))));
}

// ---- texts

class ProcText final : public ProcInode {
 public:
  ProcText(uint64_t number, void (*write)(TextWriter& out))
      : ProcInode(number, kS_IFREG | 0444, 1), write_(write) {}

  bool is_seekable() const override { return true; }
  Result<void, Errno> Sync(File&) override { return {}; }

  Result<void, Errno> Open(File& file) override {
    file.attachment = TRY(New<TextWriter>());
    return {};
  }
  void Closed(File& file) override { Delete(static_cast<TextWriter*>(file.attachment)); }

  // The text is made anew whenever it is read from the start, and stays as it is meanwhile.
  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override {
    TextWriter& kept = *static_cast<TextWriter*>(file.attachment);
    uint64_t offset;
    {
      SpinLockGuard guard(file.lock());
      offset = request.positioned ? request.offset : file.position;
    }
    TextWriter fresh;
    if (offset == 0) {
      write_(fresh);
      if (!fresh.is_complete()) {
        return Error(Errno::kENOMEM);
      }
    }
    SpinLockGuard guard(file.lock());
    if (offset == 0) {
      kept.Swap(fresh);
    }
    const std::string_view text = kept.text();
    if (offset >= text.size()) {
      return size_t{0};
    }
    const size_t size = std::min<size_t>(text.size() - offset, to.remaining());
    const size_t done = to.Put(std::as_bytes(std::span(text.data() + offset, size)));
    if (!request.positioned) {
      file.position = offset + done;
    }
    return to.Outcome(done);
  }

  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override {
    if (whence == kSEEK_END) {
      return Error(Errno::kEINVAL);
    }
    SpinLockGuard guard(file.lock());
    const int64_t target = TRY(SeekTarget(file.position, 0, offset, whence));
    file.position = static_cast<uint64_t>(target);
    return target;
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcText() = default;
  void Destroy() override { Delete(this); }

  void (*const write_)(TextWriter& out);
};

// ---- links

class ProcLink final : public ProcInode {
 public:
  ProcLink(uint64_t number, Kind kind, int32_t fd = -1)
      : ProcInode(number, kS_IFLNK | 0777, 1), kind_(kind), fd_(fd) {}

  Result<Ref<Inode>, Errno> FollowDirectly() override {
    switch (kind_) {
      case Kind::kDescriptor: {
        const Ref<File> file = process_files.descriptors.Get(fd_);
        if (!file) {
          return Error(Errno::kENOENT);
        }
        return Ref<Inode>::Share(file->inode());
      }
      case Kind::kWorkingDirectory:
        return process_files.working_directory();
      case Kind::kRootDirectory:
        return process_files.root();
      default:
        return Ref<Inode>();
    }
  }

  Result<std::string_view, Errno> LinkTarget() override {
    TextWriter* text = text_.load(std::memory_order_acquire);
    if (text == nullptr) {
      TextWriter* const fresh = TRY(New<TextWriter>());
      auto written = WriteTarget(*fresh);
      if (!written.ok() || !fresh->is_complete()) {
        Delete(fresh);
        return Error(written.ok() ? Errno::kENOMEM : written.error());
      }
      if (text_.compare_exchange_strong(text, fresh, std::memory_order_acq_rel)) {
        text = fresh;
      } else {
        Delete(fresh);
      }
    }
    return text->text();
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcLink() { Delete(text_.load(std::memory_order_relaxed)); }
  void Destroy() override { Delete(this); }

  Result<void, Errno> WriteTarget(TextWriter& out) {
    switch (kind_) {
      case Kind::kSelf:
        out.AppendDecimal(static_cast<uint64_t>(about::ProcessId()));
        return {};
      case Kind::kMountsLink:
        out.Append("self/mounts");
        return {};
      case Kind::kExecutable:
        out.Append("/");
        out.Append(about::ProgramName());
        return {};
      default:
        return WritePath(*TRY(FollowDirectly()), out);
    }
  }

  static Result<void, Errno> WritePath(Inode& inode, TextWriter& out) {
    const std::string_view label = inode.label();
    if (!label.empty()) {
      out.Append(label);
      if (label.find(':') == std::string_view::npos) {
        out.Append(":[");
        out.AppendDecimal(inode.number());
        out.Append("]");
      }
      return {};
    }
    char* const buffer = static_cast<char*>(KernelAllocate(kPATH_MAX));
    if (buffer == nullptr) {
      return Error(Errno::kENOMEM);
    }
    ScopeExit free([&] { KernelFree(buffer); });
    auto path = PathOf(inode, std::span(buffer, kPATH_MAX));
    // What it was called is not remembered.
    out.Append(path.ok() ? path.value() : " (deleted)");
    return {};
  }

  const Kind kind_;
  const int32_t fd_;
  std::atomic<TextWriter*> text_{nullptr};  // made when asked for
};

// ---- directories

class ProcDirectory : public ProcInode {
 public:
  Result<int64_t, Errno> Seek(File& file, int64_t offset, uint32_t whence) override {
    if (whence != kSEEK_SET && whence != kSEEK_CUR) {
      return Error(Errno::kEINVAL);
    }
    const int64_t target = TRY(SeekTarget(file.position, 0, offset, whence));
    file.position = static_cast<uint64_t>(target);
    return target;
  }

  Result<void, Errno> ReadEntries(File& file, DirectorySink& sink) override {
    uint64_t position = file.position;
    bool has_room = true;
    if (position == 0) {
      has_room = sink.Add(".", number(), DirectoryEntryType(kS_IFDIR), 1);
      position = has_room ? 1 : 0;
    }
    if (has_room && position == 1) {
      has_room = sink.Add("..", Parent()->number(), DirectoryEntryType(kS_IFDIR), 2);
      position = has_room ? 2 : 1;
    }
    if (has_room) {
      position = 2 + ReadFrom(position - 2, sink);
    }
    file.position = position;
    return {};
  }

 protected:
  ProcDirectory(uint64_t number, uint32_t mode, uint32_t links)
      : ProcInode(number, kS_IFDIR | mode, links) {}
  ~ProcDirectory() = default;

  // Gives entries from number `first` on; returns the number of the first that did not fit, or a
  // number behind all.
  virtual uint64_t ReadFrom(uint64_t first, DirectorySink& sink) = 0;

  static Result<void, Errno> PlaceAt(PlaceInParent& out, Ref<Inode> parent, std::string_view name) {
    out.parent = std::move(parent);
    out.name_size = name.size();
    std::memcpy(out.name, name.data(), name.size());
    return {};
  }
};

uint32_t TypeOf(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return kS_IFREG;
    case Kind::kRoot:
    case Kind::kProcess:
    case Kind::kDescriptors:
      return kS_IFDIR;
    default:
      return kS_IFLNK;
  }
}

Result<Ref<Inode>, Errno> MakeEntry(const Entry& entry, uint64_t number);

// A directory whose entries are known beforehand.
class ProcTable final : public ProcDirectory {
 public:
  ProcTable(bool is_root)  // NOLINT(google-explicit-constructor)
      : ProcDirectory(is_root ? kRootNumber : kProcessNumber, 0555, 3), is_root_(is_root) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override {
    if (is_root_ && name == SmallNumber(ProcessNumber()).text()) {
      return Make<ProcTable>(false);
    }
    for (size_t i = 0; i < entries().size(); ++i) {
      if (entries()[i].name == name) {
        return MakeEntry(entries()[i], first_number() + i);
      }
    }
    return Error(Errno::kENOENT);
  }

  Ref<Inode> Parent() override { return Ref<Inode>::Share(proc.root()); }

  Result<void, Errno> GetPlace(PlaceInParent& out) override {
    return PlaceAt(out, Parent(), SmallNumber(ProcessNumber()).text());
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcTable() = default;
  void Destroy() override { Delete(this); }

  static uint64_t ProcessNumber() { return static_cast<uint64_t>(about::ProcessId()); }
  std::span<const Entry> entries() const {
    return is_root_ ? std::span<const Entry>(kRootEntries)
                    : std::span<const Entry>(kProcessEntries);
  }
  uint64_t first_number() const { return is_root_ ? kFirstRootEntry : kFirstProcessEntry; }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    uint64_t i = first;
    for (; i < entries().size(); ++i) {
      const Entry& entry = entries()[i];
      if (!sink.Add(entry.name, first_number() + i, DirectoryEntryType(TypeOf(entry.kind)),
                    i + 3)) {
        return i;
      }
    }
    if (is_root_ && i == entries().size() &&
        sink.Add(SmallNumber(ProcessNumber()).text(), kProcessNumber, DirectoryEntryType(kS_IFDIR),
                 i + 3)) {
      ++i;
    }
    return i;
  }

  const bool is_root_;
};

// "fd": a link for each open descriptor.
class ProcDescriptors final : public ProcDirectory {
 public:
  explicit ProcDescriptors(uint64_t number) : ProcDirectory(number, 0500, 2) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override {
    const auto fd = ParseNumber(name);
    if (!fd || !process_files.descriptors.Get(static_cast<int32_t>(*fd))) {
      return Error(Errno::kENOENT);
    }
    return Make<ProcLink>(kFirstDescriptor + *fd, Kind::kDescriptor, static_cast<int32_t>(*fd));
  }

  Ref<Inode> Parent() override {
    // Without memory for it, one level higher is the best there is.
    auto parent = Make<ProcTable>(false);
    return parent.ok() ? std::move(parent).value() : Ref<Inode>::Share(proc.root());
  }

  Result<void, Errno> GetPlace(PlaceInParent& out) override { return PlaceAt(out, Parent(), "fd"); }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcDescriptors() = default;
  void Destroy() override { Delete(this); }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    uint64_t number = first;
    while (true) {
      const auto fd = process_files.descriptors.Next(static_cast<uint32_t>(number));
      if (!fd.ok()) {
        return number;
      }
      number = static_cast<uint64_t>(fd.value());
      if (!sink.Add(SmallNumber(number).text(), kFirstDescriptor + number,
                    DirectoryEntryType(kS_IFLNK), number + 3)) {
        return number;
      }
      ++number;
    }
  }
};

Result<Ref<Inode>, Errno> MakeEntry(const Entry& entry, uint64_t number) {
  switch (entry.kind) {
    case Kind::kText:
      return Make<ProcText>(number, entry.write);
    case Kind::kDescriptors:
      return Make<ProcDescriptors>(number);
    default:
      return Make<ProcLink>(number, entry.kind);
  }
}

}  // namespace

FileSystem& ProcFileSystem() { return proc; }

Result<void, Errno> InitProcFileSystem() {
  proc.SetRoot(TRY(Make<ProcTable>(true)));
  return {};
}

void ClearProcFileSystem() { proc.SetRoot(nullptr); }

}  // namespace nsgx::libos
