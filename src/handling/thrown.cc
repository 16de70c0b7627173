// What user code has thrown, said in the log: a line a second for each service.
#include <exception>
#include <string>

#include "handling/job.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
namespace {

const char* what_threw(JobKind kind) {
  switch (kind) {
    case JobKind::kRequest:
      return "a handler";
    case JobKind::kOpen:
      return "the constructor of a session";
    case JobKind::kTimer:
      return "on_timer";
    case JobKind::kCall:
      return "a call into a session";
    case JobKind::kBody:
      return "on_body";
    case JobKind::kSpool:
      return "what keeps a long body";
    case JobKind::kStop:
      return "a stop callback";
    case JobKind::kWritable:
      return "on_writable";
    case JobKind::kEnd:
      return "on_end";
    case JobKind::kDrain:
      return "on_drain";
    case JobKind::kClose:
      return "on_close";
  }
  return "user code";
}

std::string who_threw(const Job& job) {
  std::string who = what_threw(job.run.kind);
  who += " of '" + std::string(job.home.service_name) + "'";
  if (job.run.kind == JobKind::kRequest) {
    who += ", kind " + std::to_string(job.requests.last_run().kind) + ",";
  }
  return who;
}

// False: nobody wants to be told, or that has failed, which is logged.
bool tell(const ExceptionSink& sink, const Job& job, const std::string& client) {
  if (!sink) return false;
  const std::string text = describe_thrown();
  sink({.service = job.home.service_name,
        .where = what_threw(job.run.kind),
        .client = client,
        .text = text,
        .exception = std::current_exception()});
  return true;
}

}  // namespace

// In the catch block, on the thread that ran the handler. When there is no memory for the line
// either, there is none.
void Job::log_thrown() const noexcept {
  const char* told = "";
  try {
    const std::string client = run.context->roster.describe(run.id);
    try {
      if (tell(run.context->options.on_exception, *this, client)) return;
    } catch (...) {
      told = ", and so has on_exception, of this";
    }
    uint64_t suppressed = 0;
    if (!run.context->thrown_gates.open(home.service_name, run.context->platform.clock.now(),
                                        suppressed))
      return;
    std::string line = who_threw(*this);
    if (!client.empty()) line += " for " + client;
    line += " has thrown " + describe_thrown() + told;
    if (suppressed > 0) {
      line += " (" + std::to_string(suppressed) + " exceptions before were not logged)";
    }
    run.context->log.warning(line);
  } catch (...) {
  }
}

}}  // namespace trireme
