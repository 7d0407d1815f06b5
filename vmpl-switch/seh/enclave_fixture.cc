// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/seh/enclave_fixture.h"

#include <cstring>

namespace nsgx::seh {

std::vector<std::byte> MakeArgs(const std::vector<std::string>& args,
                                const std::vector<std::string>& env) {
  const nsgx_args header = {static_cast<uint32_t>(args.size()), static_cast<uint32_t>(env.size())};
  std::vector<std::byte> bytes(BytesOf(header).begin(), BytesOf(header).end());
  for (const std::vector<std::string>* list : {&args, &env}) {
    for (const std::string& text : *list) {
      const std::span<const std::byte> with_nul =
          std::as_bytes(std::span(text.c_str(), text.size() + 1));
      bytes.insert(bytes.end(), with_nul.begin(), with_nul.end());
    }
  }
  return bytes;
}

std::vector<std::byte> HashesOf(const std::vector<std::byte>& bytes) {
  std::vector<std::byte> hashes;
  for (size_t offset = 0; offset < bytes.size(); offset += kPageSize) {
    const Sha256::Digest digest = Sha256::Hash(std::span(bytes).subspan(offset, kPageSize));
    hashes.insert(hashes.end(), digest.begin(), digest.end());
  }
  return hashes;
}

EnclaveFixture::~EnclaveFixture() {
  for (uint32_t slot : claimed) {
    enclave.ReleaseSlot(slot);
  }
  CHECK(enclave.Destroy().ok());
  CHECK(machine.range_count() == 0 && machine.table_page_count() == 0);
}

CreateOptions EnclaveFixture::Options() const {
  CreateOptions options;
  options.config = image.config_section;
  options.config_offset = image.config_offset;
  options.image_size = image.image_size;
  options.entry = image.entry;
  options.vcpus = 2;
  options.gate = 0x1000;
  options.window = 0x100000;
  options.window_size = 0x4000;
  return options;
}

Result<void> EnclaveFixture::Add(const TestRun& run) {
  if (run.bytes.empty()) {
    return enclave.AddZeroPages(run.offset, run.permissions, run.zero_page_count);
  }
  return enclave.AddPages(run.offset, run.permissions, {run.bytes});
}

Result<void> EnclaveFixture::Defer(const TestRun& run) {
  if (run.bytes.empty()) {
    return enclave.AddZeroPages(run.offset, run.permissions, run.zero_page_count);
  }
  return enclave.DeferPages(run.offset, run.permissions, {run.bytes}, HashesOf(run.bytes));
}

Result<void> EnclaveFixture::AddAll() {
  for (const TestRun& run : image.runs) {
    TRY(Add(run));
  }
  return {};
}

Result<void> EnclaveFixture::Init() { return enclave.Init(BytesOf(image.Sign()), args); }

void EnclaveFixture::Claim(uint32_t slot) {
  enclave.ClaimSlot(slot).value();
  claimed.push_back(slot);
}

void EnclaveFixture::Start() {
  Create().value();
  AddAll().value();
  Init().value();
  Claim(0);
}

void EnclaveFixture::StartLazily() {
  Create().value();
  for (const TestRun& run : image.runs) {
    Defer(run).value();
  }
  Init().value();
  Claim(0);
}

Status EnclaveFixture::Gate(uint64_t call, uint64_t a0, uint64_t a1, uint64_t a2) {
  return static_cast<Status>(-enclave.GateCall(0, call, a0, a1, a2, 0, 0));
}

}  // namespace nsgx::seh
