// Goal: the mailbox loses nothing, doubles nothing, keeps each sender's order, and owns what is
// left in it. Method: by hand on one thread; then four senders against one taker; mail that counts
// its living.
#include "runtime/mailbox.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace trireme { inline namespace v0 { namespace {

std::atomic<int> living{0};

struct Numbered final : Mail {
  Numbered(int sender, int sequence) : Mail(sender), number(sequence) { ++living; }
  ~Numbered() override { --living; }
  const int number;
};

int number_of(const Mail* mail) { return static_cast<const Numbered*>(mail)->number; }

TEST(Mailbox, GivesTheOldestFirst) {
  Mailbox mailbox;
  EXPECT_TRUE(mailbox.empty());
  EXPECT_EQ(mailbox.take_all(), nullptr);
  for (int i = 0; i < 5; ++i) mailbox.push(new Numbered(0, i));
  EXPECT_FALSE(mailbox.empty());
  Mail* mail = mailbox.take_all();
  EXPECT_TRUE(mailbox.empty());
  for (int i = 0; i < 5; ++i) {
    ASSERT_NE(mail, nullptr);
    EXPECT_EQ(number_of(mail), i);
    const std::unique_ptr<Mail> gone(mail);
    mail = mail->next;
  }
  EXPECT_EQ(mail, nullptr);
}

TEST(Mailbox, MailThatIsPushedAgainKeepsNoOldLink) {
  Mailbox mailbox;
  mailbox.push(new Numbered(0, 1));
  mailbox.push(new Numbered(0, 2));
  Mail* first = mailbox.take_all();
  Mail* second = first->next;
  mailbox.push(second);
  Mail* again = mailbox.take_all();
  EXPECT_EQ(again, second);
  EXPECT_EQ(again->next, nullptr);
  delete first;
  delete second;
}

TEST(Mailbox, DestroysWhatIsLeft) {
  living = 0;
  {
    Mailbox mailbox;
    for (int i = 0; i < 10; ++i) mailbox.push(new Numbered(0, i));
    EXPECT_EQ(living.load(), 10);
  }
  EXPECT_EQ(living.load(), 0);
}

TEST(Mailbox, ManySendersLoseNothingAndKeepTheirOrder) {
  constexpr int kSenders = 4, kEach = 25'000;
  living = 0;
  Mailbox mailbox;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&mailbox, sender] {
      for (int i = 0; i < kEach; ++i) mailbox.push(new Numbered(sender, i));
    });
  }
  std::array<int, kSenders> next{};
  int out_of_order = 0;
  for (int taken = 0; taken < kSenders * kEach;) {
    Mail* mail = mailbox.take_all();
    if (mail == nullptr) std::this_thread::yield();
    while (mail != nullptr) {
      const std::unique_ptr<Mail> gone(mail);
      int& expected = next[static_cast<size_t>(mail->kind)];
      if (number_of(mail) != expected) ++out_of_order;
      ++expected;
      ++taken;
      mail = mail->next;
    }
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(out_of_order, 0);
  EXPECT_TRUE(mailbox.empty());
  for (const int count : next) EXPECT_EQ(count, kEach);
  EXPECT_EQ(living.load(), 0);
}

}  // namespace
}}  // namespace trireme
