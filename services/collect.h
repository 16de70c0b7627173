// Service `collect`: keeps readings of devices in one SQLite file. The first real service on the
// public API.
//
//   DEVICE METRIC VALUE [UNIX_TIME]  -> OK            once the row is on the disk
//   LAST DEVICE METRIC               -> VALUE TIME    of the latest time; or NONE
//   RANGE DEVICE METRIC FROM TO      -> N, then N lines VALUE TIME
//   COUNT                            -> number of rows
//
// Words are separated by exactly one space. Names are [A-Za-z0-9_.:-]{1,64}; LAST, RANGE and COUNT
// cannot name a device. Numbers are finite doubles, printed with the fewest digits that read back
// as the same double (-0 is kept as 0). Times are seconds with fraction. RANGE includes both ends
// and answers in the order of time, equal times in the order they were stored; it stops after the
// first 10,000 rows, so who gets 10,000 asks again from the last time. Anything else, and a disk
// that fails, gets `ERR` and a sentence; the connection and the service live on.
//
// With pipelined ordering the requests of one connection run at once: a query sees every row whose
// `OK` its client has read, but it may overtake a row that was sent before it and has not been
// answered yet.
//
// The handler blocks (disk, and waiting for others' commit) and runs on many data workers at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "services/group_commit.h"
#include "trireme/answer.h"
#include "trireme/result.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

struct CollectOptions {
  std::string path;  // of the database file; made if it is not there
  // What time a row without one gets. Called by several threads at once.
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

// Owns the database. Must outlive the server that serves it.
class Collect {
 public:
  // Any thread. Blocks. Fails with a sentence when the file cannot be opened, is not a database, or
  // holds another table of our name.
  static tr::Result<std::unique_ptr<Collect>> open(CollectOptions options);
  ~Collect();
  Collect(const Collect&) = delete;
  Collect& operator=(const Collect&) = delete;

  // Data worker. Answers one line. Blocks until the row is on the disk or the query has been read;
  // any number of threads at once.
  tr::Answer answer(std::string_view line);

  // Any thread. Since open().
  CommitCounters counters() const;

 private:
  struct Store;
  using Words = std::span<const std::string_view>;
  explicit Collect(std::unique_ptr<Store> store);

  tr::Answer insert(Words words);
  tr::Answer last(Words words);
  tr::Answer range(Words words);
  tr::Answer count();

  const std::unique_ptr<Store> store_;
};

// Before start(). Serves `collect` at `url`; a wrong URL is reported by Server::start().
void add_collect(tr::Server& server, Collect& collect, const std::string& url,
                 const tr::ListenOptions& options);

}  // namespace services
