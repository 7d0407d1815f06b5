// SPDX-License-Identifier: Apache-2.0
// What a tool tells its user when it cannot do what was asked: one line, "CAUSE; REMEDY".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/core/format.h"
#include "base/core/result.h"

namespace nsgx::loader {

// A plain value, so that it can be the error of a Result. Longer text is cut.
class Complaint {
 public:
  // Puts the parts together; anything that format.h has an AppendText for. Control characters,
  // which may come from file names and arguments, do not reach the terminal.
  template <typename... Parts>
  static Complaint Of(const Parts&... parts) {
    Complaint complaint;
    TextBuffer out(complaint.text_);
    (AppendText(out, parts), ...);
    complaint.size_ = static_cast<uint16_t>(out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      if (static_cast<unsigned char>(complaint.text_[i]) < 0x20 || complaint.text_[i] == 0x7f) {
        complaint.text_[i] = '?';
      }
    }
    return complaint;
  }

  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 500> text_ = {};
  uint16_t size_ = 0;
};

inline void AppendText(TextBuffer& out, const Complaint& complaint) {
  out.Append(complaint.text());
}

template <typename... Parts>
Error<Complaint> Complain(const Parts&... parts) {
  return Error(Complaint::Of(parts...));
}

// Writes "TOOL: COMPLAINT" to standard error as one line.
void PrintComplaint(std::string_view tool, const Complaint& complaint);

}  // namespace nsgx::loader
