// The picture of a run: latency by percentile and throughput over time, as SVG.
//
// Part of the tool; pure functions, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tool/bench/report.h"

namespace bench {

// A whole SVG document.
std::string plot_of(const Subject& subject, const load::Measured& measured);

// The characters that XML reserves are written out; what it cannot hold becomes a question mark.
std::string xml_text(std::string_view text);
// Round numbers 1, 2 or 5 times a power of ten, from 0 to the first that is not below `max`; about
// `count` of them.
std::vector<double> round_ticks(double max, int count);

}  // namespace bench
