// SPDX-License-Identifier: Apache-2.0
// The life cycle of an enclave: order, contents, failures, slots.
#include "vmpl-switch/seh/enclave.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/seh/enclave_fixture.h"

namespace nsgx::seh {
namespace {

template <size_t kSize>
std::vector<std::byte> Bytes(const uint8_t (&field)[kSize]) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(field));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> Bytes(const Sha256::Digest& digest) {
  return {digest.begin(), digest.end()};
}

Permissions PermissionsAt(EnclaveFixture& fixture, uint64_t address) {
  Permissions permissions = Permissions::kNone;
  EXPECT_TRUE(fixture.machine.IsCommitted(EnclaveVirt(address), &permissions)) << address;
  return permissions;
}

TEST(Enclave, HasTheIdentityThatWasSigned) {
  EnclaveFixture fixture;
  fixture.Start();
  const nsgx_report_body& body = fixture.enclave.body();
  const TestImage& image = fixture.image;
  EXPECT_EQ(body.magic, NSGX_REPORT_MAGIC);
  EXPECT_EQ(body.version, 1u);
  EXPECT_EQ(body.machine, NSGX_MACHINE_SIM);
  EXPECT_EQ(Bytes(body.identity), Bytes(image.Identity()));
  EXPECT_EQ(Bytes(body.signer), Bytes(SignerOf(image.Sign())));
  EXPECT_EQ(body.product_id, image.config.product_id);
  EXPECT_EQ(body.svn, image.config.svn);
  EXPECT_EQ(body.seh_svn, kSehSvn);
  EXPECT_EQ(body.attributes, image.config.attributes);
  EXPECT_EQ(Bytes(body.config_hash), Bytes(Sha256::Hash(image.config_section)));
  EXPECT_EQ(Bytes(body.args_hash), Bytes(Sha256::Hash(fixture.args)));
  EXPECT_EQ(Bytes(body.host_calls_hash),
            Bytes(Sha256::Hash(std::as_bytes(std::span(image.config.host_calls)))));
  EXPECT_NE(Bytes(body.instance), std::vector<std::byte>(16));
}

TEST(Enclave, PutsEverythingWhereTheLayoutSays) {
  EnclaveFixture fixture;
  fixture.Start();
  const uint64_t base = fixture.base();
  const EnclaveLayout& layout = fixture.enclave.layout();
  EXPECT_EQ(base % kLargePageSize, 0u);
  EXPECT_EQ(layout.slot_area_offset, 0x10000u);
  EXPECT_EQ(layout.boot_offset, 0x10000u + 4 * NSGX_SLOT_STRIDE);
  EXPECT_EQ(layout.heap_offset % kLargePageSize, 0u);
  EXPECT_EQ(fixture.enclave.entry().raw(), base + fixture.image.entry);

  for (const TestRun& run : fixture.image.runs) {
    EXPECT_EQ(static_cast<uint32_t>(PermissionsAt(fixture, base + run.offset)), run.permissions);
    for (size_t i = 0; i < run.bytes.size(); ++i) {
      ASSERT_EQ(fixture.At<std::byte>(base + run.offset + i), run.bytes[i]);
    }
  }

  for (uint32_t index = 0; index < 2; ++index) {
    const uint64_t address = base + layout.slot_area_offset + uint64_t{index} * NSGX_SLOT_STRIDE;
    const nsgx_slot& slot = fixture.At<nsgx_slot>(address);
    EXPECT_EQ(slot.self, address);
    EXPECT_EQ(slot.gate, 0x1000u);
    EXPECT_EQ(slot.index, index);
    EXPECT_EQ(slot.boot, base + layout.boot_offset);
    EXPECT_EQ(slot.frame, address + NSGX_SLOT_FRAME_OFFSET);
    EXPECT_EQ(slot.window, 0x100000u + index * 0x4000);
    EXPECT_EQ(slot.window_size, 0x4000u);
    EXPECT_EQ(slot.irq_off, 0);
    EXPECT_EQ(slot.in_exception, 0);
    for (uint64_t offset = 0; offset < NSGX_SLOT_STRIDE; offset += kPageSize) {
      const bool is_guard = offset == 0x5000 || offset == 0xa000;
      EXPECT_EQ(fixture.machine.IsCommitted(EnclaveVirt(address + offset)), !is_guard) << offset;
    }
  }
  // Configured, but not asked for.
  EXPECT_FALSE(fixture.machine.IsCommitted(fixture.enclave.slot_address(2)));

  const nsgx_boot& boot = fixture.At<nsgx_boot>(base + layout.boot_offset);
  EXPECT_EQ(boot.magic, NSGX_BOOT_MAGIC);
  EXPECT_EQ(boot.version, 1u);
  EXPECT_EQ(boot.machine, NSGX_MACHINE_SIM);
  EXPECT_EQ(boot.base, base);
  EXPECT_EQ(boot.address_range_size, fixture.image.config.address_range_size);
  EXPECT_EQ(boot.image_size, fixture.image.image_size);
  EXPECT_EQ(boot.heap, fixture.heap());
  EXPECT_EQ(boot.config_size, fixture.image.config_section.size());
  EXPECT_EQ(boot.args_size, fixture.args.size());
  EXPECT_EQ(boot.vcpus, 2u);
  EXPECT_EQ(boot.xsave_size, fixture.machine.xsave_size());
  EXPECT_EQ(boot.xcr0, fixture.machine.xcr0());
  EXPECT_EQ(boot.tsc_khz, fixture.machine.tsc_khz());
  EXPECT_NE(Bytes(boot.seed), std::vector<std::byte>(64));
  for (size_t i = 0; i < boot.config_size; ++i) {
    ASSERT_EQ(fixture.At<std::byte>(boot.config + i), fixture.image.config_section[i]);
  }
  for (size_t i = 0; i < boot.args_size; ++i) {
    ASSERT_EQ(fixture.At<std::byte>(boot.args + i), fixture.args[i]);
  }
  EXPECT_EQ(PermissionsAt(fixture, base + layout.boot_offset), Permissions::kReadWrite);
  EXPECT_EQ(PermissionsAt(fixture, boot.config), Permissions::kRead);
  EXPECT_EQ(PermissionsAt(fixture, boot.args), Permissions::kRead);
  EXPECT_FALSE(fixture.machine.IsCommitted(EnclaveVirt(fixture.heap())));
}

TEST(Enclave, IsAnotherInstanceEachTime) {
  EnclaveFixture fixture;
  fixture.Start();
  const std::vector<std::byte> instance = Bytes(fixture.enclave.body().instance);
  const std::vector<std::byte> seed =
      Bytes(fixture.At<nsgx_boot>(fixture.base() + fixture.enclave.layout().boot_offset).seed);
  fixture.enclave.ReleaseSlot(0);
  fixture.claimed.clear();
  ASSERT_TRUE(fixture.enclave.Destroy().ok());
  fixture.Start();
  EXPECT_NE(Bytes(fixture.enclave.body().instance), instance);
  EXPECT_NE(
      Bytes(fixture.At<nsgx_boot>(fixture.base() + fixture.enclave.layout().boot_offset).seed),
      seed);
}

TEST(Enclave, LivesBesideOthers) {
  EnclaveFixture first;
  first.Start();
  Enclave second(first.machine, first.keys);
  ASSERT_TRUE(second.Create(first.Options()).ok());
  for (const TestRun& run : first.image.runs) {
    const Result<void> result =
        run.bytes.empty() ? second.AddZeroPages(run.offset, run.permissions, run.zero_page_count)
                          : second.AddPages(run.offset, run.permissions, {run.bytes});
    ASSERT_TRUE(result.ok());
  }
  ASSERT_TRUE(second.Init(BytesOf(first.image.Sign()), first.args).ok());
  EXPECT_NE(second.base(), first.enclave.base());
  EXPECT_EQ(Bytes(second.body().identity), Bytes(first.enclave.body().identity));
  EXPECT_NE(Bytes(second.body().instance), Bytes(first.enclave.body().instance));
  EXPECT_EQ(first.machine.range_count(), 2u);
  ASSERT_TRUE(second.Destroy().ok());
  EXPECT_EQ(first.machine.range_count(), 1u);
  EXPECT_EQ(first.Gate(NSGX_GATE_COMMIT, first.heap(), kPageSize, kRw), Status::kOk);
}

// Each of these is a system call on `sim` and an exit or more on `snp`: starting a program must not
// make many.
TEST(Enclave, AsksTheMachineForLittle) {
  EnclaveFixture fixture;
  fixture.Start();
  std::vector<FakeMachine::Call> calls;
  for (const FakeMachine::Event& event : fixture.machine.history()) {
    calls.push_back(event.call);
  }
  using enum FakeMachine::Call;
  const std::vector<FakeMachine::Call> expected = {
      kReserve, kCommit,                    // range; struct nsgx_boot and configuration
      kLoad,    kLoad,   kLoad,   kCommit,  // image
      kCommit,                              // arguments
      kCommit,  kCommit, kCommit,           // slot 0
      kCommit,  kCommit, kCommit,           // slot 1
      kProtect,                             // configuration and arguments
  };
  EXPECT_EQ(calls, expected);
  EXPECT_LE(fixture.machine.table_page_count(), 4u);
}

// ---- every call in every state

struct Call {
  const char* name;
  std::function<Status(EnclaveFixture&)> make;
};

const Call kCalls[] = {
    {"create", [](EnclaveFixture& f) { return ToStatus(f.Create()); }},
    {"add", [](EnclaveFixture& f) { return ToStatus(f.Add(f.image.runs[0])); }},
    {"add_zero", [](EnclaveFixture& f) { return ToStatus(f.Add(f.image.runs[3])); }},
    {"defer", [](EnclaveFixture& f) { return ToStatus(f.Defer(f.image.runs[0])); }},
    {"init", [](EnclaveFixture& f) { return ToStatus(f.Init()); }},
    {"claim",
     [](EnclaveFixture& f) {
       const Status status = ToStatus(f.enclave.ClaimSlot(0));
       if (status == Status::kOk) {
         f.enclave.ReleaseSlot(0);
       }
       return status;
     }},
    {"leave",
     [](EnclaveFixture& f) {
       const Result<Leave> result = f.enclave.CheckLeave(NSGX_GATE_IDLE, 0, 0);
       return result.ok() ? Status::kOk : result.error();
     }},
    {"destroy", [](EnclaveFixture& f) { return ToStatus(f.enclave.Destroy()); }},
};

struct StateCase {
  const char* name;
  std::function<void(EnclaveFixture&)> reach;
  Status expected[std::size(kCalls)];
};

constexpr Status kOk = Status::kOk;
constexpr Status kBad = Status::kBadState;

void BringUp(EnclaveFixture& fixture) {
  fixture.Create().value();
  fixture.AddAll().value();
  fixture.Init().value();
}

// Init of what is not all loaded: the signature is for something else.
constexpr Status kPartial = Status::kBadMeasurement;
// Pages that are there already, or behind those that are.
constexpr Status kAgain = Status::kInvalidArgument;

const StateCase kStates[] = {
    //                                      create add  zero defer init claim leave destroy
    {"empty", [](EnclaveFixture&) {}, {kOk, kBad, kBad, kBad, kBad, kBad, kBad, kOk}},
    {"created",
     [](EnclaveFixture& f) { f.Create().value(); },
     {kBad, kOk, kOk, kOk, kPartial, kBad, kBad, kOk}},
    {"partly_loaded",
     [](EnclaveFixture& f) {
       f.Create().value();
       f.Add(f.image.runs[0]).value();
       f.Add(f.image.runs[1]).value();
     },
     {kBad, kAgain, kOk, kAgain, kPartial, kBad, kBad, kOk}},
    {"loaded",
     [](EnclaveFixture& f) {
       f.Create().value();
       f.AddAll().value();
     },
     {kBad, kAgain, kAgain, kAgain, kOk, kBad, kBad, kOk}},
    {"running", BringUp, {kBad, kBad, kBad, kBad, kBad, kOk, kOk, kOk}},
    {"done",
     [](EnclaveFixture& f) {
       BringUp(f);
       ASSERT_EQ(f.enclave.CheckLeave(NSGX_GATE_DONE, NSGX_DONE_EXIT, 3).value(), Leave::kDone);
     },
     {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kOk}},
    {"crashed",
     [](EnclaveFixture& f) {
       BringUp(f);
       f.enclave.Crash();
     },
     {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kOk}},
    {"destroyed",
     [](EnclaveFixture& f) {
       BringUp(f);
       f.enclave.Destroy().value();
     },
     {kOk, kBad, kBad, kBad, kBad, kBad, kBad, kOk}},
};

TEST(EnclaveStates, AllowWhatTheTableSays) {
  for (const StateCase& state : kStates) {
    for (size_t i = 0; i < std::size(kCalls); ++i) {
      EnclaveFixture fixture;
      state.reach(fixture);
      const EnclaveState before = fixture.enclave.state();
      EXPECT_EQ(kCalls[i].make(fixture), state.expected[i]) << state.name << " " << kCalls[i].name;
      if (state.expected[i] != kOk) {
        EXPECT_EQ(fixture.enclave.state(), before) << state.name << " " << kCalls[i].name;
      }
    }
  }
}

TEST(EnclaveStates, EndOnceAndStayEnded) {
  EnclaveFixture fixture;
  fixture.Start();
  ASSERT_EQ(fixture.enclave.CheckLeave(NSGX_GATE_DONE, NSGX_DONE_SIGNAL, 11).value(), Leave::kDone);
  EXPECT_EQ(fixture.enclave.state(), EnclaveState::kDone);
  fixture.enclave.Crash();
  EXPECT_EQ(fixture.enclave.state(), EnclaveState::kDone);
  EXPECT_EQ(fixture.enclave.end().kind, uint64_t{NSGX_DONE_SIGNAL});
  EXPECT_EQ(fixture.enclave.end().code, 11u);
  EXPECT_EQ(fixture.enclave.CheckLeave(NSGX_GATE_DONE, NSGX_DONE_EXIT, 0).error(), kBad);
  EXPECT_EQ(fixture.enclave.end().code, 11u);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap(), kPageSize, kRw), kBad);
}

