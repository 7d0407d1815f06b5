// SPDX-License-Identifier: Apache-2.0
// What a terminal does with characters on their way from the keyboard to the program: lines are
// edited and echoed, some characters are signals (Linux's line discipline). Not locked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libos/vfs/linux_abi.h"

namespace nsgx::libos {

// What a terminal is set to that nobody has touched: lines are edited and echoed.
inline constexpr LinuxTermios kCookedTerminal = {
    .c_iflag = 0x500,   // ICRNL | IXON
    .c_oflag = 0x5,     // OPOST | ONLCR
    .c_cflag = 0xbf,    // B38400 | CS8 | CREAD
    .c_lflag = 0x8a3b,  // ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN
    .c_line = 0,
    .c_cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0}};

class LineEditor {
 public:
  // As much waits for the program at most.
  static constexpr size_t kCapacity = 4096;
  // What one character may make in the output.
  static constexpr size_t kMaxEcho = 3 * kCapacity;

  // Where echoes go.
  class Echo {
   public:
    // As if the program had written it.
    virtual void Put(uint8_t byte) = 0;
    // What has not been shown yet is not shown any more.
    virtual void Discard() = 0;

   protected:
    ~Echo() = default;
  };

  const LinuxTermios& settings() const { return settings_; }
  void Set(const LinuxTermios& settings);
  bool is_canonical() const;
  uint8_t minimum() const;  // VMIN and VTIME, of a terminal that is not canonical
  uint8_t time() const;

  // One character from the keyboard. Returns the signal that it means, or 0.
  int32_t Type(uint8_t byte, Echo& echo);
  // Whether another one can be taken.
  bool HasRoom() const;

  // How many bytes the program can read now, of a canonical terminal: whether there is a line,
  // which may be empty (end of file).
  size_t Available() const;
  bool HasInput() const;
  // Takes up to out.size() bytes, of one line at most. 0 with HasInput before: the end of a file.
  size_t Take(std::span<uint8_t> out);
  void Clear();

  // Output is stopped by ^S.
  bool is_stopped() const { return is_stopped_; }
  void SetStopped(bool is_stopped) { is_stopped_ = is_stopped; }

  // What the program writes, as the terminal shows it: one byte becomes up to two.
  size_t Show(uint8_t byte, std::array<uint8_t, 2>& out);

 private:
  // A byte that waits. A delimiter ends a line; that of ^D is not given to the program.
  struct Cell {
    uint8_t byte;
    bool is_delimiter;
    bool is_end;
  };

  bool Is(uint8_t byte, size_t character) const;
  void Append(uint8_t byte, bool is_delimiter, bool is_end);
  Cell& At(size_t index) { return cells_[(begin_ + index) % kCapacity]; }
  const Cell& At(size_t index) const { return cells_[(begin_ + index) % kCapacity]; }
  void EchoByte(uint8_t byte, Echo& echo);
  void EraseLast(Echo& echo);
  void EraseLine(Echo& echo);
  size_t Unfinished() const { return count_ - finished_; }

  LinuxTermios settings_ = kCookedTerminal;
  std::array<Cell, kCapacity> cells_ = {};
  size_t begin_ = 0;
  size_t count_ = 0;
  // Of these, how many belong to lines that have ended; and how many lines that are.
  size_t finished_ = 0;
  size_t lines_ = 0;
  bool next_is_literal_ = false;
  bool is_stopped_ = false;
};

}  // namespace nsgx::libos
