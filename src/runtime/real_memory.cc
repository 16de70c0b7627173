#include "runtime/real_memory.h"

#include <malloc.h>

namespace trireme::inline v0 {

void give_back_memory() { ::malloc_trim(0); }

}  // namespace trireme::inline v0
