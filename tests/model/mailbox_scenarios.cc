// The mailbox: several senders, one holder. Each note arrives once, in the order of its sender, or
// is destroyed; none is left.
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "model/scenarios.h"

namespace trireme::model {

int Note::live = 0;

namespace {

constexpr size_t kNotesMax = 16;

struct NotePool {
  alignas(Note) std::array<std::array<std::byte, sizeof(Note)>, kNotesMax> memory;
  std::array<void*, kNotesMax> unused;
  size_t unused_count = 0;
};
NotePool pool;

// What a receiver has seen of each sender.
struct Arrivals {
  std::array<int, 4> next{};
  int count = 0;

  void open(Note* first) {
    while (first != nullptr) {
      std::unique_ptr<Note> note(first);
      first = note->next;
      int& expected = next[static_cast<size_t>(static_cast<int>(note->sender))];
      require(note->number == expected, "notes of one sender arrive in order, each once");
      ++expected;
      ++count;
    }
  }
};

void send(ModelMailbox& mailbox, int sender, int count) {
  for (int number = 0; number < count; ++number) mailbox.push(new Note(sender, number));
}

void senders_and_a_holder(Model& model) {
  Note::start();
  {
    ModelMailbox mailbox;
    Arrivals arrivals;
    model.thread("sender 0", [&] { send(mailbox, 0, 1 + model.depth()); });
    model.thread("sender 1", [&] { send(mailbox, 1, 1); });
    model.thread("holder", [&] {
      arrivals.open(mailbox.take_all());
      arrivals.open(mailbox.take_all());
    });
    model.run();
    arrivals.open(mailbox.take_all());
    require(arrivals.count == 2 + model.depth(), "all notes arrive");
    require(mailbox.empty(), "nothing is left");
  }
  require(Note::live == 0, "no note is lost");
}

void mail_beside_the_end(Model& model) {
  Note::start();
  {
    ModelMailbox mailbox;
    Arrivals arrivals;
    model.thread("sender 0", [&] { send(mailbox, 0, 1 + model.depth()); });
    model.thread("sender 1", [&] { send(mailbox, 1, 1); });
    model.thread("holder", [&] {
      arrivals.open(mailbox.take_all());
      mailbox.close();
      require(mailbox.empty(), "a closed mailbox is empty");
    });
    model.run();
    require(Note::live == 0, "what comes too late is destroyed");
    require(mailbox.empty(), "a closed mailbox stays empty");
  }
  require(Note::live == 0, "no note is destroyed twice");
}

void mail_that_is_left(Model& model) {
  Note::start();
  {
    ModelMailbox mailbox;
    Arrivals arrivals;
    model.thread("sender", [&] { send(mailbox, 0, 2); });
    model.thread("holder", [&] { arrivals.open(mailbox.take_all()); });
    model.run();
    require(arrivals.count + Note::live == 2, "each note is in one place");
    require(mailbox.empty() == (Note::live == 0), "what is left is in the mailbox");
  }
  require(Note::live == 0, "what is left goes with the mailbox");
}

}  // namespace

void Note::start() {
  live = 0;
  pool.unused_count = kNotesMax;
  for (size_t i = 0; i < kNotesMax; ++i) pool.unused[i] = pool.memory[i].data();
}

void* Note::operator new(size_t) {
  if (pool.unused_count == 0) require(false, "more notes than there should be");
  return pool.unused[--pool.unused_count];
}

void Note::operator delete(void* memory) {
  const auto end = pool.unused.begin() + static_cast<std::ptrdiff_t>(pool.unused_count);
  if (std::find(pool.unused.begin(), end, memory) != end) {
    return current->fail("a note is destroyed twice");
  }
  pool.unused[pool.unused_count++] = memory;
}

std::vector<NamedScenario> mailbox_scenarios() {
  return {{"senders and a holder", senders_and_a_holder},
          {"mail beside the end", mail_beside_the_end},
          {"mail that is left", mail_that_is_left}};
}

}  // namespace trireme::model
