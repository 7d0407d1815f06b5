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
#include "libos/vfs/credentials.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/path.h"
#include "libos/vfs/pipe.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {
namespace {

// What an entry is, besides its name.
enum class Kind : uint8_t {
  kText,
  kThreadText,        // in a thread's directory
  kDirectory,         // with entries that are known beforehand
  kTasks,             // "task": a directory for each thread
  kDescriptors,       // "fd": a link for each descriptor
  kDescriptor,        // one of those
  kDescriptorInfos,   // "fdinfo": a text for each descriptor
  kSelf,              // a link to the process's directory
  kMountsLink,        // "mounts" in the root
  kExecutable,        // a link to where the program would be, if it were a file
  kWorkingDirectory,  // a link
  kRootDirectory,     // a link
};

struct Directory;

struct Entry {
  std::string_view name;
  Kind kind;
  void (*write)(TextWriter& out) = nullptr;
  // Null: may only be read.
  Result<void, Errno> (*store)(std::string_view text) = nullptr;
  // The same for what is of one thread.
  void (*write_of)(TextWriter& out, int32_t thread) = nullptr;
  Result<void, Errno> (*store_of)(std::string_view text, int32_t thread) = nullptr;
  const Directory* directory = nullptr;
};

struct Directory {
  std::string_view name;  // the process's: its number
  // Of inodes: its own, and that of its first entry. The same for the same thing every time.
  uint64_t number;
  uint64_t first_number;
  std::span<const Entry> entries;
  const Directory* parent;
};

constexpr Entry Text(std::string_view name, void (*write)(TextWriter& out),
                     Result<void, Errno> (*store)(std::string_view text) = nullptr) {
  Entry entry = {.name = name, .kind = Kind::kText};
  entry.write = write;
  entry.store = store;
  return entry;
}
constexpr Entry ThreadText(std::string_view name, void (*write)(TextWriter& out, int32_t thread),
                           Result<void, Errno> (*store)(std::string_view text,
                                                        int32_t thread) = nullptr) {
  Entry entry = {.name = name, .kind = Kind::kThreadText};
  entry.write_of = write;
  entry.store_of = store;
  return entry;
}
constexpr Entry Other(std::string_view name, Kind kind) { return {.name = name, .kind = kind}; }
constexpr Entry Sub(std::string_view name, const Directory& directory) {
  Entry entry = {.name = name, .kind = Kind::kDirectory};
  entry.directory = &directory;
  return entry;
}
// A setting that is always the same.
template <uint64_t kValue>
constexpr Entry Setting(std::string_view name) {
  return Text(name, [](TextWriter& out) {
    out.AppendDecimal(kValue);
    out.Append("\n");
  });
}

constexpr uint64_t kTasksNumber = 12;
constexpr uint64_t kFirstDescriptor = 0x10'0000;
constexpr uint64_t kFirstDescriptorInfo = 0x20'0000;
constexpr uint64_t kFirstThread = 0x1000'0000;
constexpr uint64_t kNumbersOfThread = 16;

extern const Directory kRoot;
extern const Directory kProcess;
extern const Directory kSys;
extern const Directory kSysFs;
extern const Directory kSysFsInotify;
extern const Directory kSysKernel;
extern const Directory kSysKernelRandom;
extern const Directory kSysNet;
extern const Directory kSysNetCore;
extern const Directory kSysVm;

constexpr Entry kRootEntries[] = {
    Text("cpuinfo", WriteCpuInfo),
    Text("filesystems", WriteFileSystems),
    Text("loadavg", WriteLoadAverage),
    Text("meminfo", WriteMemInfo),
    Other("mounts", Kind::kMountsLink),
    Text("resolv.conf", WriteNameServers),
    Other("self", Kind::kSelf),
    Text("stat", WriteSystemStat),
    Sub("sys", kSys),
    Text("uptime", WriteUptime),
    Text("version", WriteVersion),
};
constexpr Entry kProcessEntries[] = {
    Text("auxv", about::WriteAuxiliaryVector),
    Text("cgroup", WriteControlGroup),
    Text("cmdline", about::WriteCommandLine),
    Text("comm", WriteProcessName, StoreProcessName),
    Other("cwd", Kind::kWorkingDirectory),
    Text("environ", about::WriteEnvironment),
    Other("exe", Kind::kExecutable),
    Other("fd", Kind::kDescriptors),
    Other("fdinfo", Kind::kDescriptorInfos),
    Text("limits", about::WriteLimits),
    Text("maps", about::WriteMappings),
    Text("mountinfo", WriteMountInfo),
    Text("mounts", WriteMounts),
    Text("oom_score_adj", WriteOomScoreAdjustment, StoreOomScoreAdjustment),
    Other("root", Kind::kRootDirectory),
    Text("stat", WriteProcessStat),
    Text("statm", WriteProcessMemory),
    Text("status", WriteProcessStatus),
    Other("task", Kind::kTasks),
};
constexpr Entry kThreadEntries[] = {
    ThreadText("comm", WriteThreadCommand, StoreThreadCommand),
    ThreadText("stat", WriteThreadStat),
    ThreadText("status", WriteThreadStatus),
};
static_assert(std::size(kThreadEntries) < kNumbersOfThread);
constexpr Entry kSysEntries[] = {
    Sub("fs", kSysFs),
    Sub("kernel", kSysKernel),
    Sub("net", kSysNet),
    Sub("vm", kSysVm),
};
constexpr Entry kSysFsEntries[] = {
    Setting<DescriptorTable::kMaxDescriptors>("file-max"),
    Text("file-nr", WriteFilesOpen),
    Sub("inotify", kSysFsInotify),
    Setting<DescriptorTable::kMaxDescriptors>("nr_open"),
    Setting<Pipe::kMaxCapacity>("pipe-max-size"),
};
constexpr Entry kSysFsInotifyEntries[] = {
    Setting<16384>("max_queued_events"),
    // Nothing bounds these but memory.
    Setting<INT32_MAX>("max_user_instances"),
    Setting<INT32_MAX>("max_user_watches"),
};
constexpr Entry kSysKernelEntries[] = {
    Text("hostname", WriteHostName),
    Setting<kMaxGroups>("ngroups_max"),
    Text("osrelease", WriteKernelRelease),
    Text("ostype", [](TextWriter& out) { out.Append("Linux\n"); }),
    Setting<4194304>("pid_max"),
    Sub("random", kSysKernelRandom),
    Setting<4194304>("threads-max"),
};
constexpr Entry kSysKernelRandomEntries[] = {
    Text("boot_id", WriteBootId),
    Setting<256>("entropy_avail"),
    Setting<256>("poolsize"),
    Text("uuid", WriteRandomId),
};
constexpr Entry kSysNetEntries[] = {Sub("core", kSysNetCore)};
constexpr Entry kSysNetCoreEntries[] = {Setting<4096>("somaxconn")};
constexpr Entry kSysVmEntries[] = {
    Setting<INT32_MAX>("max_map_count"),
    // Memory is committed when it is touched; nobody counts what has been promised.
    Setting<1>("overcommit_memory"),
};

constinit const Directory kRoot = {
    .name = {}, .number = 1, .first_number = 0x100, .entries = kRootEntries, .parent = &kRoot};
constinit const Directory kProcess = {
    .name = {}, .number = 2, .first_number = 0x200, .entries = kProcessEntries, .parent = &kRoot};
constinit const Directory kSys = {
    .name = "sys", .number = 3, .first_number = 0x300, .entries = kSysEntries, .parent = &kRoot};
constinit const Directory kSysFs = {
    .name = "fs", .number = 4, .first_number = 0x400, .entries = kSysFsEntries, .parent = &kSys};
constinit const Directory kSysFsInotify = {.name = "inotify",
                                           .number = 5,
                                           .first_number = 0x500,
                                           .entries = kSysFsInotifyEntries,
                                           .parent = &kSysFs};
constinit const Directory kSysKernel = {.name = "kernel",
                                        .number = 6,
                                        .first_number = 0x600,
                                        .entries = kSysKernelEntries,
                                        .parent = &kSys};
constinit const Directory kSysKernelRandom = {.name = "random",
                                              .number = 7,
                                              .first_number = 0x700,
                                              .entries = kSysKernelRandomEntries,
                                              .parent = &kSysKernel};
constinit const Directory kSysNet = {
    .name = "net", .number = 8, .first_number = 0x800, .entries = kSysNetEntries, .parent = &kSys};
constinit const Directory kSysNetCore = {.name = "core",
                                         .number = 9,
                                         .first_number = 0x900,
                                         .entries = kSysNetCoreEntries,
                                         .parent = &kSysNet};
constinit const Directory kSysVm = {
    .name = "vm", .number = 10, .first_number = 0xa00, .entries = kSysVmEntries, .parent = &kSys};

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
  // `thread`: of a text that is about one.
  ProcText(uint64_t number, const Entry& entry, int32_t thread)
      : ProcInode(number, kS_IFREG | (IsWritable(entry) ? 0644u : 0444u), 1),
        write_(entry.write),
        store_(entry.store),
        write_of_(entry.write_of),
        store_of_(entry.store_of),
        id_(thread) {}

