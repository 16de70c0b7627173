// What is served at one endpoint: service, codec, options. Immutable after start; outlives every
// connection.
//
// Steps 1 to 6 read it, from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framing/checked_decoder.h"
#include "framing/codec_traits.h"
#include "reply/envelope_maker.h"
#include "roster/networks.h"
#include "roster/roster.h"
#include "runtime/system/clock.h"
#include "trireme/codec.h"
#include "trireme/detail/service.h"
#include "trireme/options.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

struct Listening {
  // First what every request reads.
  std::shared_ptr<const Codec> codec;
  std::shared_ptr<detail::Service> service;
  bool has_session = false;
  bool has_on_end = false;       // of prepare(), as those below
  bool push_is_activity = true;  // likewise
  uint32_t index = 0;            // among the listeners of its server
  // Of prepare(): nobody asks before.
  Dispatch dispatch = Dispatch::kInline;
  bool is_overlapping = false;  // several requests of a connection are at work at once
  bool is_unordered = false;
  bool notes_requests = false;  // OpenRequests, whatever the codec
  bool reads_ahead = false;     // while a request is handled
  const char* name = "";
  FrameRules frame_rules;
  EnvelopeMaker envelopes;  // of its codec
  CodecTraits codec_traits;
  ListenOptions options;
  std::string url;
  // Of its connections, the outermost first: those of the URL, then those of the options.
  std::vector<std::shared_ptr<const LayerFactory>> layers;
  bool demands_proxy = false;  // the first of them is the PROXY header, of these senders
  Networks proxy_senders;

  // Before start(). `of_server`: where handlers run that have no policy of their own.
  void prepare(Dispatch of_server) {
    dispatch = options.dispatch.value_or(of_server);
    if (options.streams) dispatch = Dispatch::kWorkers;
    is_overlapping = options.ordering != Ordering::kSerial;
    is_unordered = options.ordering == Ordering::kUnordered;
    notes_requests = is_unordered || has_deadline();
    reads_ahead = options.limits.read_ahead_bytes_max > 0;
    name = options.name.c_str();
    push_is_activity = options.limits.push_is_activity;
    has_on_end = has_session && service->session().has_on_end;
    layers = options.layers;
    frame_rules = {.frame_bytes_max = options.limits.frame_bytes_max,
                   .tested_codec = is_tested(*codec) ? codec.get() : nullptr};
    envelopes = EnvelopeMaker(*codec);
    codec_traits = CodecTraits::of(*codec);
  }
  // What goes around the answers of a connection that speaks `spoken`.
  const EnvelopeMaker& envelopes_of(const Codec* spoken) const {
    return spoken == codec.get() ? envelopes : kAsksEachTime;
  }
  // For other threads.
  ListenerFacts facts() const {
    const Limits& limits = options.limits;
    return {.session = has_session ? service->session() : detail::SessionTraits{},
            .write_bytes_high = static_cast<uint32_t>(limits.write_bytes_high),
            .write_bytes_low = static_cast<uint32_t>(limits.write_bytes_low),
            .calls_max = static_cast<uint16_t>(limits.calls_max),
            .timers_max = static_cast<uint8_t>(limits.timers_max)};
  }
  // Of its sessions: parts of bodies go there.
  bool has_on_body() const { return has_session && service->session().has_on_body; }
  bool has_layers() const { return !layers.empty(); }
  bool has_deadline() const { return options.handler_time_max > Duration(0); }
  // With has_deadline(). Of a request that was read then.
  TimePoint deadline_of(TimePoint read_at) const {
    return time_after(read_at, options.handler_time_max);
  }
  bool overlaps() const { return is_overlapping; }
  uint64_t in_flight_max() const { return overlaps() ? options.limits.in_flight_max : 1; }

 private:
  static const EnvelopeMaker kAsksEachTime;
};

inline const EnvelopeMaker Listening::kAsksEachTime;

}}  // namespace trireme
