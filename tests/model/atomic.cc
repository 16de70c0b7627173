#include "model/atomic.h"

#include <exception>
#include <string>

namespace trireme::model {
namespace {

Operation operation_on(size_t object, Operation::Kind kind, const char* name, const Site& site) {
  return {.kind = kind,
          .writes = kind != Operation::Kind::kLoad,
          .objects = uint64_t{1} << object,
          .object = object,
          .name = name,
          .site = site};
}

void say(const Site& site, const std::string& what) {
  if (!current->traces()) return;
  const std::string file(site.file);
  current->say(file.substr(file.rfind('/') + 1) + ':' + std::to_string(site.line) + ' ' +
               std::string(site.function).substr(0, std::string(site.function).find('<')) + ": " +
               what);
}

// What the thread releases; what it does afterwards is not part of it.
Knowledge publish() {
  Knowledge& mine = current->mine();
  const Knowledge released = mine;
  ++mine.clock[current->running()];
  return released;
}

uint64_t read(size_t atomic, size_t index, std::memory_order order) {
  const Object& object = current->object(atomic);
  Knowledge& mine = current->mine();
  mine.view[atomic] = std::max(mine.view[atomic], static_cast<uint16_t>(index));
  if (acquires(order)) mine.join(object.stores[index].released);
  current->note_read(atomic, index);
  return object.stores[index].value;
}

void append(size_t atomic, uint64_t value, std::memory_order order, bool continues) {
  Object& object = current->object(atomic);
  Store store;
  store.value = value;
  // Who modifies a store goes on with what was released there.
  if (continues) store.released = object.stores.back().released;
  current->mine().view[atomic] = static_cast<uint16_t>(object.stores.size());
  if (releases(order)) store.released.join(publish());
  object.stores.push_back(store);
  current->note_read(atomic, object.stores.size() - 1);
}

// What a seq_cst operation on one location comes after, and before.
struct Place {
  SeqCstSet before, after;
};

// A load that reads the store `index`.
Place place_of_load(size_t atomic, size_t index, const SeqCstSet& known) {
  Place place{known, {}};
  const std::vector<Store>& stores = current->object(atomic).stores;
  for (size_t i = 0; i < stores.size(); ++i) {
    SeqCstSet& side = i <= index ? place.before : place.after;
    side |= stores[i].written_by;
    if (i != index) side |= stores[i].read_by;
  }
  return place;
}

// `known` is what its thread knew before it. A load at `index`; else a write of the newest store.
void note_seq_cst(size_t atomic, const SeqCstSet& known, size_t index, bool writes) {
  if (current->seq_cst.is_full()) require(false, "the run does not end");
  std::vector<Store>& stores = current->object(atomic).stores;
  Place place{known, {}};
  if (writes) {
    for (const Store& store : stores) place.before |= store.written_by | store.read_by;
  } else {
    place = place_of_load(atomic, index, known);
  }
  const size_t number = current->seq_cst.add(place.before, place.after);
  (writes ? stores.back().written_by : stores[index].read_by).set(number);
  current->mine().seq_cst.set(number);
}

// The stores that a load may read, newest first.
std::vector<size_t> readable(size_t atomic, std::memory_order order) {
  const Knowledge& mine = current->mine();
  std::vector<size_t> found;
  for (size_t i = current->object(atomic).stores.size(); i-- > mine.view[atomic];) {
    if (order == std::memory_order_seq_cst) {
      const Place place = place_of_load(atomic, i, mine.seq_cst);
      if (!current->seq_cst.fits(place.before, place.after)) continue;
    }
    found.push_back(i);
  }
  return found;
}

// The stores that a failing compare-and-swap may read, but for the newest: each that holds
// something else.
std::vector<size_t> refusals(size_t atomic, uint64_t expected, std::memory_order failure) {
  std::vector<size_t> found = readable(atomic, failure);
  const std::vector<Store>& stores = current->object(atomic).stores;
  std::erase_if(found,
                [&](size_t i) { return stores[i].value == expected || i + 1 == stores.size(); });
  return found;
}

bool refuse(size_t atomic, size_t index, uint64_t& expected, std::memory_order failure,
            const Site& site) {
  const SeqCstSet known = current->mine().seq_cst;
  expected = read(atomic, index, failure);
  if (failure == std::memory_order_seq_cst) note_seq_cst(atomic, known, index, false);
  if (current->traces()) say(site, "compare-and-swap fails, reads " + std::to_string(expected));
  return false;
}

}  // namespace

size_t new_atomic(uint64_t value) {
  const size_t number = current->add_object();
  Store first;
  first.value = value;
  first.released = publish();
  current->object(number).stores.push_back(first);
  return number;
}

uint64_t load(size_t atomic, std::memory_order order, const Site& site) {
  current->note_site(site, AtomicKind::kLoad, {order, order});
  if (const Mutation* mutation = current->mutation_at(site)) order = mutation->orders.success;
  current->step(operation_on(atomic, Operation::Kind::kLoad, "load", site));
  const size_t newest = current->object(atomic).stores.size() - 1;
  const std::vector<size_t> choices = readable(atomic, order);
  const size_t index = choices[current->value_of(static_cast<uint32_t>(choices.size()))];
  const SeqCstSet known = current->mine().seq_cst;
  const uint64_t value = read(atomic, index, order);
  if (order == std::memory_order_seq_cst) note_seq_cst(atomic, known, index, false);
  if (current->traces()) {
    say(site, std::string("load ") + name_of(order) + " reads " + std::to_string(value) +
                  (index < newest ? ", which is old" : ""));
  }
  return value;
}

void store(size_t atomic, uint64_t value, std::memory_order order, const Site& site) {
  current->note_site(site, AtomicKind::kStore, {order, order});
  const Mutation* mutation = current->mutation_at(site);
  if (mutation != nullptr) order = mutation->orders.success;
  current->step(operation_on(atomic, Operation::Kind::kWrite, "store", site));
  if (mutation != nullptr && mutation->damage == Mutation::Damage::kSkip) {
    return say(site, "store left out");
  }
  const SeqCstSet known = current->mine().seq_cst;
  append(atomic, value, order, false);
  if (order == std::memory_order_seq_cst) note_seq_cst(atomic, known, 0, true);
  if (current->traces()) {
    say(site, std::string("store ") + name_of(order) + ' ' + std::to_string(value));
  }
}

uint64_t change(size_t atomic, AtomicKind kind, Change function, uint64_t operand,
                std::memory_order order, const Site& site) {
  current->note_site(site, kind, {order, order});
  const Mutation* mutation = current->mutation_at(site);
  if (mutation != nullptr) order = mutation->orders.success;
  const bool skips = mutation != nullptr && mutation->damage == Mutation::Damage::kSkip;
  current->step(operation_on(atomic, Operation::Kind::kWrite, "change", site));
  const size_t newest = current->object(atomic).stores.size() - 1;
  const SeqCstSet known = current->mine().seq_cst;
  const uint64_t before = read(atomic, newest, skips ? std::memory_order_relaxed : order);
  const uint64_t after = function(before, operand);
  if (!skips) append(atomic, after, order, true);
  if (!skips && order == std::memory_order_seq_cst) note_seq_cst(atomic, known, 0, true);
  if (current->traces()) {
    say(site, skips ? "change left out"
                    : std::string("changes ") + name_of(order) + ' ' + std::to_string(before) +
                          " to " + std::to_string(after));
  }
  return before;
}

bool compare_and_swap(size_t atomic, uint64_t& expected, uint64_t desired, Orders orders, bool weak,
                      const Site& site) {
  using Damage = Mutation::Damage;
  current->note_site(site, AtomicKind::kCas, orders);
  const Mutation* mutation = current->mutation_at(site);
  Damage damage = Damage::kOrder;
  if (mutation != nullptr) {
    damage = mutation->damage;
    orders = mutation->orders;
  }
  current->step(operation_on(atomic, Operation::Kind::kWrite, "compare-and-swap", site));
  const size_t newest = current->object(atomic).stores.size() - 1;
  if (damage == Damage::kCasSaysTrue) {
    say(site, "compare-and-swap left out, says true");
    return true;
  }
  if (damage == Damage::kSkip) return refuse(atomic, newest, expected, orders.failure, site);
  if (damage != Damage::kCasAlwaysTrue) {
    const std::vector<size_t> old = refusals(atomic, expected, orders.failure);
    weak = weak && current->may_fail_weakly();
    const size_t choice = current->value_of(static_cast<uint32_t>(1 + old.size() + (weak ? 1 : 0)));
    if (choice > old.size()) {
      current->note_weak_failure();
      return refuse(atomic, newest, expected, orders.failure, site);
    }
    if (choice > 0) return refuse(atomic, old[choice - 1], expected, orders.failure, site);
    if (current->object(atomic).stores[newest].value != expected) {
      return refuse(atomic, newest, expected, orders.failure, site);
    }
  }
  const SeqCstSet known = current->mine().seq_cst;
  read(atomic, newest, orders.success);
  append(atomic, desired, orders.success, true);
  if (orders.success == std::memory_order_seq_cst) note_seq_cst(atomic, known, 0, true);
  if (current->traces()) {
    say(site, std::string("compare-and-swap ") + name_of(orders.success) + ' ' +
                  std::to_string(expected) + " to " + std::to_string(desired));
  }
  return true;
}

void Accesses::read(const char* name) const {
  const Knowledge& mine = current->mine();
  if (written_ > mine.clock[writer_] && !current->given_up()) {
    require(false, (std::string("data race: ") + name + " is read beside a write").c_str());
  }
  read_[current->running()] = mine.clock[current->running()];
}

bool Accesses::races_with_write() const {
  const Knowledge& mine = current->mine();
  bool races = written_ > mine.clock[writer_];
  for (size_t i = 0; i < kThreadsMax; ++i) races |= read_[i] > mine.clock[i];
  return races && !current->given_up();
}

void Accesses::write(const char* name) {
  if (races_with_write()) {
    require(false, (std::string("data race: ") + name + " is written beside another").c_str());
  }
  writer_ = static_cast<uint8_t>(current->running());
  written_ = current->mine().clock[writer_];
}

// From a destructor: the run is given up at the thread's next operation.
void Accesses::end(const char* name) noexcept {
  if (races_with_write()) {
    current->fail(std::string("data race: ") + name + " is destroyed beside another access");
  }
}

void Mutex::lock(Site site) {
  current->step(operation_on(number_, Operation::Kind::kLock, "lock", site));
  Object& object = current->object(number_);
  object.is_set = true;
  current->mine().join(object.released);
  say(site, "lock");
}

void Mutex::unlock(Site site) {
  current->step(operation_on(number_, Operation::Kind::kUnlock, "unlock", site));
  Object& object = current->object(number_);
  object.is_set = false;
  object.released = publish();
  say(site, "unlock");
}

void Signal::give(Site site) {
  current->step(operation_on(number_, Operation::Kind::kGive, "give", site));
  Object& object = current->object(number_);
  object.is_set = true;
  if (carries_ == Carries::kKnowledge) object.released.join(publish());
  say(site, "gives the signal");
}

void Signal::taken() {
  Object& object = current->object(number_);
  object.is_set = false;
  if (carries_ == Carries::kKnowledge) current->mine().join(object.released);
}

void Signal::take(Site site) {
  current->step(operation_on(number_, Operation::Kind::kTake, "wait", site));
  taken();
  say(site, "takes the signal");
}

bool Signal::take_if_given(Site site) {
  current->step(operation_on(number_, Operation::Kind::kWrite, "wait", site));
  const bool given = current->object(number_).is_set;
  if (given) taken();
  say(site, given ? "takes the signal" : "waits no longer");
  return given;
}

// The kernel compares and goes to sleep in one step. It knows the newest value, and so does the
// caller when it comes back without having slept.
void Futex::wait(const Atomic<uint32_t>& word, uint32_t expected, Site site) {
  Operation operation = operation_on(number_, Operation::Kind::kWrite, "futex wait", site);
  operation.objects |= uint64_t{1} << word.number();
  current->step(operation);
  const bool sleeps = current->object(word.number()).stores.back().value == expected;
  say(site, sleeps ? "sleeps in the kernel" : "does not sleep: the word has changed");
  if (!sleeps) return current->see_newest();
  current->object(number_).is_set = false;
  waits_ = true;
  current->step(operation_on(number_, Operation::Kind::kTake, "futex wait", site));
  waits_ = false;
  say(site, "was woken in the kernel");
}

void Futex::wake(Site site) {
  current->step(operation_on(number_, Operation::Kind::kGive, "futex wake", site));
  if (waits_) current->object(number_).is_set = true;
  say(site, waits_ ? "wakes the sleeper" : "finds no sleeper");
}

void require(bool holds, const char* claim, Site site) {
  if (holds) return;
  if (current->given_up()) throw GivenUp();
  const std::string file(site.file);
  current->fail(claim + std::string(" (") + file.substr(file.rfind('/') + 1) + ':' +
                std::to_string(site.line) + ')');
  throw GivenUp();
}

uint32_t choose(uint32_t count, Site site) {
  Operation operation{.kind = Operation::Kind::kChoose, .name = "choose", .site = site};
  current->step(operation);
  const uint32_t value = current->value_of(count);
  if (current->traces()) say(site, "the world says " + std::to_string(value));
  return value;
}

void relax(Site site) {
  current->step({.kind = Operation::Kind::kRelax,
                 .objects = current->read_since_relax(),
                 .name = "relax",
                 .site = site});
  current->see_newest();
  say(site, "something has changed");
}

Outcome explore(const Scenario& scenario, const Options& options) {
  Execution execution(options);
  do {
    execution.run_once(scenario);
    if (!execution.outcome.failure.empty()) {
      execution.trace_again(scenario);
      break;
    }
    execution.outcome.complete = execution.outcome.runs < options.runs_max;
  } while (execution.outcome.complete && execution.advance());
  return execution.outcome;
}

}  // namespace trireme::model
