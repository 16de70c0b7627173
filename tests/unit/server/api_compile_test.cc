// Goal: what must not compile does not, and what should, does. Method: the concepts and traits of
// the public API.
#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#include "trireme/trireme.h"

namespace trireme { inline namespace v0 { namespace {

auto by_string = [](const Request& request) { return request.own(); };
[[maybe_unused]] auto by_view = [](const Request& request) { return request.text(); };
[[maybe_unused]] auto by_reply = [](const Request&, Reply) {};
[[maybe_unused]] auto by_mutable = [count = 0](const Request&) mutable {
  return std::to_string(++count);
};
[[maybe_unused]] auto by_mutable_reply = [count = 0](const Request&, Reply) mutable { ++count; };
[[maybe_unused]] auto by_number = [](const Request&) { return 5; };
[[maybe_unused]] auto by_nothing = [](const Request&) {};
[[maybe_unused]] auto by_non_const = [](Request&) { return "x"; };

static_assert(AnswerHandler<decltype(by_string)>);
static_assert(AnswerHandler<decltype(by_view)>);
static_assert(AnswerHandler<std::string (*)(const Request&)>);
static_assert(ReplyHandler<decltype(by_reply)>);
static_assert(!ReplyHandler<decltype(by_string)> && !AnswerHandler<decltype(by_reply)>);
// Called by several threads at once: state of its own would be a race.
static_assert(!AnswerHandler<decltype(by_mutable)> && !ReplyHandler<decltype(by_mutable)>);
static_assert(!AnswerHandler<decltype(by_mutable_reply)>);
static_assert(!ReplyHandler<decltype(by_mutable_reply)>);
static_assert(!AnswerHandler<decltype(by_number)>);
static_assert(!AnswerHandler<decltype(by_nothing)>);
static_assert(!AnswerHandler<decltype(by_non_const)>);

template <class R>
concept SendsAsLvalue = requires(R reply) {
  reply.send(Answer("x"));
};
template <class R>
concept SendsAsRvalue = requires(R reply) {
  std::move(reply).send(Answer("x"));
};
static_assert(!SendsAsLvalue<Reply>, "a reply that was sent must look moved from");
static_assert(SendsAsRvalue<Reply>);

static_assert(std::is_nothrow_move_constructible_v<Reply>);
static_assert(std::is_nothrow_move_assignable_v<Reply>);
static_assert(!std::is_copy_constructible_v<Reply> && !std::is_copy_assignable_v<Reply>);
static_assert(!std::is_default_constructible_v<Reply>);
static_assert(!std::is_copy_constructible_v<Answer> && std::is_move_constructible_v<Answer>);
static_assert(!std::is_copy_constructible_v<Request> && !std::is_move_constructible_v<Request>);
static_assert(std::is_copy_constructible_v<Peer> && std::is_default_constructible_v<Peer>);
static_assert(!std::is_copy_constructible_v<Server> && !std::is_move_constructible_v<Server>);

template <class A>
concept ModifiedAsLvalue = requires(A answer) {
  answer.close_after();
};
static_assert(!ModifiedAsLvalue<Answer>);

using detail::DeclaresConcurrent, detail::DeclaresOnClose, detail::DeclaresOnDrain,
    detail::DeclaresOnRequest;

struct Plain {
  Answer on_request(const Request&) { return "x"; }
};
struct Concurrent {
  static constexpr bool concurrent = true;
};

// However a callback is declared it is found (tests/scripts/refused_code_test.py has what is
// refused).
class Hidden {
  [[maybe_unused]] void on_request(int) {}
  [[maybe_unused]] void on_request(char) {}
  template <class T>
  void on_close(T) {}
};
struct Heir : Plain {
  int on_drain = 0;
  void on_timer(uint64_t) {}
};
struct Last final : Plain {};
static_assert(DeclaresOnRequest<Hidden> && DeclaresOnClose<Hidden> && !DeclaresOnDrain<Hidden>);
static_assert(DeclaresOnRequest<Heir> && DeclaresOnDrain<Heir> && !DeclaresOnClose<Heir>);
struct BothHalves {
  void on_end() {}
  void on_writable() {}
};
static_assert(detail::DeclaresOnEnd<BothHalves> && !detail::DeclaresOnEnd<Plain>);
static_assert(detail::DeclaresOnWritable<BothHalves> && !detail::DeclaresOnWritable<Plain>);
static_assert(detail::DeclaresOnTimer<Heir> && !detail::DeclaresOnTimer<Hidden> &&
              !detail::DeclaresOnTimer<Plain>);
static_assert(DeclaresOnRequest<Last> && !DeclaresOnDrain<Last> && !DeclaresConcurrent<Last>);
static_assert(DeclaresConcurrent<Concurrent> && !DeclaresConcurrent<Plain>);

// Options, and everything else with public members, may be given in part, whatever a user's
// compiler warns of.
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wmissing-field-initializers"
TEST(Api, EveryMemberHasAnInitializer) {
  EXPECT_FALSE(ServerOptions{.io_workers = 1}.log);
  EXPECT_EQ(ListenOptions{.backlog = 1}.name, "service");
  EXPECT_EQ(Limits{.in_flight_max = 1}.frame_bytes_max, 1u << 20);
  EXPECT_EQ(PinnedKind{.kind = 1}.dispatch, Dispatch::kInline);
  EXPECT_TRUE(ErrorReply{.close = true}.body.empty());
  EXPECT_EQ(Frame{.consumed = 1}.request_kind, 0u);
  EXPECT_EQ(DecodedRequest{.kind = 1}.end, nullptr);
  EXPECT_EQ(DecodeState{.flags = 1}.scanned, 0u);
  EXPECT_EQ(Envelope{.head_bytes = 1}.tail_bytes, 0);
  EXPECT_TRUE(StuckJob{.thread = "t"}.peer.empty());
  EXPECT_EQ(Error{.message = "m"}.code, Error::Code::kSystem);
  EXPECT_TRUE(KindStats{.kind = 1}.service.empty());
  EXPECT_TRUE(Stats{.accepted = 1}.kinds.empty());
}
#pragma GCC diagnostic pop

TEST(Api, AServerOfNoOptionsIsUnambiguous) {
  const Server braces({});
  const Server all{};
  const Server some({.io_workers = 1});
  EXPECT_TRUE(braces.urls().empty() && all.urls().empty() && some.urls().empty());
}

TEST(Api, ASessionIsSerialUnlessItSaysOtherwise) {
  EXPECT_FALSE(detail::SessionService<Plain>().concurrent());
  EXPECT_TRUE(detail::SessionService<Concurrent>().concurrent());
  EXPECT_TRUE(detail::HandlerService<decltype(by_string)>(by_string).concurrent());
}

TEST(Api, AnAnswerSaysWhatItIs) {
  EXPECT_EQ(Answer("x").kind(), Answer::Kind::kBytes);
  EXPECT_EQ(error("x").kind(), Answer::Kind::kError);
  EXPECT_EQ(busy().kind(), Answer::Kind::kBusy);
  EXPECT_EQ(no_answer().kind(), Answer::Kind::kNone);
  EXPECT_FALSE(Answer("x").is_owned());
  EXPECT_TRUE(Answer(std::string("x")).is_owned());
  EXPECT_TRUE(Answer("x").close_after().closes());
  const Answer copied = Answer(std::string_view("view")).close_after().with_copy();
  EXPECT_TRUE(copied.is_owned());
  EXPECT_TRUE(copied.closes());
  EXPECT_EQ(copied.text(), "view");
  Answer moved = std::string("a string that is too long for the object itself");
  const Answer there = std::move(moved);
  EXPECT_EQ(there.text(), "a string that is too long for the object itself");
}

TEST(Api, AConnectionIdKeepsItsParts) {
  const ConnectionId id = ConnectionId::make(1023, 0x3fffff, 0xffffffff);
  EXPECT_EQ(id.home(), 1023u);
  EXPECT_EQ(id.slot(), 0x3fffffu);
  EXPECT_EQ(id.generation(), 0xffffffffu);
  EXPECT_EQ(ConnectionId::make(1, 0, 0).slot(), 0u);
  EXPECT_NE(ConnectionId::make(0, 1, 1), ConnectionId::make(1, 0, 1));
}

}  // namespace
}}  // namespace trireme
