// SPDX-License-Identifier: Apache-2.0
// nsgx-run: runs one enclave image and ends as its program ends.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/core/check.h"
#include "base/core/hex.h"
#include "enclave-loader/cli/complaint.h"
#include "enclave-loader/cli/output.h"
#include "enclave-loader/cli/tool.h"
#include "enclave-loader/emu/emu.h"
#include "enclave-loader/host/files.h"
#include "enclave-loader/host/streams.h"
#include "enclave-loader/image/image.h"
#include "enclave-loader/image/mapped_file.h"
#include "enclave-loader/run/core_file.h"
#include "enclave-loader/run/launch_policy.h"
#include "enclave-loader/run/load.h"
#include "enclave-loader/run/mounts.h"
#include "enclave-loader/run/options.h"
#include "enclave-loader/run/outside_signals.h"
#include "enclave-loader/run/stats.h"
#include "enclave-loader/run/vcpus.h"
#include "enclave-loader/symbols/debug_file.h"
#include "enclave-loader/symbols/readable.h"
#include "syscall-shim/hostcall/host_calls.h"
#include "vmpl-switch/abi/gate.h"
#include "vmpl-switch/abi/slot.h"
#include "vmpl-switch/device/device.h"
#include "vmpl-switch/snp-device/snp_device.h"

