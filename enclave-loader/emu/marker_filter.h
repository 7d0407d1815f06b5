// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace nsgx::loader {

// Passes a stream on up to the marker that ends it. Text is held back only while it may be the
// beginning of the marker.
class MarkerFilter {
 public:
  explicit MarkerFilter(std::string marker) : marker_(std::move(marker)) {}

  // Returns what of the stream is certain after `text` has come.
  std::string Feed(std::string_view text) {
    if (ended_) {
      return "";
    }
    held_ += text;
    size_t certain = held_.find(marker_);
    if (certain != std::string::npos) {
      ended_ = true;
    } else {
      size_t suspect = std::min(marker_.size() - 1, held_.size());
      while (!marker_.starts_with(std::string_view(held_).substr(held_.size() - suspect))) {
        --suspect;
      }
      certain = held_.size() - suspect;
    }
    std::string passed = held_.substr(0, certain);
    held_.erase(0, certain);
    return passed;
  }

  // Returns what is still held back, for a stream that broke off.
  std::string Rest() { return ended_ ? "" : std::exchange(held_, ""); }

  bool ended() const { return ended_; }

 private:
  std::string marker_;
  std::string held_;
  bool ended_ = false;
};

}  // namespace nsgx::loader
