// Goal: whoever reads the list of tests sees which databases were not there.
// Method: a test that is skipped for each component that this build lacks.
#include <gtest/gtest.h>

namespace {

[[maybe_unused]] constexpr const char* kHow = " is missing: `./dev test --databases` installs it";

TEST(Databases, ComponentPostgres) {
#ifndef TRIREME_HAS_POSTGRES
  GTEST_SKIP() << "libpq" << kHow;
#endif
}

TEST(Databases, ComponentMariaDb) {
#ifndef TRIREME_HAS_MARIADB
  GTEST_SKIP() << "libmariadb" << kHow;
#endif
}

TEST(Databases, ComponentRedis) {
#ifndef TRIREME_HAS_REDIS
  GTEST_SKIP() << "hiredis" << kHow;
#endif
}

}  // namespace
