// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/sign/launch_config.h"

#include <cstring>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "enclave-loader/cli/tool.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/image/config.h"
#include "vmpl-switch/image/mount_rule.h"

namespace nsgx::loader {
namespace {

// ---- the keys ----------------------------------------------------------------------------------

struct Key {
  std::string_view table;  // empty: the top
  std::string_view name;
  std::string_view form;  // of the value, with the default
  std::string_view help;

  // One of these says where the value goes.
  uint64_t LaunchConfig::* number = nullptr;
  bool LaunchConfig::* flag = nullptr;
  std::vector<std::string> LaunchConfig::* strings = nullptr;

  // Limits of a number.
  bool is_size = false;  // "64 MiB" is understood
  uint64_t multiple = 1;
  uint64_t least = 0;
  uint64_t most = 0;

  // Says what is wrong with a string; empty: nothing.
  std::string_view (*fault)(std::string_view) = nullptr;
};

std::string_view FaultOfPattern(std::string_view text) {
  if (text.empty() || text.find('=') != text.npos) {
    return "is not the name of a variable";
  }
  const size_t star = text.find('*');
  return star == text.npos || star + 1 == text.size() ? "" : "has a star that is not its end";
}

std::string_view FaultOfVariable(std::string_view text) {
  const size_t equals = text.find('=');
  return equals == text.npos || equals == 0 ? "is not of the form NAME=value" : "";
}

std::string_view FaultOfMount(std::string_view text) {
  return ParseMountRule(text).ok() ? "" : "is not of the form hostfs:/PATH:ro or hostfs:/PATH:rw";
}

constexpr Key kKeys[] = {
    {.table = "",
     .name = "address_range",
     .form = "SIZE, default \"64 GiB\"",
     .help = "How much address space the enclave has for its image, stacks and heap. It costs "
             "nothing: memory is used when it is first "
             "touched. From 16 MiB to 4 TiB, a multiple of 2 MiB.",
     .number = &LaunchConfig::address_range,
     .is_size = true,
     .multiple = uint64_t{2} << 20,
     .least = NSGX_MIN_ADDRESS_RANGE,
     .most = NSGX_MAX_ADDRESS_RANGE},
    {.table = "",
     .name = "main_stack",
     .form = "SIZE, default \"8 MiB\"",
     .help = "The stack of main(), a multiple of 4 KiB.",
     .number = &LaunchConfig::main_stack,
     .is_size = true,
     .multiple = NSGX_PAGE_SIZE,
     .least = NSGX_PAGE_SIZE,
     .most = NSGX_MAX_ADDRESS_RANGE},
    {.table = "",
     .name = "max_vcpus",
     .form = "NUMBER, default 64",
     .help = "How many host threads may run the enclave at once, 1 to 256. The program may create "
             "any number of threads.",
     .number = &LaunchConfig::max_vcpus,
     .least = 1,
     .most = NSGX_MAX_VCPUS},
    {.table = "",
     .name = "product_id",
     .form = "NUMBER, default 0",
     .help = "Tells apart the products of one signer, 0 to 65535. Part of sealing keys that are "
             "bound to the signer.",
     .number = &LaunchConfig::product_id,
     .most = UINT16_MAX},
    {.table = "",
     .name = "svn",
     .form = "NUMBER, default 0",
     .help = "Security version number, 0 to 65535. Raise it when a weakness was removed: verifiers "
             "can ask for a minimum, and an image "
             "derives keys of its own and of lower versions only.",
     .number = &LaunchConfig::svn,
     .most = UINT16_MAX},
    {.table = "",
     .name = "debug",
     .form = "BOOLEAN, default false",
     .help = "Lets a debugger read and write the enclave. Reports say so.",
     .flag = &LaunchConfig::debug},
    {.table = "",
     .name = "host_sigterm",
     .form = "BOOLEAN, default false",
     .help =
         "Lets the host send the program SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2. "
         "Without it, such a signal to nsgx-run ends the enclave.",
     .flag = &LaunchConfig::host_sigterm},
    {.table = "",
     .name = "mounts",
     .form = "LIST OF STRINGS, default []",
     .help = "Which folders of the host the operator may show to the program (nsgx-run --mount): "
             "\"hostfs:PATH:ro\" or \"hostfs:PATH:rw\". PATH is where the program sees it; "
             "\"/srv/*\" stands for all paths below /srv, \"/*\" for all but those below /dev, "
             "/etc, /proc and /sys. \"hostfs:/data:rw,source=/srv/data\" names the folder that is "
             "taken if the operator names none. The first rule that fits counts. What is there is "
             "not to be trusted: it is neither measured nor encrypted. Without a rule the image "
             "makes no host calls on files.",
     .strings = &LaunchConfig::mounts,
     .fault = FaultOfMount},
    {.table = "",
     .name = "files",
     .form = "LIST OF STRINGS, default []",
     .help =
         "Files that become part of the image, and are measured with it: \"HOST=PATH\". HOST is "
         "looked for from the folder of this configuration, PATH is what the program calls it. "
         "The program finds it there read-only. With nsgx-sign --embed, more can be named.",
     .strings = &LaunchConfig::files},
    {.table = "args",
     .name = "any",
     .form = "BOOLEAN, default false",
     .help = "Arguments from outside are passed on. Their hash is in every report.",
     .flag = &LaunchConfig::any_args},
    {.table = "args",
     .name = "fixed",
     .form = "LIST OF STRINGS, default []",
     .help =
         "The arguments after the program's name, measured with the image. Not together with any.",
     .strings = &LaunchConfig::fixed_args},
    {.table = "env",
     .name = "any",
     .form = "BOOLEAN, default false",
     .help = "Every variable from outside is passed on. Their hash is in every report.",
     .flag = &LaunchConfig::any_env},
    {.table = "env",
     .name = "allow",
     .form = "LIST OF STRINGS, default []",
     .help = "Names of the variables that are passed on; NAME* allows all that begin so.",
     .strings = &LaunchConfig::allowed_env,
     .fault = FaultOfPattern},
    {.table = "env",
     .name = "fixed",
     .form = "LIST OF STRINGS, default []",
     .help = "Variables as NAME=value that are always set, whatever comes from outside; measured "
             "with the image.",
     .strings = &LaunchConfig::fixed_env,
     .fault = FaultOfVariable},
};

// ---- reading -----------------------------------------------------------------------------------

// Where in the file something is, in front of a complaint.
struct Place {
  std::string_view file;
  uint32_t line;
};
void AppendText(TextBuffer& out, const Place& place) {
  out.Append(place.file);
  out.Append(':');
  out.AppendDecimal(place.line);
}

// As people write them: "env.allow".
struct KeyName {
  std::string_view table;
  std::string_view name;
};
void AppendText(TextBuffer& out, const KeyName& key) {
  out.Append(key.table);
  out.Append(key.table.empty() ? "" : ".");
  out.Append(key.name);
}

// Returns the bytes that "64 MiB" or "4096" stands for; nothing if it stands for none.
std::optional<uint64_t> ParseSize(std::string_view text) {
  size_t digits = 0;
  uint64_t value = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(text[digits] - '0'), &value)) {
      return {};
    }
    ++digits;
  }
  if (digits == 0) {
    return {};
  }
  std::string_view unit = text.substr(digits);
  if (unit.starts_with(' ')) {
    unit.remove_prefix(1);
  }
  constexpr std::string_view kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  for (size_t i = 0; i < std::size(kUnits); ++i) {
    if (unit == kUnits[i]) {
      const unsigned shift = static_cast<unsigned>(10 * i);
      return value <= (~uint64_t{0} >> shift) ? std::optional(value << shift) : std::nullopt;
    }
  }
  return {};
}