namespace nsgx::loader {
namespace {

uint64_t Nanoseconds(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// "nsgx-run: hello.elf: CAUSE; REMEDY"
void PrintImageComplaint(std::string_view image, const Complaint& complaint) {
  PrintComplaint(kRunTool.name, Complaint::Of(image, ": ", complaint));
}

// The signal that stands for a processor exception.
int SignalOfCause(uint64_t cause) {
  switch (cause) {
    case NSGX_CAUSE_DIVIDE:
    case NSGX_CAUSE_X87:
    case NSGX_CAUSE_SIMD:
      return SIGFPE;
    case NSGX_CAUSE_UNDEFINED:
      return SIGILL;
    case NSGX_CAUSE_DEBUG:
    case NSGX_CAUSE_BREAKPOINT:
      return SIGTRAP;
    case NSGX_CAUSE_ALIGNMENT:
      return SIGBUS;
    case NSGX_CAUSE_SYSCALL:
      return SIGSYS;
    default:
      return SIGSEGV;
  }
}

// What the nsgx-run inside the emulated machine is told: all that is not for this one.
EmulatedRun EmulatedRunOf(const RunOptions& options) {
  EmulatedRun run = {.image = options.image, .arguments = options.arguments, .run_options = {}};
  const auto add = [&](std::string_view option, std::string_view value) {
    run.run_options.push_back(std::string(option).append("=").append(value));
  };
  const auto add_hash = [&](std::string_view option,
                            const std::optional<std::array<std::byte, 32>>& hash) {
    if (hash) {
      std::array<char, 64> digits;
      add(option, EncodeHex(*hash, digits).value());
    }
  };
  for (std::string_view variable : options.environment) {
    add("--env", variable);
  }
  for (const MountOption& mount : options.mounts) {
    add("--mount", mount.text);
  }
  add_hash("--identity", options.identity);
  add_hash("--signer", options.signer);
  if (options.vcpus) {
    add("--vcpus", std::to_string(*options.vcpus));
  }
  if (options.stats != StatsForm::kNone) {
    run.run_options.emplace_back(options.stats == StatsForm::kJson ? "--stats=json" : "--stats");
  }
  if (options.hostile.lies != 0) {
    add("--hostile", LieList(options.hostile.lies));
    add("--hostile-rate", std::to_string(options.hostile.percent));
    add("--hostile-seed", std::to_string(options.hostile.seed));
  }
  add("--log", LogLevelName(options.log_level));
  return run;
}

// One run of one image.
class Run final : private EndListener {
 public:
  explicit Run(const RunOptions& options) : options_(options) {
    Mark(Phase::kExec, Nanoseconds(CLOCK_PROCESS_CPUTIME_ID));
  }

  // Returns the exit status only if there is no enclave to run.
  int Start() {
    uint64_t start = Nanoseconds(CLOCK_MONOTONIC);
    const auto finish = [&](Phase phase) {
      const uint64_t now = Nanoseconds(CLOCK_MONOTONIC);
      Mark(phase, now - start);
      start = now;
    };

    Result<MappedFile, Refusal> file = MappedFile::Open(options_.image);
    if (!file.ok()) {
      PrintImageComplaint(options_.image, Complaint::Of(file.error()));
      return file.error().cause == Cause::kNotFound ? kImageNotFound : kImageRefused;
    }
    file_ = file.value().bytes();
    const Result<Image, Refusal> image = Image::Parse(file_);
    if (!image.ok()) {
      PrintImageComplaint(options_.image, Complaint::Of(image.error()));
      return kImageRefused;
    }
    const Result<ConfigView, Refusal> config = image.value().Config();
    if (!config.ok()) {
      PrintImageComplaint(options_.image, Complaint::Of(config.error()));
      return kImageRefused;
    }
    finish(Phase::kParse);
    if (const auto allowed = CheckArguments(config.value(), options_.arguments); !allowed.ok()) {
      PrintImageComplaint(options_.image, allowed.error());
      return kOurFailure;
    }

    if ((options_.trace.is_wanted && !OpenTrace(config.value())) ||
        (options_.core != nullptr && !OpenCore(config.value()))) {
      return kOurFailure;
    }
    if (options_.machine == Machine::kEmu) {
      return RunOnEmulator(options_.emulator, EmulatedRunOf(options_), kOurFailure);
    }
    if (options_.stats != StatsForm::kNone && IsDebug(config.value())) {
      options_.environment.push_back(kCountsVariable);
    }
    for (const Complaint& line : VariablesLeftOut(config.value(), options_.environment)) {
      PrintImageComplaint(options_.image, line);
    }
    const Result<std::vector<Mount>, Complaint> mounts =
        ChooseMounts(config.value(), options_.mounts);
    if (!mounts.ok()) {
      PrintImageComplaint(options_.image, mounts.error());
      return kOurFailure;
    }
    if (const auto opened = files_.Open(mounts.value()); !opened.ok()) {
      PrintImageComplaint(options_.image, opened.error());
      return kOurFailure;
    }
    device_ = OpenMachine();
    if (device_ == nullptr) {
      return kOurFailure;
    }
    if (!device_->limitations().empty() &&
        (options_.log_level >= kInfoLevel || isatty(STDERR_FILENO) == 1)) {
      PrintComplaint(kRunTool.name,
                     Complaint::Of("machine ", device_->name(), ": ", device_->limitations()));
    }
    finish(Phase::kCreate);

    const uint32_t vcpus = ChooseVcpus(options_, config.value().max_vcpus());
    const Result<void, LoadFailure> loaded =
        LoadEnclave(*device_, image.value(), file.value().fd(), options_, vcpus);
    if (!loaded.ok()) {
      PrintImageComplaint(options_.image, loaded.error().complaint);
      return loaded.error().exit_status;
    }
    finish(Phase::kInit);

    run_start_ = start;
    vcpus_.emplace(*device_, static_cast<EndListener&>(*this), files_, options_.hostile, vcpus);
    WatchOutsideSignals(*vcpus_, config.value().attributes());
    vcpus_->Run();
  }

 private:
  static bool IsDebug(const ConfigView& config) {
    return (config.attributes() & NSGX_ATTRIBUTE_DEBUG) != 0;
  }

  // Whether the enclave runs in this machine, as `option` wants it; if not, that was said.
  bool RunsHere(std::string_view option) const {
    if (options_.machine != Machine::kEmu) {
      return true;
    }
    PrintComplaint(kRunTool.name, Complaint::Of("option ", option,
                                                " is for an enclave that runs here; for the "
                                                "machine emu, use it in its shell (--emu-shell)"));
    return false;
  }

  // False: it was said why not.
  bool OpenTrace(const ConfigView& config) {
    if (!RunsHere("--trace")) {
      return false;
    }
    if (options_.trace.has_calls() && !IsDebug(config)) {
      PrintImageComplaint(options_.image,
                          Complaint::Of("it is no debug image, so its system calls can't be "
                                        "traced; sign it with debug = true, or trace host calls "
                                        "alone (--trace-filter=host)"));
      return false;
    }
    int fd = STDERR_FILENO;
    if (options_.trace.file != nullptr) {
      fd = open(options_.trace.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
      if (fd < 0) {
        PrintComplaint(kRunTool.name, Complaint::Of("the trace can't be written to ",
                                                    options_.trace.file, ": ", strerror(errno)));
        return false;
      }
    }
    tracer_.emplace(options_.trace.filter, options_.trace.times, fd);
    return true;
  }

  // False: it was said why not.
  bool OpenCore(const ConfigView& config) {
    if (!RunsHere("--core")) {
      return false;
    }
    if (!IsDebug(config)) {
      PrintImageComplaint(options_.image,
                          Complaint::Of("it is no debug image, so nobody may see its memory; sign "
                                        "it with debug = true"));
      return false;
    }
    core_.emplace(options_.core);
    return true;
  }

  // Null: it was said why there is none.
  std::unique_ptr<Device> OpenMachine() const {
    if (options_.machine == Machine::kSnp ||
        (options_.machine == Machine::kAuto && HasSnpDevice())) {
      std::string why;
      std::unique_ptr<Device> device = OpenSnpDevice(&why);
      if (device == nullptr) {
        PrintComplaint(kRunTool.name, Complaint::Of("there is no machine snp: ", why));
      }
      return device;
    }
    Result<std::unique_ptr<Device>> device = OpenSimDevice();
    if (!device.ok()) {
      PrintComplaint(kRunTool.name, Complaint::Of("the machine sim can't be opened: ",
                                                  StatusName(device.error())));
      return nullptr;
    }
    return std::move(device).value();
  }

  void Mark(Phase phase, uint64_t nanoseconds) {
    stats_.phase_nanoseconds[static_cast<size_t>(phase)] = nanoseconds;
  }

  void OnLog(uint32_t level, std::string_view line) override {
    // Trace records, pieces of a core file and counts are not for eyes.
    if (level == kTraceLevel) {
      if (tracer_.has_value()) {
        tracer_->OnRecord(line);
      }
      return;
    }
    if (level == kCoreLevel) {
      if (core_.has_value()) {
        core_->OnPiece(line);
      }
      return;
    }
    if (level == kCountsLevel) {
      stats_.library_os = ParseCounts(line);
      return;
    }
    if (level <= options_.log_level) {
      PrintComplaint(options_.image, Complaint::Of(WithNames(line, DebugFile::Of(file_))));
    }
  }

  void OnHostCall(uint32_t slot, const Exit& exit, int64_t answer) override {
    if (tracer_.has_value() && !IsRecord(exit)) {
      if (const shim::HostCallInfo* call = shim::FindHostCall(exit.number)) {
        tracer_->OnHostCall(slot, *call, exit.arguments, answer);
      }
    }
    if (options_.log_level < kTraceLevel) {
      return;
    }
    if (const shim::HostCallInfo* call = shim::FindHostCall(exit.number)) {
      PrintComplaint(
          kRunTool.name,
          Complaint::Of("slot ", slot, ": ", shim::TracedHostCall{*call, exit.arguments, answer}));
    } else {
      PrintComplaint(kRunTool.name,
                     Complaint::Of("slot ", slot, ": host call ", exit.number, " does not exist"));
    }
  }

  [[noreturn]] void OnEnd(const Exit& exit, int outside_signal) override {
    const int status = StatusOf(exit);
    if (tracer_.has_value()) {
      tracer_->OnEnd(EndText(exit));
    }
    if (core_.has_value()) {
      core_->TellEnd(options_.image);
    }
    if (options_.stats != StatsForm::kNone) {
      PrintStats();
    }
    if (outside_signal != 0) {
      DieOf(outside_signal);
    }
    _exit(status);
  }

  // By which the enclave tells what is traced, or of its memory.
  static bool IsRecord(const Exit& exit) {
    return exit.number == static_cast<uint64_t>(shim::HostCall::kLog) &&
           exit.arguments[0] >= kTraceLevel;
  }

  // As any program does, so that a shell sees that it was a signal.
  static void DieOf(int number) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, number);
    signal(number, SIG_DFL);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  }

  // As strace has it.
  static std::string EndText(const Exit& exit) {
    if (exit.reason == ExitReason::kDone && exit.arguments[0] == NSGX_DONE_EXIT) {
      return "exited with " + std::to_string(exit.arguments[1] & 0xff);
    }
    if (exit.reason == ExitReason::kDone && exit.arguments[0] == NSGX_DONE_SIGNAL) {
      return "killed by signal " + std::to_string(exit.arguments[1] & 0x7f);
    }
    return "ended by the machine";
  }

  int StatusOf(const Exit& exit) {
    switch (exit.reason) {
      case ExitReason::kDone:
        switch (exit.arguments[0]) {
          case NSGX_DONE_EXIT:
            return static_cast<int>(exit.arguments[1] & 0xff);
          case NSGX_DONE_SIGNAL:
            return kKilledBySignal + static_cast<int>(exit.arguments[1] & 0x7f);
          default:
            PrintImageComplaint(
                options_.image,
                Complaint::Of("the library OS found itself broken and stopped; please report it"));
            return kOurFailure;
        }
      case ExitReason::kRefused:
        PrintImageComplaint(
            options_.image,
            Complaint::Of("it made host call ", exit.number,
                          ", which its configuration forbids, and was ended; sign it again"));
        return kKilledBySignal + SIGSYS;
      case ExitReason::kLost:
        PrintImageComplaint(
            options_.image,
            static_cast<Status>(exit.number) == Status::kCancelled
                ? Complaint::Of("the machine goes down, and has taken the enclave away")
                : Complaint::Of("the machine lost it (",
                                StatusName(static_cast<Status>(exit.number)),
                                "); the kernel log says more"));
        return kOurFailure;
      default: {
        const Crash crash = device_->crash();
        PrintImageComplaint(
            options_.image,
            Complaint::Of("it died of an exception in its exception handler: vector ", crash.cause,
                          ", address ", Hex(crash.address), ", image offset ",
                          Hex(crash.image_offset)));
        return kKilledBySignal + SignalOfCause(crash.cause);
      }
    }
  }

  void PrintStats() {
    Mark(Phase::kRun, Nanoseconds(CLOCK_MONOTONIC) - run_start_);
    stats_.machine = device_->name();
    stats_.limitations = device_->limitations();
    stats_.device = device_->stats();
    Mark(Phase::kLoad, stats_.device.nanoseconds_load);
    Mark(Phase::kHash, stats_.device.nanoseconds_hash);
    Mark(Phase::kSignature, stats_.device.nanoseconds_signature);
    // What is left of loading and initialising when the machine's own shares are taken out.
    uint64_t& init = stats_.phase_nanoseconds[static_cast<size_t>(Phase::kInit)];
    const uint64_t shares = stats_.device.nanoseconds_load + stats_.device.nanoseconds_hash +
                            stats_.device.nanoseconds_signature;
    init = init > shares ? init - shares : 0;
    CHECK(vcpus_.has_value());  // only a run ends
    const std::vector<uint64_t> counts = vcpus_->server().counts();
    stats_.host_calls = counts;
    std::array<uint64_t, kLieCount> lies = {};
    if (const HostileHost* hostile = vcpus_->hostile(); hostile != nullptr) {
      lies = hostile->counts();
      stats_.lies = lies;
    }
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    stats_.memory_high_water_kib = static_cast<uint64_t>(usage.ru_maxrss);
    WriteAll(STDERR_FILENO,
             options_.stats == StatsForm::kJson ? StatsJson(stats_) : StatsText(stats_));
  }

  RunOptions options_;
  std::span<const std::byte> file_;  // the image's, for as long as the enclave runs
  RunStats stats_;
  std::unique_ptr<Device> device_;
  HostFiles files_;
  std::optional<Tracer> tracer_;
  std::optional<CoreFile> core_;
  std::optional<Vcpus> vcpus_;
  uint64_t run_start_ = 0;
};

int Main(std::span<char* const> arguments) {
  const Result<RunOptions, Complaint> options = ParseRunOptions(arguments);
  if (!options.ok()) {
    PrintComplaint(kRunTool.name, options.error());
    return kOurFailure;
  }
  switch (options.value().request) {
    case Request::kHelp:
      return WriteAll(STDOUT_FILENO, HelpText(kRunTool)) ? 0 : kOurFailure;
    case Request::kVersion:
      return WriteAll(STDOUT_FILENO, VersionText(kRunTool)) ? 0 : kOurFailure;
    case Request::kMan:
      return WriteAll(STDOUT_FILENO, ManPage(kRunTool)) ? 0 : kOurFailure;
    case Request::kRun:
      break;
  }
  OccupyClosedStreams();
  // The enclave's program gets EPIPE and its own SIGPIPE; nsgx-run itself goes on.
  signal(SIGPIPE, SIG_IGN);
  if (options.value().image == nullptr) {
    return RunOnEmulator(options.value().emulator, {}, kOurFailure);
  }
  return Run(options.value()).Start();
}

}  // namespace
}  // namespace nsgx::loader

int main(int argc, char** argv) {
  return nsgx::loader::Main(std::span(argv, static_cast<size_t>(argc)).subspan(argc > 0 ? 1 : 0));
}
