// Goal: the scheme of a URL names a transport and layers, and is told back as it was given. Method:
// URLs, and what is left of them.
#include "accept/url_layers.h"

#include <gtest/gtest.h>

namespace {

using trireme::with_layers_of;
using trireme::without_layers;

TEST(UrlLayers, LeaveATransport) {
  EXPECT_EQ(without_layers("tcp+proxy://:1"), "tcp://:1");
  EXPECT_EQ(without_layers("unix+proxy+tls:/a"), "unix:/a");
  for (const char* url : {"tls://:1", "http://:1", "https://:1", "https+proxy://:1"}) {
    EXPECT_EQ(without_layers(url), "tcp://:1") << url;
  }
  EXPECT_EQ(without_layers("ftp://:1"), "ftp://:1");
}

TEST(UrlLayers, AreToldBackAsTheyWereGiven) {
  EXPECT_EQ(with_layers_of("tcp+proxy://:0", "tcp://[::]:7"), "tcp+proxy://[::]:7");
  EXPECT_EQ(with_layers_of("tls://:0", "tcp://[::]:7"), "tls://[::]:7");
  EXPECT_EQ(with_layers_of("http://:0", "tcp://[::]:7"), "http://[::]:7");
  EXPECT_EQ(with_layers_of("https+proxy://:0", "tcp://[::]:7"), "https+proxy://[::]:7");
  EXPECT_EQ(with_layers_of("fd:3", "tcp://[::]:7"), "tcp://[::]:7");
}

}  // namespace
