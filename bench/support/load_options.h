// The load of ab_timer, as its command line says it.
#pragma once

#include <string_view>

#include "support/arguments.h"
#include "tool/bench/load.h"

namespace bench {

extern const char kLoadOptionsHelp[];
LoadOptions take_load_options(Arguments& arguments, std::string_view scenario);

}  // namespace bench