// ---- hostile loaders

TEST(EnclaveCreate, RefusesWhatIsWrong) {
  const auto status = [](const std::function<void(CreateOptions&)>& change) {
    EnclaveFixture fixture;
    CreateOptions options = fixture.Options();
    change(options);
    const Status result = ToStatus(fixture.enclave.Create(options));
    EXPECT_EQ(fixture.machine.range_count(), result == Status::kOk ? 1u : 0u);
    if (result != Status::kOk) {
      EXPECT_EQ(fixture.enclave.state(), EnclaveState::kEmpty);
      EXPECT_EQ(fixture.machine.table_page_count(), 0u);
    }
    return result;
  };
  EXPECT_EQ(status([](CreateOptions&) {}), kOk);
  EXPECT_EQ(status([](CreateOptions& o) { o.vcpus = 4; }), kOk);
  EXPECT_EQ(status([](CreateOptions& o) { o.vcpus = 0; }), Status::kInvalidArgument);
  EXPECT_EQ(status([](CreateOptions& o) { o.vcpus = 5; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.vcpus = ~0u; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.config = {}; }), Status::kMalformed);
  EXPECT_EQ(status([](CreateOptions& o) { o.config = o.config.first(175); }), Status::kMalformed);
  EXPECT_EQ(status([](CreateOptions& o) { o.config = o.config.first(4095); }), Status::kMalformed);
  EXPECT_EQ(status([](CreateOptions& o) { o.image_size = 0; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { ++o.image_size; }), Status::kInvalidArgument);
  EXPECT_EQ(status([](CreateOptions& o) { o.image_size = ~uint64_t{0}; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.image_size = ~kPageMask; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.image_size = uint64_t{62} << 20; }),
            Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.entry = o.image_size; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.entry = ~uint64_t{0}; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { ++o.config_offset; }), Status::kInvalidArgument);
  EXPECT_EQ(status([](CreateOptions& o) { o.config_offset = o.image_size; }), Status::kOutOfRange);
  EXPECT_EQ(status([](CreateOptions& o) { o.config_offset = ~kPageMask; }), Status::kOutOfRange);
}

