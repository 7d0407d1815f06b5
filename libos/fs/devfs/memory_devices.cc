// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/devfs/memory_devices.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "libos/kernel/random.h"
#include "libos/vfs/device.h"

namespace nsgx::libos {
namespace {

// Behaves as written below, whoever has opened it; there is no state.
class MemoryObject : public FileObject {
 public:
  bool is_seekable() const override { return true; }
  // There are no places in it.
  Result<int64_t, Errno> Seek(File&, int64_t, uint32_t) override { return 0; }

 protected:
  constexpr MemoryObject() = default;
  ~MemoryObject() = default;

  static Result<size_t, Errno> Swallow(IoBuffer& from) {
    const size_t size = from.remaining();
    from.Skip(size);
    return size;
  }
};

class NullObject final : public MemoryObject {
 public:
  Result<size_t, Errno> Read(File&, IoBuffer&, const IoRequest&) override { return size_t{0}; }
  Result<size_t, Errno> Write(File&, IoBuffer& from, const IoRequest&) override {
    return Swallow(from);
  }
};

class ZeroObject final : public MemoryObject, public MappedFile {
 public:
  constexpr explicit ZeroObject(bool is_full) : is_full_(is_full) {}

  Result<size_t, Errno> Read(File&, IoBuffer& to, const IoRequest&) override {
    return to.Outcome(to.PutZeros(to.remaining()));
  }
  Result<size_t, Errno> Write(File&, IoBuffer& from, const IoRequest&) override {
    if (is_full_) {
      return Error(Errno::kENOSPC);
    }
    return Swallow(from);
  }

  MappedFile* Mapping(File&) override { return is_full_ ? nullptr : this; }
  Result<size_t, Errno> ReadForMapping(uint64_t, std::span<std::byte> out) override {
    std::memset(out.data(), 0, out.size());
    return out.size();
  }
  Result<void, Errno> WriteBack(uint64_t, std::span<const std::byte>) override { return {}; }
  void AddMappingReference() override {}
  void DropMappingReference() override {}

 private:
  const bool is_full_;
};

class RandomObject final : public MemoryObject {
 public:
  Result<size_t, Errno> Read(File&, IoBuffer& to, const IoRequest&) override {
    constexpr size_t kPiece = 256;
    std::byte piece[kPiece];
    size_t done = 0;
    while (to.remaining() != 0 && !to.faulted()) {
      const std::span part(piece, std::min(kPiece, to.remaining()));
      FillRandom(part);
      done += to.Put(part);
    }
    return to.Outcome(done);
  }
  // What the program believes to be random changes nothing.
  Result<size_t, Errno> Write(File&, IoBuffer& from, const IoRequest&) override {
    return Swallow(from);
  }
  bool is_pollable() const override { return true; }
};

template <typename Object>
class MemoryDevice final : public Device {
 public:
  template <typename... Arguments>
  constexpr explicit MemoryDevice(uint32_t minor, Arguments... arguments)
      : Device(MakeDevice(1, minor)), object_(arguments...) {}

  Result<FileObject*, Errno> OpenObject(File&) override { return &object_; }

 private:
  Object object_;
};

[[clang::no_destroy]] constinit MemoryDevice<NullObject> null_device(3);
[[clang::no_destroy]] constinit MemoryDevice<ZeroObject> zero_device(5, false);
[[clang::no_destroy]] constinit MemoryDevice<ZeroObject> full_device(7, true);
[[clang::no_destroy]] constinit MemoryDevice<RandomObject> random_device(8);
[[clang::no_destroy]] constinit MemoryDevice<RandomObject> urandom_device(9);

constexpr Device* kDevices[] = {&null_device, &zero_device, &full_device, &random_device,
                                &urandom_device};

}  // namespace

void RegisterMemoryDevices() {
  for (Device* const device : kDevices) {
    RegisterDevice(*device);
  }
}

void UnregisterMemoryDevices() {
  for (Device* const device : kDevices) {
    UnregisterDevice(*device);
  }
}

}  // namespace nsgx::libos
