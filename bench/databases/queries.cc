// A server whose requests ask PostgreSQL, as the server `delay` sleeps: `ID MICROSECONDS` is
// answered `ID`, after SELECT pg_sleep() of that time, or at once without a query if it is 0.
//
//   databases_queries DATABASE_URL [pinned]
//
// pinned: requests without a query never leave the loop.
#include <iostream>
#include <string>
#include <string_view>

#include "trireme/postgres.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using namespace std::chrono_literals;

constexpr uint32_t kQuick = 1, kQuery = 2;
constexpr size_t kDataWorkers = 32;

// Lines, with a kind of request for those that ask the database.
class Lines final : public tr::Codec {
 public:
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    tr::Frame frame = lines_->decode(state, input, ended, frame_bytes_max);
    frame.request_kind = frame.payload.ends_with(" 0") ? kQuick : kQuery;
    return frame;
  }
  tr::Envelope envelope(size_t body_bytes) const override { return lines_->envelope(body_bytes); }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return lines_->error_reply(failed);
  }

 private:
  const std::shared_ptr<const tr::Codec> lines_ = tr::lines();
};

}  // namespace

int main(int argc, char** argv) {
  auto options = tr::postgres::pool_options({.url = argc > 1 ? argv[1] : "postgres://"});
  options.count_max = kDataWorkers;
  tr::Pool<tr::postgres::Connection> pool(std::move(options));
  const auto answer = [&](const tr::Request& request) -> tr::Answer {
    const std::string_view line = request.text();
    const std::string id(line.substr(0, line.find(' ')));
    const std::string time(line.substr(line.rfind(' ') + 1));
    if (time == "0") return id;
    auto database = pool.take();
    if (!database) return database.refusal();
    const auto rows = database->query("SELECT pg_sleep($1::float8 / 1e6)", {time});
    return rows ? tr::Answer(id) : tr::error(rows.failure().message);
  };
  tr::ListenOptions listen;
  if (argc > 2) listen.pinned_kinds = {{.kind = kQuick, .dispatch = tr::Dispatch::kInline}};
  tr::Server server({.io_workers = 1, .data_workers = kDataWorkers});
  server.listen("tcp://127.0.0.1:0", std::make_shared<Lines>(), answer, listen);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
