// SPDX-License-Identifier: Apache-2.0
// Room for the launch configuration in every image. nsgx-sign writes it; what stands here only says
// that it has not yet.
#include "vmpl-switch/abi/image.h"

namespace {

struct alignas(NSGX_PAGE_SIZE) ConfigPage {
  nsgx_config config;
  char strings[NSGX_PAGE_SIZE - sizeof(nsgx_config)];
};

[[gnu::section(NSGX_CONFIG_SECTION), gnu::used, gnu::retain]] constexpr ConfigPage config_page = {};

}  // namespace
