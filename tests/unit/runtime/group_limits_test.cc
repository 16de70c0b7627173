// Goal: what control groups grant is found in version 2, in version 1 and in both at once, in the
// own group and above it; where there is no limit, or nothing to read, there is none.
// Method: folders that look like the root of a system.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/system/real_group.h"

namespace trireme { inline namespace v0 { namespace {

class GroupLimitsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "groups-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void version_2(const std::string& own_group) const {
    write("/proc/self/cgroup", "0::" + own_group + "\n");
    write("/proc/self/mountinfo",
          "22 1 0:20 / /proc rw - proc proc rw\n"
          "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }
  void expect(int64_t memory_bytes, int cpus) const {
    const GroupLimits limits = read_group_limits(root_);
    EXPECT_EQ(limits.memory_bytes, memory_bytes);
    EXPECT_EQ(limits.cpus, cpus);
  }

  std::string root_;
};

TEST_F(GroupLimitsTest, NothingToReadIsNoLimit) { expect(0, 0); }

TEST_F(GroupLimitsTest, AContainersOwnGroupIsItsRoot) {
  version_2("/");
  expect(0, 0);
  write("/sys/fs/cgroup/memory.max", "209715200\n");
  write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  expect(209'715'200, 2);
  write("/sys/fs/cgroup/memory.max", "max\n");
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  expect(0, 0);
}

TEST_F(GroupLimitsTest, TheLeastOfAllGroupsAboveHolds) {
  version_2("/work.slice/server.service");
  write("/sys/fs/cgroup/work.slice/memory.max", "1000000\n");
  write("/sys/fs/cgroup/work.slice/cpu.max", "400000 100000\n");
  write("/sys/fs/cgroup/work.slice/server.service/memory.max", "max\n");
  write("/sys/fs/cgroup/work.slice/server.service/cpu.max", "50000 100000\n");
  expect(1'000'000, 1);
  write("/sys/fs/cgroup/work.slice/server.service/memory.max", "999999\n");
  expect(999'999, 1);
}

TEST_F(GroupLimitsTest, AGroupOutsideOfOurViewIsTheRootOfIt) {
  version_2("/../../elsewhere");
  write("/sys/fs/cgroup/memory.max", "5000\n");
  expect(5'000, 0);
}

// As in a container that sees the names of its host.
TEST_F(GroupLimitsTest, Version1HasAHierarchyForEachController) {
  write("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n");
  write("/proc/self/mountinfo",
        "31 30 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        "32 30 0:28 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
        "33 30 0:29 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  expect(0, 0);
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
  write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "210000\n");
  expect(104'857'600, 3);
}

TEST_F(GroupLimitsTest, OfVersion1ThereMayBeOtherOptionsOfTheMount) {
  write("/proc/self/cgroup", "4:memory:/docker\n3:cpu,cpuacct:/docker\n");
  write("/proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,seclabel,memory\n"
        "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,seclabel,cpu,cpuacct\n");
  write("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "209715200\n");
  write("/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "300000\n");
  write("/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000\n");
  expect(209'715'200, 3);
}

TEST_F(GroupLimitsTest, ANameThatBeginsAlikeIsAnotherGroup) {
  write("/proc/self/cgroup", "4:memory:/lxc/web-1\n");
  write("/proc/self/mountinfo",
        "30 23 0:26 /lxc/web /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");
  expect(1'000'000, 0);
}

}  // namespace
}}  // namespace trireme