class Reader {
 public:
  explicit Reader(std::string_view file) : file_(file) {}

  Result<LaunchConfig, Complaint> Read(const toml::table& top) {
    TRY(ReadTable(top, ""));
    if (config_.any_args && !config_.fixed_args.empty()) {
      return Complain(file_, ": args.fixed has no effect with args.any; remove one of them");
    }
    if (config_.main_stack >= config_.address_range) {
      return Complain(file_, ": main_stack does not fit into address_range; raise address_range");
    }
    return std::move(config_);
  }

 private:
  Result<void, Complaint> ReadTable(const toml::table& table, std::string_view table_name) {
    for (const auto& [toml_key, value] : table) {
      const std::string_view name = toml_key.str();
      if (const Key* key = Find(table_name, name)) {
        TRY(ReadValue(*key, value));
        continue;
      }
      const bool is_table_of_ours = table_name.empty() && HasTable(name);
      if (!is_table_of_ours) {
        return Complain(Place{file_, toml_key.source().begin.line}, ": there is no key ",
                        KeyName{table_name, name}, "; see nsgx.toml(5)");
      }
      if (!value.is_table()) {
        return Complain(At(value), ": ", name, " is a table; write [", name, "]");
      }
      TRY(ReadTable(*value.as_table(), name));
    }
    return {};
  }

