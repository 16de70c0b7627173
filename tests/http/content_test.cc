// Goal: dates, ranges, conditions, forms, cookies, parts and negotiation as their RFCs have them,
// and nothing of a client is believed that they do not allow. Method: texts and their meaning.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/content/conditions.h"
#include "http/content/form.h"
#include "http/content/media_types.h"
#include "http/content/multipart.h"
#include "http/content/negotiation.h"
#include "http/content/ranges.h"
#include "http/message/date.h"

namespace {

namespace http = trireme::http;
using http::ByteRange;
using http::Ranges;
using http::Verdict;

constexpr int64_t kThen = 784'111'777;   // Sun, 06 Nov 1994 08:49:37 GMT
constexpr int64_t kNow = 1'800'000'000;  // Fri, 15 Jan 2027 08:00:00 GMT

std::string date(int64_t seconds) {
  std::string text(http::kDateBytes, ' ');
  http::write_date(seconds, text.data());
  return text;
}

TEST(HttpDate, IsWrittenInOneForm) {
  EXPECT_EQ(date(kThen), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(date(kNow), "Fri, 15 Jan 2027 08:00:00 GMT");
  EXPECT_EQ(date(951'782'400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(HttpDate, IsReadInThreeForms) {
  EXPECT_EQ(http::read_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow), kThen);
  EXPECT_EQ(http::read_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow), kThen);
  EXPECT_EQ(http::read_date("Sun Nov  6 08:49:37 1994", kNow), kThen);
  EXPECT_EQ(http::read_date("Wednesday, 01-Jan-76 00:00:00 GMT", kNow), 3'345'062'400)
      << "2076 is 49 years from now";
  for (const char* text :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ", "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov  6 08:49:37 94 ", "-1", "784111777"}) {
    EXPECT_EQ(http::read_date(text, kNow), std::nullopt) << text;
  }
  for (int64_t seconds = 0; seconds < 4'000'000'000; seconds += 86'400'003) {
    ASSERT_EQ(http::read_date(date(seconds), kNow), seconds);
  }
}

TEST(HttpDate, IsTheSameForAllThreads) {
  http::DateCache cache;
  std::atomic<int> wrong{0};
  const auto reads = [&] {
    for (int64_t now = 0; now < 20'000; ++now) {
      std::string text(http::kDateBytes, ' ');
      cache.put(now / 10, text.data());
      if (text != date(now / 10)) ++wrong;
    }
  };
  std::thread other(reads), third(reads);
  reads();
  other.join();
  third.join();
  EXPECT_EQ(wrong, 0);
}

Ranges parts(std::vector<ByteRange> all) { return {Ranges::Kind::kParts, std::move(all)}; }
bool operator==(const Ranges& a, const Ranges& b) { return a.kind == b.kind && a.parts == b.parts; }

TEST(HttpRanges, AreThoseOfTheRfc) {
  const auto read = [](std::string_view value) { return http::read_ranges(value, 4096); };
  EXPECT_TRUE(read("bytes=0-99") == parts({{0, 100}}));
  EXPECT_TRUE(read("Bytes=0-0") == parts({{0, 1}}));
  EXPECT_TRUE(read("bytes=4095-4095") == parts({{4095, 1}}));
  EXPECT_TRUE(read("bytes=4000-") == parts({{4000, 96}}));
  EXPECT_TRUE(read("bytes=-100") == parts({{3996, 100}}));
  EXPECT_TRUE(read("bytes=4000-9999") == parts({{4000, 96}}));
  EXPECT_TRUE(read("bytes=-9999") == parts({{0, 4096}}));
  EXPECT_TRUE(read("bytes=0-18446744073709551615") == parts({{0, 4096}}));
  EXPECT_TRUE(read("bytes=0-9, 100-109") == parts({{0, 10}, {100, 10}}));
  EXPECT_TRUE(read("bytes=100-109,0-9,9999-") == parts({{100, 10}, {0, 10}}));
  for (const char* value : {"bytes=4096-", "bytes=99999-100000", "bytes=-0"}) {
    EXPECT_EQ(read(value).kind, Ranges::Kind::kUnsatisfiable) << value;
  }
  for (const char* value :
       {"lines=1-5", "bytes=9-5", "bytes=", "bytes=+1-5", "bytes=0-99999999999999999999999999",
        "bytes=18446744073709551616-18446744073709551620", "bytes=1 0-19", "bytes", "bytes=a-b",
        "bytes=-", "bytes=0-9,5-14", "bytes=0x0-9", "bytes=0-9,x",
        "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,"
        "30-30,32-32"}) {
    EXPECT_EQ(read(value).kind, Ranges::Kind::kWhole) << value;
  }
  EXPECT_EQ(http::read_ranges("bytes=0-", 0).kind, Ranges::Kind::kUnsatisfiable);
}

TEST(HttpConditions, ComeInTheirOrder) {
  const http::Validators known{"\"v1\"", kThen};
  const auto judge = [&](std::string fields, http::Method method = http::Method::kGet) {
    return http::judge_conditions(fields, method, known, kNow);
  };
  const std::string at = date(kThen), before = date(kThen - 1), after = date(kThen + 1);
  EXPECT_EQ(judge(""), Verdict::kGoOn);
  for (const char* tags : {"\"v1\"", "\"x\", \"v1\" , \"y\"", "W/\"v1\"", "*"}) {
    EXPECT_EQ(judge("If-None-Match: " + std::string(tags) + "\r\n"), Verdict::kNotModified) << tags;
  }
  EXPECT_EQ(judge("If-None-Match: \"x\"\r\nif-none-match: \"v1\"\r\n"), Verdict::kNotModified);
  EXPECT_EQ(judge("If-None-Match: *\r\n", http::Method::kPut), Verdict::kFailed);
  for (const char* tags : {"\"x\"", "\"a,b\", \"c\"", "v1", "\"v1", ""}) {
    EXPECT_EQ(judge("If-None-Match: " + std::string(tags) + "\r\n"), Verdict::kGoOn) << tags;
  }
  EXPECT_EQ(judge("If-Modified-Since: " + at + "\r\n"), Verdict::kNotModified);
  EXPECT_EQ(judge("If-Modified-Since: " + after + "\r\n"), Verdict::kNotModified);
  EXPECT_EQ(judge("If-Modified-Since: " + before + "\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Modified-Since: yesterday\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Modified-Since: " + at + "\r\n", http::Method::kPost), Verdict::kGoOn);
  EXPECT_EQ(judge("If-None-Match: \"x\"\r\nIf-Modified-Since: " + at + "\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Match: *\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Match: \"x\", \"v1\"\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Match: \"x\"\r\n"), Verdict::kFailed);
  EXPECT_EQ(judge("If-Match: W/\"v1\"\r\n"), Verdict::kFailed);
  EXPECT_EQ(judge("If-Unmodified-Since: " + before + "\r\n"), Verdict::kFailed);
  EXPECT_EQ(judge("If-Unmodified-Since: " + at + "\r\n"), Verdict::kGoOn);
  EXPECT_EQ(judge("If-Match: \"v1\"\r\nIf-Unmodified-Since: " + before + "\r\n"), Verdict::kGoOn);
}

TEST(HttpConditions, DecideOnRanges) {
  const http::Validators known{"\"v1\"", kThen};
  const auto holds = [&](std::string value) {
    return http::if_range_holds("If-Range: " + value + "\r\n", known, kNow);
  };
  EXPECT_TRUE(http::if_range_holds("", known, kNow));
  EXPECT_TRUE(holds("\"v1\""));
  EXPECT_FALSE(holds("\"x\""));
  EXPECT_FALSE(holds("W/\"v1\""));
  EXPECT_FALSE(holds("\"x\", \"v1\""));
  EXPECT_TRUE(holds(date(kThen)));
  EXPECT_FALSE(holds(date(kThen + 1)));
  EXPECT_FALSE(holds("yesterday"));
  EXPECT_FALSE(http::if_range_holds("If-Range: " + date(kNow) + "\r\n", {"", kNow}, kNow))
      << "it may change again in this second";
}

TEST(HttpForm, IsReadAsBrowsersWriteIt) {
  const auto pairs = http::read_form("a=1&b=two+words&c=%C3%A9&d&=x&&a=2&e=%zz&f=%");
  ASSERT_TRUE(pairs);
  const http::Pairs wanted = {{"a", "1"}, {"b", "two words"}, {"c", "\xc3\xa9"}, {"d", ""},
                              {"", "x"},  {"a", "2"},         {"e", "%zz"},      {"f", "%"}};
  EXPECT_EQ(*pairs, wanted);
  EXPECT_EQ(http::find_in_form("a=1&b%20c=2&a=3", "a"), "1");
  EXPECT_EQ(http::find_in_form("a=1&b%20c=2", "b c"), "2");
  EXPECT_EQ(http::find_in_form("a=1&b+c=2", "b c"), "2");
  EXPECT_EQ(http::find_in_form("a=1", "b"), std::nullopt);
  std::string many;
  for (size_t i = 0; i <= http::kPairsMax; ++i) many += "a&";
  EXPECT_EQ(http::read_form(many), std::nullopt);
}

TEST(HttpCookie, IsFoundByItsName) {
  EXPECT_EQ(http::find_cookie("a=1; b=2;c=\"3\"; aa=4; d", "a"), "1");
  EXPECT_EQ(http::find_cookie("a=1; b=2;c=\"3\"; aa=4; d", "c"), "3");
  EXPECT_EQ(http::find_cookie("a=1; b=2;c=\"3\"; aa=4; d", "aa"), "4");
  EXPECT_EQ(http::find_cookie("a=1; b=x=y", "b"), "x=y");
  EXPECT_EQ(http::find_cookie("a=1; d", "d"), std::nullopt);
  EXPECT_EQ(http::find_cookie("xa=1", "a"), std::nullopt);
}

TEST(HttpMultipart, HasPartsAndFiles) {
  const std::string content =
      "preamble\r\n--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n"
      "--B  \r\ncontent-disposition: FORM-DATA; filename=\"a \\\"b\\\".txt\"; name=f\r\n"
      "Content-Type: text/csv\r\n\r\n1\r\n--Bx\n2\r\n--B--\r\nepilogue";
  const auto parts = http::read_multipart(content, "B");
  ASSERT_FALSE(parts) << "a delimiter with more behind it on its line is not well-formed";
  const std::string good =
      "--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n"
      "--B  \r\ncontent-disposition: FORM-DATA; filename=\"a \\\"b\\\".txt\"; name=f\r\n"
      "Content-Type: text/csv\r\n\r\n1\n--B\r\r\n2\r\n--B--\r\nepilogue";
  const auto read = http::read_multipart(good, "B");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].name, "note");
  EXPECT_EQ((*read)[0].content, "hello");
  EXPECT_EQ((*read)[1].name, "f");
  EXPECT_EQ((*read)[1].file_name, "a \"b\".txt");
  EXPECT_EQ((*read)[1].content_type, "text/csv");
  EXPECT_EQ((*read)[1].content, "1\n--B\r\r\n2");
  EXPECT_TRUE(http::read_multipart("preamble\r\n--B--", "B")->empty());
}

TEST(HttpMultipart, IsRefusedWhereItIsNone) {
  const std::string part = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
  for (const std::string& content :
       {std::string(), std::string("--B"), part, part + "--B", part + "--Bx--",
        std::string("--B\r\n\r\nx\r\n--B--"), std::string("--B\r\nX: 1\r\n\r\nx\r\n--B--"),
        std::string("--B\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--B--"),
        std::string("--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--"),
        std::string("--B\r\nContent-Disposition: form-data; name=a\r\nx\r\n--B--")}) {
    EXPECT_FALSE(http::read_multipart(content, "B")) << content;
  }
  http::MultipartLimits limits;
  limits.parts_max = 2;
  EXPECT_TRUE(http::read_multipart(part + part + "--B--", "B", limits));
  EXPECT_FALSE(http::read_multipart(part + part + part + "--B--", "B", limits));
  EXPECT_EQ(http::multipart_boundary("multipart/form-data; boundary=\"a b\""), "a b");
  EXPECT_EQ(http::multipart_boundary("Multipart/Form-Data; charset=x; Boundary=abc"), "abc");
  for (const char* type :
       {"multipart/mixed; boundary=a", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a \"", "text/plain"}) {
    EXPECT_FALSE(http::multipart_boundary(type)) << type;
  }
  EXPECT_FALSE(http::multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'b')));
}

