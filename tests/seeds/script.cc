#include "script.h"

#include <algorithm>
#include <charconv>

namespace seeds {
namespace {

constexpr std::string_view kTooLong = "ERR the line is too long\n";
constexpr std::string_view kLate = "ERR deadline exceeded\n";

std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

std::string reply_of(const Command& command) {
  switch (command.verb) {
    case 't':
    case 'd':
    case 'x':
      return "ERR internal\n";
    case 'e':
      return "ERR no\n";
    case 'b':
      return "BUSY\n";
    case 'n':
      return {};
    default:
      return command.answer() + "\n";
  }
}

Command draw_command(Random& random, size_t client, uint64_t number, const ServicePlan& service) {
  Command command{.client = client, .number = number};
  command.verb = kVerbs[random.below(kVerbs.size())];
  const bool rare = command.verb == 'c' || command.verb == 'C';
  if (rare && random.chance(2, 3)) command.verb = 'a';
  if (command.verb == 'n' && service.has_deadline()) command.verb = 'a';
  command.microseconds = 100 + random.below(random.chance(1, 3) ? 6'000 : 2'000);
  if (random.chance(1, 20)) command.microseconds = random.below(50'000);
  command.reply_bytes = random.below(random.chance(1, 12) ? 20'000 : 200);
  return command;
}

void draw_lines(Random& random, size_t client, const ServicePlan& service, Script& script) {
  const size_t limit = service.options.limits.frame_bytes_max;
  const uint64_t requests = 1 + random.below(random.chance(1, 3) ? 100 : 20);
  for (uint64_t number = 1; number <= requests; ++number) {
    const Command command = draw_command(random, client, number, service);
    std::string line = command.line();
    std::string reply = reply_of(command);
    bool closes = command.verb == 'c' || command.verb == 'C';
    if (limit < 100'000 && random.chance(1, 25)) {
      line.append(limit + 2 + random.below(limit), 'l');
      reply = kTooLong;
      closes = false;
    } else if (random.chance(1, 4)) {
      line.append(random.below(std::min<size_t>(limit, 5'000) - line.size() + 1), '.');
    }
    script.bytes += line + (random.chance(1, 8) ? "\r\n" : "\n");
    script.steps.push_back({script.bytes.size(), number, std::move(reply), closes});
  }
}

}  // namespace

std::optional<Command> Command::parse(std::string_view line) {
  Command command;
  const auto client = take_number(line);
  const auto number = take_number(line);
  if (!client || !number || line.empty()) return std::nullopt;
  command.client = *client;
  command.number = *number;
  command.verb = line.front();
  line.remove_prefix(1);
  const auto microseconds = take_number(line);
  const auto reply_bytes = take_number(line);
  if (!microseconds || !reply_bytes) return std::nullopt;
  command.microseconds = *microseconds;
  command.reply_bytes = *reply_bytes;
  return command;
}

std::string Command::line() const {
  return std::to_string(client) + " " + std::to_string(number) + " " + verb +
         std::to_string(microseconds) + " " + std::to_string(reply_bytes) + " ";
}

std::string Command::answer() const {
  return "= " + std::to_string(client) + " " + std::to_string(number) + " " +
         std::string(reply_bytes, static_cast<char>('a' + number % 26));
}

char stream_byte(size_t client, size_t position) {
  const uint64_t mark = Random(position * 31 + client).next() % 8;
  return static_cast<char>(48 + client * 8 + mark);
}

Script draw_script(Random& random, size_t client, const ClientPlan& plan,
                   const ServicePlan& service) {
  Script script;
  if (service.lines) {
    draw_lines(random, client, service, script);
  } else {
    const size_t bytes = 1 + random.below(random.chance(1, 4) ? 80'000 : 4'000);
    for (size_t i = 0; i < bytes; ++i) script.bytes += stream_byte(client, i);
  }
  script.request_bytes = script.bytes.size();
  if (service.lines && plan.sends_rest) script.bytes += "a rest that is no request";
  return script;
}

void Transcript::feed(std::string_view bytes, const std::set<uint64_t>& own_pushes) {
  if (!service_.lines) return take_bytes(bytes);
  rest_ += bytes;
  size_t begin = 0;
  while (true) {
    const size_t end = rest_.find('\n', begin);
    if (end == std::string::npos) break;
    take_line(std::string_view(rest_).substr(begin, end + 1 - begin), own_pushes);
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

void Transcript::take_line(std::string_view line, const std::set<uint64_t>& own_pushes) {
  if (line.front() == '+') return take_push(line);
  while (next_ < script_.steps.size() && script_.steps[next_].reply.empty()) ++next_;
  if (next_ == script_.steps.size()) {
    complaint_ += "got more than all replies: " + std::string(line.substr(0, 60)) + "; ";
    return;
  }
  const Script::Step& step = script_.steps[next_++];
  if (line == kLate && service_.has_deadline()) return;
  if (line != step.reply) {
    complaint_ += "got '" + std::string(line.substr(0, 60)) + "' instead of '" +
                  step.reply.substr(0, 60) + "'; ";
  }
  if (own_pushes.contains(step.number) && !own_seen_.contains(step.number)) {
    complaint_ += "got reply " + std::to_string(step.number) + " before its push; ";
  }
}

void Transcript::take_push(std::string_view line) {
  line.remove_prefix(1);
  const auto from = take_number(line);
  const auto number = take_number(line);
  if (!from || !number || line.size() != *number % 50 + 2) {
    complaint_ += "got a push that is not whole; ";
    return;
  }
  if (*from == client_) own_seen_.insert(*number);
  uint64_t& latest = pushed_[*from * 2 + (line.front() == 's' ? 1 : 0)];
  // Handlers of a serial connection run one after the other; the line says if it is one.
  if (line.front() == 's' && *number <= latest) {
    complaint_ += "got pushes of client " + std::to_string(*from) + " out of order; ";
  }
  latest = *number;
}

void Transcript::take_bytes(std::string_view bytes) {
  for (const char byte : bytes) {
    if (byte == kPushByte) continue;
    const bool more = echoed_ < script_.bytes.size();
    if (more && byte == script_.bytes[echoed_]) {
      ++echoed_;
      continue;
    }
    complaint_ += "got a wrong byte behind " + std::to_string(echoed_) + "; ";
    return;
  }
}

void Transcript::finish() {
  if (!service_.lines || rest_.empty() || rest_.front() == '+') return;
  size_t step = next_;
  while (step < script_.steps.size() && script_.steps[step].reply.empty()) ++step;
  const bool late = service_.has_deadline() && kLate.starts_with(rest_);
  if (step < script_.steps.size() && (script_.steps[step].reply.starts_with(rest_) || late)) return;
  complaint_ += "ended with '" + rest_.substr(0, 60) + "'; ";
}

bool Transcript::answered(size_t bytes) const {
  if (!service_.lines) return echoed_ >= bytes;
  for (size_t i = next_; i < script_.steps.size() && script_.steps[i].end <= bytes; ++i) {
    if (!script_.steps[i].reply.empty()) return false;
  }
  return true;
}

size_t Transcript::answered_bytes() const {
  if (!service_.lines) return echoed_;
  return next_ == 0 ? 0 : script_.steps[next_ - 1].end;
}

bool Transcript::past_close() const {
  for (const Script::Step& step : script_.steps) {
    if (step.closes) return answered(step.end);
  }
  return false;
}

}  // namespace seeds