  Result<void, Complaint> ReadValue(const Key& key, const toml::node& value) {
    if (key.flag != nullptr) {
      if (!value.is_boolean()) {
        return WrongForm(key, value);
      }
      config_.*key.flag = value.as_boolean()->get();
      return {};
    }
    return key.number != nullptr ? ReadNumber(key, value) : ReadStrings(key, value);
  }

  Result<void, Complaint> ReadNumber(const Key& key, const toml::node& value) {
    std::optional<uint64_t> number;
    if (value.is_integer() && value.as_integer()->get() >= 0) {
      number = static_cast<uint64_t>(value.as_integer()->get());
    } else if (value.is_string() && key.is_size) {
      number = ParseSize(value.as_string()->get());
    }
    if (!number.has_value()) {
      return WrongForm(key, value);
    }
    if (*number < key.least || *number > key.most || *number % key.multiple != 0) {
      return Complain(At(value), ": ", NameOf(key), " is out of its limits; see nsgx.toml(5)");
    }
    config_.*key.number = *number;
    return {};
  }

  Result<void, Complaint> ReadStrings(const Key& key, const toml::node& value) {
    if (!value.is_array()) {
      return WrongForm(key, value);
    }
    for (const toml::node& element : *value.as_array()) {
      if (!element.is_string()) {
        return WrongForm(key, element);
      }
      const std::string& text = element.as_string()->get();
      std::string_view fault = text.find('\0') != text.npos ? "has a NUL in it" : "";
      if (fault.empty() && key.fault != nullptr) {
        fault = key.fault(text);
      }
      if (!fault.empty()) {
        return Complain(At(element), ": in ", NameOf(key), ", \"", text, "\" ", fault,
                        "; see nsgx.toml(5)");
      }
      (config_.*key.strings).push_back(text);
    }
    return {};
  }

  static const Key* Find(std::string_view table, std::string_view name) {
    for (const Key& key : kKeys) {
      if (key.table == table && key.name == name) {
        return &key;
      }
    }
    return nullptr;
  }

  static bool HasTable(std::string_view table) {
    for (const Key& key : kKeys) {
      if (!key.table.empty() && key.table == table) {
        return true;
      }
    }
    return false;
  }

  static KeyName NameOf(const Key& key) { return {key.table, key.name}; }
  Place At(const toml::node& node) const { return {file_, node.source().begin.line}; }

  Error<Complaint> WrongForm(const Key& key, const toml::node& node) const {
    return Complain(At(node), ": ", NameOf(key), " has a value of another form; write ", key.form);
  }

  std::string_view file_;
  LaunchConfig config_;
};

// ---- writing -----------------------------------------------------------------------------------

// Puts strings behind the struct, each list after the one before.
class StringWriter {
 public:
  explicit StringWriter(std::span<std::byte> section) : section_(section) {}

  void Add(nsgx_string_list& list, const std::vector<std::string>& strings) {
    if (strings.empty()) {
      return;
    }
    list.offset = static_cast<uint32_t>(next_);
    list.count = static_cast<uint32_t>(strings.size());
    for (const std::string& text : strings) {
      const size_t size = text.size() + 1;
      if (next_ <= section_.size() && size <= section_.size() - next_) {
        std::memcpy(section_.data() + next_, text.c_str(), size);
      }
      next_ += size;
    }
    list.size = static_cast<uint32_t>(next_ - list.offset);
  }

  // Bytes in use, perhaps more than there are.
  size_t size() const { return next_; }

