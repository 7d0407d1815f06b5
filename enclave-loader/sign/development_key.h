// SPDX-License-Identifier: Apache-2.0
// The key that signs images during development. Anybody can sign with it: it is here for all to
// read, so that builds give the same bytes everywhere. Nobody who asks for a signer may ever accept
// it.
#pragma once

#include <string_view>

#include "base/crypto/rsa_key.h"

namespace nsgx::loader {

// SHA-256 of its modulus, as in signatures and reports.
inline constexpr std::string_view kDevelopmentSigner =
    "fb7ac42aabcca447072c5374ec6187b8d6095dd7d009dce38544d47f4e7169ca";

RsaPrivateKey DevelopmentKey();

}  // namespace nsgx::loader