TEST(EnclaveCreate, RefusesAConfigurationThatChangesMeanwhile) {
  EnclaveFixture fixture;
  fixture.machine.during_call_context = &fixture.image.config_section;
  fixture.machine.during_call = [](void* raw) {
    // Legal by itself, but the layout was made for another number.
    nsgx_config& config =
        *reinterpret_cast<nsgx_config*>(static_cast<std::vector<std::byte>*>(raw)->data());
    config.max_vcpus = 3;
  };
  EXPECT_EQ(ToStatus(fixture.Create()), Status::kMalformed);
  EXPECT_EQ(fixture.machine.range_count(), 0u);
}

TEST(EnclaveCreate, NeedsRoomForSlotsAndBootArea) {
  ConfigBuilder builder;
  builder.config.address_range_size = uint64_t{16} << 20;
  builder.config.max_vcpus = 256;
  EnclaveFixture full{TestImage(builder)};
  EXPECT_EQ(ToStatus(full.Create()), Status::kOutOfRange);
  builder.config.max_vcpus = 64;
  EnclaveFixture fits{TestImage(builder)};
  EXPECT_EQ(ToStatus(fits.Create()), kOk);
}

TEST(EnclaveAdd, RefusesWhatIsWrong) {
  EnclaveFixture fixture;
  fixture.Create().value();
  fixture.Add(fixture.image.runs[0]).value();
  const uint64_t committed = fixture.machine.committed_size();
  const uint64_t next = fixture.image.runs[0].bytes.size();
  const uint64_t size = fixture.image.image_size;
  const std::vector<std::byte> bytes(3 * kPageSize);
  const std::vector<std::byte> hashes = HashesOf(bytes);

  const auto status = [&](uint64_t offset, uint32_t permissions, uint64_t byte_count) {
    const PageSource source{std::span(bytes).first(byte_count)};
    const Status added = ToStatus(fixture.enclave.AddPages(offset, permissions, source));
    EXPECT_EQ(ToStatus(fixture.enclave.DeferPages(
                  offset, permissions, source,
                  std::span(hashes).first(byte_count / kPageSize * Sha256::kDigestSize))),
              added);
    if (byte_count % kPageSize == 0) {
      EXPECT_EQ(ToStatus(fixture.enclave.AddZeroPages(offset, permissions, byte_count / kPageSize)),
                added);
    }
    EXPECT_EQ(fixture.machine.committed_size(), committed);
    return added;
  };
  EXPECT_EQ(status(next, kR, 0), Status::kInvalidArgument);
  EXPECT_EQ(status(next, kR, 100), Status::kInvalidArgument);
  EXPECT_EQ(status(next + 8, kR, kPageSize), Status::kInvalidArgument);
  EXPECT_EQ(status(0, kR, kPageSize), Status::kInvalidArgument);
  for (uint32_t permissions : {0u, 2u, 4u, 6u, 7u, 8u, ~0u}) {
    EXPECT_EQ(status(next, permissions, kPageSize), Status::kInvalidArgument) << permissions;
  }
  EXPECT_EQ(status(size, kR, kPageSize), Status::kOutOfRange);
  EXPECT_EQ(status(size - kPageSize, kR, 2 * kPageSize), Status::kOutOfRange);
  EXPECT_EQ(status(~kPageMask, kR, kPageSize), Status::kOutOfRange);
  EXPECT_EQ(ToStatus(fixture.enclave.AddZeroPages(next, kR, ~uint64_t{0})), Status::kOutOfRange);
  EXPECT_EQ(ToStatus(fixture.enclave.AddZeroPages(next, kR, uint64_t{1} << 52)),
            Status::kOutOfRange);
  // One hash too many, one too few, half a hash.
  const PageSource two{std::span(bytes).first(2 * kPageSize)};
  for (size_t count : {size_t{0}, size_t{32}, size_t{48}, size_t{96}}) {
    EXPECT_EQ(ToStatus(fixture.enclave.DeferPages(next, kR, two, std::span(hashes).first(count))),
              Status::kInvalidArgument)
        << count;
  }
  // After all that, the rest still makes the signed image.
  for (size_t i = 1; i < fixture.image.runs.size(); ++i) {
    ASSERT_TRUE(fixture.Add(fixture.image.runs[i]).ok());
  }
  EXPECT_TRUE(fixture.Init().ok());
}

