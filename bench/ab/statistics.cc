#include "statistics.h"

#include <algorithm>
#include <random>

namespace bench {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Interval bootstrap_median(const std::vector<double>& values) {
  constexpr size_t kResamples = 10'000;
  if (values.empty()) return {};
  std::mt19937_64 random(1);
  std::uniform_int_distribution<size_t> pick(0, values.size() - 1);
  std::vector<double> sample(values.size());
  std::vector<double> medians(kResamples);
  for (double& result : medians) {
    for (double& value : sample) value = values[pick(random)];
    result = median(sample);
  }
  std::sort(medians.begin(), medians.end());
  return {.low = medians[kResamples * 25 / 1000], .high = medians[kResamples * 975 / 1000]};
}

}  // namespace bench
