// Goal: what a run prints is readable, and valid whatever it holds. Method: tables.
#include "tool/bench/report.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tool/bench/plot.h"

namespace bench { namespace {

TEST(BenchReport, TimesHaveThreeDigits) {
  EXPECT_EQ(show_time(0), "0 ns");
  EXPECT_EQ(show_time(999), "999 ns");
  EXPECT_EQ(show_time(1000), "1.00 us");
  EXPECT_EQ(show_time(12'345), "12.3 us");
  EXPECT_EQ(show_time(999'400), "999 us");
  EXPECT_EQ(show_time(999'990), "1.00 ms");
  EXPECT_EQ(show_time(1e9), "1.00 s");
  EXPECT_EQ(show_time(3.6e12), "3600 s");
}

TEST(BenchReport, BytesAndCounts) {
  EXPECT_EQ(show_bytes(512), "512 B");
  EXPECT_EQ(show_bytes(1536), "1.50 KiB");
  EXPECT_EQ(show_bytes(5.0 * (1 << 20)), "5.00 MiB");
  EXPECT_EQ(show_count(0), "0");
  EXPECT_EQ(show_count(999), "999");
  EXPECT_EQ(show_count(1000), "1,000");
  EXPECT_EQ(show_count(12'345'678), "12,345,678");
}

TEST(BenchReport, ARunOfNothingIsShown) {
  const Subject subject{"echo", "tcp://<a>&\"b\"", {}};
  const load::Measured nothing;
  EXPECT_EQ(exit_status(nothing), 1);
  EXPECT_NE(text_of(subject, nothing).find("FAILED"), std::string::npos);
  EXPECT_NE(json_of(subject, nothing).find("\"requests_per_second\": 0,"), std::string::npos);
  EXPECT_NE(json_of(subject, nothing).find("\"problem\": \"nothing was answered\""),
            std::string::npos);
  const std::string plot = plot_of(subject, nothing);
  EXPECT_NE(plot.find("nothing was measured"), std::string::npos);
  EXPECT_NE(plot.find("tcp://&lt;a&gt;&amp;&quot;b&quot;"), std::string::npos);
  EXPECT_TRUE(plot.ends_with("</svg>\n"));
}

TEST(BenchPlot, TicksAreRoundAndReachTheEnd) {
  EXPECT_EQ(round_ticks(10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(11, 5), (std::vector<double>{0, 5, 10, 15}));
  EXPECT_EQ(round_ticks(0.7, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8}));
  for (double max = 1e-3; max < 1e12; max *= 1.37) {
    const std::vector<double> ticks = round_ticks(max, 5);
    EXPECT_GE(ticks.back(), max * (1 - 1e-9));
    EXPECT_GE(ticks.size(), 3u) << max;
    EXPECT_LE(ticks.size(), 7u) << max;
  }
}

// One value, values of every magnitude, and zeros.
TEST(BenchPlot, EveryPointIsOnThePage) {
  for (const std::vector<int64_t>& values :
       {std::vector<int64_t>{5'000}, {1, 1'000'000'000'000}, {0, 0, 0}, {0, 1'000'000}}) {
    load::Measured measured;
    measured.connected = true;
    measured.seconds = 0.3;
    for (const int64_t value : values) measured.tally.fast.add(value);
    measured.requests = values.size();
    measured.per_second = {{.seconds = 0.3, .requests = values.size(), .bytes = 10}};
    const std::string plot = plot_of({"echo", "unix:/x", {}}, measured);
    EXPECT_EQ(plot.find("nan"), std::string::npos) << plot;
    EXPECT_EQ(plot.find("inf"), std::string::npos) << plot;
    EXPECT_EQ(plot.find("=\"-"), std::string::npos) << "left of or above the page: " << plot;
    EXPECT_EQ(plot.find(",-"), std::string::npos) << plot;
  }
}

}  // namespace
}  // namespace bench
