// The waiting line of a pool: what comes back goes to one taker, none waits in vain, and no waiter
// is gone before its giver is through with it.
#include <optional>
#include <vector>

#include "handling/waiting_line.h"
#include "model/scenarios.h"

namespace trireme::model {
namespace {

struct Waiter {
  Var<Waiter*> next{nullptr, "a waiter's link"};
  Atomic<uint32_t> state{kWaitingInLine};
  Var<int> grant{0, "what a waiter is given"};
  Var<int> spot_memory{0, "the memory of a spot"};
  Signal spot{Signal::Carries::kKnowledge};
};

using Line = BasicWaitingLine<Waiter, Mutex>;

constexpr int kThing = 1, kLook = 2;

// As PoolCore, with one thing that is in use at first.
struct Pool {
  Mutex mutex;
  Line line;
  int idle = 0;  // guarded by mutex
  Var<int> thing{0, "a thing"};
  std::optional<Waiter> waiters[2];

  Pool() {
    for (auto& waiter : waiters) waiter.emplace();
  }

  // False: its time was over.
  bool take(int number, bool may_give_up) {
    std::optional<Waiter>& place = waiters[number];
    const bool taken = take(*place, may_give_up);
    place.reset();  // it was on the stack
    return taken;
  }

  void give() {
    Waiter* waiter = nullptr;
    {
      Lock lock(mutex);
      waiter = line.pop(mutex);
      if (waiter == nullptr) ++idle;
      if (waiter != nullptr) waiter->grant = kThing;
    }
    if (waiter != nullptr) call(*waiter);
  }
  void call_to_look() {
    Waiter* waiter = nullptr;
    {
      Lock lock(mutex);
      waiter = line.pop(mutex);
      if (waiter != nullptr) waiter->grant = kLook;
    }
    if (waiter != nullptr) call(*waiter);
  }

 private:
  static void call(Waiter& waiter) {
    require(waiter.spot_memory == 0, "the spot is there");
    waiter.spot.give();
    Line::settle(waiter);
  }
  bool take(Waiter& waiter, bool may_give_up) {
    for (bool in_front = false;; in_front = true) {
      {
        Lock lock(mutex);
        if ((in_front || line.empty(mutex)) && idle > 0) {
          --idle;
          return true;
        }
        line.push(mutex, waiter, in_front);
      }
      while (!Line::is_granted(waiter)) {
        if (may_give_up && choose(2) == 1) {
          Lock lock(mutex);
          if (line.remove(mutex, waiter)) return false;
          break;
        }
        waiter.spot.take();
      }
      Line::await_settled(waiter, [] { relax(); });
      if (waiter.grant == kThing) return true;
    }
  }
};

void use(Pool& pool) { pool.thing = pool.thing + 1; }

void thing_that_comes_back(Model& model) {
  Pool pool;
  model.thread("taker", [&] {
    require(pool.take(0, false), "it comes");
    use(pool);
  });
  model.thread("giver", [&] {
    use(pool);
    pool.give();
  });
  model.run();
  require(pool.thing == 2, "both have had it");
}

void two_takers(Model& model) {
  Pool pool;
  for (const int number : {0, 1}) {
    model.thread(number == 0 ? "taker 0" : "taker 1", [&pool, number] {
      pool.take(number, false);
      use(pool);
      pool.give();
    });
  }
  model.thread("giver", [&] {
    use(pool);
    pool.give();
  });
  model.run();
  require(pool.thing == 3, "all have had it");
  require(pool.idle == 1, "it is back");
}

// The time of a taker is over while the thing comes: it has it, or the pool has.
void taker_that_gives_up(Model& model) {
  Pool pool;
  bool taken = false;
  model.thread("taker", [&] {
    taken = pool.take(0, true);
    if (taken) use(pool);
  });
  model.thread("giver", [&] {
    use(pool);
    pool.give();
  });
  model.run();
  require(pool.idle == (taken ? 0 : 1), "it is not lost");
}

void one_gives_up_and_one_waits(Model& model) {
  Pool pool;
  bool taken = false;
  model.thread("taker that gives up", [&] {
    taken = pool.take(0, true);
    if (!taken) return;
    use(pool);
    pool.give();
  });
  model.thread("taker that waits", [&] {
    pool.take(1, false);
    use(pool);
    pool.give();
  });
  model.thread("giver", [&] {
    use(pool);
    pool.give();
  });
  model.run();
  require(pool.thing == (taken ? 3 : 2), "who waits has had it");
}

// One is called to look again, finds nothing, and waits once more in front of all.
void call_to_look_again(Model& model) {
  Pool pool;
  model.thread("taker", [&] {
    require(pool.take(0, false), "it comes");
    use(pool);
  });
  model.thread("giver", [&] {
    pool.call_to_look();
    use(pool);
    pool.give();
  });
  model.run();
  require(pool.thing == 2, "both have had it");
}

// As PoolCore::Parts, with a place that may be used when a back-off is over: whoever is first in
// the line waits for that time, and sees to it that the next one looks when it has gone.
struct Places {
  Mutex mutex;
  Line line;
  int idle = 0, free_places = 1;  // guarded by mutex, as all here
  bool is_looking = false, back_off_is_over = false;
  std::optional<Waiter> waiters[2];