TEST(EnclaveInit, RefusesOtherImages) {
  // Each differs from what was signed in one thing.
  const std::function<void(TestImage&)> changes[] = {
      [](TestImage& image) { image.runs[1].bytes[5000] ^= std::byte{1}; },
      [](TestImage& image) { image.runs[2].permissions = kR; },
      [](TestImage& image) { image.runs[3].zero_page_count = 3; },
      [](TestImage& image) { image.runs.pop_back(); },
      [](TestImage& image) { ++image.entry; },
      [](TestImage& image) { image.image_size += kPageSize; },
      [](TestImage& image) {
        image.runs[3] = {image.runs[3].offset, kRw, std::vector<std::byte>(4 * kPageSize), 0};
      },
  };
  const nsgx_signature signature = TestImage().Sign();
  for (const auto& change : changes) {
    EnclaveFixture fixture;
    change(fixture.image);
    ASSERT_TRUE(fixture.Create().ok());
    ASSERT_TRUE(fixture.AddAll().ok());
    EXPECT_EQ(ToStatus(fixture.enclave.Init(BytesOf(signature), fixture.args)),
              Status::kBadMeasurement);
    EXPECT_EQ(fixture.enclave.state(), EnclaveState::kLoading);
    // The image that it is can still be started.
    EXPECT_TRUE(fixture.Init().ok());
  }
}

