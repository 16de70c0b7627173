// The load of ab_timer, as its command line says it.
#pragma once

#include <string_view>

#include "load/load.h"
#include "support/arguments.h"

namespace bench {

extern const char kLoadOptionsHelp[];
load::LoadOptions take_load_options(Arguments& arguments, std::string_view scenario);

}  // namespace bench
