// The word: one holder at a time, whoever lends, is late, takes, or asks to have it back.
#include <array>
#include <memory>

#include "handling/published_replies.h"
#include "model/scenarios.h"
#include "runtime/threads/loop_word.h"

namespace trireme::model {
namespace {

using Word = BasicLoopWord<Atomic>;

// A job with some requests. `ran` and `outbox` belong to the thread that runs it; `place` (where
// its memory is, that it has lost its loop) to the loop, also while it runs.
struct Job {
  std::array<Var<int>, 3> ran;
  Var<int> outbox{0, "the job's outbox"};
  Var<int> place{0, "the job's place"};
  Var<int> finished{0, "the job's end"};
  BasicPublishedReplies<Atomic> published;
};

struct Loop {
  Word word;
  Var<int> state{0, "the loop's state"};
  Var<Job*> lent_job{nullptr, "lent_job"};
  Var<bool> connection_open{true, "the connection"};
  Atomic<int> lent_service{0};  // for reports
  bool is_batch = false;        // the only job has several requests
  ModelMailbox mailbox;
  // In the place of the mailbox, where three threads make enough schedules without it.
  Signal home[2] = {Signal(Signal::Carries::kKnowledge), Signal(Signal::Carries::kKnowledge)};
  bool has_mailbox = true;