  bool is_seekable() const override { return true; }
  Result<void, Errno> Sync(File&) override { return {}; }
  Result<void, Errno> Truncate(uint64_t) override {
    if (store_ == nullptr && store_of_ == nullptr) {
      return Error(Errno::kEINVAL);
    }
    return {};  // what is written replaces the text anyhow
  }

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
      if (write_ != nullptr) {
        write_(fresh);
      } else {
        write_of_(fresh, id_);
      }
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

  // One write is one value.
  Result<size_t, Errno> Write(File&, IoBuffer& from, const IoRequest&) override {
    constexpr size_t kMostText = 64;
    const size_t size = from.remaining();
    if (store_ == nullptr && store_of_ == nullptr) {
      return Error(Errno::kEINVAL);
    }
    char text[kMostText];
    const size_t kept = std::min(size, kMostText);
    if (from.Take(std::as_writable_bytes(std::span(text, kept))) < kept) {
      return Error(Errno::kEFAULT);
    }
    if (store_ != nullptr) {
      TRY(store_({text, kept}));
    } else {
      TRY(store_of_({text, kept}, id_));
    }
    return size;
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

  static bool IsWritable(const Entry& entry) {
    return entry.store != nullptr || entry.store_of != nullptr;
  }

  void (*const write_)(TextWriter& out);
  Result<void, Errno> (*const store_)(std::string_view text);
  void (*const write_of_)(TextWriter& out, int32_t id);
  Result<void, Errno> (*const store_of_)(std::string_view text, int32_t id);
  const int32_t id_;
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
    case Kind::kThreadText:
      return kS_IFREG;
    case Kind::kDirectory:
    case Kind::kTasks:
    case Kind::kDescriptors:
    case Kind::kDescriptorInfos:
      return kS_IFDIR;
    default:
      return kS_IFLNK;
  }
}