 private:
  std::span<std::byte> section_;
  size_t next_ = sizeof(nsgx_config);
};

}  // namespace

Result<LaunchConfig, Complaint> ParseLaunchConfig(std::string_view toml, std::string_view file) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Complain(Place{file, error.source().begin.line}, ": ", error.description(),
                    "; see nsgx.toml(5)");
  }
  return Reader(file).Read(parsed.table());
}

Result<void, Complaint> EncodeLaunchConfig(const LaunchConfig& config,
                                           const std::array<uint64_t, 2>& host_calls,
                                           const std::vector<std::string>& embedded,
                                           std::span<std::byte> section) {
  std::fill(section.begin(), section.end(), std::byte{0});
  nsgx_config out = {};
  out.magic = NSGX_CONFIG_MAGIC;
  out.version = NSGX_CONFIG_VERSION;
  out.address_range_size = config.address_range;
  out.attributes = (config.debug ? NSGX_ATTRIBUTE_DEBUG : 0) |
                   (config.any_args ? NSGX_ATTRIBUTE_ANY_ARGS : 0) |
                   (config.any_env ? NSGX_ATTRIBUTE_ANY_ENV : 0) |
                   (config.host_sigterm ? NSGX_ATTRIBUTE_HOST_SIGTERM : 0);
  out.max_vcpus = static_cast<uint32_t>(config.max_vcpus);
  out.product_id = static_cast<uint16_t>(config.product_id);
  out.svn = static_cast<uint16_t>(config.svn);
  out.main_stack_size = config.main_stack;
  for (uint32_t call = 0; call < NSGX_HOST_CALL_LIMIT; ++call) {
    // Who uses names has the calls on files linked; without rules there is no use for them.
    if ((host_calls[call / 64] >> (call % 64) & 1) != 0 &&
        (!shim::IsFileCall(call) || !config.mounts.empty())) {
      out.host_calls[call / 64] |= uint64_t{1} << (call % 64);
    }
  }
  StringWriter strings(section);
  strings.Add(out.env_allow, config.allowed_env);
  strings.Add(out.env_fixed, config.fixed_env);
  strings.Add(out.args_fixed, config.fixed_args);
  strings.Add(out.mounts, config.mounts);
  strings.Add(out.files, embedded);
  if (strings.size() > section.size()) {
    return Complain("the configuration needs ", strings.size(), " bytes, the image has room for ",
                    section.size(), "; shorten its lists");
  }
  out.size = static_cast<uint32_t>(strings.size());
  std::memcpy(section.data(), &out, sizeof(out));
  if (!ParseConfig(section).ok()) {
    return Complain("the configuration breaks the format of images; report this as a bug");
  }
  return {};
}

std::string LaunchConfigManPage() {
  constexpr Paragraph kDescription[] = {
      {"",
       "The launch configuration of an enclave: what its image may use and what it takes from "
       "outside. nsgx-sign(1) writes it into the "
       "image, so it is measured: changing a value changes the identity of the enclave. Every key "
       "may be left out."},
      {"",
       "A SIZE is a number of bytes, or a string with a unit: \"64 KiB\", \"8 MiB\", \"2 GiB\", "
       "\"1 TiB\"."},
      {"", "The host calls that an enclave may make are not written here: the linker finds them."},
  };
  constexpr Paragraph kExample[] = {
      {"",
       "max_vcpus = 4\nsvn = 2\n\n[args]\nany = true\n\n[env]\nallow = [\"LANG\", \"APP_*\"]\n"
       "fixed = [\"MODE=production\"]"},
  };
  std::vector<std::string> terms;
  std::vector<Paragraph> keys;
  terms.reserve(std::size(kKeys));
  for (const Key& key : kKeys) {
    const std::string table = key.table.empty() ? "" : std::string(key.table) + ".";
    terms.push_back(table + std::string(key.name) + " = " + std::string(key.form));
    keys.push_back({terms.back(), key.help});
  }
  const ManSection sections[] = {
      {"Description", kDescription}, {"Keys", keys}, {"Example", kExample}};
  return ManPage("nsgx.toml", 5, "launch configuration of enclaves", sections);
}

}  // namespace nsgx::loader
