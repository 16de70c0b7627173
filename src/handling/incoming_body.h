// The body of a request that is read in parts, on its way from the loop to a handler.
//
// Steps 3 and 4. Threads: the holder of the loop brings the parts; the thread that runs the handler
// reads them (BodySource).
#pragma once

#include <cstddef>
#include <string_view>

#include "trireme/body.h"

namespace trireme { inline namespace v0 {

class Job;

class IncomingBody : public detail::BodySource {
 public:
  // The holder, from here on. The job that reads it: it is woken until its handler has returned.
  virtual void read_by(Job& job) = 0;
  // The next part. False: there is no memory for it, and the connection is to be closed.
  [[nodiscard]] virtual bool put(std::string_view part) = 0;
  // The last part was put.
  virtual void end() = 0;
  // No more will come, for this reason. Without effect behind the end, or another reason.
  virtual void fail(BodyFailure why) = 0;
  // Nothing is to be put now: when that changes a kMailBody comes.
  virtual bool awaits_room() = 0;
  // The handler has returned, or was never started. Nobody reads any more, and what comes may be
  // thrown away; unless (true) the parts go to the session itself.
  virtual bool abandon(bool was_started) = 0;
};

}}  // namespace trireme
