// The kinds of mail that loops get: one list, so that no two have the same number.
//
// Step: between the steps. Thread: made by any, opened by the holder of the loop.
#pragma once

#include "runtime/mailbox.h"

namespace trireme { inline namespace v0 {

enum MailKind : int {
  kMailJob,       // a Job that lost its loop, or ran on a data worker (handling/job.h)
  kMailLayerJob,  // a LayerJob that has run (handling/layer_job.h)
  kMailAnswer,    // a Reply was answered outside of its handler
  kMailPush,      // Peer::send
  kMailClose,     // Peer::close
  kMailEnd,       // Peer::end
  kMailRoom,      // Peer::send has answered kFull
  kMailTimer,     // Peer::after, Peer::cancel
  kMailCall,      // Peer::call, Peer::post
  kMailAdopt,     // a new socket from the Listener
  kMailDrain,     // end in good order
  kMailCut,       // the drain deadline is over
  kMailResume,    // to who accepts: a place, a descriptor or memory has become free
  kMailStop,      // to the Listener: accept what waits, then end
  kMailUnlisten,  // to who accepts: one listener ends
  kMailBody,      // there is room for more of a body (handling/incoming_body.h)
  kMailStream,    // a part of a streamed reply
  kMailDiskRead,  // a DiskRead that has run (connection/disk_read.h)
};

struct PlainMail final : Mail {
  explicit PlainMail(MailKind what) : Mail(what) {}
};

}}  // namespace trireme
