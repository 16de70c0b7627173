// A Reply that is answered later, by a thread of our own: requests are gathered for a batch, and
// every client gets the number of its batch and its place in it.
//
//   example_04_async_reply [URL]
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

class Batcher {
 public:
  Batcher() : thread_([this] { work(); }) {}
  ~Batcher() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void add(std::string item, tr::Reply reply) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(std::move(item), std::move(reply));
    }
    changed_.notify_one();
  }

 private:
  using Item = std::pair<std::string, tr::Reply>;

  void work() {
    for (int number = 1; true; ++number) {
      std::vector<Item> batch;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (stopping_ && waiting_.empty()) return;
        changed_.wait_for(lock, 10ms, [&] { return stopping_ || waiting_.size() >= 100; });
        batch.swap(waiting_);
      }
      int place = 0;
      for (auto& [item, reply] : batch) {
        // The client may be gone: then the answer is dropped and counted.
        std::move(reply).send(item + " is number " + std::to_string(++place) + " of batch " +
                              std::to_string(number));
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Item> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

int main(int argc, char** argv) {
  Batcher batcher;  // outlives the server, whose drain waits for its answers
  tr::Server server;
  // own(): the request's bytes are borrowed until the handler returns, and the batch outlives that.
  const auto enqueue = [&batcher](const tr::Request& request, tr::Reply reply) {
    batcher.add(request.own(), std::move(reply));
  };
  // Pipelined: one client may have up to 64 requests in a batch, and gets its replies in order.
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), enqueue,
                {.ordering = tr::Ordering::kPipelined, .name = "batch"});
  return server.run([&server] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
