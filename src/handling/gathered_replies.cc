#include "handling/gathered_replies.h"

namespace trireme { inline namespace v0 {

// There is room. False: the codec has made a mistake.
bool GatheredReplies::add_asked(std::string_view body, const Codec& codec) {
  Envelope made;
  if (!ask_envelope(codec, body.size(), made)) return false;
  std::memcpy(bytes_.data() + all_.bytes, made.head.data(), made.head.size());
  put(body, made);
  return true;
}

}}  // namespace trireme
