// What a fork of this process, by a handler or by anybody, must know of the server.
//
// Step: below all steps. Thread: any. The functions that fork(2) calls keep state of the process,
// an exception to "no globals": what is forked is the process, and nobody else is asked.
//
// A child that does not call exec holds copies of all descriptors. So sockets are ended before they
// are closed once this process has forked (Kernel::close_socket). And the child gets back what the
// server has changed: the signals that its threads block, the descriptor limit, and the handlers of
// run(), which would tell the parent of a signal that the child got. posix_spawn(3), system(3) and
// popen(3) call nothing of this; docs/handlers.md says what is to do there.
#pragma once

#include <sys/resource.h>

#include <csignal>

namespace trireme { inline namespace v0 {

// Before the first socket is made.
void watch_forks();
// True for ever once this process has forked.
bool has_forked();
// The signals that the calling thread blocks, which starts one of ours that blocks all.
void note_signals_outside(const sigset_t& mask);
// The soft descriptor limit was raised.
void note_raised_limit(rlim_t before, rlim_t raised);

}}  // namespace trireme
