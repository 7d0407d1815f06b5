// SPDX-License-Identifier: Apache-2.0
// An enclave with a fake machine, and a test image to put into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/core/bytes.h"
#include "base/core/check.h"
#include "vmpl-switch/abi/boot.h"
#include "vmpl-switch/image/test_image.h"
#include "vmpl-switch/seh/enclave.h"
#include "vmpl-switch/seh/fake_machine.h"
#include "vmpl-switch/seh/keys.h"

namespace nsgx::seh {

constexpr uint32_t kR = NSGX_PERMISSION_READ;
constexpr uint32_t kRw = NSGX_PERMISSION_READ | NSGX_PERMISSION_WRITE;
constexpr uint32_t kRx = NSGX_PERMISSION_READ | NSGX_PERMISSION_EXECUTE;

// Returns struct nsgx_args and the strings.
std::vector<std::byte> MakeArgs(const std::vector<std::string>& args,
                                const std::vector<std::string>& env = {});

// Ends the enclave when it goes, so that the machine can check that everything came back.
struct EnclaveFixture {
  explicit EnclaveFixture(const TestImage& image_to_use = TestImage()) : image(image_to_use) {}
  ~EnclaveFixture();

  CreateOptions Options() const;
  Result<void> Create() { return enclave.Create(Options()); }
  Result<void> Add(const TestRun& run);
  Result<void> Defer(const TestRun& run);
  Result<void> AddAll();
  Result<void> Init();
  // Claims a slot until the end.
  void Claim(uint32_t slot);
  // All of the above; slot 0 is claimed.
  void Start();
  // The same with the contents deferred.
  void StartLazily();

  // A gate call from slot 0, as the status that the enclave sees.
  Status Gate(uint64_t call, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0);
  uint64_t base() const { return enclave.base().raw(); }
  uint64_t heap() const { return base() + enclave.layout().heap_offset; }
  // The SEH's and the test's view of enclave memory.
  template <typename T>
  T& At(uint64_t address) {
    return *reinterpret_cast<T*>(machine.Access(EnclaveVirt(address), sizeof(T)).data());
  }

  std::vector<uint32_t> claimed;
  TestImage image;
  std::vector<std::byte> args = MakeArgs({"program", "argument"}, {"NAME=value"});
  FakeMachine machine;
  KeyStore keys{machine};
  Enclave enclave{machine, keys};
};

// Returns the digests of all pages of `bytes`, one behind the other.
std::vector<std::byte> HashesOf(const std::vector<std::byte>& bytes);

}  // namespace nsgx::seh
