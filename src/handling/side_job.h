// Work for one connection that is no handler's, on its way to a thread beside the crew and back: a
// step of a transport layer that computes for long, a look into a file.
//
// Steps 2 and 6. Threads: the holder of the loop makes it; the thread that runs it touches nothing
// else of the server; it comes home as mail of its kind, also when its connection is gone.
#pragma once

#include "runtime/mailbox.h"
#include "runtime/system/kernel.h"
#include "trireme/connection_id.h"

namespace trireme { inline namespace v0 {

struct SideJob : Mail {
  SideJob(int mail_kind, ConnectionId whose) : Mail(mail_kind), id(whose) {}

  // A thread that may block.
  virtual void run(Kernel& kernel) noexcept = 0;

  const ConnectionId id;
  const char* service = "";  // ListenOptions::name
  bool was_refused = false;  // there is no thread: it has not run
  // Of SideWorkers, under its mutex.
  bool is_queued = false;
  SideJob* previous = nullptr;
};

}}  // namespace trireme
