// Goal: files are served as RFC 9110 demands, and nothing leads out of their folder. Method: a
// Conversation with routes of a folder of the test's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "trireme/http.h"
#include "trireme/testing/conversation.h"

namespace {

namespace http = trireme::http;
namespace fs = std::filesystem;
using trireme::testing::Conversation;

class HttpFiles : public testing::Test {
 protected:
  HttpFiles() {
    std::string name = testing::TempDir() + "http-files-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    top_ = name;
    root_ = top_ / "root";
    fs::create_directories(root_ / "sub" / "deep");
    write("a.txt", "0123456789");
    write("index.html", "<p>top");
    write("sub/index.html", "<p>sub");
    write("sub/deep/b.bin", "bin");
    write(".hidden", "hidden");
    std::ofstream(top_ / "secret") << "secret";
    talk_.emplace(http::serve(routes()));
  }
  ~HttpFiles() override { fs::remove_all(top_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << text;
  }
  http::Routes routes(http::FilesOptions options = {}, const char* prefix = "/") const {
    http::Routes made;
    made.files(prefix, root_.string(), std::move(options));
    return made;
  }
  static std::string ask(Conversation& talk, const std::string& line,
                         const std::string& more = "") {
    return talk.say(line + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n");
  }
  std::string get(const std::string& target, const std::string& more = "") {
    return ask(*talk_, "GET " + target, more);
  }
  static int status(std::string_view told) {
    return told.size() < 12 ? 0 : std::stoi(std::string(told.substr(9, 3)));
  }
  static std::string body(const std::string& told) {
    return told.substr(told.find("\r\n\r\n") + 4);
  }
  static std::string field(const std::string& told, const std::string& name) {
    const size_t at = told.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return told.substr(begin, told.find("\r\n", begin) - begin);
  }

  fs::path top_, root_;
  std::optional<Conversation> talk_;
};

TEST_F(HttpFiles, AreServedWithWhatIsKnownOfThem) {
  const std::string told = get("/a.txt");
  EXPECT_EQ(status(told), 200);
  EXPECT_EQ(body(told), "0123456789");
  EXPECT_EQ(field(told, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(field(told, "Content-Length"), "10");
  EXPECT_EQ(field(told, "Accept-Ranges"), "bytes");
  EXPECT_NE(field(told, "ETag"), "");
  EXPECT_NE(field(told, "Last-Modified"), "");
  EXPECT_EQ(field(get("/sub/deep/b.bin"), "Content-Type"), "application/octet-stream");
  const std::string head = ask(*talk_, "HEAD /a.txt");
  EXPECT_EQ(field(head, "Content-Length"), "10");
  EXPECT_EQ(body(head), "");
  EXPECT_EQ(status(ask(*talk_, "POST /a.txt", "Content-Length: 0\r\n")), 405);
  EXPECT_EQ(status(get("/none")), 404);
  EXPECT_EQ(body(get("/%61.txt")), "0123456789");
}

TEST_F(HttpFiles, AnswerConditions) {
  const std::string told = get("/a.txt");
  const std::string tag = field(told, "ETag");
  const std::string same = get("/a.txt", "If-None-Match: \"x\", " + tag + "\r\n");
  EXPECT_EQ(status(same), 304);
  EXPECT_EQ(field(same, "ETag"), tag);
  EXPECT_EQ(body(same), "");
  EXPECT_EQ(status(get("/a.txt", "If-None-Match: \"x\"\r\n")), 200);
  EXPECT_EQ(status(get("/a.txt", "If-Modified-Since: " + field(told, "Last-Modified") + "\r\n")),
            304);
  EXPECT_EQ(status(get("/a.txt", "If-Match: \"x\"\r\n")), 412);
}

TEST_F(HttpFiles, AnswerRanges) {
  std::string told = get("/a.txt", "Range: bytes=2-4\r\n");
  EXPECT_EQ(status(told), 206);
  EXPECT_EQ(body(told), "234");
  EXPECT_EQ(field(told, "Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(body(get("/a.txt", "Range: bytes=-3\r\n")), "789");
  EXPECT_EQ(body(get("/a.txt", "Range: bytes=8-\r\n")), "89");
  EXPECT_EQ(body(get("/a.txt", "Range: lines=1-2\r\n")), "0123456789");
  told = get("/a.txt", "Range: bytes=10-\r\n");
  EXPECT_EQ(status(told), 416);
  EXPECT_EQ(field(told, "Content-Range"), "bytes */10");
  told = get("/a.txt", "Range: bytes=0-1, 8-8\r\n");
  EXPECT_EQ(status(told), 206);
  const std::string type = field(told, "Content-Type");
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary=")) << told;
  const std::string line = "--" + type.substr(type.find('=') + 1);
  const std::string about = "Content-Type: text/plain; charset=utf-8\r\nContent-Range: bytes ";
  EXPECT_EQ(body(told), line + "\r\n" + about + "0-1/10\r\n\r\n01\r\n" + line + "\r\n" + about +
                            "8-8/10\r\n\r\n8\r\n" + line + "--\r\n");
  EXPECT_EQ(field(told, "Content-Length"), std::to_string(body(told).size()));
  const std::string tag = field(get("/a.txt"), "ETag");
  EXPECT_EQ(body(get("/a.txt", "Range: bytes=0-0\r\nIf-Range: " + tag + "\r\n")), "0");
  EXPECT_EQ(body(get("/a.txt", "Range: bytes=0-0\r\nIf-Range: \"x\"\r\n")), "0123456789");
}

TEST_F(HttpFiles, MayBeLargerThanAnythingThatIsKept) {
  std::string large(5 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>('a' + i / 4096 % 26);
  write("large", large);
  EXPECT_TRUE(body(get("/large")) == large);
  EXPECT_TRUE(body(get("/large", "Range: bytes=1000000-4999999\r\n")) ==
              large.substr(1'000'000, 4'000'000));
  // Several parts are read, so they are small; else the whole answers.
  EXPECT_EQ(status(get("/large", "Range: bytes=0-0,1000000-1000009\r\n")), 206);
  const std::string told = get("/large", "Range: bytes=0-0,1000000-3999999\r\n");
  EXPECT_EQ(status(told), 200);
  EXPECT_TRUE(body(told) == large);
}

TEST_F(HttpFiles, ThatBecomeShorterAreCut) {
  write("cut", std::string(100'000, 'x'));
  EXPECT_EQ(body(get("/cut")).size(), 100'000u);
  fs::resize_file(root_ / "cut", 50'000);  // and it is open
  const std::string told = get("/cut");
  EXPECT_LT(body(told).size(), 100'000u);
  EXPECT_EQ(talk_->closed(), trireme::CloseReason::kFileCut) << "the client sees no whole file";
}

TEST_F(HttpFiles, AreBodiesOfAnyHandler) {
  http::Routes made;
  const std::string path = (root_ / "a.txt").string();
  made.get("/f", [path](const http::Request&) {
    trireme::File file;
    if (trireme::File::open(path, file)) return http::problem(500);
    return http::Response().header("ETag", "\"7\"").body(trireme::FileRange{file, 2, 5});
  });
  http::answer_conditions(made);
  Conversation talk(http::serve(std::move(made)));
  EXPECT_EQ(body(ask(talk, "GET /f")), "23456");
  EXPECT_EQ(field(ask(talk, "HEAD /f"), "Content-Length"), "5");
  EXPECT_EQ(status(ask(talk, "GET /f", "If-None-Match: \"7\"\r\n")), 304);
  EXPECT_EQ(body(ask(talk, "GET /f", "Range: bytes=1-2\r\n")), "34");
  EXPECT_EQ(body(ask(talk, "GET /f", "Range: bytes=0-0,4-4\r\n")), "23456");
}

TEST_F(HttpFiles, OfFoldersAreTheirIndex) {
  EXPECT_EQ(body(get("/")), "<p>top");
  EXPECT_EQ(body(get("/sub/")), "<p>sub");
  const std::string told = get("/sub?a=b");
  EXPECT_EQ(status(told), 301);
  EXPECT_EQ(field(told, "Location"), "/sub/?a=b");
  EXPECT_EQ(status(get("/sub/deep/")), 404) << "nothing is listed";
  EXPECT_EQ(status(get("/a.txt/")), 404);
  EXPECT_EQ(status(get("//sub")), 404) << "which would redirect to a host";
}

TEST_F(HttpFiles, LeadNowhereElse) {
  fs::create_symlink(top_ / "secret", root_ / "out");
  fs::create_symlink("a.txt", root_ / "in");
  ::mkfifo((root_ / "fifo").c_str(), 0600);
  for (const char* target : {"/../secret", "/sub/../../secret", "/%2e%2e/secret",
                             "/sub/..%2f..%2fsecret", "/sub%2findex.html", "/a.txt%00", "/.hidden",
                             "/sub/./index.html", "//etc/passwd", "/out", "/in", "/fifo"}) {
    const std::string told = get(target);
    EXPECT_GE(status(told), 400) << target;
    EXPECT_LT(status(told), 500) << target;
    EXPECT_EQ(told.find("secret"), std::string::npos) << target;
  }
}

TEST_F(HttpFiles, FollowLinksThatStay) {
  fs::create_symlink(top_ / "secret", root_ / "out");
  fs::create_symlink("../secret", root_ / "up");
  fs::create_symlink("a.txt", root_ / "in");
  fs::create_symlink("sub", root_ / "folder");
  Conversation talk(http::serve(routes({.follows_links = true})));
  EXPECT_EQ(body(ask(talk, "GET /in")), "0123456789");
  EXPECT_EQ(body(ask(talk, "GET /folder/")), "<p>sub");
  EXPECT_EQ(status(ask(talk, "GET /out")), 403);
  EXPECT_EQ(status(ask(talk, "GET /up")), 403);
}

TEST_F(HttpFiles, AreListedWhereThatIsWanted) {
  write("sub/deep/<&\">", "x");
  Conversation talk(http::serve(routes({.lists_folders = true}, "/files/")));
  const std::string told = ask(talk, "GET /files/sub/deep/");
  EXPECT_EQ(status(told), 200);
  EXPECT_NE(told.find("<li><a href=\"%3C%26%22%3E\">&lt;&amp;&quot;&gt;</a></li>"),
            std::string::npos)
      << told;
  EXPECT_NE(told.find("<li><a href=\"b.bin\">b.bin</a></li>"), std::string::npos) << told;
  EXPECT_EQ(status(ask(talk, "GET /files")), 301);
  EXPECT_EQ(status(ask(talk, "GET /other")), 404);
}

TEST_F(HttpFiles, AreServedAsTheClientCanTakeThem) {
  write("page.html", "plain");
  write("page.html.gz", "gzipped");
  write("page.html.br", "brotli");
  const auto ask_for = [&](const std::string& accepted) {
    return get("/page.html", "Accept-Encoding: " + accepted + "\r\n");
  };
  EXPECT_EQ(body(ask_for("gzip, br")), "brotli");
  EXPECT_EQ(body(ask_for("gzip, br;q=0.5")), "gzipped");
  const std::string told = ask_for("gzip");
  EXPECT_EQ(field(told, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(told, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(field(told, "Vary"), "Accept-Encoding");
  const std::string plain = get("/page.html");
  EXPECT_EQ(body(plain), "plain");
  EXPECT_EQ(field(plain, "Vary"), "Accept-Encoding");
  EXPECT_NE(field(plain, "ETag"), field(told, "ETag"));
  EXPECT_EQ(field(get("/a.txt"), "Vary"), "");
}

TEST_F(HttpFiles, AreOpenInABoundedNumber) {
  const auto count_open = [] {
    size_t count = 0;
    for ([[maybe_unused]] const auto& each : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
  };
  const size_t before = count_open();
  for (int i = 0; i < 600; ++i) {
    const std::string name = "many" + std::to_string(i);
    write(name, name);
    ASSERT_EQ(body(get("/" + name)), name);
  }
  EXPECT_LE(count_open(), before + 256);
}

TEST_F(HttpFiles, NeedAFolder) {
  http::Routes made;
  EXPECT_THROW(made.files("/", (root_ / "a.txt").string()), std::system_error);
  EXPECT_THROW(made.files("/", (root_ / "none").string()), std::system_error);
}

}  // namespace
