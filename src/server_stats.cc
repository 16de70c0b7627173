// The statistics of a server, added up from the books of its loops.
#include "server_stats.h"

#include <algorithm>

namespace trireme { inline namespace v0 {
namespace {

void add_books(Stats& stats, const Books& books) {
  for (size_t i = 0; i < stats.closed_by_reason.size(); ++i) {
    stats.closed_by_reason[i] += books.closed_by_reason[i].get();
    stats.closed += books.closed_by_reason[i].get();
  }
  stats.refused += books.refused.get();  // before `accepted`: what is live is never below zero
  stats.accepted += books.accepted.get();
  stats.accept_failures += books.accept_failures.get();
  stats.accept_pauses += books.accept_pauses.get();
  stats.slots_made += books.slots_made.get();
  stats.slots_gone += books.slots_gone.get();
  stats.requests += books.requests.get();
  stats.replies += books.replies.get();
  stats.replies_dropped += books.replies_dropped.get();
  stats.unanswered += books.unanswered.get();
  stats.refused_frames += books.refused_frames.get();
  stats.partial_requests_dropped += books.partial_requests_dropped.get();
  stats.handler_exceptions += books.handler_exceptions.get();
  stats.handler_deadlines += books.handler_deadlines.get();
  stats.stale_ids += books.stale_ids.get();
  stats.reads_paused += books.reads_paused.get();
  stats.jobs_inline += books.jobs_inline.get();
  stats.jobs_on_data_workers += books.jobs_on_data_workers.get();
  stats.direct_writes += books.direct_writes.get();
  stats.hand_overs += books.hand_overs.get();
  stats.hand_overs_asked += books.hand_overs_asked.get();
  stats.hand_overs_told += books.hand_overs_told.get();
  stats.stalls += books.stalls.get();
  stats.streams_refused += books.streams_refused.get();
  stats.layer_steps_inline += books.layer_steps_inline.get();
  stats.layer_steps_on_workers += books.layer_steps_on_workers.get();
  stats.layer_steps_refused += books.layer_steps_refused.get();
}

void add_loop(Stats& stats, EventLoop& loop, const Books& books) {
  add_books(stats, books);
  const LoopCounters& counters = loop.counters;
  stats.bytes_in += counters.bytes_in.get();
  stats.bytes_out += counters.bytes_out.get();
  stats.loop_turns += counters.loop_turns.get();
  stats.wakeups += counters.wakeups.get();
  stats.late_turns += counters.late_turns.get();
  stats.descriptors_opened += counters.descriptors_opened.get();
  stats.descriptors_closed += counters.descriptors_closed.get();
}

}  // namespace

Stats collect_stats(ServerContext& context, uint64_t data_workers) {
  Stats stats;
  for (uint32_t i = 0; i < context.io_workers(); ++i) {
    add_loop(stats, context.loop(i), context.books(i));
    stats.timers_made += context.loop(i).timers_made();
    stats.timers_gone += context.loop(i).timers_gone();
  }
  add_loop(stats, context.listener_loop(), context.books(context.io_workers()));
  stats.stale_ids += context.stale_ids.get();
  const uint64_t closed = context.spool_closed.get();  // first: what is open is never below zero
  const uint64_t opened = context.spool_opened.get();
  stats.spool_files_now = opened - closed;
  stats.spool_bytes_now = context.spool_bytes.load(std::memory_order_relaxed);
  stats.descriptors_opened += opened;
  stats.descriptors_closed += closed;
  stats.live = stats.accepted - stats.refused - stats.closed;
  stats.data_workers = data_workers;
  stats.buffer_bytes_now = static_cast<uint64_t>(context.buffers.bytes_now());
  stats.buffer_bytes_peak = static_cast<uint64_t>(context.buffers.bytes_peak());
  stats.buffers_made = context.buffers.made();
  stats.buffers_gone = context.buffers.gone();
  return stats;
}

void add_kind(KindStats& sum, const KindRecord& record) {
  sum.pinned = record.pinned();
  sum.requests_inline += record.requests_inline();
  sum.requests_on_data_workers += record.requests_on_data_workers();
  sum.late += record.late();
  (record.on_data_workers() ? sum.loops_on_data_workers : sum.loops_inline) += 1;
  sum.waiting = std::max<double>(sum.waiting, record.waiting());
  sum.cost = std::max<std::chrono::nanoseconds>(sum.cost, record.cost());
}

bool books_balance(const Stats& stats, const char** why) {
  const char* wrong = nullptr;
  if (stats.accepted != stats.refused + stats.closed + stats.live || stats.live != 0)
    wrong = "connections";
  if (stats.slots_made != stats.slots_gone) wrong = "slots";
  if (stats.descriptors_opened != stats.descriptors_closed) wrong = "descriptors";
  if (stats.requests + stats.refused_frames !=
      stats.replies + stats.unanswered + stats.replies_dropped) {
    wrong = "requests";
  }
  if (stats.timers_made != stats.timers_gone) wrong = "timers";
  if (stats.buffers_made != stats.buffers_gone) wrong = "buffers";
  if (stats.buffer_bytes_now != 0) wrong = "buffer bytes";
  if (why != nullptr) *why = wrong;
  return wrong == nullptr;
}

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kPeerClosed:
      return "peer closed";
    case CloseReason::kReset:
      return "reset";
    case CloseReason::kClosedByHandler:
      return "closed by handler";
    case CloseReason::kProtocolError:
      return "protocol error";
    case CloseReason::kIdleTimeout:
      return "idle timeout";
    case CloseReason::kRequestTimeout:
      return "request timeout";
    case CloseReason::kWriteTimeout:
      return "write timeout";
    case CloseReason::kSlowConsumer:
      return "slow consumer";
    case CloseReason::kOutOfMemory:
      return "out of memory";
    case CloseReason::kRefused:
      return "refused";
    case CloseReason::kDrained:
      return "drained";
    case CloseReason::kDrainCut:
      return "drain cut";
    case CloseReason::kSystemError:
      return "system error";
    case CloseReason::kCodecError:
      return "codec error";
    case CloseReason::kSilentTimeout:
      return "silent timeout";
    case CloseReason::kLayerFailed:
      return "layer failed";
    case CloseReason::kHandshakeTimeout:
      return "handshake timeout";
    case CloseReason::kCut:
      return "cut";
    case CloseReason::kSlowStream:
      return "slow stream";
    case CloseReason::kFileCut:
      return "file cut";
    case CloseReason::kReplyCut:
      return "reply cut";
  }
  return "unknown";
}

}}  // namespace trireme
