// SPDX-License-Identifier: Apache-2.0
// How a program that a signal ends is reported: one line that says what happened, and for signals
// that Linux dumps core for, the functions that led there. Goes to the operator, who is not
// trusted, so it holds offsets in the image, which he has, and addresses, but no value that the
// program computed.
#include <elf.h>

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "base/core/format.h"
#include "base/core/log.h"
#include "libos/host/host.h"
#include "libos/kernel/core_file.h"
#include "libos/kernel/count_report.h"
#include "libos/kernel/cpu.h"
#include "libos/kernel/panic.h"
#include "libos/kernel/signal.h"
#include "libos/kernel/user_memory.h"
#include "libos/mm/address_space.h"
#include "libos/unwind/unwind_table.h"
#include "vmpl-switch/abi/gate.h"

extern "C" {
// Made by the linker.
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
}

namespace nsgx::libos {
namespace {

constexpr size_t kMaxFrames = 64;
// A fault so close to the stack pointer, where nothing may be accessed, is a stack that is full:
// large frames probe each page on their way down.
constexpr uint64_t kNearStack = 64 << 10;

constexpr int32_t kSigXcpu = 24, kSigXfsz = 25;
constexpr SignalSet kDumping = kSynchronous | SignalSet::Of(kSigQuit, kSigAbrt, kSigXcpu, kSigXfsz);

constexpr std::string_view kNames[] = {
    "0",    "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};

struct SignalName {
  int32_t signal;
};
void AppendText(TextBuffer& out, SignalName name) {
  out.Append("SIG");
  if (static_cast<size_t>(name.signal) < std::size(kNames)) {
    out.Append(kNames[name.signal]);
  } else {
    out.Append("RT");
    out.AppendSignedDecimal(name.signal);
  }
}

// What lies at an address that could not be accessed.
struct AddressReason {
  const SignalInfo& info;
  uint64_t stack;
};
void AppendText(TextBuffer& out, const AddressReason& reason) {
  const uint64_t address = reason.info.fault.address;
  constexpr uint64_t kFirstPage = 4096;
  AddressSpace::Mapping mapping = {};
  const bool is_mapped = Memory().NextMapping(address, &mapping) && mapping.begin <= address;
  if (address < kFirstPage) {
    out.Append(" (a null pointer)");
  } else if (reason.info.signal == kSigBus) {
    out.Append(reason.info.code == kBusAdrErr ? " (no memory for it, or beyond the end of a file)"
                                              : "");
  } else if (reason.info.code == kSiKernel) {
    out.Append("");
  } else if (address - (reason.stack - kNearStack) < 2 * kNearStack &&
             (!is_mapped || mapping.rights == gate::Rights::kNone)) {
    out.Append(" (the stack is full)");
  } else if (is_mapped) {
    out.Append(" (in a mapping ");
    out.Append(mapping.rights == gate::Rights::kNone          ? "without rights, "
               : mapping.rights == gate::Rights::kRead        ? "for reading only, "
               : mapping.rights == gate::Rights::kReadExecute ? "of code, "
                                                              : "for reading and writing, ");
    nsgx::AppendText(out, Hex{mapping.begin});
    out.Append('-');
    nsgx::AppendText(out, Hex{mapping.end});
    out.Append(')');
  } else if (address - ImageRange().base < ImageRange().size) {
    out.Append(" (in the image, without that right)");
  } else {
    out.Append(" (not mapped)");
  }
}

// The tables lie in the segment that the linker put them in, with the index at a place of its own.
std::optional<UnwindTable> ImageTable() {
  const uint64_t base = reinterpret_cast<uint64_t>(&__ehdr_start);
  const std::span headers(reinterpret_cast<const Elf64_Phdr*>(base + __ehdr_start.e_phoff),
                          __ehdr_start.e_phnum);
  uint64_t index = 0;
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_GNU_EH_FRAME) {
      index = header.p_vaddr;
    }
  }
  for (const Elf64_Phdr& header : headers) {
    if (header.p_type == PT_LOAD && index - header.p_vaddr < header.p_memsz && index != 0) {
      const uint64_t address = base + header.p_vaddr;
      return UnwindTable::Open(
          std::span(reinterpret_cast<const std::byte*>(address), header.p_memsz), address,
          index - header.p_vaddr);
    }
  }
  return {};
}

bool ReadStack(uint64_t address, uint64_t* word) {
  return CopyFromUser(std::as_writable_bytes(std::span(word, 1)), address).ok();
}

UnwindRegisters RegistersOf(const nsgx_frame& frame) {
  return {{frame.rax, frame.rdx, frame.rcx, frame.rbx, frame.rsi, frame.rdi, frame.rbp, frame.rsp,
           frame.r8, frame.r9, frame.r10, frame.r11, frame.r12, frame.r13, frame.r14, frame.r15,
           frame.rip}};
}

void TellCallers(const nsgx_frame& frame, bool is_call) {
  const auto table = ImageTable();
  UnwindRegisters registers = RegistersOf(frame);
  for (size_t number = 0; number < kMaxFrames; ++number) {
    LOG(kError, "  #", number, " ", CodeAddress{registers.rip() - (is_call ? 1 : 0)});
    if (!table.has_value() || !table->Step(registers, is_call, &ReadStack)) {
      return;
    }
    is_call = true;
  }
  LOG(kError, "  and more");
}

}  // namespace

void DieBySignal(const SignalInfo& info, const nsgx_frame* frame) {
  const int32_t tid = CurrentThread().tid;
  const bool is_fault = frame != nullptr && kSynchronous.Contains(info.signal);
  if (is_fault) {
    LOG(kError, "killed by ", SignalName{info.signal}, " at ", CodeAddress{frame->rip},
        ", address ", Hex{info.fault.address}, AddressReason{info, frame->rsp}, ", stack ",
        Hex{frame->rsp}, ", thread ", tid);
  } else {
    LOG(kError, "killed by ", SignalName{info.signal}, ", thread ", tid);
  }
  if (frame != nullptr && kDumping.Contains(info.signal)) {
    TellCallers(*frame, !is_fault);
    WriteCoreFile(info, *frame);
  }
  ReportCounts();
  host::Done(NSGX_DONE_SIGNAL, static_cast<uint32_t>(info.signal));
}

}  // namespace nsgx::libos
