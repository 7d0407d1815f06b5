// SPDX-License-Identifier: Apache-2.0
// The calls against a SEH, a host and a program that lie in this file.
#include "libos/attest/calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "libos/attest/include/nsgx/attest.h"
#include "libos/host/host.h"
#include "libos/kernel/gate.h"
#include "libos/mm/kernel_heap.h"

namespace nsgx::libos {
namespace {

// The enclave below the tests.
struct World {
  Status seh_status = Status::kOk;  // what the SEH answers
  std::vector<uint8_t> chain;       // what the host answers
  Errno host_error = Errno::kEIO;   // ... if the chain is empty
  uint16_t own_svn = 5;
  nsgx_key_request last_key_request = {};
  std::set<std::byte*> pages;  // handed out
  bool has_pages = true;
};
World world;

// Pointers of the program below this are wild.
constexpr uint64_t kFirstAddress = 0x10000;

Result<void> SehAnswer() {
  return world.seh_status == Status::kOk ? Result<void>() : Error(world.seh_status);
}

class AttestCallsTest : public testing::Test {
 protected:
  AttestCallsTest() {
    world = World();
    AddCertificate(100);
    AddCertificate(1);
    AddCertificate(0);
    std::memset(report_data_.bytes, 0x77, sizeof(report_data_.bytes));
  }
  ~AttestCallsTest() override { EXPECT_TRUE(world.pages.empty()); }

  void AddCertificate(uint32_t size) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&size);
    world.chain.insert(world.chain.end(), bytes, bytes + sizeof(size));
    world.chain.insert(world.chain.end(), size, uint8_t{0xcc});
  }
  template <typename T>
  static UserIn<T> In(const T& object) {
    return UserIn<T>(reinterpret_cast<uint64_t>(&object));
  }
  template <typename T>
  static UserOut<T> Out(T* object) {
    return UserOut<T>(reinterpret_cast<uint64_t>(object));
  }
  SysResult Evidence(size_t capacity) {
    return SysAttestEvidence(In(report_data_), Out(buffer_.data()), capacity, Out(&size_));
  }

  ReportData report_data_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(NSGX_EVIDENCE_MAX_SIZE);
  uint64_t size_ = 0;
};

TEST_F(AttestCallsTest, EvidenceIsHeaderCoreAndChain) {
  ASSERT_TRUE(Evidence(buffer_.size()).ok());
  nsgx_evidence_header header;
  nsgx_evidence_core core;
  ASSERT_EQ(size_, sizeof(header) + sizeof(core) + world.chain.size());
  std::memcpy(&header, buffer_.data(), sizeof(header));
  std::memcpy(&core, buffer_.data() + sizeof(header), sizeof(core));
  EXPECT_EQ(header.magic, NSGX_EVIDENCE_MAGIC);
  EXPECT_EQ(header.version, NSGX_EVIDENCE_VERSION);
  EXPECT_EQ(header.size, size_);
  EXPECT_EQ(header.certificate_count, 3u);
  EXPECT_EQ(header.reserved, 0u);
  EXPECT_EQ(core.body.report_data[63], 0x77);
  EXPECT_EQ(core.snp_report[1183], 0x99);
  EXPECT_EQ(std::memcmp(buffer_.data() + sizeof(header) + sizeof(core), world.chain.data(),
                        world.chain.size()),
            0);
}

TEST_F(AttestCallsTest, EvidenceThatDoesNotFitSaysItsSize) {
  EXPECT_EQ(Evidence(100).error(), Errno::kERANGE);
  const uint64_t needed = size_;
  EXPECT_EQ(Evidence(needed - 1).error(), Errno::kERANGE);
  EXPECT_EQ(buffer_, std::vector<std::byte>(NSGX_EVIDENCE_MAX_SIZE));
  EXPECT_TRUE(Evidence(needed).ok());
}

