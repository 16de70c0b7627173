// What user code has thrown, said in the log: a line a second for each service.
#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "handling/job.h"

namespace trireme::inline v0 {
namespace {

constexpr size_t kTextBytesMax = 400;

std::string readable(const char* type_name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type_name, nullptr, nullptr, &status), &std::free);
  return name == nullptr ? type_name : name.get();
}

// The exception that is being handled: "std::out_of_range: map::at".
std::string describe_thrown() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  const std::string name = type == nullptr ? "an exception" : readable(type->name());
  try {
    throw;
  } catch (const std::exception& thrown) {
    return name + ": " + printable(thrown.what(), kTextBytesMax);
  } catch (...) {
    return name;
  }
}

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
    if (!core->thrown_gates.open(service_name, core->platform.clock.now(), suppressed)) return;
    const std::string client = core->describe(id);
    std::string line = who_threw(*this);
    if (!client.empty()) line += " for " + client;
    line += " has thrown " + describe_thrown();
    if (suppressed > 0) {
      line += " (" + std::to_string(suppressed) + " exceptions before were not logged)";
    }
    core->log.warning(line);
  } catch (...) {
  }
}

}  // namespace trireme