TEST(EnclaveInit, RefusesSignaturesThatAreNone) {
  EnclaveFixture fixture;
  fixture.Create().value();
  fixture.AddAll().value();
  const uint64_t committed = fixture.machine.committed_size();
  const auto status = [&](const std::function<void(nsgx_signature&)>& change) {
    nsgx_signature signature = fixture.image.Sign();
    change(signature);
    const Status result = ToStatus(fixture.enclave.Init(BytesOf(signature), fixture.args));
    EXPECT_EQ(fixture.machine.committed_size(), committed);
    return result;
  };
  EXPECT_EQ(status([](nsgx_signature& s) { s.version = 2; }), Status::kUnsupported);
  EXPECT_EQ(status([](nsgx_signature& s) { s.magic = 0; }), Status::kMalformed);
  EXPECT_EQ(status([](nsgx_signature& s) { s.date = 20270101; }), Status::kBadSignature);
  EXPECT_EQ(status([](nsgx_signature& s) { s.signature[7] ^= 1; }), Status::kBadSignature);
  EXPECT_EQ(status([](nsgx_signature& s) {
              s.attributes = s.attribute_mask = NSGX_ATTRIBUTE_DEBUG;
              SignAgain(s);
            }),
            Status::kPermissionDenied);
  EXPECT_EQ(ToStatus(fixture.enclave.Init({}, fixture.args)), Status::kMalformed);
  EXPECT_TRUE(fixture.Init().ok());
}

TEST(EnclaveInit, RefusesImagesThatCannotBeEntered) {
  for (uint64_t entry : {uint64_t{0}, uint64_t{2} * kPageSize, uint64_t{7} * kPageSize}) {
    EnclaveFixture fixture;
    fixture.image.entry = entry;  // read-only data, a gap, writable data
    fixture.Create().value();
    fixture.AddAll().value();
    EXPECT_EQ(ToStatus(fixture.Init()), Status::kMalformed) << entry;
  }
}

TEST(EnclaveInit, WantsTheConfigurationInTheImage) {
  const std::function<void(TestImage&)> changes[] = {
      // Another one.
      [](TestImage& image) { image.runs[0].bytes[kPageSize + 40] ^= std::byte{2}; },
      // Where the enclave could write to it.
      [](TestImage& image) { image.runs[0].permissions = kRw; },
      // Nowhere.
      [](TestImage& image) { image.runs[0].bytes.resize(kPageSize); },
      // Elsewhere.
      [](TestImage& image) { image.config_offset = 0; },
  };
  for (const auto& change : changes) {
    EnclaveFixture fixture;
    change(fixture.image);
    fixture.Create().value();
    fixture.AddAll().value();
    EXPECT_EQ(ToStatus(fixture.Init()), Status::kMalformed);
    EXPECT_EQ(fixture.enclave.state(), EnclaveState::kLoading);
  }
}

TEST(EnclaveInit, RefusesArgumentsThatBreakTheirFormat) {
  EnclaveFixture fixture;
  fixture.Create().value();
  fixture.AddAll().value();
  const uint64_t committed = fixture.machine.committed_size();
  const auto status = [&](std::vector<std::byte> args) {
    fixture.args = std::move(args);
    const Status result = ToStatus(fixture.Init());
    if (result != Status::kOk) {
      EXPECT_EQ(fixture.machine.committed_size(), committed);
    }
    return result;
  };
  const std::vector<std::byte> good = MakeArgs({"a", ""}, {"X=1"});
  EXPECT_EQ(status({}), Status::kMalformed);
  EXPECT_EQ(status(std::vector<std::byte>(7)), Status::kMalformed);
  EXPECT_EQ(status(MakeArgs({})), Status::kMalformed);
  EXPECT_EQ(status(MakeArgs({}, {"X=1"})), Status::kMalformed);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(status({good.begin(), good.begin() + static_cast<ptrdiff_t>(size)}),
              Status::kMalformed)
        << size;
  }
  for (uint32_t argc : {1u, 3u, ~0u}) {
    std::vector<std::byte> changed = good;
    std::memcpy(changed.data(), &argc, sizeof(argc));
    EXPECT_EQ(status(changed), Status::kMalformed) << argc;
  }
  {
    // In 32 bits, the sum would be right.
    std::vector<std::byte> changed = good;
    const nsgx_args header = {0x80000001, 0x80000002};
    std::memcpy(changed.data(), &header, sizeof(header));
    EXPECT_EQ(status(changed), Status::kMalformed);
  }
  std::vector<std::byte> longer = good;
  longer.push_back(std::byte{'x'});
  EXPECT_EQ(status(longer), Status::kMalformed);
  EXPECT_EQ(status(MakeArgs({std::string(NSGX_ARGS_MAX_SIZE - 8, 'x')})), Status::kMalformed);
  EXPECT_EQ(status(MakeArgs({std::string(NSGX_ARGS_MAX_SIZE - 9, 'x')})), Status::kOk);
}

TEST(EnclaveInit, KeepsTheLayoutWhateverTheArguments) {
  EnclaveFixture small;
  small.Start();
  EnclaveFixture fixture;
  fixture.args = MakeArgs({std::string(100'000, 'x')}, {std::string(50'000, 'y')});
  fixture.Start();
  EXPECT_EQ(Bytes(fixture.enclave.body().args_hash), Bytes(Sha256::Hash(fixture.args)));
  EXPECT_EQ(fixture.enclave.layout().heap_offset, small.enclave.layout().heap_offset);
}

// ---- a machine that fails

