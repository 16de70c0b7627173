// Goal: parts of files, shared bytes and streamed replies arrive whole and in their turn whatever
// the machine and the network do, and no thread is left waiting. Method: worlds of many seeds, with
// the faults that they draw and files that are often not in memory; clients that read slowly.
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "served.h"

namespace sim_api { namespace {

using namespace std::chrono_literals;

constexpr uint64_t kSeeds = 60;

std::string letters(size_t size, uint64_t salt) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + salt) % 26);
  return text;
}

// Faults that no exact transcript outlives are left out.
sim::WorldOptions hostile(uint64_t seed) {
  sim::Faults faults = sim::Faults::drawn(seed);
  faults.client_reset = 0;
  faults.reset_destroys = false;
  faults.accept_aborted = 0;
  faults.file_cold = 3'000;
  return {.faults = faults};
}

TEST(SimOutgoing, FilesAndSharedBytesArriveUnderEverySeed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    sim::World world(seed, hostile(seed));
    world.run([&] {
      const std::string content = letters(300'000, seed);
      world.put_file("/file", content);
      const tr::SharedBytes shared(letters(70'000, seed + 1));
      tr::Server server(quiet({.io_workers = 2, .disk_workers = 2}), world.platform());
      tr::ListenOptions listen;
      if (seed % 2 == 0) listen.ordering = tr::Ordering::kPipelined;
      server.listen(
          "tcp://127.0.0.1:0", tr::lines(),
          [&](const tr::Request& request) -> tr::Answer {
            if (request.text() == "shared") return shared;
            if (request.text() != "file") return request.own();
            tr::FileRange range{.offset = seed * 100, .bytes = 200'000};
            world.check(!tr::File::open("/file", range.file), "the file opens");
            return range;
          },
          listen);
      world.start(server);
      for (int i = 0; i < 3; ++i) {
        world.client("client", [&, url = server.urls()[0]](sim::Client& client) {
          client.connect(url);
          if (client.below(2) == 0)
            client.read_slowly({.bytes_max = 1 + client.below(20'000), .pause = 50us});
          client.send("1\nfile\n2\nshared\nfile\n3\n");
          const std::string file = content.substr(seed * 100, 200'000) + "\n";
          client.expect("1\n" + file + "2\n" + std::string(shared.view()) + "\n" + file + "3\n");
        });
      }
      world.finish(server);
    });
    EXPECT_EQ(world.open_descriptors(), 0);
  }
}

TEST(SimOutgoing, AFileThatBecomesShorterIsACutUnderEverySeed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    sim::World world(seed, hostile(seed));
    world.run([&] {
      world.put_file("/file", letters(2'000'000, seed));
      tr::Server server(quiet(), world.platform());
      server.listen("tcp://127.0.0.1:0", tr::bytes(), [&](const tr::Request&) -> tr::Answer {
        tr::FileRange range;
        world.check(!tr::File::open("/file", range.file), "the file opens");
        return range;
      });
      world.start(server);
      world.client("client", [&, url = server.urls()[0]](sim::Client& client) {
        client.connect(url);
        client.read_slowly({.bytes_max = 10'000, .pause = 100us});
        client.send("x");
        client.read(1'000);
        world.put_file("/file", "short");
        world.check(client.read_for(20s).size() < 2'000'000 - 1'000, "it was cut");
      });
      world.finish(server);
      world.check(
          server.stats()
                  .closed_by_reason[size_t{static_cast<uint8_t>(tr::CloseReason::kFileCut)}] == 1,
          "it is counted as a cut");
    });
  }
}

TEST(SimOutgoing, StreamsOfOtherThreadsArriveInTheirTurnUnderEverySeed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    sim::World world(seed, hostile(seed));
    world.run([&] {
      constexpr int kPieces = 40;
      std::deque<tr::ReplyStream> kept;
      const auto pour = [&](tr::ReplyStream& stream) {
        for (int i = 0; i < kPieces; ++i) {
          if (stream.write(letters(5'000, seed + static_cast<uint64_t>(i))) !=
              tr::StreamResult::kQueued) {
            break;
          }
        }
        stream.finish();
      };
      std::string whole;
      for (int i = 0; i < kPieces; ++i) whole += letters(5'000, seed + static_cast<uint64_t>(i));
      tr::Server server(quiet(), world.platform());
      tr::ListenOptions listen;
      listen.limits.write_bytes_high = 20'000;
      listen.limits.write_bytes_low = 8'000;
      if (seed % 2 == 0) listen.ordering = tr::Ordering::kPipelined;
      server.listen(
          "tcp://127.0.0.1:0", tr::lines(),
          [&](const tr::Request& request, tr::Reply reply) {
            if (request.text() != "stream") return std::move(reply).send(request.own());
            kept.push_back(std::move(reply).stream());
            world.spawn("writer", [&pour, &stream = kept.back()] { pour(stream); });
          },
          listen);
      world.start(server);
      for (int i = 0; i < 3; ++i) {
        world.client("client", [&, url = server.urls()[0]](sim::Client& client) {
          client.connect(url);
          if (client.below(2) == 0)
            client.read_slowly({.bytes_max = 1 + client.below(9'000), .pause = 50us});
          client.send("1\nstream\n2\nstream\n3\n");
          client.expect("1\n" + whole + "\n2\n" + whole + "\n3\n");
        });
      }
      // One that leaves in the midst: its writer ends.
      world.client("leaver", [&, url = server.urls()[0]](sim::Client& client) {
        client.connect(url);
        client.send("stream\n");
        client.read(100);
        client.reset();
      });
      world.finish(server);
    });
  }
}

}  // namespace
}
}  // namespace sim_api
