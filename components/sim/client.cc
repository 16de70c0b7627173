#include "trireme/sim/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include "sim/client_impl.h"
#include "sim/url.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint64_t kChanceOf = 10'000;

uint64_t stream_of(uint64_t seed, uint32_t client, uint64_t purpose) {
  Random random(seed ^ (uint64_t{client} << 32 | purpose));
  return random.next();
}

}  // namespace

std::string quoted(std::string_view bytes) {
  constexpr size_t kShown = 80;
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "\"";
  for (const char byte : bytes.substr(0, kShown)) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\r') {
      text += "\\r";
    } else if (byte == '"' || byte == '\\') {
      text += std::string("\\") + byte;
    } else if (code < 0x20 || code > 0x7e) {
      text += std::string("\\x") + kDigits[code >> 4] + kDigits[code & 15];
    } else {
      text += byte;
    }
  }
  text += '"';
  if (bytes.size() > kShown) text += "... (" + std::to_string(bytes.size()) + " bytes)";
  return text;
}

Client::Impl::Impl(World& in, World::Impl& inside, uint32_t client_number, std::string client_name)
    : world(in),
      at(inside),
      number(client_number),
      name(std::move(client_name)),
      faults(stream_of(inside.machine.seed(), client_number, 1)),
      draws(stream_of(inside.machine.seed(), client_number, 2)),
      talk(inside.machine) {}

void Client::Impl::run(Client& client, const std::function<void(Client&)>& function) {
  try {
    function(client);
    if (talk.is_open()) client.close();
  } catch (const Lost&) {
  } catch (const std::exception& error) {
    at.director.fail(title() + " throws: " + error.what(), {});
  } catch (...) {
    at.director.fail(title() + " throws", {});
  }
}

void Client::Impl::tell(const std::string& what) {
  if (at.director.keeps_lines()) at.director.tell(title() + " " + what);
}

void Client::Impl::fail(const std::string& what, Where where) {
  at.director.fail(title() + " " + what, where);
}

TimePoint Client::Impl::patience_end() const { return at.machine.now() + patience; }

void Client::Impl::disturb() {
  const Faults& now = at.machine.faults();
  if (now.client_stalled != 0 && faults.chance(now.client_stalled, kChanceOf)) {
    const auto most = static_cast<uint64_t>(std::max<int64_t>(1, now.client_stalled_max.count()));
    const Duration time(1 + faults.below(most));
    if (at.director.lets(FaultKind::kClientStall, number)) at.machine.sleep_for(time);
  }
  if (now.client_reset == 0 || !faults.chance(now.client_reset, kChanceOf)) return;
  if (!talk.is_open() || !at.director.lets(FaultKind::kClientReset, number)) return;
  talk.reset();
  tell("is reset by the network");
  throw Lost();
}

Client::Impl::Got Client::Impl::more(TimePoint until) {
  if (!std::exchange(has_read, true) && reading.delay > Duration(0)) {
    at.machine.sleep_for(reading.delay);
  }
  const auto received = talk.receive_some(std::max<size_t>(1, reading.bytes_max), until);
  heard += received.bytes;
  if (!received.bytes.empty()) tell("hears " + quoted(received.bytes));
  if (reading.pause > Duration(0)) at.machine.sleep_for(reading.pause);
  if (received.end) tell("hears the end of the stream");
  if (received.error != 0 && received.error != ETIMEDOUT) {
    tell(std::string("hears of an error: ") + std::strerror(received.error));
  }
  if (!received.bytes.empty()) return Got::kBytes;
  if (received.end) return Got::kEnd;
  return received.error == ETIMEDOUT ? Got::kLate : Got::kReset;
}

void Client::Impl::need_more(TimePoint until, const std::string& what, Where where) {
  const char* instead = "";
  switch (more(until)) {
    case Got::kBytes:
      return;
    case Got::kEnd:
      instead = " and the end of the stream";
      break;
    case Got::kReset:
      instead = " and a reset";
      break;
    case Got::kLate:
      instead = " and then nothing";
      break;
  }
  fail("waits for " + what + " and hears " + quoted(heard) + instead, where);
}

void Client::Impl::need_connection(const char* call, Where where) {
  if (!talk.is_open()) fail(std::string("calls ") + call + " without a connection", where);
  disturb();
}

std::string Client::Impl::take(size_t bytes) {
  std::string taken = heard.substr(0, bytes);
  heard.erase(0, bytes);
  return taken;
}

