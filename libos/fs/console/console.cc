// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/console/console.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/core/addr.h"
#include "base/core/scope_exit.h"
#include "libos/fs/devfs/line_editor.h"
#include "libos/fs/devfs/pty.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/anonymous.h"
#include "libos/vfs/device.h"
#include "libos/vfs/path.h"
#include "libos/vfs/process_files.h"

namespace nsgx::libos {

// ---- observers

template <typename Side>
void StreamObservers<Side>::Update() {
  bool wanted = is_waiting_;
  if (wanted) {
    SpinLockGuard guard(list_lock_);
    wanted = !observers_.is_empty();
  }
  if (wanted != is_watching_) {
    is_watching_ = wanted;
    if (wanted) {
      WatchStream(*this, stream_, for_write_);
    } else {
      UnwatchStream(*this);
    }
  }
}

template <typename Side>
void StreamObservers<Side>::Add(Observer& observer) {
  SpinLockGuard guard(watch_lock_);
  {
    SpinLockGuard list_guard(list_lock_);
    observers_.Add(observer);
  }
  Update();
}

template <typename Side>
void StreamObservers<Side>::Remove(Observer& observer) {
  SpinLockGuard guard(watch_lock_);
  {
    SpinLockGuard list_guard(list_lock_);
    observers_.Remove(observer);
  }
  Update();
}

template <typename Side>
void StreamObservers<Side>::SetWaiting(bool is_waiting) {
  SpinLockGuard guard(watch_lock_);
  is_waiting_ = is_waiting;
  Update();
}

template <typename Side>
void StreamObservers<Side>::Notify(uint32_t events) {
  SpinLockGuard guard(list_lock_);
  observers_.Notify(events);
}

template <typename Side>
void StreamObservers<Side>::OnStreamReady(host::Stream, bool) {
  Notify(for_write_ ? kPOLLOUT | kPOLLWRNORM : kPOLLIN | kPOLLRDNORM);
}

// ---- input

Result<void, Errno> StreamInput::Fetch() {
  if (begin_ != end_ || at_end_) {
    return {};
  }
  const size_t count = TRY(host::StreamRead(host::Stream::kIn, buffer_));
  begin_ = 0;
  end_ = count;
  at_end_ = count == 0;
  return {};
}

Result<size_t, Errno> StreamInput::Read(IoBuffer& to, bool wait) {
  while (true) {
    {
      SpinLockGuard guard(lock_);
      auto fetched = Fetch();
      if (fetched.ok()) {
        if (begin_ == end_) {
          at_end_ = false;
          return size_t{0};
        }
        const size_t size = std::min(end_ - begin_, to.remaining());
        const size_t done = to.Put(buffer_.subspan(begin_, size));
        begin_ += done;
        return to.Outcome(done);
      }
      if (fetched.error() != Errno::kEAGAIN) {
        return Error(fetched.error());
      }
    }
    if (!wait) {
      observers_.SetWaiting(true);
      return Error(Errno::kEAGAIN);
    }
    if (WaitForStream(host::Stream::kIn, false, kForever) == WakeReason::kSignal) {
      return Error(Errno::kEINTR);
    }
  }
}

size_t StreamInput::Available() {
  SpinLockGuard guard(lock_);
  return Fetch().ok() ? end_ - begin_ : 0;
}

uint32_t StreamInput::Poll(Observer* observer) {
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  bool is_ready;
  {
    SpinLockGuard guard(lock_);
    auto fetched = Fetch();
    // An error is something to read about.
    is_ready = fetched.ok() || fetched.error() != Errno::kEAGAIN;
  }
  observers_.SetWaiting(!is_ready);
  return is_ready ? kPOLLIN | kPOLLRDNORM : 0;
}

// ---- output

Result<size_t, Errno> StreamOutput::WriteAll(std::span<const std::byte> data, bool wait) {
  size_t done = 0;
  while (done < data.size()) {
    auto written = host::StreamWrite(stream_, data.subspan(done));
    if (written.ok() && written.value() != 0) {
      done += written.value();
      continue;
    }
    Errno error = written.ok() ? Errno::kEAGAIN : written.error();
    if (error == Errno::kEAGAIN) {
      SetFull(true);
      if (wait) {
        if (WaitForStream(stream_, true, kForever) != WakeReason::kSignal) {
          continue;
        }
        error = Errno::kEINTR;
      }
    }
    if (done == 0) {
      return Error(error);
    }
    return done;
  }
  if (is_full_.load(std::memory_order_relaxed)) {
    SetFull(false);
  }
  return done;
}

Result<size_t, Errno> StreamOutput::Write(IoBuffer& from, bool wait) {
  constexpr size_t kSmall = 1024;
  constexpr size_t kLargePages = 16;
  std::byte small[kSmall];
  std::span<std::byte> buffer(small);
  std::byte* large = nullptr;
  ScopeExit free([&] {
    if (large != nullptr) {
      KernelFreePages(large, kLargePages);
    }
  });
  if (from.remaining() > kSmall) {
    large = KernelAllocatePages(kLargePages, PageContents::kAny);
    if (large != nullptr) {
      buffer = {large, kLargePages * kPageSize};
    }
  }
  size_t done = 0;
  while (from.remaining() != 0 && !from.faulted()) {
    const size_t taken = from.Take(buffer.first(std::min(buffer.size(), from.remaining())));
    if (taken == 0) {
      break;
    }
    auto written = WriteAll(buffer.first(taken), wait);
    if (!written.ok()) {
      if (done == 0) {
        return Error(written.error());
      }
      return done;
    }
    done += written.value();
    if (written.value() < taken) {
      return done;
    }
  }
  return from.Outcome(done);
}

void StreamOutput::SetFull(bool is_full) {
  is_full_.store(is_full, std::memory_order_relaxed);
  observers_.SetWaiting(is_full);
  if (!is_full) {
    observers_.Notify(kPOLLOUT | kPOLLWRNORM);
  }
}

bool StreamOutput::IsFull() {
  if (!is_full_.load(std::memory_order_relaxed)) {
    return false;
  }
  if (AskWhetherStreamIsReady(stream_, true)) {
    SetFull(false);
    return false;
  }
  return true;
}

uint32_t StreamOutput::Poll(Observer* observer) {
  if (observer != nullptr) {
    observers_.Add(*observer);
  }
  return IsFull() ? 0 : kPOLLOUT | kPOLLWRNORM;
}

// ---- open streams

Result<size_t, Errno> ConsoleObject::Read(File&, IoBuffer& to, const IoRequest& request) {
  return input_.Read(to, request.wait);
}

Result<size_t, Errno> ConsoleObject::Write(File&, IoBuffer& from, const IoRequest& request) {
  return output_.Write(from, request.wait);
}

uint32_t ConsoleObject::Poll(File& file, Observer* observer) {
  return (file.may_read() ? input_.Poll(observer) : 0) |
         (file.may_write() ? output_.Poll(observer) : 0);
}

void ConsoleObject::Unobserve(File& file, Observer& observer) {
  if (file.may_read()) {
    input_.Unobserve(observer);
  }
  if (file.may_write()) {
    output_.Unobserve(observer);
  }
}

namespace {

constexpr uint64_t kTerminalDevice = MakeDevice(5, 0);
constexpr uint64_t kConsoleDevice = MakeDevice(5, 1);
constexpr std::string_view kConsolePath = "/dev/console";

constinit std::array<std::byte, kPageSize> input_buffer = {};
[[clang::no_destroy]] constinit StreamInput input(input_buffer);
[[clang::no_destroy]] constinit StreamOutput output(host::Stream::kOut);
[[clang::no_destroy]] constinit StreamOutput errors(host::Stream::kErr);
[[clang::no_destroy]] constinit ConsoleObject console(input, output);
[[clang::no_destroy]] constinit ConsoleObject error_console(input, errors);

Result<host::StreamInfo, Errno> TerminalInfo(host::Stream stream) {
  const host::StreamInfo info = TRY(host::StreamQuery(stream));
  if (!info.is_terminal) {
    return Error(Errno::kENOTTY);
  }
  return info;
}

bool IsTerminal(host::Stream stream) { return TerminalInfo(stream).ok(); }

class ConsoleDevice final : public Device {
 public:
  constexpr explicit ConsoleDevice(uint64_t number) : Device(number) {}

