// The sleep word, with the mailbox that it belongs to: nobody sleeps while there is mail, one
// sender pays for the signal, and a watcher parks only beside a sleeper that will wake it.
#include <memory>

#include "model/scenarios.h"
#include "roster/return_flag.h"
#include "runtime/threads/sleep_word.h"

namespace trireme::model {
namespace {

// In the place of a mailbox where two senders make enough schedules without it.
struct Counter {
  Atomic<int> notes{0};

  void push(Note* note) {
    delete note;
    notes.fetch_add(1);
  }
  bool empty() const { return notes.load() == 0; }
  int take_count() { return notes.exchange(0); }
};

struct Mailbox : ModelMailbox {
  int take_count() {
    int count = 0;
    for (Note* first = take_all(); first != nullptr; ++count) {
      std::unique_ptr<Note> note(first);
      first = note->next;
    }
    return count;
  }
};

// A loop as EventLoop builds it. The driver is a descriptor in the kernel: the memory model knows
// nothing of it.
template <class Mail = Mailbox>
struct Loop {
  Mail mailbox;
  BasicSleepWord<Atomic, Signal> sleep;
  Signal driver{Signal::Carries::kNothing};
  int sleeps = 0, signals = 0;  // counted beside the model

  // As EventLoop::post and wake_if_asleep.
  void post(Note* note, bool signal_fails = false) {
    mailbox.push(note);
    wake_if_asleep(signal_fails);
  }
  void wake_if_asleep(bool signal_fails = false) {
    if (!sleep.claim_signal()) return;
    if (signal_fails) return sleep.give_back_signal();
    ++signals;
    driver.give();
  }

