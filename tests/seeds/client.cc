// One client: sends its script in pieces, reads or does not, and ends as its plan says.
#include <algorithm>
#include <cerrno>

#include "sim/sim_client.h"
#include "stage.h"

namespace seeds {
namespace {

using namespace std::chrono_literals;

class Client {
 public:
  Client(Stage& stage, size_t index)
      : stage_(stage),
        plan_(stage.plan.clients[index]),
        heard_(stage.heard[index]),
        note_(stage.notes[index]),
        random_(stage.random.next()),
        talk_(stage.world) {}

  void run() {
    stage_.world.sleep_for(plan_.starts_after);
    if (talk_.connect(stage_.ports[plan_.service], now() + 10s) != 0) return;
    heard_.connected = true;
    resets_at_ = plan_.manner == Manner::kResets ? now() + plan_.resets_after : tr::kNever;
    while (turn()) {
    }
    heard_.transcript->finish();
  }

 private:
  TimePoint now() const { return stage_.world.now(); }
  bool has_sent_all() const { return sent_ == heard_.script.bytes.size() || send_failed_; }

  // False: over.
  bool turn() {
    if (now() >= resets_at_) {
      heard_.left = true;
      talk_.reset();
      return false;
    }
    if (!has_sent_all() && now() >= send_at_) send();
    if (has_sent_all() && plan_.manner == Manner::kHalfCloses && !half_closed_) {
      half_closed_ = true;
      talk_.shutdown_write();
    }
    if (plan_.manner == Manner::kNeverReads) {
      stage_.world.sleep_for(3ms);
      heard_.left = stage_.server_is_gone;
      return !stage_.server_is_gone;
    }
    if (now() >= read_at_) return receive();
    stage_.world.sleep_for(std::max(Duration(1us), std::min(read_at_, next_moment()) - now()));
    return true;
  }

  // When there is something to do besides reading.
  TimePoint next_moment() const {
    const TimePoint send_at = has_sent_all() ? tr::kNever : std::max(send_at_, now() + 10us);
    return std::min({resets_at_, send_at, now() + 100ms});
  }

  void send() {
    const size_t bytes = 1 + random_.below(plan_.piece_bytes_max);
    const int result = talk_.send_all(std::string_view(heard_.script.bytes).substr(sent_, bytes),
                                      now() + draw_time(random_, 0us, 300us));
    sent_ = talk_.sent_bytes();
    heard_.sent.emplace_back(now(), sent_);
    if (result != 0 && result != -ETIMEDOUT) {
      send_failed_ = true;
      heard_.error = -result;
    }
    send_at_ = now() + draw_time(random_, 0us, plan_.think_max);
  }

  bool receive() {
    const auto received = talk_.receive_some(plan_.read_bytes_max, next_moment());
    heard_.transcript->feed(received.bytes, note_.own_pushes);
    if (!heard_.transcript->complaint().empty()) return false;
    heard_.has_end = received.end && !send_failed_;
    if (received.end) return false;
    if (received.error != 0 && received.error != ETIMEDOUT) {
      heard_.error = received.error;
      return false;
    }
    if (random_.chance(plan_.pauses_of_100, 100)) read_at_ = now() + draw_time(random_, 0us, 30ms);
    if (plan_.manner == Manner::kCloses && has_sent_all() && heard_.transcript->complete()) {
      heard_.left = true;
      return false;
    }
    return true;
  }

  Stage& stage_;
  const ClientPlan& plan_;
  Heard& heard_;
  Note& note_;
  Random random_;
  sim::SimClient talk_;
  size_t sent_ = 0;
  bool send_failed_ = false;
  bool half_closed_ = false;
  TimePoint resets_at_ = tr::kNever;
  TimePoint send_at_;
  TimePoint read_at_;
};

}  // namespace

void run_client(Stage& stage, size_t index) {
  Client(stage, index).run();
  stage.heard[index].done = true;
}

}  // namespace seeds
