// Step 3, framing: what a decoder has understood of a request, for its handler.
//
// Thread: the holder of the loop makes it; then it is the handler's, which only reads.
#pragma once

namespace trireme { inline namespace v0 {

// The base of parsed forms of a request, such as an HTTP head: DecodedFrame::view. A handler gets
// it by `request.as<T>()`, without parsing twice.
class RequestView {
 public:
  RequestView() = default;
  RequestView(const RequestView&) = default;
  RequestView& operator=(const RequestView&) = default;
  virtual ~RequestView() = default;

  // Loop thread, before the handler starts. `frame` is where the consumed bytes of the frame lie
  // until the handler has returned. They may have moved since they were decoded, and may move once
  // more, with a further call: so a view that refers to them keeps offsets. Null if the frame has
  // consumed no byte.
  virtual void place(const char* /*frame*/) noexcept {}
};

}}  // namespace trireme