// Runs `step` with the Nth call to the machine failing, for N = 1, 2, ... until it succeeds, and
// returns how often it failed. A failed step changes neither the state nor what is committed.
uint32_t FailEach(EnclaveFixture& fixture, const std::function<Result<void>()>& step) {
  for (uint32_t n = 1;; ++n) {
    const EnclaveState state = fixture.enclave.state();
    const uint64_t committed = fixture.machine.committed_size();
    fixture.machine.FailCall(n);
    const Result<void> result = step();
    fixture.machine.FailCall(0);
    if (result.ok()) {
      return n - 1;
    }
    EXPECT_TRUE(result.error() == Status::kNoMemory || result.error() == Status::kEntropyFailure)
        << StatusName(result.error());
    EXPECT_EQ(fixture.enclave.state(), state) << n;
    EXPECT_EQ(fixture.machine.committed_size(), committed) << n;
    if (n == 1000) {
      ADD_FAILURE() << "fails for ever";
      return n;
    }
  }
}

TEST(EnclaveFailures, LoseNothingAndCanBeRepeated) {
  EnclaveFixture fixture;
  EXPECT_GE(FailEach(fixture, [&] { return fixture.Create(); }), 3u);
  for (const TestRun& run : fixture.image.runs) {
    EXPECT_GE(FailEach(fixture, [&] { return fixture.Add(run); }), 1u);
  }
  EXPECT_GE(FailEach(fixture, [&] { return fixture.Init(); }), 10u);
  EXPECT_EQ(Bytes(fixture.enclave.body().identity), Bytes(fixture.image.Identity()));
  fixture.Claim(0);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap(), kPageSize, kRw), kOk);
}

TEST(EnclaveFailures, LoseNothingWhenDeferred) {
  EnclaveFixture fixture;
  EXPECT_GE(FailEach(fixture, [&] { return fixture.Create(); }), 3u);
  for (const TestRun& run : fixture.image.runs) {
    EXPECT_GE(FailEach(fixture, [&] { return fixture.Defer(run); }), 1u);
  }
  EXPECT_GE(FailEach(fixture, [&] { return fixture.Init(); }), 10u);
  fixture.Claim(0);
  const EnclaveVirt code = fixture.enclave.entry();
  EXPECT_GE(FailEach(fixture,
                     [&] { return fixture.enclave.HandleFault(code, Permissions::kReadExecute); }),
            1u);
}

TEST(EnclaveFailures, LeaveNothingBehindWhenTheLoaderGivesUp) {
  for (uint32_t n = 1;; ++n) {
    EnclaveFixture fixture;
    fixture.machine.FailCall(n);
    bool ok = fixture.Create().ok();
    ok = ok && fixture.AddAll().ok();
    ok = ok && fixture.Init().ok();
    fixture.machine.FailCall(0);
    if (ok) {
      EXPECT_GT(n, 10u);
      break;
    }
    // The fixture checks that everything comes back.
  }
}

// ---- measuring

TEST(EnclaveMeasurement, IsTheSameWhicheverWay) {
  EnclaveFixture eager;
  eager.Start();
  EnclaveFixture lazy;
  lazy.StartLazily();
  EnclaveFixture parallel;
  parallel.machine.hash_in_parallel = true;
  parallel.Start();
  EXPECT_EQ(Bytes(eager.enclave.body().identity), Bytes(lazy.enclave.body().identity));
  EXPECT_EQ(Bytes(eager.enclave.body().identity), Bytes(parallel.enclave.body().identity));
  EXPECT_EQ(eager.machine.pages_hashed(), 7u);
  // Only the configuration and what shares its group has been looked at.
  EXPECT_EQ(lazy.machine.pages_hashed(), 2u);
}

TEST(EnclaveMeasurement, HashesLargeRunsInPieces) {
  EnclaveFixture fixture;
  TestRun& code = fixture.image.runs[1];
  code.bytes.resize(1000 * kPageSize, std::byte{0xcc});
  const uint64_t moved = 997 * kPageSize;
  fixture.image.runs[2].offset += moved;
  fixture.image.runs[3].offset += moved;
  fixture.image.image_size += moved;
  fixture.Start();
  EXPECT_EQ(Bytes(fixture.enclave.body().identity), Bytes(fixture.image.Identity()));
}

TEST(EnclaveMeasurement, HashesWhatLiesInTheEnclave) {
  // The loader changes its copy while the machine takes it over.
  EnclaveFixture fixture;
  fixture.Create().value();
  TestRun changed = fixture.image.runs[0];
  fixture.machine.during_call_context = &changed.bytes[100];
  fixture.machine.during_call = [](void* byte) { *static_cast<std::byte*>(byte) ^= std::byte{1}; };
  fixture.Add(changed).value();
  fixture.machine.during_call = nullptr;
  for (size_t i = 1; i < fixture.image.runs.size(); ++i) {
    fixture.Add(fixture.image.runs[i]).value();
  }
  EXPECT_EQ(ToStatus(fixture.Init()), Status::kBadMeasurement);
}

TEST(EnclaveLazy, ChecksPagesWhenTheyAreTouched) {
  EnclaveFixture fixture;
  fixture.StartLazily();
  const EnclaveVirt code = fixture.enclave.entry();
  EXPECT_EQ(PermissionsAt(fixture, code.raw()), Permissions::kNone);
  EXPECT_EQ(ToStatus(fixture.enclave.HandleFault(code, Permissions::kReadExecute)), kOk);
  EXPECT_EQ(PermissionsAt(fixture, code.raw()), Permissions::kReadExecute);
  // Its neighbours came along, other rights did not.
  EXPECT_EQ(PermissionsAt(fixture, code.raw() + 2 * kPageSize), Permissions::kReadExecute);
  EXPECT_EQ(PermissionsAt(fixture, fixture.base() + fixture.image.runs[2].offset),
            Permissions::kNone);
  // Somebody else's fault for the same page comes late: try again.
  EXPECT_EQ(ToStatus(fixture.enclave.HandleFault(code, Permissions::kRead)), kOk);
}

