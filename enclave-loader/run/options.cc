// SPDX-License-Identifier: Apache-2.0
#include "enclave-loader/run/options.h"

#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "base/core/hex.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/plain_parser.h"
#include "enclave-loader/sign/public_key.h"
#include "vmpl-switch/abi/image.h"
#include "vmpl-switch/image/config.h"

namespace nsgx::loader {
namespace {

constexpr Option kOptions[] = {
    {"--core", "FILE",
     "Writes a core file if a signal ends the program; nsgx-gdb --core reads it. For debug images "
     "only; see docs/debugging.md."},
    {"--emu-console", "FILE",
     "Keeps what the emulated machine itself says, its firmware and its Linux, in this file."},
    {"--emu-cpus", "N",
     "How many processors the emulated machine has, 1 to 8; 1 by default. They take turns on one "
     "of this machine's."},
    {"--emu-publish", "HOST_PORT:GUEST_PORT",
     "Makes a TCP port of the emulated machine reachable on this one's loopback interface. Can be "
     "repeated. Without it the machine has no network."},
    {"--emu-share", "HOST_DIR[:/GUEST_DIR]",
     "Copies a folder into the emulated machine, as /share if nothing else is said. Can be "
     "repeated. What changes there stays there."},
    {"--emu-shell", "",
     "Instead of the image runs a shell in the emulated machine's Linux, outside of all enclaves; "
     "the image, if one is given, lies in it."},
    {"--env", "NAME[=VALUE]",
     "Offers an environment variable to the program, with the value that it has here if none is "
     "given. Can be repeated. The image's configuration decides which variables get in; none does "
     "by itself. A line names each that does not."},
    {"--hostile", "LIE[,LIE...]|all",
     "For tests of a program: the host lies to the enclave. Lies are short, long, negative, "
     "wrong-errno, reused-token, stale-reply, double-fetch, time-back, never, garbage, "
     "spurious-wake, lost-wake, reordering and single-step; see docs/hostile-host.md."},
    {"--hostile-rate", "PERCENT", "How many of the calls are lied about; 10 by default."},
    {"--hostile-seed", "N", "Other lies are told for another number; 1 by default."},
    {"--identity", "HEX", "Refuses every image but the one with this identity."},
    {"--log", "LEVEL",
     "Shows lines about the run up to this level: error, warning (the default), info, trace. "
     "trace has a line for each host call."},
    {"--machine", "NAME",
     "What plays the machine: sim (one Linux process, no secrecy), snp (AMD SEV-SNP, by "
     "/dev/nsgx), emu (an emulated machine with SNP, no secrecy, takes seconds to start); "
     "auto, the default, is snp where there is that device, else sim."},
    {"--mount", "HOST_DIR:PATH[:ro|:rw]",
     "Shows a folder of the host to the program at PATH. Can be repeated. The image's "
     "configuration decides which paths there may be and whether the program may write there; none "
     "by itself. On the emulated machine, HOST_DIR is a folder of its Linux (--emu-share)."},
    {"--signer", "HEX|FILE",
     "Refuses every image that is not signed with this key: its hash as nsgx-inspect shows it, or "
     "the public key itself (PEM)."},
    {"--stats", "[=json]",
     "At the end, says on standard error where the time went and how often the enclave was left, "
     "and of "
     "debug images what the library OS counted; see docs/tracing.md."},
    {"--trace", "[=FILE]",
     "Prints the program's system calls as they are made, as strace does, to standard error or to "
     "FILE. For debug images only; see docs/tracing.md."},
    {"--trace-filter", "LIST",
     "Which calls are traced: names, the classes file, desc, network, memory, process, signal, "
     "ipc, clock, all and none, and host for host calls, which can be traced of every image. "
     "! before a word leaves it out. Implies --trace."},
    {"--trace-times", "LIST",
     "What times a trace shows: relative, clock or epoch, and spent. Implies --trace."},
    {"--vcpus", "N",
     "How many host threads run the enclave; by default as many as there are processors, within "
     "what "
     "the image allows."},
    kHelpOption,
    kVersionOption,
};

constexpr Operand kOperands[] = {
    {"IMAGE", "A signed enclave image."},
    {"[ARG...]",
     "Arguments for the program. All that follows the image is the program's. If its configuration "
     "lets none in from outside, the program is not run."},
};

constexpr Command kCommands[] = {{"", "", kOptions, kOperands}};

constexpr Paragraph kExitStatus[] = {
    {"", "The program's own status, or:"},
    {"125",
     "nsgx-run itself failed: unknown option, no such machine, arguments or a folder that the "
     "image does not let in."},
    {"126",
     "The image was refused: not an enclave image, damaged, not signed, or not by the wanted "
     "signer."},
    {"127", "There is no such image."},
    {"128+N", "Signal N ended the program, as shells have it."},
};
constexpr Paragraph kEnvironment[] = {
    {"NSGX_LOG", "Most talkative level of nsgx-run's own lines: error, warning, notice, info."},
};
constexpr Paragraph kExamples[] = {
    {"",
     "nsgx-run app.elf one two three\n"
     "nsgx-run --env LANG --vcpus 2 --signer key.pub app.elf\n"
     "nsgx-run --mount /srv/data:/data:ro app.elf\n"
     "nsgx-run --stats=json app.elf 2> stats.json\n"
     "nsgx-run --machine=emu --emu-publish 8080:80 server.elf"},
};
constexpr Paragraph kSeeAlso[] = {
    {"", "nsgx-inspect(1), nsgx-sign(1), nsgx-verify(1), nsgx.toml(5)"}};
constexpr ManSection kSections[] = {{"Exit status", kExitStatus},
                                    {"Environment", kEnvironment},
                                    {"Examples", kExamples},
                                    {"See also", kSeeAlso}};

constexpr std::array<std::string_view, 4> kLogLevels = {"error", "warning", "info", "trace"};

Result<std::array<std::byte, 32>, Complaint> ParseHash(std::string_view option,
                                                       std::string_view text) {
  std::array<std::byte, 32> hash;
  if (!DecodeHex(text, hash).ok()) {
    return Complain("option ", option, " wants 64 hexadecimal digits, not ", text,
                    "; nsgx-inspect shows them");
  }
  return hash;
}

// Who may have signed: a hash, or a file with a public key.
Result<std::array<std::byte, 32>, Complaint> ParseSigner(std::string_view text) {
  std::array<std::byte, 32> hash;
  if (DecodeHex(text, hash).ok()) {
    return hash;
  }
  constexpr size_t kMaxKeySize = 65536;
  const std::string path(text);
  const Result<std::string, Complaint> pem = ReadSmallFile(path, kMaxKeySize);
  if (!pem.ok()) {
    return Complain("option --signer wants 64 hexadecimal digits or a file with a public key, not ",
                    text, "; nsgx-inspect shows the digits");
  }
  return SignerOfPublicKey(pem.value()).transform_error([&](const Complaint& complaint) {
    return Complaint::Of(path, ": ", complaint);
  });
}

// Finds NAME=VALUE in our own environment.
const char* FindVariable(std::string_view name) {
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, name.data(), name.size()) == 0 && (*variable)[name.size()] == '=') {
      return *variable;
    }
  }
  return nullptr;
}

