// Goal: `collect` accepts exactly its grammar and answers queries as INTERFACE.md says.
// Method: tables of lines against a fresh database; a clock that stands still.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "services/collect.h"
#include "support.h"

namespace services { namespace {

using testing::is_error_line;

class CollectGrammar : public ::testing::Test {
 protected:
  void SetUp() override {
    CollectOptions options{.path = directory_.file("readings.db")};
    options.now = [] {
      return std::chrono::system_clock::time_point(
          std::chrono::microseconds(1'700'000'000'250'000));
    };
    auto opened = Collect::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    collect_ = std::move(opened.value());
  }
  std::string say(std::string_view line) { return testing::ask(*collect_, line); }

 private:
  testing::ScratchDirectory directory_;
  std::unique_ptr<Collect> collect_;
};

TEST_F(CollectGrammar, NumbersComeBackAsTheyWere) {
  const std::pair<std::string, std::string> cases[] = {
      {"0", "0"},
      {"-0", "0"},
      {"21.5", "21.5"},
      {"-273.15", "-273.15"},
      {"1700000000", "1700000000"},
      {"1e3", "1000"},
      {"1E3", "1000"},
      {".5", "0.5"},
      {"5.", "5"},
      {"0.1", "0.1"},
      {"0.30000000000000004", "0.30000000000000004"},
      {"9007199254740993", "9007199254740992"},
      {"0.0001", "0.0001"},
      {"1e-7", "1e-07"},
      {"1e16", "1e+16"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"5e-324", "5e-324"},
      {"-1e300", "-1e+300"},
      // Too small for a double, whatever the form.
      {"1e-400", "0"},
      {"-1e-400", "0"},
      {"0.00000001e-400", "0"},
      {"12345678901234567890e-500", "0"},
      {"." + std::string(400, '0') + "1", "0"},
      {"0e999", "0"},
  };
  int number = 0;
  for (const auto& [value, printed] : cases) {
    const std::string key = "device metric" + std::to_string(number++);
    EXPECT_EQ(say(key + " " + value + " 1"), "OK") << value;
    EXPECT_EQ(say("LAST " + key), printed + " 1") << value;
  }
}

TEST_F(CollectGrammar, TimesAreSecondsInTheYearsOneTo9999) {
  const std::pair<std::string, std::string> cases[] = {
      {"0", "0"},
      {"-1.5", "-1.5"},
      {"-62135596800", "-62135596800"},
      {"253402300799.5", "253402300799.5"},
      {"1e-400", "0"},
  };
  int number = 0;
  for (const auto& [time, printed] : cases) {
    const std::string key = "device metric" + std::to_string(number++);
    EXPECT_EQ(say(key + " 1 " + time), "OK") << time;
    EXPECT_EQ(say("LAST " + key), "1 " + printed) << time;
  }
  // Milliseconds of today, and what else would be the latest time for ever.
  for (const std::string time : {"1700000000250", "253402300800", "-62135596801", "1e300"}) {
    EXPECT_EQ(say("d m 1 " + time), "ERR UNIX_TIME must be seconds, in the years 1 to 9999")
        << time;
  }
  EXPECT_EQ(say("LAST d m"), "NONE");
}

TEST_F(CollectGrammar, TimeIsNowIfNotGiven) {
  EXPECT_EQ(say("d m 1"), "OK");
  EXPECT_EQ(say("LAST d m"), "1 1700000000.25");
}

TEST_F(CollectGrammar, NamesAreAsWideAsPromised) {
  const std::string longest(64, 'a');
  for (const std::string& name : {longest, std::string("a.B_c:d-9"), std::string("-"),
                                  std::string("last"), std::string("COUNTER"), std::string("0")}) {
    EXPECT_EQ(say(name + " " + name + " 1 2"), "OK") << name;
    EXPECT_EQ(say("LAST " + name + " " + name), "1 2") << name;
  }
  EXPECT_EQ(say("d LAST 1 2"), "OK") << "a metric may be called like a command";
}

TEST_F(CollectGrammar, RefusesEverythingElse) {
  const std::string too_long(65, 'a');
  const std::string lines[] = {
      "",
      " ",
      "d",
      "d m",
      "d m ",
      "d  m 1",
      " d m 1",
      "d m 1 ",
      "d m 1 2 ",
      "d m 1 2 3",
      "d m 1 2 3 4",
      "d m x",
      "d m 1x",
      "d m +1",
      "d m nan",
      "d m inf",
      "d m -inf",
      "d m infinity",
      "d m 1e999",
      "d m 1000000e303",
      "d m 0.001e312",
      "d m 0x10",
      "d m 1,5",
      "d m --1",
      "d m 1 x",
      "d m 1 nan",
      "d m 1 inf",
      "d m 1 +2",
      "d\tm 1",
      "d m\t1",
      "d/e m 1",
      "d m\xc3\xa4 1",
      "d m 1\r",
      too_long + " m 1",
      "d " + too_long + " 1",
      "LAST",
      "LAST d",
      "LAST d m x",
      "LAST d m 1 2",
      "LAST d/e m",
      "LAST d " + too_long,
      "RANGE",
      "RANGE d m",
      "RANGE d m 1",
      "RANGE d m 1 x",
      "RANGE d m x 1",
      "RANGE d m 1 2 3",
      "RANGE d/e m 1 2",
      "RANGE d m -inf inf",
      "COUNT ",
      "COUNT m 1",
      "COUNT m 1 2",
      "RANGE m 1",
      "count",
      "last d m",
      std::string("d m 1\0", 6),
  };
  for (const std::string& line : lines) {
    EXPECT_TRUE(is_error_line(say(line))) << '"' << line << "\" got " << say(line);
  }
  EXPECT_EQ(say("COUNT"), "0");
}

TEST_F(CollectGrammar, LastIsTheLatestTimeAndThenTheLatestRow) {
  EXPECT_EQ(say("LAST d m"), "NONE");
  EXPECT_EQ(say("d m 1 10"), "OK");
  EXPECT_EQ(say("d m 2 30"), "OK");
  EXPECT_EQ(say("d m 3 20"), "OK");
  EXPECT_EQ(say("LAST d m"), "2 30");
  EXPECT_EQ(say("d m 4 30"), "OK");
  EXPECT_EQ(say("LAST d m"), "4 30");
  EXPECT_EQ(say("LAST d other"), "NONE");
  EXPECT_EQ(say("LAST D m"), "NONE");
}

TEST_F(CollectGrammar, RangeIncludesBothEndsInTheOrderOfTime) {
  EXPECT_EQ(say("RANGE d m 0 100"), "0");
  for (const char* line : {"d m 3 30", "d m 1 10", "d m 2 20", "d m 2.5 20", "d m 4 40.5",
                           "other m 9 20", "d other 9 20"}) {
    EXPECT_EQ(say(line), "OK");
  }
  EXPECT_EQ(say("RANGE d m 10 30"), "4\n1 10\n2 20\n2.5 20\n3 30");
  EXPECT_EQ(say("RANGE d m 20 20"), "2\n2 20\n2.5 20");
  EXPECT_EQ(say("RANGE d m 31 40.4"), "0");
  EXPECT_EQ(say("RANGE d m 30 10"), "0");
  EXPECT_EQ(say("RANGE d m -1e308 1e308"), "5\n1 10\n2 20\n2.5 20\n3 30\n4 40.5");
}

TEST_F(CollectGrammar, RangeInPagesNamesTheNextPlace) {
  EXPECT_EQ(say("RANGE d m 0 100 -"), "0 -");
  for (const char* line : {"d m 3 30", "d m 1 10", "d m 2 20", "d m 2.5 20"}) say(line);
  EXPECT_EQ(say("RANGE d m 10 30 -"), "4 -\n1 10\n2 20\n2.5 20\n3 30");
  EXPECT_EQ(say("RANGE d m 10 30 20:3"), "2 -\n2.5 20\n3 30") << "behind the third row";
  EXPECT_EQ(say("RANGE d m 10 30 20:4"), "1 -\n3 30");
  EXPECT_EQ(say("RANGE d m 20 30 10:99"), "3 -\n2 20\n2.5 20\n3 30") << "a place before FROM";
  EXPECT_EQ(say("RANGE d m 10 20 30:0"), "0 -") << "a place behind TO";
  EXPECT_EQ(say("RANGE d m 30 10 -"), "0 -");
}

TEST_F(CollectGrammar, RefusesPlacesThatAreNone) {
  for (const std::string place : {"-1", "1:", ":1", "1:x", "1:2:3", "nan:1", "- 3", "--", " -"}) {
    EXPECT_TRUE(is_error_line(say("RANGE d m 1 2 " + place))) << place;
  }
}

TEST_F(CollectGrammar, TheSameKeyTwiceIsTwoRows) {
  EXPECT_EQ(say("d m 1 10"), "OK");
  EXPECT_EQ(say("d m 1 10"), "OK");
  EXPECT_EQ(say("COUNT"), "2");
  EXPECT_EQ(say("RANGE d m 10 10"), "2\n1 10\n1 10");
}

}  // namespace
}  // namespace services