TEST(EnclaveLazy, LeavesOtherFaultsToTheEnclave) {
  EnclaveFixture fixture;
  fixture.StartLazily();
  const auto status = [&](uint64_t address, Permissions needed) {
    return ToStatus(fixture.enclave.HandleFault(EnclaveVirt(address), needed));
  };
  const uint64_t code = fixture.enclave.entry().raw();
  EXPECT_EQ(status(code, Permissions::kReadWrite), Status::kNotFound);
  EXPECT_EQ(status(code, Permissions::kReadExecute), kOk);
  EXPECT_EQ(status(code, Permissions::kReadWrite), Status::kNotFound);
  EXPECT_EQ(status(0, Permissions::kRead), Status::kNotFound);
  EXPECT_EQ(status(~uint64_t{0}, Permissions::kRead), Status::kNotFound);
  EXPECT_EQ(status(fixture.base() - 1, Permissions::kRead), Status::kNotFound);
  EXPECT_EQ(status(fixture.base() + fixture.enclave.layout().size, Permissions::kRead),
            Status::kNotFound);
  EXPECT_EQ(status(fixture.base() + 2 * kPageSize, Permissions::kRead), Status::kNotFound);  // gap
  EXPECT_EQ(status(fixture.heap(), Permissions::kRead), Status::kNotFound);
  EXPECT_EQ(fixture.Gate(NSGX_GATE_COMMIT, fixture.heap(), kPageSize, kRw), kOk);
  EXPECT_EQ(status(fixture.heap(), Permissions::kRead), Status::kNotFound);
  EXPECT_EQ(status(fixture.enclave.slot_address(0).raw(), Permissions::kRead), Status::kNotFound);
}

TEST(EnclaveLazy, CrashesAtAPageThatIsNotAsSigned) {
  for (size_t bad = 0; bad < 3; ++bad) {
    EnclaveFixture fixture;
    fixture.Create().value();
    for (TestRun run : fixture.image.runs) {
      const std::vector<std::byte> hashes = HashesOf(run.bytes);
      if (run.offset == fixture.image.runs[1].offset) {
        run.bytes[bad * kPageSize + 9] ^= std::byte{1};
      }
      const Result<void> result =
          run.bytes.empty()
              ? fixture.Add(run)
              : fixture.enclave.DeferPages(run.offset, run.permissions, {run.bytes}, hashes);
      ASSERT_TRUE(result.ok());
    }
    ASSERT_TRUE(fixture.Init().ok());
    fixture.Claim(0);
    // Also when it is a neighbour that is touched.
    const EnclaveVirt code = fixture.enclave.entry();
    EXPECT_EQ(ToStatus(fixture.enclave.HandleFault(code, Permissions::kReadExecute)),
              Status::kBadMeasurement);
    EXPECT_EQ(fixture.enclave.state(), EnclaveState::kCrashed);
    EXPECT_EQ(PermissionsAt(fixture, code.raw()), Permissions::kNone);
    EXPECT_EQ(ToStatus(fixture.enclave.ClaimSlot(1)), kBad);
  }
}

TEST(EnclaveLazy, RefusesHashesThatWereNotSigned) {
  EnclaveFixture fixture;
  fixture.Create().value();
  for (const TestRun& run : fixture.image.runs) {
    std::vector<std::byte> hashes = HashesOf(run.bytes);
    if (run.offset == fixture.image.runs[1].offset) {
      hashes[40] ^= std::byte{1};
    }
    const Result<void> result =
        run.bytes.empty()
            ? fixture.Add(run)
            : fixture.enclave.DeferPages(run.offset, run.permissions, {run.bytes}, hashes);
    ASSERT_TRUE(result.ok());
  }
  EXPECT_EQ(ToStatus(fixture.Init()), Status::kBadMeasurement);
}

// ---- slots

TEST(EnclaveSlots, HaveOneThreadEach) {
  EnclaveFixture fixture;
  fixture.Start();
  Enclave& enclave = fixture.enclave;
  EXPECT_EQ(ToStatus(enclave.ClaimSlot(0)), Status::kBusy);
  EXPECT_EQ(ToStatus(enclave.ClaimSlot(1)), kOk);
  EXPECT_EQ(ToStatus(enclave.ClaimSlot(1)), Status::kBusy);
  enclave.ReleaseSlot(1);
  EXPECT_EQ(ToStatus(enclave.ClaimSlot(1)), kOk);
  enclave.ReleaseSlot(1);
  for (uint32_t slot : {2u, 3u, 255u, 256u, 257u, 0x80000000u, ~0u}) {
    EXPECT_EQ(ToStatus(enclave.ClaimSlot(slot)), Status::kNotFound) << slot;
  }
}

TEST(EnclaveSlots, AreEnteredByOneOfMany) {
  EnclaveFixture fixture;
  fixture.Start();
  std::atomic<uint32_t> inside = 0;
  std::atomic<uint32_t> entries = 0;
  const auto enter = [&] {
    for (int i = 0; i < 20'000; ++i) {
      if (fixture.enclave.ClaimSlot(1).ok()) {
        EXPECT_EQ(inside.fetch_add(1), 0u);
        inside.fetch_sub(1);
        ++entries;
        fixture.enclave.ReleaseSlot(1);
      }
    }
  };
  std::thread other(enter);
  enter();
  other.join();
  EXPECT_GT(entries, 0u);
}

