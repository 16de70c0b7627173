// The service of lines, for every program here that is not the library: "ID MICROSECONDS" is
// answered "ID" after a real sleep of that long (no call for 0), anything else "ERR malformed
// line". Pure but for the sleep; whichever thread may block calls it. For C and C++.
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

enum {
  kLineMax = 4096,  // without its newline; a longer one closes the connection
  kIdMax = 64,
  kMicrosecondsMax = 60000000,
};

static const char kLineError[] = "ERR malformed line\n";
// The worst that replies can grow: the shortest bad line is its newline alone.
enum { kReplyGrowthMax = sizeof kLineError - 1 };

static inline void sleep_microseconds(long microseconds) {
  struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// Does the work of one line (without its newline) and returns the end of its reply.
static inline char* answer_line(const char* line, const char* end, char* reply) {
  const char* space = line;
  while (space < end && *space != ' ' && *space != '\t') ++space;
  const size_t id_bytes = (size_t)(space - line);
  const char* digit = space + 1;
  bool good = id_bytes > 0 && id_bytes <= kIdMax && digit < end && *space == ' ';
  long microseconds = 0;
  for (; good && digit < end; ++digit) {
    microseconds = microseconds * 10 + (*digit - '0');
    good = *digit >= '0' && *digit <= '9' && microseconds <= kMicrosecondsMax;
  }
  if (!good) {
    memcpy(reply, kLineError, sizeof kLineError - 1);
    return reply + (sizeof kLineError - 1);
  }
  if (microseconds > 0) sleep_microseconds(microseconds);
  memcpy(reply, line, id_bytes);
  reply[id_bytes] = '\n';
  return reply + id_bytes + 1;
}