Result<Ref<Inode>, Errno> MakeEntry(const Entry& entry, uint64_t number, int32_t thread);
Result<Ref<Inode>, Errno> MakeDirectory(const Directory& directory);

// Without memory for a directory above, the highest is the best there is.
Ref<Inode> OrRoot(Result<Ref<Inode>, Errno> directory) {
  return directory.ok() ? std::move(directory).value() : Ref<Inode>::Share(proc.root());
}

uint64_t ProcessNumber() { return static_cast<uint64_t>(about::ProcessId()); }

// A directory whose entries are known beforehand.
class ProcTable final : public ProcDirectory {
 public:
  explicit ProcTable(const Directory& directory)
      : ProcDirectory(directory.number, 0555, 3), directory_(directory) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override {
    if (is_root() && name == SmallNumber(ProcessNumber()).text()) {
      return MakeDirectory(kProcess);
    }
    for (size_t i = 0; i < directory_.entries.size(); ++i) {
      if (directory_.entries[i].name == name) {
        return MakeEntry(directory_.entries[i], directory_.first_number + i, 0);
      }
    }
    return Error(Errno::kENOENT);
  }

  Ref<Inode> Parent() override { return OrRoot(MakeDirectory(*directory_.parent)); }

  Result<void, Errno> GetPlace(PlaceInParent& out) override {
    const SmallNumber number(ProcessNumber());
    return PlaceAt(out, Parent(), &directory_ == &kProcess ? number.text() : directory_.name);
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcTable() = default;
  void Destroy() override { Delete(this); }

  bool is_root() const { return &directory_ == &kRoot; }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    const std::span<const Entry> entries = directory_.entries;
    uint64_t i = first;
    for (; i < entries.size(); ++i) {
      const uint64_t number = entries[i].kind == Kind::kDirectory ? entries[i].directory->number
                              : entries[i].kind == Kind::kTasks   ? kTasksNumber
                                                                  : directory_.first_number + i;
      if (!sink.Add(entries[i].name, number, DirectoryEntryType(TypeOf(entries[i].kind)), i + 3)) {
        return i;
      }
    }
    if (is_root() && i == entries.size() &&
        sink.Add(SmallNumber(ProcessNumber()).text(), kProcess.number, DirectoryEntryType(kS_IFDIR),
                 i + 3)) {
      ++i;
    }
    return i;
  }

