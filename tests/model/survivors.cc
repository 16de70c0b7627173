#include "model/survivors.h"

namespace trireme::model {

std::vector<Survivor> survivors() {
  return {
      {"loop_word.h take cas: success relaxed",
       "what take is given was returned by load, which has acquired the same store; the order "
       "stays, "
       "so that take is right by itself"},
      {"sleep_word.h try_park_watcher cas: success acq_rel",
       "release would do, but a failing look must be seq_cst, and not every compiler takes a "
       "failure "
       "order that is stronger than the one of success"},
      {"sleep_word.h try_park_watcher cas: success release", "as acq_rel"},
  };
}

}  // namespace trireme::model
