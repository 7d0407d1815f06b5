// SPDX-License-Identifier: Apache-2.0
#include "libos/fs/devfs/line_editor.h"

#include <algorithm>

namespace nsgx::libos {
namespace {

// c_iflag
constexpr uint32_t kISTRIP = 0x20, kINLCR = 0x40, kIGNCR = 0x80, kICRNL = 0x100, kIXON = 0x400,
                   kIXANY = 0x800;
// c_oflag
constexpr uint32_t kOPOST = 0x1, kONLCR = 0x4, kOCRNL = 0x8;
// c_lflag
constexpr uint32_t kISIG = 0x1, kICANON = 0x2, kECHO = 0x8, kECHOE = 0x10, kECHOK = 0x20,
                   kECHONL = 0x40, kNOFLSH = 0x80, kECHOCTL = 0x200, kECHOKE = 0x800,
                   kIEXTEN = 0x8000;
// Indexes of c_cc
constexpr size_t kVINTR = 0, kVQUIT = 1, kVERASE = 2, kVKILL = 3, kVEOF = 4, kVTIME = 5, kVMIN = 6,
                 kVSTART = 8, kVSTOP = 9, kVSUSP = 10, kVEOL = 11, kVREPRINT = 12, kVWERASE = 14,
                 kVLNEXT = 15, kVEOL2 = 16;

constexpr int32_t kInterrupt = 2, kQuit = 3, kSuspend = 20;  // SIGINT, SIGQUIT, SIGTSTP

constexpr uint8_t kBackspace = '\b';
constexpr uint8_t kDelete = 0x7f;

bool IsControl(uint8_t byte) {
  return (byte < ' ' && byte != '\n' && byte != '\t') || byte == kDelete;
}

}  // namespace

void LineEditor::Set(const LinuxTermios& settings) {
  const bool was_canonical = is_canonical();
  settings_ = settings;
  if (was_canonical != is_canonical()) {
    // What has been typed so far is there to be read either way.
    if (Unfinished() != 0) {
      At(count_ - 1).is_delimiter = true;
      ++lines_;
    }
    finished_ = count_;
    next_is_literal_ = false;
  }
  if ((settings_.c_iflag & kIXON) == 0) {
    is_stopped_ = false;
  }
}

bool LineEditor::is_canonical() const { return (settings_.c_lflag & kICANON) != 0; }
uint8_t LineEditor::minimum() const { return settings_.c_cc[kVMIN]; }
uint8_t LineEditor::time() const { return settings_.c_cc[kVTIME]; }

bool LineEditor::Is(uint8_t byte, size_t character) const {
  return settings_.c_cc[character] != 0 && byte == settings_.c_cc[character];
}

void LineEditor::Append(uint8_t byte, bool is_delimiter, bool is_end) {
  At(count_) = {.byte = byte, .is_delimiter = is_delimiter, .is_end = is_end};
  ++count_;
  if (is_delimiter) {
    ++lines_;
    finished_ = count_;
  } else if (!is_canonical()) {
    finished_ = count_;
  }
}

void LineEditor::EchoByte(uint8_t byte, Echo& echo) {
  const uint32_t flags = settings_.c_lflag;
  if ((flags & kECHO) == 0) {
    if (byte == '\n' && (flags & kECHONL) != 0 && is_canonical()) {
      echo.Put(byte);
    }
    return;
  }
  if ((flags & kECHOCTL) != 0 && IsControl(byte)) {
    echo.Put('^');
    echo.Put(byte ^ 0x40);
  } else {
    echo.Put(byte);
  }
}

void LineEditor::EraseLast(Echo& echo) {
  const uint8_t byte = At(--count_).byte;
  const uint32_t flags = settings_.c_lflag;
  if ((flags & kECHO) == 0) {
    return;
  }
  if ((flags & kECHOE) == 0) {
    EchoByte(settings_.c_cc[kVERASE], echo);
    return;
  }
  const size_t columns = (flags & kECHOCTL) != 0 && IsControl(byte) ? 2 : 1;
  for (size_t i = 0; i < columns; ++i) {
    echo.Put(kBackspace);
    echo.Put(' ');
    echo.Put(kBackspace);
  }
}

void LineEditor::EraseLine(Echo& echo) {
  const uint32_t flags = settings_.c_lflag;
  if ((flags & kECHO) != 0 && (flags & kECHOK) != 0 && (flags & kECHOKE) != 0 &&
      (flags & kECHOE) != 0) {
    while (Unfinished() != 0) {
      EraseLast(echo);
    }
    return;
  }
  count_ = finished_;
  EchoByte(settings_.c_cc[kVKILL], echo);
  if ((flags & kECHO) != 0 && (flags & kECHOK) != 0) {
    echo.Put('\n');
  }
}

bool LineEditor::HasRoom() const {
  // A line that is too long must be ended or erased, so its characters are taken, and dropped.
  return count_ < kCapacity || (is_canonical() && lines_ == 0);
}

int32_t LineEditor::Type(uint8_t byte, Echo& echo) {
  const uint32_t input = settings_.c_iflag;
  const uint32_t flags = settings_.c_lflag;
  if ((input & kISTRIP) != 0) {
    byte &= 0x7f;
  }
  if (next_is_literal_) {
    next_is_literal_ = false;
    if (count_ < kCapacity - 1) {
      EchoByte(byte, echo);
      Append(byte, false, false);
    }
    return 0;
  }
  if ((input & kIXON) != 0) {
    if (Is(byte, kVSTART)) {
      is_stopped_ = false;
      return 0;
    }
    if (Is(byte, kVSTOP)) {
      is_stopped_ = true;
      return 0;
    }
    if (is_stopped_ && (input & kIXANY) != 0) {
      is_stopped_ = false;
    }
  }
  if ((flags & kISIG) != 0) {
    const int32_t signal = Is(byte, kVINTR)   ? kInterrupt
                           : Is(byte, kVQUIT) ? kQuit
                           : Is(byte, kVSUSP) ? kSuspend
                                              : 0;
    if (signal != 0) {
      if ((flags & kNOFLSH) == 0) {
        Clear();
        echo.Discard();
      }
      EchoByte(byte, echo);
      return signal;
    }
  }
  if (byte == '\r') {
    if ((input & kIGNCR) != 0) {
      return 0;
    }
    if ((input & kICRNL) != 0) {
      byte = '\n';
    }
  } else if (byte == '\n' && (input & kINLCR) != 0) {
    byte = '\r';
  }
  if (is_canonical()) {
    const bool is_extended = (flags & kIEXTEN) != 0;
    if (Is(byte, kVERASE)) {
      if (Unfinished() != 0) {
        EraseLast(echo);
      }
      return 0;
    }
    if (Is(byte, kVKILL)) {
      EraseLine(echo);
      return 0;
    }
    if (is_extended && Is(byte, kVWERASE)) {
      const auto is_word = [](uint8_t c) { return c != ' ' && c != '\t'; };
      while (Unfinished() != 0 && !is_word(At(count_ - 1).byte)) {
        EraseLast(echo);
      }
      while (Unfinished() != 0 && is_word(At(count_ - 1).byte)) {
        EraseLast(echo);
      }
      return 0;
    }
    if (is_extended && Is(byte, kVLNEXT)) {
      next_is_literal_ = true;
      if ((flags & kECHO) != 0 && (flags & kECHOCTL) != 0) {
        echo.Put('^');
        echo.Put(kBackspace);
      }
      return 0;
    }
    if (is_extended && (flags & kECHO) != 0 && Is(byte, kVREPRINT)) {
      EchoByte(byte, echo);
      echo.Put('\n');
      for (size_t i = finished_; i < count_; ++i) {
        EchoByte(At(i).byte, echo);
      }
      return 0;
    }
    if (Is(byte, kVEOF)) {
      if (count_ < kCapacity) {
        Append(0, true, true);
      }
      return 0;
    }
    if (byte == '\n' || Is(byte, kVEOL) || (is_extended && Is(byte, kVEOL2))) {
      if (count_ < kCapacity) {
        EchoByte(byte, echo);
        Append(byte, true, false);
      }
      return 0;
    }
    // One place is kept for the end of the line.
    if (count_ >= kCapacity - 1) {
      return 0;
    }
  }
  if (count_ < kCapacity) {
    EchoByte(byte, echo);
    Append(byte, false, false);
  }
  return 0;
}

size_t LineEditor::Available() const {
  if (!is_canonical()) {
    return count_;
  }
  size_t bytes = 0;
  for (size_t i = 0; i < finished_; ++i) {
    bytes += At(i).is_end ? 0 : 1;
  }
  return bytes;
}

bool LineEditor::HasInput() const {
  return is_canonical() ? finished_ != 0
                        : count_ >= std::max<size_t>(time() == 0 ? minimum() : 1, 1);
}

size_t LineEditor::Take(std::span<uint8_t> out) {
  size_t done = 0;
  while (finished_ != 0 && (done < out.size() || At(0).is_end)) {
    const Cell cell = At(0);
    begin_ = (begin_ + 1) % kCapacity;
    --count_;
    --finished_;
    if (cell.is_delimiter) {
      --lines_;
    }
    if (!cell.is_end) {
      out[done++] = cell.byte;
    }
    if (cell.is_delimiter && is_canonical()) {
      break;
    }
  }
  return done;
}

void LineEditor::Clear() { begin_ = count_ = finished_ = lines_ = 0; }

size_t LineEditor::Show(uint8_t byte, std::array<uint8_t, 2>& out) {
  const uint32_t output = settings_.c_oflag;
  if ((output & kOPOST) != 0) {
    if (byte == '\n' && (output & kONLCR) != 0) {
      out = {'\r', '\n'};
      return 2;
    }
    if (byte == '\r' && (output & kOCRNL) != 0) {
      byte = '\n';
    }
  }
  out[0] = byte;
  return 1;
}

}  // namespace nsgx::libos
