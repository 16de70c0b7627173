// The write token: at any time one side owns the send direction, and only the loop closes.
#include "handling/write_token.h"
#include "model/scenarios.h"

namespace trireme::model {
namespace {

struct Connection {
  BasicWriteToken<Atomic> token;
  Var<int> sent{0, "the send direction"};
  Var<bool> descriptor_open{true, "the descriptor"};
  Atomic<bool> shut_down{false};                    // the socket's, in the kernel
  Signal handed_over{Signal::Carries::kKnowledge};  // the ready queue
  Signal came_home{Signal::Carries::kKnowledge};    // the mailbox

  // As Job::write_directly. The reply is `value`.
  bool run_on_data_worker(int before, int value) {
    handed_over.take();
    const bool writes = token.begin();
    if (writes) {
      require(descriptor_open, "the descriptor is open while a data worker writes");
      require(sent == before, "replies leave in order");
      sent = value;
      token.done();
    }
    came_home.give();
    return writes;
  }
  // As Finisher::finish_requests.
  void finish(int before, int value) {
    const bool written = token.was_written();
    token.reset();
    if (!written) {
      require(sent == before, "a reply is sent once");
      sent = value;
    }
    require(sent == value, "the reply has left");
  }
};

// Two jobs, one after the other; the loop does not want the token.
void granted_twice(Model& model) {
  Connection connection;
  model.thread("loop", [&] {
    for (int job = 1; job <= 2 + model.depth(); ++job) {
      connection.token.grant();
      connection.handed_over.give();
      connection.came_home.take();
      connection.finish(job - 1, job);
    }
    connection.descriptor_open = false;
  });
  model.thread("data worker", [&] {
    for (int job = 1; job <= 2 + model.depth(); ++job) {
      require(connection.run_on_data_worker(job - 1, job), "who was granted the token may write");
    }
  });
  model.run();
  require(connection.sent == 2 + model.depth(), "both replies have left");
}

// The loop wants to push: now, or when the job is home.
void push_beside_the_job(Model& model) {
  Connection connection;
  Var<int> pushes{0, "the pushes"};
  model.thread("loop", [&] {
    connection.token.grant();
    connection.handed_over.give();
    bool waits = true;
    for (int look = 0; look < 2 && waits; ++look) {
      waits = !connection.token.revoke();
      if (!waits) {
        require(connection.sent == 0, "the job has not begun");
        pushes = pushes + 1;
        connection.sent = 0;
      }
    }
    connection.came_home.take();
    connection.finish(0, 1);
    if (waits) pushes = pushes + 1;
    require(connection.token.revoke(), "at home the token is the loop's");
  });
  model.thread("data worker", [&] { connection.run_on_data_worker(0, 1); });
  model.run();
  require(pushes == 1 && connection.sent == 1, "push and reply have left");
}

// The loop wants to close: the descriptor now, or shut down now and the descriptor later.
void close_beside_the_job(Model& model) {
  Connection connection;
  model.thread("loop", [&] {
    connection.token.grant();
    connection.handed_over.give();
    const bool now = connection.token.revoke();
    if (now) {
      connection.descriptor_open = false;
    } else {
      connection.shut_down.store(true, std::memory_order_relaxed);
    }
    connection.came_home.take();
    const bool written = connection.token.was_written();
    require(written != now, "it has written exactly if it was not revoked");
    connection.token.reset();
    if (!now) connection.descriptor_open = false;
  });
  model.thread("data worker", [&] { connection.run_on_data_worker(0, 1); });
  model.run();
  require(!connection.descriptor_open, "the descriptor is closed");
}

// A job that was not granted the token must not write.
void not_granted(Model& model) {
  Connection connection;
  model.thread("loop", [&] {
    require(connection.token.revoke(), "what was not granted is the loop's");
    connection.handed_over.give();
    connection.sent = 5;
    connection.came_home.take();
    connection.finish(5, 6);
  });
  model.thread("data worker", [&] {
    require(!connection.run_on_data_worker(0, 1), "who was not granted it may not write");
  });
  model.run();
  require(connection.sent == 6, "the loop has sent the reply");
  connection.token.grant();
  require(connection.token.revoke(), "what nobody has begun can be revoked");
  require(!connection.token.begin(), "and then not be begun");
}

}  // namespace

std::vector<NamedScenario> token_scenarios() {
  return {{"granted twice", granted_twice},
          {"push beside the job", push_beside_the_job},
          {"close beside the job", close_beside_the_job},
          {"not granted", not_granted}};
}

}  // namespace trireme::model
