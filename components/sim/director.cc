#include "sim/director.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "sim/fail.h"
#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

template <size_t kBytes>
void copy_text(char (&into)[kBytes], std::string_view text) {
  const size_t bytes = std::min(text.size(), kBytes - 1);
  std::memcpy(into, text.data(), bytes);
  into[bytes] = '\0';
}

}  // namespace

std::string milliseconds_text(Duration duration) {
  const int64_t us = duration.count() / 1'000;
  std::string digits = std::to_string(us % 1'000);
  return std::to_string(us / 1'000) + "." + std::string(3 - digits.size(), '0') + digits + " ms";
}

Director::Director(RunRecord& record, const Plan* plan, bool in_copy)
    : record_(record), in_copy_(in_copy) {
  record.failed = false;
  record.sentence[0] = record.where[0] = '\0';
  record.clients_count = record.faults_count = record.lines_count = 0;
  if (plan == nullptr) return;
  if (plan->clients) clients_.emplace(plan->clients->begin(), plan->clients->end());
  if (!plan->faults) return;
  faults_.emplace();
  for (const PlannedFault& fault : *plan->faults) {
    faults_->emplace(fault.kind, fault.client, fault.number);
  }
}

Duration Director::elapsed() const {
  return scheduler_ == nullptr ? Duration(0) : scheduler_->now() - scheduler_->started();
}

bool Director::lets(FaultKind kind, uint32_t client) {
  // Faults that are left out have their numbers, too: those of the others stay as they are.
  const uint32_t number = ++drawn_[{kind, client}];
  if (faults_ && !faults_->contains({kind, client, number})) return false;
  ++happened_[static_cast<size_t>(kind)];
  if (record_.faults_count < RunRecord::kFaultsMax) {
    record_.faults[record_.faults_count] = {kind, client, number};
    record_.fault_times[record_.faults_count] = elapsed().count();
    ++record_.faults_count;
  }
  if (keeps_lines()) tell("fault " + std::string(to_string(kind)));
  return true;
}

std::pair<uint32_t, bool> Director::add_client(std::string_view name) {
  if (record_.clients_count == RunRecord::kClientsMax) fail("a world has at most 4096 clients", {});
  const uint32_t number = record_.clients_count + 1;
  const bool takes_part = !clients_ || clients_->contains(number);
  copy_text(record_.client_names[number - 1], name);
  record_.takes_part[number - 1] = takes_part;
  record_.clients_count = number;
  return {number, takes_part};
}

void Director::tell(std::string_view line) {
  if (!keeps_lines()) return;
  copy_text(record_.lines[record_.lines_count % RunRecord::kLinesMax],
            milliseconds_text(elapsed()) + "  " + std::string(line));
  ++record_.lines_count;
}

void Director::fail(std::string_view sentence, Where where) {
  copy_text(record_.sentence, sentence);
  if (where.line != 0) {
    copy_text(record_.where, std::string(where.file) + ":" + std::to_string(where.line));
  }
  record_.failed = true;
  if (in_copy_) {
    std::fflush(nullptr);
    ::_exit(kFailedStatus);
  }
  std::string text = "seed " + std::to_string(record_.seed) + ": ";
  if (where.line != 0) text += std::string(record_.where) + ": ";
  sim::fail(text + record_.sentence);
}

}}}  // namespace trireme::sim