  void work() { state = state + 1; }
  void finish(Job& job) {
    work();
    require(job.finished == 0, "a job is finished once");
    require(job.outbox == 1, "what the handler left is there");
    job.finished = 1;
  }
};

// As IoWorker::hold: true if the loop is still the caller's.
bool run_job(Loop& loop, Job& job, int number, int requests) {
  job.place = 1;
  loop.lent_job = &job;
  job.published.reset();
  loop.work();
  loop.lent_service.store(number + 1, std::memory_order_relaxed);
  uint64_t lent = loop.word.lend();
  int request = 0;
  do {
    job.ran[static_cast<size_t>(request)] = 1;
    ++request;
    if (request == requests) break;
    job.published.publish(static_cast<uint32_t>(request), 0);
  } while (loop.word.relend(lent));
  job.outbox = 1;
  if (!loop.word.take_back(lent)) {
    while (!loop.word.settled(lent)) relax();
    require(job.place == 2, "the spare is done with the job");
    job.place = 3;
    if (loop.has_mailbox) {
      loop.mailbox.push(new Note(number, 0));
    } else {
      loop.home[number].give();
    }
    return false;
  }
  require(job.place == 1, "nobody has touched the job");
  loop.finish(job);
  return true;
}

// As Crew::watch, one tick: true if the caller is the holder now.
bool take_if_late(Loop& loop, uint64_t seen) {
  if (Word::state(seen) != Word::kLent || !loop.word.take(seen)) return false;
  Job& job = *loop.lent_job;
  require(job.place == 1, "it is the job that was lent");
  job.place = 2;
  const uint32_t published = BasicPublishedReplies<Atomic>::count(job.published.read());
  for (uint32_t i = 0; i < published; ++i) require(job.ran[i] == 1, "a published reply is there");
  // Of a batch, what ran before the last relend.
  for (uint64_t i = 1; loop.is_batch && i < Word::sequence(seen); ++i) {
    require(job.ran[i - 1] == 1, "what ran before a new lend is there");
  }
  loop.work();
  loop.word.hold();
  loop.work();
  return true;
}

// The holder waits for the jobs that come home.
void receive(Loop& loop, std::vector<Job*> jobs, size_t count) {
  while (count > 0) {
    while (loop.mailbox.empty()) relax();
    Note* first = loop.mailbox.take_all();
    while (first != nullptr) {
      std::unique_ptr<Note> note(first);
      first = note->next;
      loop.finish(*jobs[static_cast<size_t>(static_cast<int>(note->sender))]);
      --count;
    }
  }
}

// The holder runs a job, and another one; the spare has seen the loop at some time.
void late_or_not(Model& model) {
  Note::start();
  Loop loop;
  Job first, second;
  bool taken = false;
  model.thread("holder", [&] {
    if (!run_job(loop, first, 0, 1)) return;
    run_job(loop, second, 1, 1);
  });
  model.thread("spare", [&] {
    const uint64_t seen = loop.word.load();
    taken = take_if_late(loop, seen);
    if (taken) receive(loop, {&first, &second}, 1);
  });
  model.run();
  require(first.finished == 1, "the first job is finished");
  require(second.finished == 1 || taken, "so is the second, where it has begun");
  require(Note::live == 0, "nothing is left in the mailbox");
}

// The new holder closes the connection, by an event, its timer or a stop, while the old thread is
// in the handler; then it stops, which it may when the job is home.
void close_and_stop_while_it_runs(Model& model) {
  Note::start();
  Loop loop;
  Job job;
  model.thread("holder", [&] {
    if (!run_job(loop, job, 0, 1)) return;
    loop.connection_open = false;
    loop.mailbox.close();
  });
  model.thread("spare", [&] {
    if (!take_if_late(loop, loop.word.load())) return;
    loop.connection_open = false;
    receive(loop, {&job}, 1);
    loop.mailbox.close();
  });
  model.run();
  require(job.finished == 1 && !loop.connection_open, "job and connection have ended");
}

// A batch: between two requests the loop is lent anew. Who loses starts no further one.
void batch_is_lent_anew(Model& model) {
  Note::start();
  Loop loop;
  loop.is_batch = true;
  Job job;
  const int requests = 2 + (model.depth() > 0 ? 1 : 0);
  bool taken = false;
  model.thread("holder", [&] { run_job(loop, job, 0, requests); });
  model.thread("spare", [&] {
    taken = take_if_late(loop, loop.word.load());
    if (!taken) return;
    receive(loop, {&job}, 1);
    // What has not run is given back, and runs here.
    for (int i = 0; i < requests; ++i) {
      if (job.ran[static_cast<size_t>(i)] == 0) job.ran[static_cast<size_t>(i)] = 2;
    }
  });
  model.run();
  for (int i = 0; i < requests; ++i) {
    require(job.ran[static_cast<size_t>(i)] != 0, "every request has run");
    require(job.ran[static_cast<size_t>(i)] == 1 || taken, "by its thread, if that kept the loop");
  }
}

// A handler that waits for what another connection of its loop brings.
void handler_that_blocks(Model& model) {
  Loop loop;
  Job job;
  Signal other_request(Signal::Carries::kKnowledge);
  bool lost = false;
  model.thread("holder", [&] {
    job.place = 1;
    loop.lent_job = &job;
    const uint64_t lent = loop.word.lend();
    other_request.take();
    lost = !loop.word.take_back(lent);
    while (!loop.word.settled(lent)) relax();
  });
  model.thread("spare", [&] {
    while (!take_if_late(loop, loop.word.load())) relax();
    other_request.give();
  });
  model.run();
  require(lost, "the handler has lost its loop");
}

// Whoever wants to know what runs (Crew::running_jobs).
void report(Model& model) {
  Loop loop;
  Job first, second;
  model.thread("holder", [&] {
    run_job(loop, first, 0, 1);
    run_job(loop, second, 1, 1);
  });
  model.thread("reporter", [&] {
    const uint64_t word = loop.word.load();
    if (Word::state(word) != Word::kLent) return;
    const int service = loop.lent_service.load(std::memory_order_relaxed);
    require(service >= static_cast<int>(Word::sequence(word)), "it names the job, or a later one");
  });
  model.run();
}

// Three threads: the spare that took the loop lends it again, and may lose it to the next one.
void second_hand_over(Model& model) {
  Loop loop;
  loop.has_mailbox = false;
  Job first, second;
  // Guarded by holding the loop.
  Var<int> jobs_out{0, "the number of jobs that are out"};
  Var<bool> second_begun{false, "the second job's begin"};
  const auto go_on = [&](bool may_lend) {
    jobs_out = jobs_out + 1;
    if (may_lend && !second_begun) {
      second_begun = true;
      if (!run_job(loop, second, 1, 1)) return;
    }
    if (second_begun && jobs_out == 2) {
      loop.home[1].take();
      loop.finish(second);
    }
    loop.home[0].take();
    loop.finish(first);
  };
  model.thread("holder", [&] { run_job(loop, first, 0, 1); });
  model.thread("spare 1", [&] {
    if (take_if_late(loop, loop.word.load())) go_on(true);
  });
  model.thread("spare 2", [&] {
    if (take_if_late(loop, loop.word.load())) go_on(model.depth() > 0);
  });
  model.run();
  require(first.finished == 1, "the first job is finished");
  require(second.finished == 1 || !second_begun, "so is the second, where it has begun");
}

// Replies that are complete may leave while the job runs on.
void published_replies(Model& model) {
  BasicPublishedReplies<Atomic> published;
  Var<int> bytes[2];
  Signal handed_over(Signal::Carries::kKnowledge);
  published.publish(9, 63);  // of the job that this one's memory had before
  model.thread("holder", [&] {
    published.reset();
    handed_over.give();
    const uint64_t word = published.read();
    const uint32_t count = BasicPublishedReplies<Atomic>::count(word);
    require(BasicPublishedReplies<Atomic>::bytes(word) == 7 * count, "both halves belong together");
    require(count <= 2, "replies of another job");
    for (uint32_t i = 0; i < count; ++i) require(bytes[i] == 7, "the bytes are there");
  });
  model.thread("data worker", [&] {
    handed_over.take();
    for (uint32_t i = 0; i < 2; ++i) {
      bytes[i] = 7;
      published.publish(i + 1, 7 * (i + 1));
    }
  });
  model.run();
  require(BasicPublishedReplies<Atomic>::count(published.read()) == 2, "all is published");
}

}  // namespace

std::vector<NamedScenario> word_scenarios() {
  return {{"late or not", late_or_not},
          {"close and stop while it runs", close_and_stop_while_it_runs},
          {"a batch is lent anew", batch_is_lent_anew},
          {"second hand-over", second_hand_over},
          {"a handler that blocks", handler_that_blocks},
          {"a report", report},
          {"published replies", published_replies}};
}

}  // namespace trireme::model
