// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/devfs/pty.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <span>
#include <string_view>
#include <utility>

#include "base/core/spinlock.h"
#include "libos/fs/devfs/line_editor.h"
#include "libos/kernel/clock.h"
#include "libos/kernel/user_memory.h"
#include "libos/kernel/wait.h"
#include "libos/mm/kernel_heap.h"
#include "libos/vfs/credentials.h"
#include "libos/vfs/device.h"
#include "libos/vfs/kernel_services.h"
#include "libos/vfs/observer.h"
#include "libos/vfs/sleep.h"

namespace nsgx::libos {
namespace {

constexpr uint32_t kReadable = kPOLLIN | kPOLLRDNORM;
constexpr uint32_t kWritable = kPOLLOUT | kPOLLWRNORM;

constexpr uint32_t kMasterMajor = 5, kMasterMinor = 2;
constexpr uint32_t kSlaveMajor = 136;
constexpr uint32_t kMaxPairs = 256;

// ioctl
constexpr uint32_t kTCSETS = 0x5402, kTCSETSW = 0x5403, kTCSETSF = 0x5404, kTCSBRK = 0x5409,
                   kTCXONC = 0x540a, kTCFLSH = 0x540b, kTIOCSCTTY = 0x540e, kTIOCGPGRP = 0x540f,
                   kTIOCSPGRP = 0x5410, kTIOCOUTQ = 0x5411, kTIOCSWINSZ = 0x5414,
                   kTIOCNOTTY = 0x5422, kTIOCGSID = 0x5429, kTIOCGPTN = 0x80045430,
                   kTIOCSPTLCK = 0x40045431, kTIOCGPTLCK = 0x80045439;
constexpr int32_t kSigHup = 1, kSigCont = 18, kSigWinch = 28;

// The digits of a number below 1000.
class PairName {
 public:
  explicit PairName(uint32_t number) {
    if (number >= 100) {
      Append(number / 100);
    }
    if (number >= 10) {
      Append(number / 10 % 10);
    }
    Append(number % 10);
  }
  std::string_view view() const { return {text_, size_}; }

 private:
  void Append(uint32_t digit) { text_[size_++] = static_cast<char>('0' + digit); }

  char text_[3];
  size_t size_ = 0;
};

class TerminalPair;

// One side as a file object. It is part of the pair.
class TerminalSide final : public FileObject {
 public:
  TerminalSide(TerminalPair& pair, bool is_master) : pair_(pair), is_master_(is_master) {}

  Result<size_t, Errno> Read(File& file, IoBuffer& to, const IoRequest& request) override;
  Result<size_t, Errno> Write(File& file, IoBuffer& from, const IoRequest& request) override;
  uint32_t Poll(File& file, Observer* observer) override;
  void Unobserve(File& file, Observer& observer) override;
  bool is_pollable() const override { return true; }
  Result<size_t, Errno> ReadableBytes(File& file) override;
  SysResult Control(File& file, uint32_t request, uint64_t argument) override;
  void Closed(File& file) override;

 private:
  TerminalPair& pair_;
  const bool is_master_;
};

// Both sides of a pseudo-terminal. Open files of either side keep it in use; its memory stays what
// it is for the next pair of this number, because whoever opens the program side finds it without a
// lock.
class TerminalPair final : public Device, private LineEditor::Echo {
 public:
  explicit TerminalPair(uint32_t number)
      : Device(MakeDevice(kSlaveMajor, number)),
        number_(number),
        master_(*this, true),
        slave_(*this, false) {}

  FileObject& master() { return master_; }
  // False: it is in use.
  bool Begin();
  void GiveUp();
  PairName name() const { return PairName(number_); }

  Result<FileObject*, Errno> OpenObject(File& file) override;

