#include "tool/aside.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace tool {
namespace {

constexpr std::chrono::milliseconds kWait{200};

// Owners: who waits, and the thread.
struct Task {
  std::function<void()> body;
  std::mutex mutex;
  std::condition_variable changed;
  bool is_done = false;
};

void run(Task& task) {
  task.body();
  const std::lock_guard lock(task.mutex);
  task.is_done = true;
  task.changed.notify_all();
}

void* thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<Task>> task(static_cast<std::shared_ptr<Task>*>(argument));
  run(**task);
  return nullptr;
}

}  // namespace

void run_aside(std::function<void()> body) {
  const auto task = std::make_shared<Task>();
  task->body = std::move(body);
  auto handed_over = std::make_unique<std::shared_ptr<Task>>(task);
  sigset_t all, before;
  sigfillset(&all);
  pthread_t thread;
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = ::pthread_create(&thread, nullptr, thread_main, handed_over.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return run(*task);
  static_cast<void>(handed_over.release());
  ::pthread_detach(thread);
  std::unique_lock lock(task->mutex);
  task->changed.wait_for(lock, kWait, [&] { return task->is_done; });
}

void print_aside(std::string text) {
  run_aside([text = std::move(text)] {
    for (size_t done = 0; done < text.size();) {
      const ssize_t count = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      done += static_cast<size_t>(count);
    }
  });
}

}  // namespace tool