  Places() {
    for (auto& waiter : waiters) waiter.emplace();
  }

  // False: it gave up.
  bool take(int number, bool may_give_up) {
    std::optional<Waiter>& place = waiters[number];
    const bool taken = take(*place, may_give_up);
    place.reset();
    return taken;
  }
  void give_thing() { give(idle); }
  void give_place() { give(free_places); }

 private:
  using Called = std::vector<Waiter*>;

  static void call(const Called& called) {
    for (Waiter* const waiter : called) {
      waiter->spot.give();
      Line::settle(*waiter);
    }
  }
  void give(int& what) {
    Called called;
    {
      Lock lock(mutex);
      ++what;
      serve(called);
    }
    call(called);
  }
  void serve(Called& called) {
    if (is_looking) return;
    while (idle > 0) {
      Waiter* const waiter = line.pop(mutex);
      if (waiter == nullptr) return;
      --idle;
      waiter->grant = kThing;
      called.push_back(waiter);
    }
    Waiter* const waiter = free_places > 0 ? line.pop(mutex) : nullptr;
    if (waiter == nullptr) return;
    waiter->grant = kLook;
    is_looking = true;
    called.push_back(waiter);
  }
  bool take_now(bool in_front) {
    if (!in_front && (is_looking || !line.empty(mutex))) return false;
    if (idle > 0) return --idle, true;
    return free_places > 0 && back_off_is_over && (--free_places, true);
  }
  bool leave(Waiter& waiter, bool for_good) {
    Called called;
    {
      Lock lock(mutex);
      if (!line.remove(mutex, waiter)) return false;
      if (for_good) serve(called);
      if (!for_good) is_looking = back_off_is_over = true;
    }
    call(called);
    return true;
  }
  bool take(Waiter& waiter, bool may_give_up) {
    for (bool in_front = false;; in_front = true) {
      Called called;
      bool is_served = false, has_time = false;
      {
        Lock lock(mutex);
        if (in_front) is_looking = false;
        is_served = take_now(in_front);
        if (is_served) serve(called);
        if (!is_served) line.push(mutex, waiter, in_front);
        has_time = !is_looking && line.is_first(mutex, waiter) && free_places > 0;
      }
      call(called);
      if (is_served) return true;
      const bool gives_up = may_give_up && choose(2) == 1;
      if ((gives_up || has_time) && leave(waiter, gives_up)) {
        if (gives_up) return false;
        continue;
      }
      while (!Line::is_granted(waiter)) waiter.spot.take();
      Line::await_settled(waiter, [] { relax(); });
      if (waiter.grant == kThing) return true;
    }
  }
};

// What comes back goes to the first; the place that is left is for the second.
void place_beside_what_comes_back(Model& model) {
  Places places;
  for (const int number : {0, 1}) {
    model.thread(number == 0 ? "taker 0" : "taker 1",
                 [&places, number] { require(places.take(number, false), "all are served"); });
  }
  model.thread("giver", [&] { places.give_thing(); });
  model.run();
  require(places.idle == 0 && places.free_places == 0, "each has one");
}

// The one that waits for the end of the back-off goes away.
void whoever_looks_gives_up(Model& model) {
  Places places;
  model.thread("taker that gives up", [&] {
    if (places.take(0, true)) places.give_place();
  });
  model.thread("taker that waits", [&] {
    require(places.take(1, false), "it is served");
    places.give_place();
  });
  model.run();
  require(places.free_places == 1, "it is back");
}

}  // namespace

std::vector<NamedScenario> line_scenarios() {
  return {{"a thing that comes back", thing_that_comes_back},
          {"two takers of a thing", two_takers},
          {"a taker that gives up", taker_that_gives_up},
          {"one gives up and one waits", one_gives_up_and_one_waits},
          {"a call to look again", call_to_look_again},
          {"a place beside what comes back", place_beside_what_comes_back},
          {"whoever looks gives up", whoever_looks_gives_up}};
}

}  // namespace trireme::model
