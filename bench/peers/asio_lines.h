// What both Asio peers do with lines. Belongs to one session: filled by its I/O thread, answered by
// that or by a thread of the pool, never by two at once.
#pragma once

#include <cstddef>
#include <string>

#include "floor/lines.h"

class Lines {
 public:
  // False: the unfinished line is too long.
  bool add(const char* bytes, size_t size) {
    const size_t before = text_.size();
    text_.append(bytes, size);
    const size_t newline = text_.rfind('\n');
    if (newline != std::string::npos && newline >= before) whole_ = newline + 1;
    return text_.size() - whole_ <= kLineMax;
  }

  bool has_whole() const { return whole_ > 0; }

  // The replies to all whole lines, which are gone then. Blocks as long as they ask for.
  std::string answer() {
    std::string replies(whole_ * kReplyGrowthMax, '\0');
    char* reply = replies.data();
    const char* line = text_.data();
    const char* end = line + whole_;
    while (line < end) {
      const auto* newline = static_cast<const char*>(memchr(line, '\n', end - line));
      reply = answer_line(line, newline, reply);
      line = newline + 1;
    }
    replies.resize(static_cast<size_t>(reply - replies.data()));
    text_.erase(0, whole_);
    whole_ = 0;
    return replies;
  }

 private:
  std::string text_;
  size_t whole_ = 0;  // bytes of whole lines at its front
};