  // As EventLoop::wait, then take_mail.
  int wait_and_count() {
    sleep.fall_asleep();
    ++sleeps;
    if (mailbox.empty()) {
      driver.take();
    } else {
      driver.take_if_given();
    }
    if (Signal* watcher = sleep.wake_up()) watcher->give();
    return mailbox.take_count();
  }
};

template <class Mail>
void no_post_is_lost(Model& model) {
  Note::start();
  Loop<Mail> loop;
  model.thread("holder", [&] {
    for (int left = 2; left > 0;) left -= loop.wait_and_count();
  });
  model.thread("sender 0", [&] { loop.post(new Note(0, 0)); });
  model.thread("sender 1", [&] { loop.post(new Note(1, 0)); });
  model.run();
  require(loop.signals <= loop.sleeps, "one sender signals a sleeper");
}

void two_senders(Model& model) {
  if (model.depth() == 0) return no_post_is_lost<Counter>(model);
  no_post_is_lost<Mailbox>(model);
}

void two_posts_of_one_sender(Model& model) {
  Note::start();
  Loop<> loop;
  model.thread("holder", [&] {
    for (int left = 2; left > 0;) left -= loop.wait_and_count();
  });
  model.thread("sender", [&] {
    loop.post(new Note(0, 0));
    loop.post(new Note(0, 1));
  });
  model.run();
  require(loop.signals <= loop.sleeps, "one signal for a sleep");
}

// The holder looks some times before it falls asleep; meanwhile senders wake nobody.
void holder_that_polls_first(Model& model) {
  Note::start();
  Loop<> loop;
  model.thread("holder", [&] {
    for (int left = 2; left > 0;) {
      if (loop.mailbox.empty()) {
        left -= loop.wait_and_count();
      } else {
        require(loop.sleep.wake_up() == nullptr, "nobody parks beside a holder that polls");
        left -= loop.mailbox.take_count();
      }
    }
  });
  model.thread("sender", [&] {
    loop.post(new Note(0, 0));
    loop.post(new Note(0, 1));
  });
  model.run();
  require(loop.signals <= loop.sleeps, "one signal for a sleep");
  require(!loop.sleep.asleep(), "the holder is awake");
}

// The first signal fails; whoever comes next tries again.
void signal_that_fails(Model& model) {
  Note::start();
  Loop<> loop;
  model.thread("holder", [&] {
    for (int left = 2; left > 0;) left -= loop.wait_and_count();
  });
  model.thread("sender", [&] {
    loop.post(new Note(0, 0), true);
    loop.post(new Note(0, 1));
  });
  model.run();
}

// The watcher parks for good, or learns that it may not; the holder sleeps once.
void watcher_beside_a_sleeper(Model& model) {
  Note::start();
  Loop<> loop;
  Signal spot(Signal::Carries::kKnowledge);
  bool parked = false;
  model.thread("holder", [&] { loop.wait_and_count(); });
  model.thread("watcher", [&] {
    loop.sleep.set_watcher(&spot);
    parked = loop.sleep.try_park_watcher();
    if (parked) spot.take();
    loop.sleep.set_watcher(nullptr);
  });
  model.thread("sender", [&] { loop.post(new Note(0, 0)); });
  model.run();
  require(loop.mailbox.empty(), "the mail was taken");
}

// The watcher parks, and is called away to the ready queue; the next one may park as well, and it
// is the one that is woken.
void next_watcher(Model& model) {
  Note::start();
  Loop<> loop;
  Signal first_spot(Signal::Carries::kKnowledge), second_spot(Signal::Carries::kKnowledge);
  Signal appointed(Signal::Carries::kKnowledge);
  bool awake = false;
  model.thread("holder", [&] {
    loop.wait_and_count();
    awake = true;
  });
  model.thread("first watcher", [&] {
    loop.sleep.set_watcher(&first_spot);
    // It is called when it has parked; the caller knows nothing of the loop.
    (void)loop.sleep.try_park_watcher();
    loop.sleep.set_watcher(nullptr);
    appointed.give();
  });
  model.thread("second watcher", [&] {
    appointed.take();
    loop.sleep.set_watcher(&second_spot);
    if (loop.sleep.try_park_watcher()) second_spot.take();
    loop.sleep.set_watcher(nullptr);
  });
  model.thread("sender", [&] { loop.post(new Note(0, 0)); });
  model.run();
  require(awake, "the holder has woken");
}

// Beside a sleeper a watcher may park, also after one that was called away and left its mark.
void watchers_one_after_the_other(Model& model) {
  Loop<> loop;
  Signal spot(Signal::Carries::kKnowledge);
  loop.sleep.fall_asleep();
  require(loop.sleep.asleep(), "it can be seen to sleep");
  const auto watch = [&] {
    loop.sleep.set_watcher(&spot);
    require(loop.sleep.try_park_watcher(), "a watcher may park beside a sleeper");
    loop.sleep.set_watcher(nullptr);
  };
  Signal appointed(Signal::Carries::kKnowledge);
  model.thread("first watcher", [&] {
    watch();
    appointed.give();
  });
  model.thread("second watcher", [&] {
    appointed.take();
    watch();
  });
  model.run();
}

// A job goes home quietly: it wakes the loop only if that waits for it.
void quiet_return(Model& model) {
  Note::start();
  Loop<> loop;
  BasicReturnFlag<Atomic> flag;
  Signal handed_over(Signal::Carries::kKnowledge);
  model.thread("holder", [&] {
    flag.reset();
    handed_over.give();
    // The loop finds that it has something to do as soon as the job is home.
    flag.await();
    for (int left = 1; left > 0;) left -= loop.wait_and_count();
  });
  model.thread("data worker", [&] {
    handed_over.take();
    loop.mailbox.push(new Note(0, 0));
    if (flag.is_awaited()) loop.wake_if_asleep();
  });
  model.run();
}

// Nobody waits for it: it is not woken, and the flag of the job before does not count.
void return_that_nobody_awaits(Model& model) {
  Note::start();
  Loop<> loop;
  BasicReturnFlag<Atomic> flag;
  Signal handed_over(Signal::Carries::kKnowledge);
  flag.await();
  model.thread("holder", [&] {
    flag.reset();
    handed_over.give();
    loop.sleep.fall_asleep();
  });
  model.thread("data worker", [&] {
    handed_over.take();
    loop.mailbox.push(new Note(0, 0));
    require(!flag.is_awaited(), "nobody awaits it");
  });
  model.run();
}

}  // namespace

std::vector<NamedScenario> sleep_scenarios() {
  return {{"two senders", two_senders},
          {"two posts of one sender", two_posts_of_one_sender},
          {"a holder that polls first", holder_that_polls_first},
          {"a signal that fails", signal_that_fails},
          {"a watcher beside a sleeper", watcher_beside_a_sleeper},
          {"the next watcher", next_watcher},
          {"watchers one after the other", watchers_one_after_the_other},
          {"a quiet return", quiet_return},
          {"a return that nobody awaits", return_that_nobody_awaits}};
}

}  // namespace trireme::model
