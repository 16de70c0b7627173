// Memory of the process as the system sees it.
//
// Step: below all steps. Thread: any. Not a seam: it has no result and changes nothing that the
// server can see.
#pragma once

namespace trireme::inline v0 {

// malloc_trim(3): memory that is allocated no more goes back to the system. May take milliseconds.
void give_back_memory();

}  // namespace trireme::inline v0
