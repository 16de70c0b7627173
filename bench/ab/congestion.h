// The congestion control of sockets, set from outside: a server need not know that it is measured.
#pragma once

#include <sys/types.h>

#include <string>

namespace bench {

// Of every TCP socket that `pid` (0: this process) holds now; connections that its listeners accept
// later inherit it. Needs the right to trace that process, which its parent has. False: said why on
// standard error.
bool set_congestion(pid_t pid, const std::string& name);

}  // namespace bench
