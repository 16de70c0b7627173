// The rows of `collect` in a database that speaks the protocol of PostgreSQL.
//
// Part of `collect`; Collect::open makes it.
#pragma once

#include <memory>
#include <string>

#include "services/collect_store.h"

namespace services {

// Any thread. Blocks. Fails with a sentence when the database cannot be reached or written, or when
// it holds another table of our name.
tr::Result<std::unique_ptr<CollectStore>> open_postgres(const std::string& url);

}  // namespace services
