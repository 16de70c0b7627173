#include "runtime/driver.h"

#include <cerrno>
#include <cstring>

namespace trireme::inline v0 {

std::string why_not_watched(int error) {
  if (error == ERANGE) {
    return "select watches descriptors below 1024 only; choose the driver epoll or poll, or open "
           "fewer descriptors";
  }
  return std::strerror(error);
}

}  // namespace trireme
