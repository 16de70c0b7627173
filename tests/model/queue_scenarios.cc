// The ready queue: each job runs once, and no thread parks for good while a job waits for it.
#include <array>
#include <memory>

#include "handling/ready_queue.h"
#include "model/scenarios.h"
#include "runtime/threads/sleep_word.h"

namespace trireme::model {
namespace {

struct Job {
  Var<Job*> next{nullptr, "a job's link"};
  Var<Job*> previous{nullptr, "a job's link back"};
  Var<int> ran{0, "a job"};
};

void link(Job& before, Job& after) {
  before.next = &after;
  after.previous = &before;
}

using Queue = BasicReadyQueue<Job, Atomic, Mutex>;

struct Watcher {
  Queue::Watcher flag;
  Signal spot{Signal::Carries::kKnowledge};
  BasicSleepWord<Atomic, Signal> sleep;  // of its loop
};

// What the crew has around the queue, where no thread can be started any more.
struct Crew {
  Mutex mutex;
  Queue queue;
  bool is_idle = false;  // guarded by mutex, as the crew's lists
  Signal idle_spot{Signal::Carries::kKnowledge};
  std::vector<std::unique_ptr<Watcher>> watchers;

  explicit Crew(size_t watchers_count) {
    for (size_t i = 0; i < watchers_count; ++i) {
      watchers.push_back(std::make_unique<Watcher>());
      watchers.back()->sleep.fall_asleep();
    }
  }

  // As Crew::submit.
  void submit(Job& first, Job& last, size_t count) {
    Signal* woken = nullptr;
    {
      Lock lock(mutex);
      queue.push(mutex, &first, &last, count);
      if (is_idle) woken = &idle_spot;
      is_idle = false;
      for (auto& watcher : watchers) {
        if (woken == nullptr && Queue::call(watcher->flag)) woken = &watcher->spot;
      }
    }
    if (woken != nullptr) woken->give();
  }

  // As Crew::next_duty: runs so many jobs, idle in between.
  void run_idle(int jobs) {
    while (jobs > 0) {
      Job* job = nullptr;
      {
        Lock lock(mutex);
        job = queue.pop(mutex);
        is_idle = job == nullptr;
      }
      if (job == nullptr) {
        idle_spot.take();
      } else {
        job->ran = job->ran + 1;
        --jobs;
      }
    }
  }

  // As Crew::watch: runs so many jobs, and parks in between. A tick that finds nothing new is left
  // out: it ends when something has changed.
  void watch(Watcher& me, int jobs) {
    me.sleep.set_watcher(&me.spot);
    while (jobs > 0) {
      if (queue.try_park(me.flag, [&] { return me.sleep.try_park_watcher(); })) {
        me.spot.take();
        queue.note_awake(me.flag);
      } else {
        while (queue.length_hint() == 0) relax();
      }
      Job* job = nullptr;
      {
        Lock lock(mutex);
        if (queue.oldest(mutex) != nullptr) job = queue.pop(mutex);
      }
      if (job == nullptr) continue;
      job->ran = job->ran + 1;
      --jobs;
    }
    me.sleep.set_watcher(nullptr);
  }