int Client::Impl::open(std::string_view url) {
  const auto address = address_of_url(url);
  if (!address)
    fail("cannot connect to '" + std::string(url) +
             "'; write tcp://HOST:PORT, unix:/path or unix:@name",
         {});
  if (talk.is_open()) fail("connects twice", {});
  disturb();
  heard.clear();
  has_read = false;
  const int error = talk.connect(*address, patience_end());
  tell(error == 0 ? "is connected" : std::string("is not connected: ") + std::strerror(-error));
  return error;
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

void Client::connect(std::string_view url, Where where) {
  const int error = impl_->open(url);
  if (error == 0) return;
  impl_->fail("cannot connect to '" + std::string(url) + "': " + std::strerror(-error), where);
}

bool Client::try_connect(std::string_view url) { return impl_->open(url) == 0; }

void Client::send(std::string_view bytes, Where where) {
  impl_->need_connection("send", where);
  if (impl_->at.director.keeps_lines()) impl_->tell("sends " + quoted(bytes));
  const int error = impl_->talk.send_all(bytes, impl_->patience_end());
  if (error == 0) return;
  impl_->fail("sends " + quoted(bytes) + ": " + std::strerror(-error), where);
}

void Client::expect(std::string_view bytes, Where where) {
  impl_->need_connection("expect", where);
  const TimePoint until = impl_->patience_end();
  std::string& heard = impl_->heard;
  for (;;) {
    const size_t size = std::min(heard.size(), bytes.size());
    if (heard.compare(0, size, bytes, 0, size) != 0) {
      impl_->fail("waits for " + quoted(bytes) + " and hears " + quoted(heard), where);
    }
    if (size == bytes.size()) break;
    impl_->need_more(until, quoted(bytes), where);
  }
  heard.erase(0, bytes.size());
}

void Client::expect_end(Where where) {
  impl_->need_connection("expect_end", where);
  if (impl_->heard.empty()) {
    switch (impl_->more(impl_->patience_end())) {
      case Impl::Got::kBytes:
        break;
      case Impl::Got::kEnd:
        return;
      case Impl::Got::kReset:
        impl_->fail("waits for the end of the stream and hears a reset", where);
      case Impl::Got::kLate:
        impl_->fail("waits for the end of the stream and hears nothing", where);
    }
  }
  impl_->fail("waits for the end of the stream and hears " + quoted(impl_->heard), where);
}

std::string Client::read_line(Where where) {
  impl_->need_connection("read_line", where);
  const TimePoint until = impl_->patience_end();
  size_t end = impl_->heard.find('\n');
  while (end == std::string::npos) {
    impl_->need_more(until, "a line", where);
    end = impl_->heard.find('\n');
  }
  std::string line = impl_->take(end + 1);
  line.pop_back();
  return line;
}

std::string Client::read(size_t bytes, Where where) {
  impl_->need_connection("read", where);
  const TimePoint until = impl_->patience_end();
  while (impl_->heard.size() < bytes) {
    impl_->need_more(until, std::to_string(bytes) + " bytes", where);
  }
  return impl_->take(bytes);
}

std::string Client::read_to_end(Where where) {
  impl_->need_connection("read_to_end", where);
  for (;;) {
    switch (impl_->more(impl_->patience_end())) {
      case Impl::Got::kBytes:
        break;
      case Impl::Got::kEnd:
        return std::exchange(impl_->heard, {});
      case Impl::Got::kReset:
        impl_->fail("reads to the end and hears " + quoted(impl_->heard) + " and a reset", where);
      case Impl::Got::kLate:
        impl_->fail("reads to the end and hears " + quoted(impl_->heard) + " and no end", where);
    }
  }
}

std::string Client::read_for(std::chrono::nanoseconds time) {
  impl_->need_connection("read_for", {});
  const TimePoint until = impl_->at.machine.now() + time;
  while (impl_->more(until) == Impl::Got::kBytes) {
  }
  return std::exchange(impl_->heard, {});
}

void Client::end(Where where) {
  impl_->need_connection("end", where);
  impl_->tell("ends its stream");
  impl_->talk.shutdown_write();
}

void Client::reset() {
  impl_->need_connection("reset", {});
  impl_->tell("resets");
  impl_->talk.reset();
}

void Client::close() {
  if (impl_->talk.is_open()) impl_->tell("closes");
  impl_->talk.close();
}

void Client::pause(std::chrono::nanoseconds time) { impl_->at.machine.sleep_for(time); }

void Client::read_slowly(const Reading& reading) {
  impl_->reading = reading;
  impl_->has_read = false;
}

void Client::set_patience(std::chrono::nanoseconds time) { impl_->patience = time; }
uint32_t Client::number() const { return impl_->number; }
const std::string& Client::name() const { return impl_->name; }
bool Client::connected() const { return impl_->talk.is_open(); }
uint64_t Client::below(uint64_t bound) { return impl_->draws.below(bound); }

}}}  // namespace trireme::sim