  const Directory& directory_;
};

// "task": a directory for each thread.
class ProcTasks final : public ProcDirectory {
 public:
  ProcTasks() : ProcDirectory(kTasksNumber, 0555, 3) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override;
  Ref<Inode> Parent() override { return OrRoot(MakeDirectory(kProcess)); }
  Result<void, Errno> GetPlace(PlaceInParent& out) override {
    return PlaceAt(out, Parent(), "task");
  }

  static uint64_t NumberOf(int32_t thread) {
    return kFirstThread + static_cast<uint64_t>(thread) * kNumbersOfThread;
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcTasks() = default;
  void Destroy() override { Delete(this); }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    // The position is the number of the thread before.
    int32_t before = static_cast<int32_t>(first);
    while (true) {
      const int32_t thread = about::NextThread(before);
      if (thread == 0 ||
          !sink.Add(SmallNumber(static_cast<uint64_t>(thread)).text(), NumberOf(thread),
                    DirectoryEntryType(kS_IFDIR), static_cast<uint64_t>(thread) + 2)) {
        return static_cast<uint64_t>(before);
      }
      before = thread;
    }
  }
};

// The directory of one thread.
class ProcThread final : public ProcDirectory {
 public:
  explicit ProcThread(int32_t thread)
      : ProcDirectory(ProcTasks::NumberOf(thread), 0555, 2), thread_(thread) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override {
    for (size_t i = 0; i < std::size(kThreadEntries); ++i) {
      if (kThreadEntries[i].name == name) {
        return MakeEntry(kThreadEntries[i], number() + 1 + i, thread_);
      }
    }
    return Error(Errno::kENOENT);
  }
  Ref<Inode> Parent() override { return OrRoot(Make<ProcTasks>()); }
  Result<void, Errno> GetPlace(PlaceInParent& out) override {
    const SmallNumber number(static_cast<uint64_t>(thread_));
    return PlaceAt(out, Parent(), number.text());
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcThread() = default;
  void Destroy() override { Delete(this); }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    uint64_t i = first;
    for (; i < std::size(kThreadEntries); ++i) {
      if (!sink.Add(kThreadEntries[i].name, number() + 1 + i, DirectoryEntryType(kS_IFREG),
                    i + 3)) {
        break;
      }
    }
    return i;
  }

