// SPDX-License-Identifier: Apache-2.0
// A machine with enclaves for tests, and a guest that may say anything to it.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/seh_calls.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/abi/status.h"
#include "vmpl-switch/image/test_image.h"
#include "vmpl-switch/snp/cpu/selectors.h"
#include "vmpl-switch/snp/enclave/enclave_table.h"
#include "vmpl-switch/snp/enclave/fake_hardware.h"
#include "vmpl-switch/snp/enclave/seh_protocol.h"
#include "vmpl-switch/snp/testing/fake_firmware.h"
#include "vmpl-switch/snp/testing/fake_rmp.h"

namespace nsgx::snp {

class CountingRandom final : public Random {
 public:
  Result<void> Fill(std::span<std::byte> out) override {
    for (std::byte& byte : out) {
      byte = std::byte{++next_};
    }
    return {};
  }

 private:
  uint8_t next_ = 0;
};

class FakeClock final : public TscClock {
 public:
  uint64_t khz() const override { return 2'000'000; }
  nsgx_clock Conversion() const override { return {1, 2, 3}; }
};

class EnclaveMachine {
 public:
  static constexpr GuestPhys kGuest{0x200000};  // the guest's memory from here on
  static constexpr uint64_t kGuestPages = 1536;
  static constexpr GuestPhys kArea{0x200000};
  static constexpr GuestPhys kList{0x201000};
  static constexpr GuestPhys kRequest{0x202000};
  static constexpr GuestPhys kBounce{0x210000};  // what pages are copied from
  static constexpr GuestPhys kWindow{0x240000};
  static constexpr GuestPhys kDonation{0x280000};  // and all that follows
  static constexpr GuestPhys kOwn{0x800000};
  static constexpr uint64_t kOwnPages = 2048;

  explicit EnclaveMachine(const ConfigBuilder& config = {})
      : image(config),
        firmware(kKey),
        client(firmware),
        attestation(machine.guest, client),
        services{.memory = machine.memory,
                 .allocator = allocator,
                 .pages = machine.pages,
                 .guest = machine.guest,
                 .rmp = machine.rmp,
                 .kernel_space = kernel,
                 .encryption_bit = uint64_t{1} << 47,
                 .cpuid = cpuid,
                 .messages = client,
                 .random = random,
                 .clock = clock,
                 .protocols = protocols,
                 .attestation = attestation,
                 .calls = calls} {
    client.Initialize(kKey, 0);
    machine.GiveToGuest(kGuest, kGuestPages);
    SetState(kArea, PageState::kCallingArea);
    const PageRange<GuestPhysTag> own = PageRange<GuestPhysTag>::OfPages(kOwn, kOwnPages).value();
    machine.pages.SetInitial(own, PageState::kOwn);
    allocator.Initialize(machine.memory, own);
    kernel = AddressSpace::Make(machine.memory, allocator, uint64_t{1} << 47, nullptr).value();
    cpuid_page->count = 2;
    snp_cpuid_entry& basic = cpuid_page->entries[0];
    basic.eax_in = 1;
    basic.eax = 0xa;
    basic.ebx = 0xb;
    basic.ecx = 0xc;
    basic.edx = 0xd;
    snp_cpuid_entry& features = cpuid_page->entries[1];
    features.eax_in = 7;
    features.ebx = features.ecx = ~0u;
    cpuid.Initialize(*cpuid_page);
  }

  void SetState(GuestPhys page, PageState state) {
    machine.pages.SetInitial(PageRange<GuestPhysTag>::OfPages(page, 1).value(), state);
  }

  // A call of the guest; what comes back in the registers is in `registers`.
  uint32_t Call(uint32_t call, uint64_t rcx = 0, uint64_t rdx = 0, uint64_t r8 = 0,
                uint64_t r9 = 0) {
    CallContext context = {
        .registers = {rcx, rdx, r8, r9}, .calling_area = kArea, .vmsa = GuestPhys(kOwn)};
    const uint32_t result = protocol.Serve(call, context);
    registers = context.registers;
    CHECK(hardware.active == nullptr);
    return result;
  }

  void PutList(const std::vector<uint64_t>& pages, GuestPhys where = kList) {
    nsgx_seh_list& list = *machine.At<nsgx_seh_list>(where);
    list.count = static_cast<uint32_t>(pages.size());
    list.reserved = 0;
    std::copy(pages.begin(), pages.end(), list.pages);
  }

  static std::vector<uint64_t> PageRun(GuestPhys first, uint64_t count) {
    std::vector<uint64_t> pages;
    for (uint64_t i = 0; i < count; ++i) {
      pages.push_back((first + i * kPageSize).raw());
    }
    return pages;
  }

  uint32_t Create() {
    std::memcpy(machine.At<std::byte>(kBounce), image.config_section.data(),
                image.config_section.size());
    *machine.At<nsgx_seh_create>(kRequest) = Wish();
    const uint32_t result = Call(NSGX_SEH_CREATE, kRequest.raw());
    number = static_cast<uint32_t>(registers.rcx);
    return result;
  }

  nsgx_seh_create Wish() const {
    nsgx_seh_create wish = {};
    wish.config_offset = image.config_offset;
    wish.image_size = image.image_size;
    wish.entry = image.entry;
    wish.vcpus = 2;
    wish.config_size = static_cast<uint32_t>(image.config_section.size());
    wish.window_size = 2 * kPageSize;
    wish.config[0] = kBounce.raw();
    return wish;
  }

