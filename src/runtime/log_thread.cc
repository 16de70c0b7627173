#include "runtime/log_thread.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "runtime/log.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kStuck = std::chrono::milliseconds(200);  // a sink that takes no line
constexpr Duration kFlushMax = std::chrono::seconds(1);

struct Line {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};

Line make_gap(uint64_t dropped) {
  return {LogLevel::kWarning,
          std::to_string(dropped) + " log lines before this one were dropped: nobody took them"};
}

}  // namespace

class LogThread::State : public std::enable_shared_from_this<State> {
 public:
  State(const Platform& platform, LogSink sink)
      : threads_(platform.threads), clock_(platform.clock), sink_(std::move(sink)) {}

  bool take_turns() const { return threads_.take_turns(); }
  void give(const Line& line) const noexcept;
  void put(LogLevel level, std::string_view text);
  bool flush();
  void end();

 private:
  static constexpr uint64_t kNotStuck = UINT64_MAX;
  using Spots = std::vector<std::shared_ptr<ParkSpot>>;

  void push(Line line) REQUIRES(mutex_);
  bool take(Line& line) REQUIRES(mutex_);
  bool all_given() const REQUIRES(mutex_) { return lines_.empty() && dropped_ == 0 && !is_giving_; }
  bool start_thread();
  void run();
  bool give_next(bool& ends);
  void give_all_here();

  Threads& threads_;
  Clock& clock_;
  const LogSink sink_;
  ParkSpot spot_;  // of the log thread

  Mutex mutex_;
  std::deque<Line> lines_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ GUARDED_BY(mutex_) = 0;  // behind the last of `lines_`
  uint64_t given_ GUARDED_BY(mutex_) = 0;    // calls of the sink that have returned
  bool is_giving_ GUARDED_BY(mutex_) = false;
  uint64_t stuck_at_ GUARDED_BY(mutex_) = kNotStuck;  // `given_` when a flush gave up
  bool is_starting_ GUARDED_BY(mutex_) = false;
  bool ends_ GUARDED_BY(mutex_) = false;
  bool is_left_ GUARDED_BY(mutex_) = false;  // the thread touches nothing outside of this any more
  Spots flushing_ GUARDED_BY(mutex_);
  std::unique_ptr<Thread> thread_ GUARDED_BY(mutex_);
};

void LogThread::State::give(const Line& line) const noexcept {
  try {
    if (sink_) {
      sink_(line.level, line.text);
    } else {
      log_to_standard_error(line.level, line.text);
    }
  } catch (...) {  // a log that fails must not cost more than its line
  }
}

void LogThread::State::push(Line line) {
  bytes_ += line.text.size();
  lines_.push_back(std::move(line));
}

void LogThread::State::put(LogLevel level, std::string_view text) {
  Line line{level, std::string(text.substr(0, kLineBytesMax))};
  if (text.size() > kLineBytesMax) line.text += "...";
  bool starts = false;
  {
    MutexLock lock(mutex_);
    if (ends_) return;
    if (lines_.size() >= kLinesMax || bytes_ + line.text.size() > kBytesMax) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) push(make_gap(std::exchange(dropped_, 0)));
    push(std::move(line));
    starts = thread_ == nullptr && !is_starting_;
    if (starts) is_starting_ = true;
  }
  if (starts) start_thread();
  threads_.unpark(spot_);
}

// With is_starting_ set by the caller.
bool LogThread::State::start_thread() {
  int error = 0;
  std::unique_ptr<Thread> thread = threads_.start(
      "log", [self = shared_from_this()] { self->run(); }, error);
  const bool started = thread != nullptr;
  {
    MutexLock lock(mutex_);
    is_starting_ = false;
    if (!ends_) thread_ = std::move(thread);
  }
  if (thread != nullptr) thread->detach();  // the end came meanwhile: it goes by itself
  return started;
}

bool LogThread::State::take(Line& line) {
  if (!lines_.empty()) {
    line = std::move(lines_.front());
    lines_.pop_front();
    bytes_ -= line.text.size();
  } else if (dropped_ > 0) {
    line = make_gap(std::exchange(dropped_, 0));
  } else {
    return false;
  }
  is_giving_ = true;
  return true;
}

// The log thread. False: there is no line; `ends`: nor will there be.
bool LogThread::State::give_next(bool& ends) {
  Line line;
  {
    MutexLock lock(mutex_);
    if (is_left_ || !take(line)) {
      ends = ends_;
      return false;
    }
  }
  give(line);
  Spots flushing;
  {
    MutexLock lock(mutex_);
    is_giving_ = false;
    ++given_;
    ends = is_left_;
    if (ends) return false;
    flushing = flushing_;
  }
  for (const auto& spot : flushing) threads_.unpark(*spot);
  return true;
}

void LogThread::State::run() {
  bool ends = false;
  while (!ends) {
    if (!give_next(ends) && !ends) threads_.park(spot_, kNever);
  }
}

// Without a thread.
void LogThread::State::give_all_here() {
  while (true) {
    Line line;
    {
      MutexLock lock(mutex_);
      is_giving_ = false;
      if (!take(line)) return;
    }
    give(line);
  }
}

// False: the sink hangs.
bool LogThread::State::flush() {
  bool starts = false;
  const auto spot = std::make_shared<ParkSpot>();
  {
    MutexLock lock(mutex_);
    if (all_given()) return true;
    if (given_ == stuck_at_) return false;  // the same call of the sink still hangs
    starts = thread_ == nullptr && !is_starting_;
    if (starts) is_starting_ = true;
    flushing_.push_back(spot);
  }
  if (starts && !start_thread()) give_all_here();
  const TimePoint end = clock_.now() + kFlushMax;
  TimePoint stuck_at = clock_.now() + kStuck;
  uint64_t seen = 0;
  bool done = false;
  for (TimePoint now = clock_.now(); !done && now < std::min(end, stuck_at); now = clock_.now()) {
    {
      MutexLock lock(mutex_);
      done = all_given();
      if (std::exchange(seen, given_) != given_) stuck_at = now + kStuck;
    }
    if (!done) threads_.park(*spot, std::min(end, stuck_at));
  }
  const bool is_stuck = clock_.now() >= stuck_at;
  MutexLock lock(mutex_);
  std::erase(flushing_, spot);
  if (!all_given() && is_stuck) stuck_at_ = given_;
  return all_given();
}

void LogThread::State::end() {
  const bool flushed = flush();
  std::unique_ptr<Thread> thread;
  {
    MutexLock lock(mutex_);
    ends_ = true;
    is_left_ = !flushed;
    thread = std::move(thread_);
  }
  if (thread == nullptr) return;
  threads_.unpark(spot_);
  if (flushed) {
    thread->join();
  } else {
    thread->detach();
  }
}

LogThread::LogThread(const Platform& platform, LogSink sink)
    : state_(std::make_shared<State>(platform, std::move(sink))) {}

LogThread::~LogThread() { end(); }

void LogThread::end() const { state_->end(); }

LogSink LogThread::queue() const {
  return [state = state_](LogLevel level, std::string_view text) {
    if (state->take_turns()) {
      state->give({level, std::string(text)});
    } else {
      state->put(level, text);
    }
  };
}

void LogThread::flush() const { static_cast<void>(state_->flush()); }

}}  // namespace trireme
