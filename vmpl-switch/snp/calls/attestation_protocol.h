// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vmpl-switch/abi/svsm.h"
#include "vmpl-switch/snp/calls/protocol.h"
#include "vmpl-switch/snp/memory/guest_access.h"
#include "vmpl-switch/snp/messages/client.h"

namespace nsgx::snp {

// What the SEH says of itself as a service of an SVSM: the key that signs evidence about enclaves.
struct ServiceManifest {
  uint32_t version;  // kServiceManifestVersion
  uint32_t seh_svn;
  uint8_t public_key[96];  // P-384, X then Y; zeros while nobody has asked for evidence
};
inline constexpr uint32_t kServiceManifestVersion = 1;

// 4e534758-7365-6875-8a3c-5d0e9b1f2c47, in the byte order of GUIDs.
inline constexpr std::array<uint8_t, 16> kServiceGuid = {
    0x58, 0x47, 0x53, 0x4e, 0x65, 0x73, 0x75, 0x68, 0x8a, 0x3c, 0x5d, 0x0e, 0x9b, 0x1f, 0x2c, 0x47};

// Whoever has the key.
class SigningKey {
 public:
  // Fills in X and Y. Errors: none of its own; the call that wanted it fails.
  virtual Result<void> PublicKey(std::span<std::byte, 96> out) = 0;
  virtual uint32_t svn() const = 0;

 protected:
  ~SigningKey() = default;
};

// Version 1 of the protocol by which a guest fetches a report, made at VMPL0, over a nonce of its
// own and a manifest of the services at VMPL0. An unmodified Linux offers it in configfs-tsm.
class AttestationProtocol final : public Protocol {
 public:
  // Requires: both live longer.
  constexpr AttestationProtocol(const GuestAccess& guest, MessageClient& messages)
      : Protocol(SVSM_PROTOCOL_ATTESTATION, 1, 1), guest_(guest), messages_(messages) {}

  // From here on the manifest has the SEH's service. Requires: the key lives longer.
  void Publish(SigningKey& key) { key_ = &key; }

  uint32_t Serve(uint32_t call, CallContext& context) override;

 private:
  struct Buffer {
    GuestPhys start;
    uint64_t size = 0;
  };
  static constexpr size_t kMaxNonce = 4096;
  static constexpr size_t kMaxManifest = 512;
  static constexpr size_t kMaxCertificates = 8 * 4096;

  bool CheckBuffer(const Buffer& buffer) const;
  bool CopyOut(const Buffer& buffer, std::span<const std::byte> bytes) const;
  Result<size_t> WriteServices(std::span<std::byte> out) const;
  Result<size_t> WriteService(std::span<std::byte> out) const;
  uint32_t Attest(bool is_single, CallContext& context);

  const GuestAccess& guest_;
  MessageClient& messages_;
  SigningKey* key_ = nullptr;
  std::array<std::byte, kMaxCertificates> certificates_ = {};
};

}  // namespace nsgx::snp