constexpr std::string_view kEmulatorPrefix = "--emu-";

// `value` is part of an argument, and so ends with a NUL byte.
Result<void, Complaint> ApplyToEmulator(EmulatorOptions& options, std::string_view name,
                                        std::string_view value) {
  if (name == "--emu-console") {
    options.console = value.data();
  } else if (name == "--emu-cpus") {
    options.processors = TRY(ParseProcessors(value));
  } else if (name == "--emu-publish") {
    options.ports.push_back(TRY(ParsePort(value)));
  } else if (name == "--emu-share") {
    options.shares.push_back(TRY(ParseShare(value)));
  } else if (name == "--emu-shell") {
    options.shell = true;
  }
  return {};
}

// `value` ends with a NUL byte, if there is one.
Result<void, Complaint> ApplyToTrace(TraceOptions& options, std::string_view name,
                                     std::string_view value) {
  options.is_wanted = true;
  if (name == "--trace") {
    if (!value.empty()) {
      options.file = value.data();
    }
  } else if (name == "--trace-filter") {
    options.filter = TRY(TraceFilter::Parse(value));
  } else {
    const Result<TraceTimes> times = ParseTraceTimes(value);
    if (!times.ok()) {
      return Complain("option --trace-times does not know all of ", value,
                      "; times are relative, clock, epoch, spent");
    }
    options.times = times.value();
  }
  return {};
}

Result<MountOption, Complaint> ParseMount(std::string_view text) {
  MountOption mount = {.text = text, .folder = text, .target = {}};
  if (text.ends_with(":rw") || text.ends_with(":ro")) {
    mount.wants_write = text.ends_with(":rw");
    mount.read_only = !mount.wants_write;
    mount.folder.remove_suffix(3);
  }
  const size_t colon = mount.folder.rfind(":/");
  if (colon == 0 || colon == mount.folder.npos) {
    return Complain("option --mount wants HOST_DIR:PATH, not ", text, "; write --mount dir:/data");
  }
  mount.target = mount.folder.substr(colon + 1);
  mount.folder = mount.folder.substr(0, colon);
  return mount;
}

