// The rows of `collect` in MariaDB, or in a database that speaks its protocol.
//
// Part of `collect`; Collect::open makes it.
#pragma once

#include <memory>
#include <string>

#include "services/collect_store.h"

namespace services {

// Any thread. Blocks. `url`: "mysql://USER:PASSWORD@HOST:PORT/DATABASE", or with "?socket=/path".
// Fails with a sentence when it is wrong, when the database cannot be reached or written, or when
// it holds another table of our name.
tr::Result<std::unique_ptr<CollectStore>> open_mariadb(const std::string& url);

}  // namespace services
