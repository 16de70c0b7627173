// Goal: a path and a method have the route that a reader of the patterns expects, whatever the
// order of the routes; devious paths have none. Method: small trees and paths.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "http/routing/route_pattern.h"
#include "http/routing/route_tree.h"

namespace {

namespace http = trireme::http;
using http::Method;
using http::RoutePattern;
using http::RouteTree;

class HttpRoutes : public testing::Test {
 protected:
  void add(Method method, std::string_view pattern, uint32_t route) {
    tree_.add(method, method == Method::kOther ? "PROPFIND" : "", RoutePattern(pattern), route);
  }
  uint32_t get(std::string_view path) { return tree_.match(path, Method::kGet, "GET"); }

  RouteTree tree_;
};

TEST_F(HttpRoutes, PreferLiteralsToParametersToTheRest) {
  add(Method::kGet, "/*all", 1);
  add(Method::kGet, "/a/:b", 2);
  add(Method::kGet, "/a/b", 3);
  add(Method::kGet, "/a/:b/c", 4);
  add(Method::kGet, "/", 5);
  add(Method::kGet, "/a/*rest", 6);
  EXPECT_EQ(get("/"), 5u);
  EXPECT_EQ(get(""), 5u);
  EXPECT_EQ(get("/a/b"), 3u);
  EXPECT_EQ(get("/a/x"), 2u);
  EXPECT_EQ(get("/a/b/c"), 4u) << "the literal b has no c, the parameter has";
  EXPECT_EQ(get("/a/b/d"), 6u);
  EXPECT_EQ(get("/a/"), 6u) << "a parameter is not empty";
  EXPECT_EQ(get("/a"), 6u);
  EXPECT_EQ(get("/x/y"), 1u);
}

TEST_F(HttpRoutes, CompareDecodedSegments) {
  add(Method::kGet, "/caf\xc3\xa9/:x", 1);
  add(Method::kGet, "/a%2Fb", 2);
  EXPECT_EQ(get("/caf%C3%A9/1"), 1u);
  EXPECT_EQ(get("/%63af%c3%a9/1"), 1u);
  EXPECT_EQ(get("/a%2fb"), 2u) << "an encoded slash divides nothing";
  EXPECT_EQ(get("/a/b"), RouteTree::kNone);
}

TEST_F(HttpRoutes, KnowTheirMethods) {
  add(Method::kGet, "/a", 1);
  add(Method::kPost, "/a", 2);
  add(Method::kOther, "/a", 3);
  add(Method::kDelete, "/:any", 4);
  EXPECT_EQ(tree_.match("/a", Method::kHead, "HEAD"), 1u);
  EXPECT_EQ(tree_.match("/a", Method::kPost, "POST"), 2u);
  EXPECT_EQ(tree_.match("/a", Method::kOther, "PROPFIND"), 3u);
  EXPECT_EQ(tree_.match("/a", Method::kOther, "MKCOL"), RouteTree::kNone);
  EXPECT_EQ(tree_.match("/a", Method::kDelete, "DELETE"), 4u) << "a later pattern has the method";
  EXPECT_EQ(tree_.match("/a", Method::kPut, "PUT"), RouteTree::kNone);
  EXPECT_EQ(tree_.allowed("/a"), "DELETE, GET, HEAD, OPTIONS, POST, PROPFIND");
  EXPECT_EQ(tree_.allowed("/b"), "DELETE, OPTIONS");
  EXPECT_EQ(tree_.allowed("/b/c"), "");
}

TEST_F(HttpRoutes, RefuseWhatCannotBeMeant) {
  add(Method::kGet, "/a/:b", 1);
  EXPECT_THROW(add(Method::kGet, "/a/:c", 2), std::invalid_argument);
  for (const char* pattern : {"", "a", "/:", "/*rest/a", "/:a/:a", "/%zz", "/../a", "/a/./b"}) {
    EXPECT_THROW(RoutePattern{pattern}, std::invalid_argument) << pattern;
  }
}

TEST_F(HttpRoutes, GiveParametersBack) {
  const RoutePattern pattern("/a/:id/parts/*rest");
  EXPECT_EQ(pattern.find("/a/7/parts/x/y", "id"), "7");
  EXPECT_EQ(pattern.find("/a/7/parts/x/y", "rest"), "x/y");
  EXPECT_EQ(pattern.find("/a/7/parts/", "rest"), "");
  EXPECT_EQ(pattern.find("/a/7/parts", "rest"), "");
  EXPECT_EQ(pattern.find("/a/7/parts", "other"), std::nullopt);
}

TEST_F(HttpRoutes, LeadWhereTheirPathsBegin) {
  const RoutePattern pattern("/a/:id");
  for (const char* path : {"/a/7", "/a/7/", "/a/7/x", "/%61/7/x"}) {
    EXPECT_TRUE(pattern.leads(path)) << path;
  }
  for (const char* path : {"/a", "/a/", "/a//x", "/b/7", "/aa/7", ""}) {
    EXPECT_FALSE(pattern.leads(path)) << path;
  }
}

TEST(HttpPaths, AreDeviousWithDotsOrZeros) {
  for (const char* path : {"/..", "/.", "/a/../b", "/a/.", "/%2e%2e/x", "/.%2E/x", "/a%00.txt",
                           "/%2E", "/a/..%2fb", "/a/x%2f..%2fy", "/a/..%5cb", "/%2e%2f"}) {
    EXPECT_TRUE(http::is_devious(path)) << path;
  }
  for (const char* path : {"/", "", "/a", "/...", "/.well-known/x", "/a..b", "/a/b.", "/%252e%252e",
                           "/..;/a", "/%66ile.bin", "/a%2fb", "/a%2f...%2fb"}) {
    EXPECT_FALSE(http::is_devious(path)) << path;
  }
}

}  // namespace
