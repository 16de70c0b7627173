// Median and its bootstrap interval. Pure functions.
#pragma once

#include <vector>

namespace bench {

double median(std::vector<double> values);

struct Interval {
  double low = 0;
  double high = 0;
};

// Where the median lies in 95 % of 10,000 resamples of `values`, drawn with a fixed seed: the same
// values give the same interval.
Interval bootstrap_median(const std::vector<double>& values);

}  // namespace bench