Result<void, Complaint> Apply(RunOptions& options, std::string_view name, std::string_view value) {
  if (name == "--help") {
    options.request = Request::kHelp;
  } else if (name == "--version") {
    options.request = Request::kVersion;
  } else if (name == "--env") {
    if (value.empty() || value.front() == '=') {
      return Complain("option --env lacks a name; write --env NAME=VALUE");
    }
    if (value.find('=') != std::string_view::npos) {
      options.environment.push_back(value);
    } else if (const char* variable = FindVariable(value); variable != nullptr) {
      options.environment.emplace_back(variable);
    }
  } else if (name == "--mount") {
    options.mounts.push_back(TRY(ParseMount(value)));
  } else if (name == "--vcpus") {
    const Result<uint64_t> count = ParseNumber(value, NSGX_MAX_VCPUS);
    if (!count.ok() || count.value() == 0) {
      return Complain("option --vcpus wants a number from 1 to ", uint64_t{NSGX_MAX_VCPUS},
                      ", not ", value, "; leave it out to use all processors");
    }
    options.vcpus = static_cast<uint32_t>(count.value());
  } else if (name == "--core") {
    options.core = value.data();
  } else if (name == "--identity") {
    options.identity = TRY(ParseHash(name, value));
  } else if (name == "--hostile") {
    const Result<Lies> lies = ParseLies(value);
    if (!lies.ok()) {
      return Complain("option --hostile does not know all of ", value, "; lies are all, ",
                      LieList(kAllLies));
    }
    options.hostile.lies |= lies.value();
  } else if (name == "--hostile-rate") {
    const Result<uint64_t> percent = ParseNumber(value, 100);
    if (!percent.ok()) {
      return Complain("option --hostile-rate wants a number from 0 to 100, not ", value);
    }
    options.hostile.percent = static_cast<uint32_t>(percent.value());
  } else if (name == "--hostile-seed") {
    const Result<uint64_t> seed = ParseNumber(value, ~uint64_t{0});
    if (!seed.ok()) {
      return Complain("option --hostile-seed wants a number, not ", value);
    }
    options.hostile.seed = seed.value();
  } else if (name == "--signer") {
    options.signer = TRY(ParseSigner(value));
  } else if (name == "--stats") {
    if (!value.empty() && value != "json") {
      return Complain("option --stats knows json only, not ", value,
                      "; write --stats or --stats=json");
    }
    options.stats = value.empty() ? StatsForm::kText : StatsForm::kJson;
  } else if (name.starts_with("--trace")) {
    return ApplyToTrace(options.trace, name, value);
  } else if (name == "--log") {
    for (uint32_t level = 0; level < kLogLevels.size(); ++level) {
      if (value == kLogLevels[level]) {
        options.log_level = level;
        return {};
      }
    }
    return Complain("option --log does not know ", value,
                    "; levels are error, warning, info, trace");
  } else if (name == "--machine") {
    if (value == "auto") {
      options.machine = Machine::kAuto;
    } else if (value == "sim") {
      options.machine = Machine::kSim;
    } else if (value == "snp") {
      options.machine = Machine::kSnp;
    } else if (value == "emu") {
      options.machine = Machine::kEmu;
    } else {
      return Complain("there is no machine ", value, "; machines are auto, sim, snp, emu");
    }
  } else if (name.starts_with(kEmulatorPrefix)) {
    return ApplyToEmulator(options.emulator, name, value);
  }
  return {};
}

}  // namespace

constinit const Tool kRunTool = {"nsgx-run", "run an enclave image",
                                 "Loads IMAGE into an enclave, has it measured and its signature "
                                 "checked, and runs it. Standard input, output and error are "
                                 "the program's.",
                                 kCommands, kSections};

std::string_view LogLevelName(uint32_t level) { return kLogLevels[level]; }

Result<RunOptions, Complaint> ParseRunOptions(std::span<char* const> arguments) {
  RunOptions options;
  if (arguments.size() == 1 && std::string_view(arguments[0]) == "--man") {
    options.request = Request::kMan;
    return options;
  }
  PlainParser parser(kRunTool.name, kOptions, arguments);
  std::string_view emulator_option;
  while (true) {
    const PlainParser::Parsed parsed = TRY(parser.Next());
    if (parsed.option == nullptr) {
      break;
    }
    TRY(Apply(options, parsed.option->name, parsed.value));
    if (options.request != Request::kRun) {
      return options;
    }
    if (parsed.option->name.starts_with(kEmulatorPrefix)) {
      emulator_option = parsed.option->name;
    }
  }
  if (!emulator_option.empty() && options.machine != Machine::kEmu) {
    return Complain("option ", emulator_option, " is for the emulated machine; add --machine=emu");
  }
  options.arguments = parser.operands();
  if (options.arguments.empty()) {
    if (options.emulator.shell) {
      return options;
    }
    return Complain("no image given; see nsgx-run --help");
  }
  options.image = options.arguments[0];
  if (options.trace.has_calls()) {
    options.environment.push_back(kTraceVariable);
  }
  if (options.core != nullptr) {
    options.environment.push_back(kCoreVariable);
  }
  return options;
}

}  // namespace nsgx::loader
