// What user code has thrown, said in the log: a line a second for each service.
#include <string>

#include "handling/job.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
namespace {

std::string who_threw(const Job& job) {
  const std::string service = " of '" + std::string(job.service_name) + "'";
  switch (job.job_kind) {
    case JobKind::kRequest:
      return "a handler" + service + ", kind " +
             std::to_string(job.requests[job.requests_run - 1].kind) + ",";
    case JobKind::kOpen:
      return "the constructor of a session" + service;
    case JobKind::kDrain:
      return "on_drain" + service;
    case JobKind::kClose:
      return "on_close" + service;
  }
  return "user code" + service;
}

}  // namespace

// In the catch block, on the thread that ran the handler. When there is no memory for the line
// either, there is none.
void Job::log_thrown() const noexcept {
  try {
    uint64_t suppressed = 0;
    if (!context->thrown_gates.open(service_name, context->platform.clock.now(), suppressed))
      return;
    const std::string client = context->roster.describe(id);
    std::string line = who_threw(*this);
    if (!client.empty()) line += " for " + client;
    line += " has thrown " + describe_thrown();
    if (suppressed > 0) {
      line += " (" + std::to_string(suppressed) + " exceptions before were not logged)";
    }
    context->log.warning(line);
  } catch (...) {
  }
}

}}  // namespace trireme
