// Standard error: for log lines without a sink of the user's, and for last words.
//
// Step: below all steps. Thread: any.
//
// Straight to the descriptor: a thread that hangs in write(2) must hold no lock of a stream, for
// which the end of the process would wait. The descriptor is not made non-blocking: that would
// change it for the parent process, too. SIGPIPE never comes out of here.
#pragma once

#include <string_view>

namespace trireme { inline namespace v0 {

// Blocks for as long as nobody reads.
void write_to_standard_error(std::string_view text);

// For a process that is about to abort: waits for a reader for 200 ms at most. At most 4,096 bytes.
void write_last_words(std::string_view text);

}}  // namespace trireme
