// The rows of `collect` in one SQLite file.
//
// Part of `collect`; Collect::open makes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "services/collect_store.h"
#include "trireme/options.h"

namespace services {

struct SqliteOptions {
  std::string path{};
  uint64_t log_bytes_max = 0;
  tr::LogSink log{};  // called by the committing thread
};

// Any thread. Blocks. Fails with a sentence when the file cannot be opened or written, is not a
// database, or holds another table of our name.
tr::Result<std::unique_ptr<CollectStore>> open_sqlite(SqliteOptions options);

}  // namespace services
