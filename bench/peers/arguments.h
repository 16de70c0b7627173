// The command line that all peers share: PROGRAM echo|delay [--threads N] [--pool N]. For C and
// C++.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kThreadsMax = 1024 };

struct arguments {
  bool delay;   // the service of lines; else echo
  int threads;  // event loops
  int pool;     // threads for handlers that block; 0: they run where the I/O does
};

static inline int parse_count(const char* text, int min) {
  char* end = NULL;
  const long value = strtol(text, &end, 10);
  return *text != '\0' && *end == '\0' && value >= min && value <= kThreadsMax ? (int)value : -1;
}

// Ends the process when they are wrong, or ask for what this peer has not.
static inline struct arguments parse_arguments(int argc, char** argv, bool has_pool) {
  struct arguments arguments = {false, 1, 0};
  bool good = argc >= 2 && argc % 2 == 0;
  if (good) {
    arguments.delay = strcmp(argv[1], "delay") == 0;
    good = arguments.delay || strcmp(argv[1], "echo") == 0;
  }
  for (int i = 2; good && i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--threads") == 0) {
      arguments.threads = parse_count(argv[i + 1], 1);
    } else if (strcmp(argv[i], "--pool") == 0 && has_pool) {
      arguments.pool = parse_count(argv[i + 1], 0);
    } else {
      good = false;
    }
    good = good && arguments.threads > 0 && arguments.pool >= 0;
  }
  if (!good) {
    fprintf(stderr, "usage: %s echo|delay [--threads N]%s\n", argv[0],
            has_pool ? " [--pool N]" : "");
    exit(2);
  }
  return arguments;
}