  Result<size_t, Errno> ReadInput(IoBuffer& to, const IoRequest& request);
  Result<size_t, Errno> ReadOutput(IoBuffer& to, const IoRequest& request);
  Result<size_t, Errno> WriteInput(IoBuffer& from, const IoRequest& request);
  Result<size_t, Errno> WriteOutput(IoBuffer& from, const IoRequest& request);
  uint32_t PollMaster(Observer* observer);
  uint32_t PollSlave(Observer* observer);
  void Unobserve(Observer& observer, bool is_master);
  size_t ReadableBytes(bool is_master);
  SysResult Control(uint32_t request, uint64_t argument, bool is_master);
  void CloseMaster();
  void CloseSlave();

 private:
  template <typename T>
  friend void nsgx::libos::Delete(T* object);
  ~TerminalPair() = default;

  static constexpr size_t kOutputSize = 8192;

  // Echoes go into the output, or are lost when that is full.
  void Put(uint8_t byte) override REQUIRES(lock_) { AppendOutput(byte); }
  void Discard() override REQUIRES(lock_) { output_begin_ = output_filled_ = 0; }
  bool AppendOutput(uint8_t byte) REQUIRES(lock_);
  size_t OutputRoom() const REQUIRES(lock_) { return kOutputSize - output_filled_; }
  void NoteOutput() REQUIRES(lock_);
  void NoteInput() REQUIRES(lock_);
  void SetSettings(const LinuxTermios& settings, bool discard_input);
  void SetSize(const LinuxWinsize& size);
  bool IsControlling() const;

  const uint32_t number_;
  TerminalSide master_;
  TerminalSide slave_;

  SpinLock lock_;
  LineEditor editor_ GUARDED_BY(lock_);
  LinuxWinsize size_ GUARDED_BY(lock_) = {};
  std::array<uint8_t, kOutputSize> output_ GUARDED_BY(lock_) = {};
  size_t output_begin_ GUARDED_BY(lock_) = 0;
  size_t output_filled_ GUARDED_BY(lock_) = 0;
  bool is_locked_ GUARDED_BY(lock_) = true;
  bool has_master_ GUARDED_BY(lock_) = false;
  uint32_t slaves_ GUARDED_BY(lock_) = 0;
  bool had_slave_ GUARDED_BY(lock_) = false;
  WaitQueue input_readers_ GUARDED_BY(lock_);
  WaitQueue input_writers_ GUARDED_BY(lock_);
  WaitQueue output_readers_ GUARDED_BY(lock_);
  WaitQueue output_writers_ GUARDED_BY(lock_);
  ObserverList<> master_observers_ GUARDED_BY(lock_);
  ObserverList<SecondSide> slave_observers_ GUARDED_BY(lock_);
};

// ---- the table of pairs

constinit SpinLock table_lock;
constinit TerminalPair* table[kMaxPairs] GUARDED_BY(table_lock) = {};
[[clang::no_destroy]] constinit Ref<Inode> slave_directory;
constinit std::atomic<TerminalPair*> controlling{nullptr};

// A pair that nobody has, which is in use from now on.
Result<TerminalPair*, Errno> TakePair() {
  for (uint32_t number = 0; number < kMaxPairs; ++number) {
    TerminalPair* pair;
    {
      SpinLockGuard guard(table_lock);
      pair = table[number];
    }
    if (pair == nullptr) {
      TerminalPair* const fresh = TRY(New<TerminalPair>(number));
      SpinLockGuard guard(table_lock);
      pair = table[number];
      if (pair == nullptr) {
        table[number] = pair = fresh;
        RegisterDevice(*pair);
      } else {
        Delete(fresh);  // somebody was faster
      }
    }
    if (pair->Begin()) {
      return pair;
    }
  }
  return Error(Errno::kENOSPC);
}

class MultiplexerDevice final : public Device {
 public:
  constexpr MultiplexerDevice() : Device(MakeDevice(kMasterMajor, kMasterMinor)) {}