  uint32_t Donate(uint64_t count) {
    PutList(PageRun(kDonation + donated * kPageSize, count));
    const uint32_t result = Call(NSGX_SEH_DONATE, number, kList.raw());
    donated += registers.rcx;
    return result;
  }

  uint32_t AddWindow() {
    PutList(PageRun(kWindow, 4));
    return Call(NSGX_SEH_ADD_WINDOW, number, kList.raw(), 0);
  }

  uint32_t AddRun(const TestRun& run) {
    if (run.bytes.empty()) {
      return Call(NSGX_SEH_ADD_ZERO_PAGES, number, run.offset, run.permissions,
                  run.zero_page_count);
    }
    std::memcpy(machine.At<std::byte>(kBounce), run.bytes.data(), run.bytes.size());
    PutList(PageRun(kBounce, run.bytes.size() / kPageSize));
    return Call(NSGX_SEH_ADD_PAGES, number, run.offset, run.permissions, kList.raw());
  }

  uint32_t Init() {
    const nsgx_signature signature = image.Sign();
    std::memcpy(machine.At<std::byte>(kBounce), &signature, sizeof(signature));
    const nsgx_args args = {1, 0};
    const char kName[] = "program";
    std::byte* behind = machine.At<std::byte>(kBounce) + sizeof(signature);
    std::memcpy(behind, &args, sizeof(args));
    std::memcpy(behind + sizeof(args), kName, sizeof(kName));
    PutList(PageRun(kBounce, 1));
    return Call(NSGX_SEH_INIT, number, kList.raw(), sizeof(args) + sizeof(kName));
  }

  // All of the above. Leaves few free pages.
  void Start() {
    CHECK(Create() == SVSM_SUCCESS);
    CHECK(Donate(110) == SVSM_SUCCESS);
    CHECK(AddWindow() == SVSM_SUCCESS);
    for (const TestRun& run : image.runs) {
      CHECK(AddRun(run) == SVSM_SUCCESS);
    }
    CHECK(Init() == SVSM_SUCCESS);
  }

  uint32_t Enter(uint32_t slot = 0, uint64_t answer = 0, uint64_t flags = 0) {
    return Call(NSGX_SEH_ENTER, number | uint64_t{slot} << 32, answer, flags);
  }
  const nsgx_seh_exit& exit() {
    return *reinterpret_cast<const nsgx_seh_exit*>(machine.At<svsm_calling_area>(kArea)->buffer);
  }

  // Ends the enclave and takes everything back. Returns how many pages came.
  uint64_t TakeAllBack() {
    CHECK(Call(NSGX_SEH_DESTROY, number) == SVSM_SUCCESS);
    uint64_t count = 0;
    for (;;) {
      CHECK(Call(NSGX_SEH_RECLAIM, number, kList.raw()) == SVSM_SUCCESS);
      if (registers.rcx == 0) {
        return count;
      }
      count += registers.rcx;
    }
  }

  // What the enclave does: a gate call with arguments.
  static FakeHardware::Action Gate(uint64_t call, uint64_t a0 = 0, uint64_t a1 = 0, uint64_t a2 = 0,
                                   uint64_t a3 = 0, uint64_t a4 = 0) {
    return [=](Ring3State& state) -> Ring3Event {
      state.frame.rdi = call;
      state.frame.rsi = a0;
      state.frame.rdx = a1;
      state.frame.r10 = a2;
      state.frame.r8 = a3;
      state.frame.r9 = a4;
      state.frame.rip = kGateReturn;
      return {.vector = kSyscallVector, .error_code = 0, .address = 0};
    };
  }
  static FakeHardware::Action Event(uint64_t vector, uint64_t error_code = 0,
                                    uint64_t address = 0) {
    return [=](Ring3State&) -> Ring3Event { return {vector, error_code, address}; };
  }

  // Memory of the running enclave, as the SEH sees it.
  template <typename T>
  T* InEnclave(uint64_t address) {
    return reinterpret_cast<T*>(
        hardware.Alias(*hardware.active, EnclaveVirt(address), sizeof(T)).data());
  }
  uint64_t slot_address(uint32_t slot) const {
    return kEnclaveBase + ((image.image_size + 0xffff) & ~uint64_t{0xffff}) +
           slot * uint64_t{NSGX_SLOT_STRIDE};
  }
  uint64_t code_address() const { return kEnclaveBase + image.entry; }
  static constexpr uint64_t kHeap = kEnclaveBase + 0x200000;

  static constexpr std::array<std::byte, 32> kKey = {};

  TestImage image;
  FakeMachine machine;
  PageAllocator allocator;
  AddressSpace kernel;
  std::unique_ptr<snp_cpuid_page> cpuid_page = std::make_unique<snp_cpuid_page>();
  CpuidTable cpuid;
  FakeFirmware firmware;
  MessageClient client;
  CountingRandom random;
  SpinLock calls;
  FakeClock clock;
  ProtocolTable protocols;
  AttestationProtocol attestation;
  Services services;
  FakeHardware hardware{machine.memory};
  std::vector<std::byte> scratch = std::vector<std::byte>(SehProtocol::kScratchPages * kPageSize);
  PagePool no_pages{machine.memory};
  SnpMachine secrets{services, hardware, no_pages, GuestPhys(kOwn)};
  seh::KeyStore keys{secrets};
  // The page at kOwn is the kernel's root; nobody looks at what the gate holds.
  EnclaveTable table{services, hardware, keys, GuestPhys(kOwn)};
  SehProtocol protocol{services, hardware, table, scratch};

  CallRegisters registers;
  uint32_t number = 0;
  uint64_t donated = 0;
};

}  // namespace nsgx::snp
