// SPDX-License-Identifier: Apache-2.0
#include "vmpl-switch/emulator/chip/sim_chain.h"

#include <algorithm>

#include "vmpl-switch/emulator/chip/certificate_maker.h"
#include "vmpl-switch/emulator/chip/sim_chip.h"

namespace nsgx::chip {

SimChain MakeSimChain() {
  const RsaKey ark_key(kSimArkKey);
  const RsaKey ask_key(kSimAskKey);

  CertificateSpec ark;
  ark.subject = ark.issuer = kSimArkName;
  ark.serial = 0x20000;
  ark.public_key_info = ark_key.PublicKeyInfo();
  ark.ca_path_length = -1;
  ark.may_sign_revocations = true;

  CertificateSpec ask;
  ask.subject = kSimAskName;
  ask.issuer = kSimArkName;
  ask.serial = 0x20001;
  ask.public_key_info = ask_key.PublicKeyInfo();
  ask.ca_path_length = 0;

  CertificateSpec vcek;
  vcek.subject = kSimVcekName;
  vcek.issuer = kSimAskName;
  vcek.public_key_info = EcPublicKeyInfo(kSimVcekLabel);
  vcek.amd.emplace();
  vcek.amd->product_name = kSimProductName;
  std::copy_n(kSimTcb, 8, vcek.amd->tcb.begin());
  vcek.amd->hwid.assign(kSimChipId.begin(), kSimChipId.end());

  return {MakeCertificate(ark, ark_key), MakeCertificate(ask, ark_key),
          MakeCertificate(vcek, ask_key)};
}

}  // namespace nsgx::chip
