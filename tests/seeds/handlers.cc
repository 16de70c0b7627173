// The services of the server under test: a handler that answers, one with a Reply, and sessions.
#include <stdexcept>

#include "stage.h"

namespace seeds {
namespace {

using namespace std::chrono_literals;

// What a handler knows of its request, and the books of the strand.
class Call {
 public:
  Call(Stage& stage, size_t service, const tr::Request& request)
      : stage_(stage), plan_(stage.plan.services[service]) {
    if (plan_.lines) {
      const auto parsed = Command::parse(request.text());
      if (!parsed || parsed->client >= stage.notes.size()) {
        stage.complain("a handler got '" + request.own().substr(0, 60) + "'");
        throw std::runtime_error("no command");
      }
      command_ = *parsed;
    } else {
      draw_command(request);
    }
    Note& mine = note();
    mine.seen = true;
    mine.peer = request.peer();
    if (plan_.serial() && mine.running > 0) stage.complain("two handlers of a serial connection");
    if (plan_.serial() && mine.unanswered > 0 && !plan_.has_deadline()) {
      stage.complain("a request began before the reply to the one before");
    }
    ++mine.running;
    ++mine.unanswered;
  }
  ~Call() { --note().running; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Sleeps, pushes, closes, throws; returns the answer.
  tr::Answer act(const tr::Request& request) {
    const char verb = command_.verb;
    if (verb == 's') stage_.sleep(std::chrono::microseconds(command_.microseconds));
    if (verb == 'p') push_to_own(request.peer());
    if (verb == 'o') push_to_others();
    if (verb == 'c' || verb == 'C') note().cut = true;
    if (verb == 'C') request.peer().close();
    answered();
    if (verb == 't') throw std::runtime_error("as asked");
    if (verb == 'e') return tr::error("no");
    if (verb == 'd' || verb == 'x') return tr::error("internal");
    if (verb == 'b') return tr::busy();
    if (verb == 'n') return tr::no_answer();
    tr::Answer answer = plan_.lines ? tr::Answer(command_.answer()) : tr::Answer(request.text());
    if (verb == 'c') return std::move(answer).close_after();
    return answer;
  }

  void act(const tr::Request& request, tr::Reply reply) {
    if (command_.verb == 'd') return answered();  // drops it
    if (command_.verb != 'y' && command_.verb != 'x') return std::move(reply).send(act(request));
    auto kept = std::make_shared<tr::Reply>(std::move(reply));
    std::string bytes = plan_.lines ? command_.answer() : request.own();
    stage_.world.spawn("answer", [&stage = stage_, command = command_, kept, bytes]() mutable {
      stage.sleep(std::chrono::microseconds(command.microseconds));
      --stage.notes[command.client].unanswered;
      if (command.verb == 'y') std::move(*kept).send(tr::Answer(std::move(bytes)));
    });
  }

 private:
  Note& note() { return stage_.notes[command_.client]; }
  void answered() { --note().unanswered; }

  // A request of the codec `bytes` says who sent it and nothing more.
  void draw_command(const tr::Request& request) {
    Random& random = stage_.random;
    command_.client = client_of_byte(request.text().front());
    if (command_.client >= stage_.notes.size()) throw std::runtime_error("no such client");
    command_.verb = random.chance(1, 3) ? kVerbs[random.below(kVerbs.size())] : 'a';
    const bool ends = std::string_view("tdxebcC").find(command_.verb) != std::string_view::npos;
    if (command_.verb == 'n' || (ends && random.chance(9, 10))) {
      command_.verb = 'a';
    } else if (ends) {
      note().cut = true;
    }
    command_.microseconds = 100 + random.below(3'000);
  }

  std::string push_for(const ServicePlan& receiver) const {
    if (!receiver.lines) return std::string(1 + command_.number % 50, kPushByte);
    return "+" + std::to_string(command_.client) + " " + std::to_string(command_.number) +
           (plan_.serial() ? " s" : " p") + std::string(command_.number % 50, '.') + "\n";
  }

  void push_to_own(const tr::Peer& peer) {
    const auto overflow = static_cast<tr::Overflow>(stage_.random.below(3));
    const tr::SendResult result = peer.send(push_for(plan_), overflow);
    if (result == tr::SendResult::kQueued && overflow != tr::Overflow::kLatest) {
      note().own_pushes.insert(command_.number);
    }
  }

  void push_to_others() {
    for (size_t i = 0; i < stage_.notes.size(); ++i) {
      if (i == command_.client || !stage_.random.chance(1, 3)) continue;
      const ServicePlan& receiver = stage_.plan.services[stage_.plan.clients[i].service];
      // Sends of one request are not ordered with those of a codec that has no requests.
      if (receiver.lines && !plan_.lines) continue;
      const auto overflow = static_cast<tr::Overflow>(stage_.random.below(3));
      stage_.notes[i].peer.send(push_for(receiver), overflow);
    }
  }

  Stage& stage_;
  const ServicePlan& plan_;
  Command command_;
};

template <bool kConcurrent>
class Session {
 public:
  static constexpr bool concurrent = kConcurrent;

  Session(tr::Peer peer, Stage& stage) : stage_(stage) {
    ++stage_.sessions;
    if (stage_.random.chance(1, 4)) stage_.sleep(draw_time(stage_.random, 10us, 500us));
    if (stage_.random.chance(1, 4)) peer.send(greeting());
  }
  ~Session() { --stage_.sessions; }

  void on_request(const tr::Request& request, tr::Reply reply) {
    enter(kConcurrent);
    try {
      Call(stage_, 2, request).act(request, std::move(reply));
    } catch (...) {
      --inside_;
      throw;
    }
    --inside_;
  }
  void on_drain() {
    enter(false);
    if (drained_) stage_.complain("on_drain twice");
    drained_ = true;
    if (stage_.random.chance(1, 4)) stage_.sleep(draw_time(stage_.random, 10us, 500us));
    --inside_;
  }
  void on_close(tr::CloseReason) {
    enter(false);
    if (stage_.random.chance(1, 8)) stage_.sleep(draw_time(stage_.random, 10us, 3ms));
  }

 private:
  void enter(bool together) {
    if (inside_++ > 0 && !together) stage_.complain("two functions of a session at once");
  }
  std::string greeting() const { return stage_.plan.services[2].lines ? "+99 49 p" + dots() : "#"; }
  static std::string dots() { return std::string(49, '.') + "\n"; }

  Stage& stage_;
  int inside_ = 0;
  bool drained_ = false;
};

}  // namespace

Stage::Stage(sim::Machine& where, const Plan& what, Random draws)
    : world(where), plan(what), random(draws) {
  notes.resize(plan.clients.size());
  heard.resize(plan.clients.size());
  for (size_t i = 0; i < heard.size(); ++i) {
    const ClientPlan& client = plan.clients[i];
    heard[i].script = draw_script(random, i, client, plan.services[client.service]);
  }
  for (size_t i = 0; i < heard.size(); ++i) {
    const ServicePlan& service = plan.services[plan.clients[i].service];
    heard[i].transcript = std::make_unique<Transcript>(heard[i].script, service, i);
  }
}

// why: virtual time; nothing waits for real.
void Stage::sleep(Duration time) {
  const tr::Platform& platform = world.platform();
  platform.threads.sleep_until(platform.clock.now() + time);
}

void add_services(Stage& stage, tr::Server& server) {
  const auto url = "tcp://127.0.0.1:0";
  const auto codec = [&stage](size_t i) {
    return stage.plan.services[i].lines ? tr::lines() : tr::bytes();
  };
  const auto& services = stage.plan.services;
  server.listen(
      url, codec(0),
      [&stage](const tr::Request& request) { return Call(stage, 0, request).act(request); },
      services[0].options);
  server.listen(
      url, codec(1),
      [&stage](const tr::Request& request, tr::Reply reply) {
        Call(stage, 1, request).act(request, std::move(reply));
      },
      services[1].options);
  if (services[2].serial() && stage.plan.clients.size() % 2 == 0) {
    server.serve<Session<false>>(url, codec(2), services[2].options, stage);
  } else {
    server.serve<Session<true>>(url, codec(2), services[2].options, stage);
  }
}

}  // namespace seeds
