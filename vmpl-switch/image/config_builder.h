// SPDX-License-Identifier: Apache-2.0
// Makes configuration sections for tests, right ones and, through `config`, wrong ones.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "vmpl-switch/abi/image.h"

namespace nsgx {

struct ConfigBuilder {
  // Fills the struct with a small legal configuration without strings.
  ConfigBuilder();

  // Appends a string to a list; lists are filled in the order of the struct's fields.
  ConfigBuilder& Add(nsgx_string_list nsgx_config::* list, const std::string& text);

  // Returns the section: the struct as it is now, the strings, zeros up to a page.
  std::vector<std::byte> Build() const;

  nsgx_config config = {};
  std::string strings;
};

}  // namespace nsgx