  Result<FileObject*, Errno> OpenObject(File& file) override {
    if (number() == kTerminalDevice) {
      FileObject* const own = TRY(OpenControllingTerminal(file));
      if (own != nullptr) {
        return own;
      }
    }
    if (number() == kTerminalDevice && !IsTerminal(host::Stream::kIn) &&
        !IsTerminal(host::Stream::kOut)) {
      return Error(Errno::kENXIO);
    }
    return &console;
  }
};

[[clang::no_destroy]] constinit ConsoleDevice terminal_device(kTerminalDevice);
[[clang::no_destroy]] constinit ConsoleDevice console_device(kConsoleDevice);

// A stream that is no terminal: for the program, one end of a pipe.
class StreamInode final : public AnonymousInode {
 public:
  explicit StreamInode(ConsoleObject& object)
      : AnonymousInode(PipeFileSystem(), kS_IFIFO | 0600), object_(object) {}

  std::string_view label() const override { return "pipe"; }
  // By way of /proc/self/fd: the same stream.
  Result<void, Errno> Open(File& file) override {
    file.set_object(object_);
    return {};
  }

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~StreamInode() = default;
  void Destroy() override { Delete(this); }

  ConsoleObject& object_;
};

Result<Ref<File>, Errno> OpenStream(host::Stream stream) {
  ConsoleObject& object = stream == host::Stream::kErr ? error_console : console;
  if (IsTerminal(stream)) {
    Ref<Inode> inode = TRY(ResolveInside(kConsolePath));
    return File::New(std::move(inode), object, kO_RDWR | kO_LARGEFILE);
  }
  Ref<Inode> inode = Ref<Inode>::Adopt(TRY(New<StreamInode>(object)));
  return File::New(std::move(inode), object, stream == host::Stream::kIn ? kO_RDONLY : kO_WRONLY);
}

}  // namespace

Result<size_t, Errno> ConsoleObject::ReadableBytes(File& file) {
  return file.may_read() ? input_.Available() : 0;
}

SysResult ConsoleObject::Control(File& file, uint32_t request, uint64_t argument) {
  const host::Stream stream = file.may_write() ? output_.stream() : host::Stream::kIn;
  switch (request) {
    case kTIOCGWINSZ: {
      const host::StreamInfo info = TRY(TerminalInfo(stream));
      TRY(nsgx::libos::Write(
          UserOut<LinuxWinsize>(argument),
          {.ws_row = info.rows, .ws_col = info.columns, .ws_xpixel = 0, .ws_ypixel = 0}));
      return 0;
    }
    case kTCGETS:
      TRY(TerminalInfo(stream));
      // The host's terminal may differ.
      TRY(nsgx::libos::Write(UserOut<LinuxTermios>(argument), kCookedTerminal));
      return 0;
    default:
      return Error(Errno::kENOTTY);
  }
}

void RegisterConsoleDevices() {
  RegisterDevice(terminal_device);
  RegisterDevice(console_device);
}

void UnregisterConsoleDevices() {
  UnregisterDevice(terminal_device);
  UnregisterDevice(console_device);
}

Result<void, Errno> OpenStandardStreams() {
  for (const host::Stream stream : {host::Stream::kIn, host::Stream::kOut, host::Stream::kErr}) {
    const int32_t fd = TRY(process_files.descriptors.Add(TRY(OpenStream(stream)), 0, false));
    CHECK(fd == static_cast<int32_t>(stream));
  }
  return {};
}

}  // namespace nsgx::libos
