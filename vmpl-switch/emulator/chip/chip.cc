// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/chip.h"

#include <cstring>

#include "vmpl-switch/abi/snp_report.h"
#include "vmpl-switch/emulator/chip/label_key.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

// chain_data.S
extern "C" const std::byte nsgx_chip_chain_start[];
extern "C" const std::byte nsgx_chip_chain_end[];

namespace nsgx::chip {

static_assert(sizeof(snp_report) == kReportSize && kReportSize == SNP_REPORT_SIZE);
static_assert(offsetof(snp_report, report_data) == 0x50);
static_assert(offsetof(snp_report, reported_tcb) == 0x180);
static_assert(offsetof(snp_report, chip_id) == 0x1a0);
static_assert(offsetof(snp_report, committed_tcb) == 0x1e0);
static_assert(offsetof(snp_report, signature_r) == SNP_REPORT_SIGNED_SIZE);

namespace {

template <size_t size>
void Copy(uint8_t (&to)[size], std::span<const std::byte, size> from) {
  std::memcpy(to, from.data(), size);
}

}  // namespace

Result<void> MakeReport(const ReportFields& fields, std::span<const std::byte, 64> report_data,
                        std::span<std::byte, kReportSize> out) {
  snp_report report = {};
  report.version = 3;
  report.guest_svn = fields.guest_svn;
  report.policy = fields.policy;
  Copy<16>(report.family_id, fields.family_id);
  Copy<16>(report.image_id, fields.image_id);
  report.vmpl = fields.vmpl;
  report.signature_algorithm = SNP_SIGNATURE_ECDSA_P384_SHA384;
  report.platform_info = SNP_PLATFORM_SMT | SNP_PLATFORM_ALIAS_CHECK;
  Copy<64>(report.report_data, report_data);
  Copy<48>(report.measurement, fields.measurement);
  Copy<32>(report.host_data, fields.host_data);
  Copy<48>(report.id_key_digest, fields.id_key_digest);
  Copy<48>(report.author_key_digest, fields.author_key_digest);
  Copy<32>(report.report_id, fields.report_id);
  std::memset(report.report_id_ma, 0xff, sizeof(report.report_id_ma));  // no migration agent
  report.cpuid_family = kSimCpuidFamily;
  report.cpuid_model = kSimCpuidModel;
  report.cpuid_stepping = kSimCpuidStepping;
  std::memcpy(report.chip_id, kSimChipId.data(), kSimChipId.size());
  for (auto* tcb :
       {&report.current_tcb, &report.reported_tcb, &report.committed_tcb, &report.launch_tcb}) {
    std::memcpy(*tcb, kSimTcb, sizeof(kSimTcb));
  }
  std::memcpy(report.current_version, kSimFirmwareVersion, sizeof(kSimFirmwareVersion));
  std::memcpy(report.committed_version, kSimFirmwareVersion, sizeof(kSimFirmwareVersion));
  TRY(SignReport(kSimVcekLabel, report));
  std::memcpy(out.data(), &report, sizeof(report));
  return {};
}

std::span<const std::byte> CertificateChain() {
  return {nsgx_chip_chain_start, nsgx_chip_chain_end};
}

}  // namespace nsgx::chip
