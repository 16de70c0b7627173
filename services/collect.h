// Service `collect`: keeps readings of devices in a database. The first real service on the public
// API.
//
//   DEVICE METRIC VALUE [UNIX_TIME]      -> OK            once the row is on the disk
//   LAST DEVICE METRIC                   -> VALUE TIME    of the latest time; or NONE
//   RANGE DEVICE METRIC FROM TO          -> N, then N lines VALUE TIME
//   RANGE DEVICE METRIC FROM TO PLACE    -> N NEXT, then N lines VALUE TIME
//   COUNT                                -> number of rows
//
// Words are separated by exactly one space. Names are [A-Za-z0-9_.:-]{1,64}; LAST, RANGE and COUNT
// cannot name a device. Numbers are finite doubles, printed with the fewest digits that read back
// as the same double (-0 is kept as 0). Times are seconds with fraction; those of rows are in the
// years 1 to 9999. RANGE includes both ends and answers in the order of time, equal times in the
// order they were stored; it stops after the first 10,000 rows. PLACE is `-` at first, then the
// NEXT of the reply before; NEXT is `-` behind the last row. Anything else, and a database that
// fails, gets `ERR` and a sentence; the connection and the service live on. A line that begins an
// HTTP request ends its connection.
//
// A row that waits for its commit holds no thread; one thread commits, and answers. Queries block
// the thread of their handler.
//
// With pipelined ordering the requests of one connection run at once: a query sees every row whose
// `OK` its client has read, but it may overtake a row that was sent before it and has not been
// answered yet.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "services/collect_store.h"
#include "services/group_commit.h"
#include "trireme/answer.h"
#include "trireme/codec.h"
#include "trireme/options.h"
#include "trireme/result.h"
#include "trireme/server.h"

namespace services {

struct CollectOptions {
  // Of the database file; made if it is not there. Or "postgres://..." as libpq takes it, or
  // "mysql://USER:PASSWORD@HOST:PORT/DATABASE".
  std::string path;
  // What time a row without one gets. Called by several threads at once.
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
  // Rows that wait for their commit; further ones get `BUSY`.
  size_t waiting_rows_max = 65'536;
  // Bytes of the write-ahead log. Once it is as long, because another process reads the database
  // and does not end, rows are refused.
  uint64_t log_bytes_max = uint64_t{1} << 30;
  // Gets a line when commits fail and when they succeed again, one a second at most. Called by the
  // committing thread, which should not wait here for long. Empty: nobody hears of it.
  tr::LogSink log{};
};

// Owns the database and the committing thread. Must outlive the server that serves it.
class Collect {
 public:
  using Clock = std::chrono::steady_clock;
  // Gets the answer of one line, once. Must not block, and must not throw.
  using Send = std::function<void(tr::Answer)>;

  // Any thread. Blocks. Fails with a sentence when the database cannot be reached or written, is
  // none, or holds another table of our name.
  static tr::Result<std::unique_ptr<Collect>> open(CollectOptions options);
  ~Collect();
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;

  // Data worker; any number of threads at once. Answers one line: a row once it is committed, from
  // the committing thread; all else before the call returns. Queries block. A row whose deadline
  // passes before its commit begins is not stored.
  void answer(std::string_view line, Send send, Clock::time_point deadline = kNoDeadline);

  // Any thread. Since open().
  CommitCounters counters() const;

 private:
  static constexpr Clock::time_point kNoDeadline = Clock::time_point::max();
  struct Parts;
  using Words = std::span<const std::string_view>;
  explicit Collect(std::unique_ptr<Parts> parts);

  void insert(Words words, Send send, Clock::time_point deadline);
  tr::Answer query(Words words);
  tr::Answer last(Words words);
  tr::Answer range(Words words);
  tr::Answer count();

  const std::unique_ptr<Parts> parts_;
};

// Any thread. The codec of `collect`: lines, but one that begins an HTTP request ends the
// connection. So no page of a browser stores rows in a service of its user's computer.
std::shared_ptr<const tr::Codec> collect_lines();

// Before start(). Serves `collect` at `url`; a wrong URL is reported by Server::start().
void add_collect(tr::Server& server, Collect& collect, const std::string& url,
                 const tr::ListenOptions& options);

}  // namespace services