TEST(HttpNegotiation, HeedsWeights) {
  EXPECT_TRUE(http::accepts_coding("gzip, deflate, br", "gzip"));
  EXPECT_TRUE(http::accepts_coding("GZIP;q=0.001", "gzip"));
  EXPECT_TRUE(http::accepts_coding("*", "gzip"));
  EXPECT_FALSE(http::accepts_coding("*, gzip;q=0", "gzip"));
  EXPECT_FALSE(http::accepts_coding("gzip ; q=0.000", "gzip"));
  EXPECT_FALSE(http::accepts_coding("*;q=0", "gzip"));
  EXPECT_FALSE(http::accepts_coding("xgzip, deflate", "gzip"));
  EXPECT_FALSE(http::accepts_coding("", "gzip"));
  EXPECT_TRUE(http::prefers_type("application/json", "application/json", "text/html"));
  EXPECT_TRUE(
      http::prefers_type("text/html;q=0.5, application/*", "application/json", "text/html"));
  EXPECT_FALSE(http::prefers_type("text/html,*/*;q=0.8", "application/json", "text/html"));
  EXPECT_FALSE(http::prefers_type("*/*", "application/json", "text/html"));
  EXPECT_FALSE(http::prefers_type("", "application/json", "text/html"));
}

TEST(HttpMediaTypes, ComeFromTheNameOfTheFile) {
  EXPECT_EQ(http::media_type_of("a/b.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(http::media_type_of("b.tar.gz"), "application/gzip");
  EXPECT_EQ(http::media_type_of("7z.7z"), "application/x-7z-compressed");
  EXPECT_EQ(http::media_type_of("x.zst"), "application/zstd");
  EXPECT_EQ(http::media_type_of("html"), "application/octet-stream");
  EXPECT_EQ(http::media_type_of("a.html/b"), "application/octet-stream");
  EXPECT_TRUE(http::is_worth_compressing("text/html; charset=utf-8"));
  EXPECT_TRUE(http::is_worth_compressing("image/svg+xml"));
  EXPECT_FALSE(http::is_worth_compressing("image/png"));
  EXPECT_FALSE(http::is_worth_compressing("text/event-stream"));
}

}  // namespace