  const int32_t thread_;
};

Result<Ref<Inode>, Errno> ProcTasks::Lookup(std::string_view name) {
  const auto thread = ParseNumber(name);
  if (!thread || *thread == 0 ||
      about::NextThread(static_cast<int32_t>(*thread) - 1) != static_cast<int32_t>(*thread)) {
    return Error(Errno::kENOENT);
  }
  return Make<ProcThread>(static_cast<int32_t>(*thread));
}

// "fd" and "fdinfo": a link, or a text, for each open descriptor.
class ProcDescriptors final : public ProcDirectory {
 public:
  ProcDescriptors(uint64_t number, bool has_links)
      : ProcDirectory(number, has_links ? 0500 : 0555, 2), has_links_(has_links) {}

  Result<Ref<Inode>, Errno> Lookup(std::string_view name) override {
    const auto fd = ParseNumber(name);
    if (!fd || !process_files.descriptors.Get(static_cast<int32_t>(*fd))) {
      return Error(Errno::kENOENT);
    }
    if (has_links_) {
      return Make<ProcLink>(NumberOf(*fd), Kind::kDescriptor, static_cast<int32_t>(*fd));
    }
    return Make<ProcText>(NumberOf(*fd), ThreadText(name, WriteDescriptorInfo),
                          static_cast<int32_t>(*fd));
  }

  Ref<Inode> Parent() override { return OrRoot(MakeDirectory(kProcess)); }

  Result<void, Errno> GetPlace(PlaceInParent& out) override {
    return PlaceAt(out, Parent(), has_links_ ? "fd" : "fdinfo");
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~ProcDescriptors() = default;
  void Destroy() override { Delete(this); }

  uint64_t NumberOf(uint64_t fd) const {
    return (has_links_ ? kFirstDescriptor : kFirstDescriptorInfo) + fd;
  }

  uint64_t ReadFrom(uint64_t first, DirectorySink& sink) override {
    uint64_t number = first;
    while (true) {
      const auto fd = process_files.descriptors.Next(static_cast<uint32_t>(number));
      if (!fd.ok()) {
        return number;
      }
      number = static_cast<uint64_t>(fd.value());
      if (!sink.Add(SmallNumber(number).text(), NumberOf(number),
                    DirectoryEntryType(has_links_ ? kS_IFLNK : kS_IFREG), number + 3)) {
        return number;
      }
      ++number;
    }
  }

  const bool has_links_;
};

Result<Ref<Inode>, Errno> MakeDirectory(const Directory& directory) {
  if (&directory == &kRoot) {
    return Ref<Inode>::Share(proc.root());
  }
  return Make<ProcTable>(directory);
}

Result<Ref<Inode>, Errno> MakeEntry(const Entry& entry, uint64_t number, int32_t thread) {
  switch (entry.kind) {
    case Kind::kText:
    case Kind::kThreadText:
      return Make<ProcText>(number, entry, thread);
    case Kind::kDirectory:
      return MakeDirectory(*entry.directory);
    case Kind::kTasks:
      return Make<ProcTasks>();
    case Kind::kDescriptors:
    case Kind::kDescriptorInfos:
      return Make<ProcDescriptors>(number, entry.kind == Kind::kDescriptors);
    default:
      return Make<ProcLink>(number, entry.kind);
  }
}

}  // namespace

FileSystem& ProcFileSystem() { return proc; }

Result<void, Errno> InitProcFileSystem() {
  proc.SetRoot(TRY(Make<ProcTable>(kRoot)));
  return {};
}

void ClearProcFileSystem() { proc.SetRoot(nullptr); }

}  // namespace nsgx::libos