TEST(EnclaveSlots, KeepTheEnclaveFromGoing) {
  EnclaveFixture fixture;
  fixture.Start();
  EXPECT_EQ(ToStatus(fixture.enclave.Destroy()), Status::kBusy);
  // Closed all the same.
  EXPECT_EQ(fixture.enclave.state(), EnclaveState::kCrashed);
  EXPECT_EQ(ToStatus(fixture.enclave.ClaimSlot(1)), kBad);
  EXPECT_EQ(fixture.machine.range_count(), 1u);
  fixture.enclave.ReleaseSlot(0);
  fixture.claimed.clear();
  EXPECT_TRUE(fixture.enclave.Destroy().ok());
  EXPECT_EQ(fixture.machine.range_count(), 0u);
}

TEST(EnclaveSlots, RaceWithDestroy) {
  for (int round = 0; round < 200; ++round) {
    EnclaveFixture fixture;
    BringUp(fixture);
    std::thread visitor([&] {
      for (uint64_t i = 0; i < 50; ++i) {
        if (fixture.enclave.ClaimSlot(0).ok()) {
          static_cast<void>(
              fixture.Gate(NSGX_GATE_COMMIT, fixture.heap() + i * kPageSize, kPageSize, kRw));
          fixture.enclave.ReleaseSlot(0);
        }
      }
    });
    while (!fixture.enclave.Destroy().ok()) {
      std::this_thread::yield();
    }
    visitor.join();
    EXPECT_EQ(fixture.machine.range_count(), 0u);
  }
}

TEST(EnclaveControl, IsForOneCallerAtATime) {
  EnclaveFixture fixture;
  fixture.Create().value();
  struct Context {
    EnclaveFixture& fixture;
    int calls = 0;
  } context{fixture};
  fixture.machine.during_call_context = &context;
  fixture.machine.during_call = [](void* raw) {
    Context& now = *static_cast<Context*>(raw);
    ++now.calls;
    EXPECT_EQ(ToStatus(now.fixture.Add(now.fixture.image.runs[0])), Status::kBusy);
    EXPECT_EQ(ToStatus(now.fixture.Init()), Status::kBusy);
    EXPECT_EQ(ToStatus(now.fixture.enclave.Destroy()), Status::kBusy);
    EXPECT_EQ(ToStatus(now.fixture.Create()), Status::kBusy);
  };
  ASSERT_TRUE(fixture.AddAll().ok());
  fixture.machine.during_call = nullptr;
  EXPECT_EQ(context.calls, 4);
  EXPECT_TRUE(fixture.Init().ok());
}

// ---- leaving

TEST(EnclaveLeave, HandsOnWhatIsAllowed) {
  EnclaveFixture fixture;
  fixture.Start();
  Enclave& enclave = fixture.enclave;
  for (uint64_t number : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{127}}) {
    EXPECT_EQ(enclave.CheckLeave(NSGX_GATE_HOST_CALL, number, 0).value(), Leave::kHostCall);
  }
  EXPECT_EQ(enclave.CheckLeave(NSGX_GATE_IDLE, ~uint64_t{0}, 0).value(), Leave::kIdle);
  EXPECT_EQ(enclave.CheckLeave(NSGX_GATE_WAKE, 1, 0).value(), Leave::kWake);
  for (uint64_t slot : {uint64_t{2}, uint64_t{256}, uint64_t{1} << 32, ~uint64_t{0}}) {
    EXPECT_EQ(enclave.CheckLeave(NSGX_GATE_WAKE, slot, 0).error(), Status::kInvalidArgument);
  }
  for (uint64_t call : {uint64_t{4}, uint64_t{16}, uint64_t{1} << 32, ~uint64_t{0}}) {
    EXPECT_EQ(enclave.CheckLeave(call, 0, 0).error(), Status::kInvalidArgument);
  }
  EXPECT_EQ(enclave.state(), EnclaveState::kRunning);
}

TEST(EnclaveLeave, EndsTheEnclaveForWhatIsForbidden) {
  for (uint64_t number :
       {uint64_t{2}, uint64_t{64}, uint64_t{128}, uint64_t{1} << 32, ~uint64_t{0}}) {
    EnclaveFixture fixture;
    fixture.Start();
    EXPECT_EQ(fixture.enclave.CheckLeave(NSGX_GATE_HOST_CALL, number, 0).value(), Leave::kRefused);
    EXPECT_EQ(fixture.enclave.state(), EnclaveState::kCrashed);
  }
}

TEST(EnclaveLeave, TakesOnlyEndsThatThereAre) {
  struct Case {
    uint64_t kind;
    uint64_t code;
    Leave expected;
  };
  const Case cases[] = {
      {NSGX_DONE_EXIT, 0, Leave::kDone},
      {NSGX_DONE_EXIT, 255, Leave::kDone},
      {NSGX_DONE_EXIT, 256, Leave::kRefused},
      {NSGX_DONE_SIGNAL, 1, Leave::kDone},
      {NSGX_DONE_SIGNAL, 64, Leave::kDone},
      {NSGX_DONE_SIGNAL, 0, Leave::kRefused},
      {NSGX_DONE_SIGNAL, 65, Leave::kRefused},
      {NSGX_DONE_PANIC, 77, Leave::kDone},
      {3, 0, Leave::kRefused},
      {~uint64_t{0}, 0, Leave::kRefused},
  };
  for (const Case& now : cases) {
    EnclaveFixture fixture;
    fixture.Start();
    EXPECT_EQ(fixture.enclave.CheckLeave(NSGX_GATE_DONE, now.kind, now.code).value(), now.expected)
        << now.kind << " " << now.code;
    EXPECT_EQ(fixture.enclave.state(),
              now.expected == Leave::kDone ? EnclaveState::kDone : EnclaveState::kCrashed);
  }
}

}  // namespace
}  // namespace nsgx::seh