TEST_F(AttestCallsTest, ChainsThatAreNone) {
  const std::vector<uint8_t> good = world.chain;
  for (size_t size = 1; size < good.size(); ++size) {
    world.chain.assign(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_EQ(Evidence(buffer_.size()).error(), Errno::kEPROTO) << size;
  }
  world.chain = good;
  world.chain.push_back(0);
  EXPECT_EQ(Evidence(buffer_.size()).error(), Errno::kEPROTO);
  world.chain = good;
  std::memset(world.chain.data(), 0xff, 4);
  EXPECT_EQ(Evidence(buffer_.size()).error(), Errno::kEPROTO);
}

TEST_F(AttestCallsTest, HostWithoutCertificates) {
  world.chain.clear();
  world.host_error = Errno::kEOPNOTSUPP;
  EXPECT_EQ(Evidence(buffer_.size()).error(), Errno::kEOPNOTSUPP);
}

TEST_F(AttestCallsTest, NoMemory) {
  world.has_pages = false;
  EXPECT_EQ(Evidence(buffer_.size()).error(), Errno::kEAGAIN);
}

TEST_F(AttestCallsTest, WildPointers) {
  EXPECT_EQ(
      SysAttestEvidence(UserIn<ReportData>(8), Out(buffer_.data()), 9999, Out(&size_)).error(),
      Errno::kEFAULT);
  EXPECT_EQ(SysAttestEvidence(In(report_data_), UserOut<std::byte>(8), 9999, Out(&size_)).error(),
            Errno::kEFAULT);
  EXPECT_EQ(
      SysAttestEvidence(In(report_data_), Out(buffer_.data()), 9999, UserOut<uint64_t>(8)).error(),
      Errno::kEFAULT);
  EXPECT_EQ(SysAttestVerify(UserIn<nsgx_report>(8)).error(), Errno::kEFAULT);
}

TEST_F(AttestCallsTest, ReportNamesItsTarget) {
  Bytes32 target;
  std::memset(target.bytes, 0x31, sizeof(target.bytes));
  nsgx_report report = {};
  ASSERT_TRUE(SysAttestReport(In(target), In(report_data_), Out(&report)).ok());
  EXPECT_EQ(report.target[31], 0x31);
  EXPECT_EQ(report.body.report_data[0], 0x77);
  EXPECT_TRUE(SysAttestVerify(In(report)).ok());
}

TEST_F(AttestCallsTest, KeyOfTheOwnVersionUnlessAnotherIsAskedFor) {
  Bytes32 id, key;
  std::memset(id.bytes, 0x41, sizeof(id.bytes));
  ASSERT_TRUE(SysAttestKey(NSGX_KEY_BY_SIGNER, NSGX_OWN_SVN, In(id), Out(&key)).ok());
  EXPECT_EQ(world.last_key_request.svn, 5);
  EXPECT_EQ(world.last_key_request.policy, NSGX_KEY_BY_SIGNER);
  EXPECT_EQ(world.last_key_request.reserved, 0);
  EXPECT_EQ(world.last_key_request.key_id[31], 0x41);
  EXPECT_EQ(key.bytes[31], 0x55);
  ASSERT_TRUE(SysAttestKey(NSGX_KEY_BY_IDENTITY, 3, In(id), Out(&key)).ok());
  EXPECT_EQ(world.last_key_request.svn, 3);
}

TEST_F(AttestCallsTest, RefusalsOfTheSeh) {
  Bytes32 id = {}, key = {};
  nsgx_report report = {};
  const struct {
    Status status;
    Errno error;
  } kCases[] = {{Status::kInvalidArgument, Errno::kEINVAL},
                {Status::kPermissionDenied, Errno::kEACCES},
                {Status::kUnsupported, Errno::kEOPNOTSUPP},
                {Status::kBadTag, Errno::kEBADMSG},
                {Status::kNoMemory, Errno::kEAGAIN},
                {Status::kEntropyFailure, Errno::kEAGAIN},
                {Status::kInternal, Errno::kEIO}};
  for (const auto& one : kCases) {
    world.seh_status = one.status;
    EXPECT_EQ(Evidence(buffer_.size()).error(), one.error);
    EXPECT_EQ(SysAttestReport(In(id), In(report_data_), Out(&report)).error(), one.error);
    EXPECT_EQ(SysAttestVerify(In(report)).error(), one.error);
    EXPECT_EQ(SysAttestKey(NSGX_KEY_BY_SIGNER, 1, In(id), Out(&key)).error(), one.error);
    EXPECT_EQ(SysAttestKey(NSGX_KEY_BY_SIGNER, NSGX_OWN_SVN, In(id), Out(&key)).error(), one.error);
  }
  EXPECT_EQ(key.bytes[0], 0);
}

}  // namespace

// The SEH.

Result<void> gate::MakeReport(const nsgx_report_request* request, nsgx_report* report) {
  TRY(SehAnswer());
  *report = {};
  report->body.svn = world.own_svn;
  std::memcpy(report->body.report_data, request->report_data, sizeof(request->report_data));
  std::memcpy(report->target, request->target, sizeof(request->target));
  return {};
}

Result<void> gate::VerifyReport(const nsgx_report*) { return SehAnswer(); }

Result<void> gate::DeriveKey(const nsgx_key_request* request, std::span<std::byte, 32> key) {
  TRY(SehAnswer());
  world.last_key_request = *request;
  std::ranges::fill(key, std::byte{0x55});
  return {};
}

Result<void> gate::MakeEvidence(std::span<const std::byte, 64> report_data,
                                nsgx_evidence_core* evidence) {
  TRY(SehAnswer());
  *evidence = {};
  std::memcpy(evidence->body.report_data, report_data.data(), report_data.size());
  std::ranges::fill(evidence->snp_report, uint8_t{0x99});
  return {};
}

// The host.

Result<size_t, Errno> host::CertificateChain(std::span<std::byte> out) {
  if (world.chain.empty()) {
    return Error(world.host_error);
  }
  if (world.chain.size() > out.size()) {
    return Error(Errno::kEOVERFLOW);
  }
  std::memcpy(out.data(), world.chain.data(), world.chain.size());
  return world.chain.size();
}

// The program's memory and the library OS's.

Result<void, Errno> CopyFromUser(std::span<std::byte> to, uint64_t from) {
  if (from < kFirstAddress) {
    return Error(Errno::kEFAULT);
  }
  std::memcpy(to.data(), reinterpret_cast<const void*>(from), to.size());
  return {};
}

Result<void, Errno> CopyToUser(uint64_t to, std::span<const std::byte> from) {
  if (to < kFirstAddress) {
    return Error(Errno::kEFAULT);
  }
  std::memcpy(reinterpret_cast<void*>(to), from.data(), from.size());
  return {};
}

std::byte* KernelAllocatePages(size_t count, PageContents) {
  if (!world.has_pages) {
    return nullptr;
  }
  auto* pages = new std::byte[count * 4096];
  world.pages.insert(pages);
  return pages;
}

void KernelFreePages(std::byte* pages, size_t) {
  world.pages.erase(pages);
  delete[] pages;
}

}  // namespace nsgx::libos