  Result<FileObject*, Errno> OpenObject(File&) override {
    TerminalPair& pair = *TRY(TakePair());
    const Credentials& who = process_credentials.effective;
    auto node = slave_directory->Create(pair.name().view(), {.mode = kS_IFCHR | 0620,
                                                             .user = who.user,
                                                             .group = who.group,
                                                             .special_device = pair.number()});
    if (!node.ok()) {
      pair.GiveUp();
      return Error(node.error());
    }
    return &pair.master();
  }
};

[[clang::no_destroy]] constinit MultiplexerDevice multiplexer;

// ---- opening and closing

bool TerminalPair::Begin() {
  SpinLockGuard guard(lock_);
  if (has_master_ || slaves_ != 0) {
    return false;
  }
  has_master_ = true;
  had_slave_ = false;
  is_locked_ = true;
  size_ = {};
  output_begin_ = output_filled_ = 0;
  editor_.Clear();
  editor_.Set(kCookedTerminal);
  return true;
}

void TerminalPair::GiveUp() {
  SpinLockGuard guard(lock_);
  has_master_ = false;
}

Result<FileObject*, Errno> TerminalPair::OpenObject(File&) {
  {
    SpinLockGuard guard(lock_);
    if (is_locked_ || !has_master_) {
      return Error(Errno::kEIO);
    }
    ++slaves_;
    had_slave_ = true;
  }
  return &slave_;
}

void TerminalPair::CloseSlave() {
  SpinLockGuard guard(lock_);
  if (--slaves_ == 0) {
    output_readers_.WakeAll();
    master_observers_.Notify(kPOLLHUP);
  }
}

void TerminalPair::CloseMaster() {
  // The name goes first, so that nobody finds it any more.
  static_cast<void>(slave_directory->Unlink(name().view()).ok());
  {
    SpinLockGuard guard(lock_);
    has_master_ = false;
    editor_.Clear();
    input_readers_.WakeAll();
    output_writers_.WakeAll();
    slave_observers_.Notify(kReadable | kWritable | kPOLLHUP | kPOLLERR);
  }
  TerminalPair* self = this;
  if (controlling.compare_exchange_strong(self, nullptr)) {
    RaiseOnProcess(kSigHup);
    RaiseOnProcess(kSigCont);
  }
}

bool TerminalPair::IsControlling() const { return controlling.load() == this; }

// ---- from the keyboard to the program

void TerminalPair::NoteInput() {
  if (editor_.HasInput()) {
    input_readers_.Wake(1);
    slave_observers_.Notify(kReadable);
  }
}

Result<size_t, Errno> TerminalPair::WriteInput(IoBuffer& from, const IoRequest& request) {
  size_t done = 0;
  while (from.remaining() != 0) {
    uint8_t part[64];
    const size_t wanted = std::min(from.remaining(), sizeof(part));
    const size_t size = from.Take(std::as_writable_bytes(std::span(part, wanted)));
    size_t used = 0;
    while (used < size) {
      lock_.Lock();
      if (!editor_.HasRoom()) {
        auto slept = SleepOnce(input_writers_, lock_, request.wait);
        if (!slept.ok()) {
          done += used;
          if (done != 0) {
            return done;
          }
          return Error(slept.error());
        }
        continue;
      }
      int32_t signal = 0;
      while (used < size && signal == 0 && editor_.HasRoom()) {
        signal = editor_.Type(part[used++], *this);
      }
      NoteInput();
      NoteOutput();
      output_writers_.WakeAll();  // ^Q
      lock_.Unlock();
      if (signal != 0 && IsControlling()) {
        RaiseOnProcess(signal);
      }
    }
    done += size;
    if (from.faulted()) {
      break;
    }
  }
  return from.Outcome(done);
}

Result<size_t, Errno> TerminalPair::ReadInput(IoBuffer& to, const IoRequest& request) {
  uint8_t part[256];
  size_t done = 0;
  Deadline deadline = kForever;
  lock_.Lock();
  if (!editor_.is_canonical() && editor_.minimum() == 0) {
    // As much as there is, after a while at most.
    deadline =
        editor_.time() == 0 ? 0 : DeadlineAfter(editor_.time() * (kNanosecondsPerSecond / 10));
  }
  while (!editor_.HasInput()) {
    if (!has_master_ || deadline == 0) {
      const size_t rest =
          !has_master_ ? 0 : editor_.Take(std::span(part, std::min(sizeof(part), to.remaining())));
      lock_.Unlock();
      return to.Outcome(to.Put(std::as_bytes(std::span(part, rest))));
    }
    if (!request.wait) {
      lock_.Unlock();
      return Error(Errno::kEAGAIN);
    }
    const WakeReason reason = Block(input_readers_, lock_, deadline, true);
    if (reason == WakeReason::kSignal) {
      return Error(Errno::kEINTR);
    }
    if (reason == WakeReason::kTimeout) {
      return size_t{0};
    }
    lock_.Lock();
  }
  const bool is_canonical = editor_.is_canonical();
  while (to.remaining() != 0 && !to.faulted() && (done == 0 || editor_.Available() != 0)) {
    const size_t taken = editor_.Take(std::span(part, std::min(sizeof(part), to.remaining())));
    // The program's memory is touched with the lock held, as pipes do.
    done += to.Put(std::as_bytes(std::span(part, taken)));
    if (taken < sizeof(part) || (is_canonical && part[taken - 1] == '\n')) {
      break;
    }
  }
  input_writers_.Wake(1);
  master_observers_.Notify(kWritable);
  NoteInput();
  lock_.Unlock();
  return to.Outcome(done);
}

// ---- from the program to the screen

bool TerminalPair::AppendOutput(uint8_t byte) {
  std::array<uint8_t, 2> shown;
  const size_t size = editor_.Show(byte, shown);
  if (size > OutputRoom()) {
    return false;
  }
  for (size_t i = 0; i < size; ++i) {
    output_[(output_begin_ + output_filled_) % kOutputSize] = shown[i];
    ++output_filled_;
  }
  return true;
}

void TerminalPair::NoteOutput() {
  if (output_filled_ != 0) {
    output_readers_.Wake(1);
    master_observers_.Notify(kReadable);
  }
}

Result<size_t, Errno> TerminalPair::WriteOutput(IoBuffer& from, const IoRequest& request) {
  size_t done = 0;
  while (from.remaining() != 0) {
    uint8_t part[256];
    const size_t wanted = std::min(from.remaining(), sizeof(part));
    const size_t size = from.Take(std::as_writable_bytes(std::span(part, wanted)));
    size_t used = 0;
    while (used < size) {
      lock_.Lock();
      if (!has_master_) {
        lock_.Unlock();
        return Error(Errno::kEIO);
      }
      const size_t before = used;
      while (used < size && !editor_.is_stopped() && AppendOutput(part[used])) {
        ++used;
      }
      NoteOutput();
      if (used != before) {
        lock_.Unlock();
        continue;
      }
      auto slept = SleepOnce(output_writers_, lock_, request.wait);
      if (!slept.ok()) {
        done += used;
        if (done != 0) {
          return done;
        }
        return Error(slept.error());
      }
    }
    done += size;
    if (from.faulted()) {
      break;
    }
  }
  return from.Outcome(done);
}

Result<size_t, Errno> TerminalPair::ReadOutput(IoBuffer& to, const IoRequest& request) {
  lock_.Lock();
  while (output_filled_ == 0) {
    if (had_slave_ && slaves_ == 0) {
      lock_.Unlock();
      return Error(Errno::kEIO);
    }
    TRY(SleepOnce(output_readers_, lock_, request.wait));
    lock_.Lock();
  }
  size_t done = 0;
  while (output_filled_ != 0 && to.remaining() != 0 && !to.faulted()) {
    const size_t step = std::min({output_filled_, to.remaining(), kOutputSize - output_begin_});
    const size_t moved = to.Put(std::as_bytes(std::span(output_).subspan(output_begin_, step)));
    output_begin_ = (output_begin_ + moved) % kOutputSize;
    output_filled_ -= moved;
    done += moved;
  }
  output_writers_.WakeAll();
  slave_observers_.Notify(kWritable);
  lock_.Unlock();
  return to.Outcome(done);
}

// ---- readiness

uint32_t TerminalPair::PollMaster(Observer* observer) {
  SpinLockGuard guard(lock_);
  if (observer != nullptr) {
    master_observers_.Add(*observer);
  }
  return (output_filled_ != 0 ? kReadable : 0) | (editor_.HasRoom() ? kWritable : 0) |
         (had_slave_ && slaves_ == 0 ? kPOLLHUP : 0);
}

uint32_t TerminalPair::PollSlave(Observer* observer) {
  SpinLockGuard guard(lock_);
  if (observer != nullptr) {
    slave_observers_.Add(*observer);
  }
  if (!has_master_) {
    return kReadable | kWritable | kPOLLHUP | kPOLLERR;
  }
  return (editor_.HasInput() ? kReadable : 0) |
         (OutputRoom() > 1 && !editor_.is_stopped() ? kWritable : 0);
}

void TerminalPair::Unobserve(Observer& observer, bool is_master) {
  SpinLockGuard guard(lock_);
  if (is_master) {
    master_observers_.Remove(observer);
  } else {
    slave_observers_.Remove(observer);
  }
}

// ---- settings

void TerminalPair::SetSettings(const LinuxTermios& settings, bool discard_input) {
  SpinLockGuard guard(lock_);
  if (discard_input) {
    editor_.Clear();
  }
  editor_.Set(settings);
  output_writers_.WakeAll();
  input_readers_.WakeAll();
  NoteInput();
}

void TerminalPair::SetSize(const LinuxWinsize& size) {
  {
    SpinLockGuard guard(lock_);
    if (size.ws_row == size_.ws_row && size.ws_col == size_.ws_col &&
        size.ws_xpixel == size_.ws_xpixel && size.ws_ypixel == size_.ws_ypixel) {
      return;
    }
    size_ = size;
  }
  if (IsControlling()) {
    RaiseOnProcess(kSigWinch);
  }
}

size_t TerminalPair::ReadableBytes(bool is_master) {
  SpinLockGuard guard(lock_);
  return is_master ? output_filled_ : editor_.Available();
}

SysResult TerminalPair::Control(uint32_t request, uint64_t argument, bool is_master) {
  if (!is_master) {
    SpinLockGuard guard(lock_);
    if (!has_master_) {
      return Error(Errno::kEIO);
    }
  }
  const auto tell = [argument](int32_t value) -> SysResult {
    TRY(nsgx::libos::Write(UserOut<int32_t>(argument), value));
    return 0;
  };
  switch (request) {
    case kTCGETS: {
      LinuxTermios settings;
      {
        SpinLockGuard guard(lock_);
        settings = editor_.settings();
      }
      TRY(nsgx::libos::Write(UserOut<LinuxTermios>(argument), settings));
      return 0;
    }
    // What has been written is on the screen at once, so there is nothing to wait for.
    case kTCSETS:
    case kTCSETSW:
    case kTCSETSF:
      SetSettings(TRY(nsgx::libos::Read(UserIn<LinuxTermios>(argument))), request == kTCSETSF);
      return 0;
    case kTIOCGWINSZ: {
      LinuxWinsize size;
      {
        SpinLockGuard guard(lock_);
        size = size_;
      }
      TRY(nsgx::libos::Write(UserOut<LinuxWinsize>(argument), size));
      return 0;
    }
    case kTIOCSWINSZ:
      SetSize(TRY(nsgx::libos::Read(UserIn<LinuxWinsize>(argument))));
      return 0;
    case kTIOCOUTQ: {
      SpinLockGuard guard(lock_);
      return tell(static_cast<int32_t>(is_master ? 0 : output_filled_));
    }
    case kTCSBRK:
      return 0;
    case kTCXONC: {
      constexpr uint64_t kStop = 0, kGoOn = 1;
      if (argument > 3) {
        return Error(Errno::kEINVAL);
      }
      SpinLockGuard guard(lock_);
      if (argument == kStop || argument == kGoOn) {
        editor_.SetStopped(argument == kStop);
        output_writers_.WakeAll();
      }
      return 0;
    }
    case kTCFLSH: {
      constexpr uint64_t kInput = 0, kOutput = 1, kBoth = 2;
      if (argument > kBoth) {
        return Error(Errno::kEINVAL);
      }
      SpinLockGuard guard(lock_);
      if (argument != kOutput) {
        editor_.Clear();
        input_writers_.WakeAll();
      }
      if (argument != kInput) {
        output_begin_ = output_filled_ = 0;
        output_writers_.WakeAll();
      }
      return 0;
    }
    case kTIOCSCTTY: {
      TerminalPair* none = nullptr;
      if (is_master || (!controlling.compare_exchange_strong(none, this) && none != this)) {
        return Error(is_master ? Errno::kENOTTY : Errno::kEPERM);
      }
      return 0;
    }
    case kTIOCNOTTY: {
      TerminalPair* self = this;
      if (!controlling.compare_exchange_strong(self, nullptr)) {
        return Error(Errno::kENOTTY);
      }
      return 0;
    }
    // There is one group in one session: the process.
    case kTIOCGPGRP:
    case kTIOCGSID:
      if (!IsControlling()) {
        return Error(Errno::kENOTTY);
      }
      return tell(about::ProcessId());
    case kTIOCSPGRP: {
      const int32_t group = TRY(nsgx::libos::Read(UserIn<int32_t>(argument)));
      if (!IsControlling()) {
        return Error(Errno::kENOTTY);
      }
      if (group != about::ProcessId()) {
        return Error(group < 0 ? Errno::kEINVAL : Errno::kESRCH);
      }
      return 0;
    }
    default:
      break;
  }
  if (!is_master) {
    return Error(Errno::kENOTTY);
  }
  switch (request) {
    case kTIOCGPTN:
      return tell(static_cast<int32_t>(number_));
    case kTIOCSPTLCK: {
      const int32_t wanted = TRY(nsgx::libos::Read(UserIn<int32_t>(argument)));
      SpinLockGuard guard(lock_);
      is_locked_ = wanted != 0;
      return 0;
    }
    case kTIOCGPTLCK: {
      SpinLockGuard guard(lock_);
      return tell(is_locked_ ? 1 : 0);
    }
    default:
      return Error(Errno::kENOTTY);
  }
}

// ---- the sides as file objects

Result<size_t, Errno> TerminalSide::Read(File&, IoBuffer& to, const IoRequest& request) {
  return is_master_ ? pair_.ReadOutput(to, request) : pair_.ReadInput(to, request);
}

Result<size_t, Errno> TerminalSide::Write(File&, IoBuffer& from, const IoRequest& request) {
  return is_master_ ? pair_.WriteInput(from, request) : pair_.WriteOutput(from, request);
}

uint32_t TerminalSide::Poll(File&, Observer* observer) {
  return is_master_ ? pair_.PollMaster(observer) : pair_.PollSlave(observer);
}

void TerminalSide::Unobserve(File&, Observer& observer) { pair_.Unobserve(observer, is_master_); }

Result<size_t, Errno> TerminalSide::ReadableBytes(File&) { return pair_.ReadableBytes(is_master_); }

SysResult TerminalSide::Control(File&, uint32_t request, uint64_t argument) {
  return pair_.Control(request, argument, is_master_);
}

void TerminalSide::Closed(File&) {
  if (is_master_) {
    pair_.CloseMaster();
  } else {
    pair_.CloseSlave();
  }
}

}  // namespace

void RegisterPseudoTerminals(Inode& directory) {
  slave_directory = Ref<Inode>::Share(directory);
  RegisterDevice(multiplexer);
}

void UnregisterPseudoTerminals() {
  UnregisterDevice(multiplexer);
  {
    SpinLockGuard guard(table_lock);
    for (TerminalPair*& pair : table) {
      if (pair != nullptr) {
        UnregisterDevice(*pair);
        Delete(std::exchange(pair, nullptr));
      }
    }
  }
  slave_directory = nullptr;
  controlling.store(nullptr);
}

Result<FileObject*, Errno> OpenControllingTerminal(File& file) {
  TerminalPair* const pair = controlling.load();
  return pair == nullptr ? Result<FileObject*, Errno>(nullptr) : pair->OpenObject(file);
}

}  // namespace nsgx::libos
