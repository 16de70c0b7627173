// A body that is gathered before its handler starts: in memory, and what is longer in a file.
//
// Steps 3 and 4. Threads: the holder of the loop brings the parts; a job on a data worker writes
// the file, meanwhile the holder does not touch what that job has; the handler reads when all is
// there. Bounded: kMemoryMax bytes and one part wait in memory, and as many are with the job; they
// are charged to the budget. Where no job can be had all stays in memory.
#pragma once

#include <string>

#include "handling/incoming_body.h"
#include "handling/spool_file.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class GatheredBody final : public IncomingBody {
 public:
  static constexpr size_t kMemoryMax = 64 << 10;

  // `may_spool`: a job may be had that writes.
  GatheredBody(ServerContext& context, bool may_spool)
      : context_(context), file_(context), may_spool_(may_spool) {}
  ~GatheredBody() override { context_.buffers.discharge(charged_); }
  GatheredBody(const GatheredBody&) = delete;
  GatheredBody& operator=(const GatheredBody&) = delete;

  void read_by(Job&) override {}
  [[nodiscard]] bool put(std::string_view part) override;
  void end() override { has_ended_ = true; }
  void fail(BodyFailure) override {}
  bool awaits_room() override { return is_writing_ && (has_ended_ || bytes_.size() >= kMemoryMax); }
  bool abandon(bool was_started) override;

  // The holder. A job is to write: begin_write, then its thread write_out, then written().
  bool wants_write() const {
    return may_spool_ && !is_writing_ && !is_abandoned_ && bytes_.size() >= kMemoryMax;
  }
  void begin_write() {
    chunk_.swap(bytes_);
    is_writing_ = true;
  }
  void write_out() { result_ = file_.append(chunk_); }
  // False: it cannot be gathered, as error() says.
  bool written();
  int error() const { return result_; }  // as SpoolFile::append

  size_t read(std::span<char> into) override;
  bool ended() const override { return read_ == file_.bytes() + bytes_.size(); }
  BodyFailure failure() const override { return failure_; }
  std::optional<uint64_t> size() const override { return file_.bytes() + bytes_.size(); }

 private:
  ServerContext& context_;
  SpoolFile file_;     // the job's while is_writing_
  std::string chunk_;  // likewise
  int result_ = 0;     // likewise
  std::string bytes_;  // behind those of the file
  size_t charged_ = 0;
  uint64_t read_ = 0;
  BodyFailure failure_ = BodyFailure::kNone;
  bool may_spool_;
  bool is_writing_ = false, has_ended_ = false, is_abandoned_ = false;
};

}}  // namespace trireme