  void check_end(std::vector<Job*> jobs) {
    for (const Job* job : jobs) require(job->ran == 1, "each job runs once");
    Lock lock(mutex);
    require(queue.length_hint() == 0, "the length is right");
    require(queue.oldest(mutex) == nullptr && queue.pop(mutex) == nullptr, "the queue is empty");
    for (auto& watcher : watchers) require(!Queue::call(watcher->flag), "nobody is parked");
  }
};

void idle_thread(Model& model) {
  Crew crew(0);
  Job jobs[3];
  link(jobs[0], jobs[1]);
  model.thread("loop 0", [&] { crew.submit(jobs[0], jobs[1], 2); });
  model.thread("loop 1", [&] { crew.submit(jobs[2], jobs[2], 1); });
  model.thread("data worker", [&] { crew.run_idle(3); });
  model.run();
  crew.check_end({&jobs[0], &jobs[1], &jobs[2]});
}

// First-in first-out, also where batches of two loops meet.
void order_of_batches(Model& model) {
  Crew crew(0);
  Job jobs[3];
  link(jobs[0], jobs[1]);
  std::vector<const Job*> popped;
  const auto take = [&] {
    Lock lock(crew.mutex);
    if (Job* job = crew.queue.pop(crew.mutex)) popped.push_back(job);
  };
  model.thread("loop 0", [&] { crew.submit(jobs[0], jobs[1], 2); });
  model.thread("data worker", [&] {
    take();
    take();
  });
  model.run();
  crew.submit(jobs[2], jobs[2], 1);
  while (popped.size() < 3) take();
  for (size_t i = 0; i < 3; ++i) require(popped[i] == &jobs[i], "the oldest comes first");
  require(crew.queue.length_hint() == 0, "the length is right");
}

// A job is either taken back by its loop or popped, and the others stay in their order.
void withdrawn_jobs(Model& model) {
  Crew crew(0);
  Job jobs[3];
  link(jobs[0], jobs[1]);
  const auto take = [&] {
    Lock lock(crew.mutex);
    Job* job = crew.queue.pop(crew.mutex);
    if (job != nullptr) job->ran = job->ran + 1;
    return job;
  };
  model.thread("loop 0", [&] {
    crew.submit(jobs[0], jobs[1], 2);
    for (Job* job : {&jobs[1], &jobs[0]}) {
      Lock lock(crew.mutex);
      if (!crew.queue.remove(crew.mutex, *job)) continue;
      require(!crew.queue.remove(crew.mutex, *job), "a job is taken back once");
      job->ran = job->ran + 1;
    }
  });
  model.thread("loop 1", [&] { crew.submit(jobs[2], jobs[2], 1); });
  model.thread("data worker", [&] {
    const Job* const first = take();
    const Job* const second = take();
    require(first != &jobs[1] || second != &jobs[0], "the oldest comes first");
  });
  model.run();
  while (take() != nullptr) {
  }
  crew.check_end({&jobs[0], &jobs[1], &jobs[2]});
}

void parked_watcher(Model& model) {
  Crew crew(1);
  Job job;
  model.thread("loop", [&] { crew.submit(job, job, 1); });
  model.thread("watcher", [&] { crew.watch(*crew.watchers[0], 1); });
  model.run();
  crew.check_end({&job});
}

// Its own loop wakes it, too; then it finds no job, and the loop is awake.
void watcher_that_its_loop_wakes(Model& model) {
  Crew crew(1);
  Job job;
  model.thread("loop", [&] { crew.submit(job, job, 1); });
  model.thread("watcher", [&] { crew.watch(*crew.watchers[0], 1); });
  model.thread("its loop", [&] {
    if (Signal* spot = crew.watchers[0]->sleep.wake_up()) spot->give();
  });
  model.run();
  crew.check_end({&job});
}

// It parks again, with the mark that it left at its loop when it parked first.
void watcher_that_parks_twice(Model& model) {
  Crew crew(1);
  Job jobs[2];
  model.thread("loop 0", [&] { crew.submit(jobs[0], jobs[0], 1); });
  model.thread("loop 1", [&] { crew.submit(jobs[1], jobs[1], 1); });
  model.thread("watcher", [&] { crew.watch(*crew.watchers[0], 2); });
  model.run();
  crew.check_end({&jobs[0], &jobs[1]});
}

void two_watchers(Model& model) {
  Crew crew(2);
  Job jobs[2];
  model.thread("loop", [&] {
    crew.submit(jobs[0], jobs[0], 1);
    crew.submit(jobs[1], jobs[1], 1);
  });
  model.thread("watcher 0", [&] { crew.watch(*crew.watchers[0], 1); });
  model.thread("watcher 1", [&] { crew.watch(*crew.watchers[1], 1); });
  model.run();
  crew.check_end({&jobs[0], &jobs[1]});
}

// One that its loop has woken leaves the crew's books: the call goes to the other one.
void watcher_that_leaves(Model& model) {
  Crew crew(2);
  Job job;
  Signal gone(Signal::Carries::kKnowledge);
  Watcher& leaves = *crew.watchers[0];
  model.thread("watcher 0", [&] {
    leaves.sleep.set_watcher(&leaves.spot);
    if (crew.queue.try_park(leaves.flag, [&] { return leaves.sleep.try_park_watcher(); })) {
      leaves.spot.take();
      crew.queue.note_awake(leaves.flag);
    }
    leaves.sleep.set_watcher(nullptr);
    gone.give();
  });
  model.thread("its loop", [&] {
    if (Signal* spot = leaves.sleep.wake_up()) spot->give();
  });
  model.thread("watcher 1", [&] { crew.watch(*crew.watchers[1], 1); });
  model.thread("loop", [&] {
    gone.take();
    crew.submit(job, job, 1);
  });
  model.run();
  crew.check_end({&job});
}

}  // namespace

std::vector<NamedScenario> queue_scenarios() {
  return {{"an idle thread", idle_thread},
          {"order of batches", order_of_batches},
          {"withdrawn jobs", withdrawn_jobs},
          {"a parked watcher", parked_watcher},
          {"a watcher that its loop wakes", watcher_that_its_loop_wakes},
          {"a watcher that parks twice", watcher_that_parks_twice},
          {"two watchers", two_watchers},
          {"a watcher that leaves", watcher_that_leaves}};
}

}  // namespace trireme::model
