// The calls of codecs that find requests: inlined, for every request pays for them.
//
// Step 3. Thread: the holder of the loop.
#pragma once

#include "connection/io_worker.h"
#include "framing/frame_guard.h"

namespace trireme { inline namespace v0 {

// What the codec finds at the front of `input`. When it throws: the end.
[[gnu::always_inline]] inline Frame IoWorker::decode_or_end_in_loop(Connection& connection,
                                                                    std::string_view input,
                                                                    bool ended) {
  try {
    return connection.codec->decode(connection.decode_state, input, ended,
                                    connection.listening->frame_bytes_max);
  } catch (...) {
    if (connection.input_bytes() == 0) batch_input_ = input;  // so that it counts as dropped
    codec_threw_in_loop(connection, "decode()");
    return {.kind = Frame::Kind::kEnd};
  }
}

// The same, believed only after a look. Of a request at most `consumed_max` bytes may be consumed:
// what there is, and not over the limit. After a mistake of the codec the connection is on its way
// to its end, and the frame says so, too.
[[gnu::always_inline]] inline Frame IoWorker::ask_codec_in_loop(Connection& connection,
                                                                std::string_view input, bool ended,
                                                                size_t consumed_max) {
  Frame frame = decode_or_end_in_loop(connection, input, ended);
  const bool is_request = frame.kind == Frame::Kind::kRequest;
  const bool is_believed = connection.codec == connection.listening->tested_codec;
  if (!is_request || !(is_believed || is_sound_request(frame, input, consumed_max))) {
    judge_in_loop(connection, input, ended, frame);
  }
  return frame;
}

// The requests that follow the first of a job. 0: there are none, or the codec has made a mistake.
[[gnu::always_inline]] inline size_t IoWorker::ask_for_requests_in_loop(
    Connection& connection, std::string_view input, uint32_t kind, std::span<DecodedRequest> into) {
  const size_t frame_bytes_max = connection.listening->frame_bytes_max;
  size_t found = 0;
  try {
    found = connection.codec->decode_requests(connection.decode_state, input,
                                              connection.input_ended, frame_bytes_max, kind, into);
  } catch (...) {
    codec_threw_in_loop(connection, "decode_requests()");
    return 0;
  }
  if (found > into.size()) {
    codec_failed_in_loop(connection, "decode_requests() found more than it was asked for");
    return 0;
  }
  const bool is_believed = connection.codec == connection.listening->tested_codec;
  if (!is_believed &&
      !follow_each_other(into.first(found), input, frame_bytes_limit(frame_bytes_max))) {
    codec_failed_in_loop(connection, "decode_requests() found what does not follow each other");
    return 0;
  }
  return found;
}

}}  // namespace trireme
