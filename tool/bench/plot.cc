#include "tool/bench/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace bench {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 860;
constexpr const char* kBlue = "#1f5fbf";
constexpr const char* kOrange = "#c2500a";
constexpr const char* kGrid = "#dddddd";
constexpr const char* kInk = "#222222";

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", std::isfinite(value) ? value : 0);
  return text;
}

struct Point {
  double x;
  double y;
};

// Shapes in the coordinates of the page.
class Svg {
 public:
  Svg() {
    text_ =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"" +
        attribute("viewBox", "0 0 " + number(kWidth) + " " + number(kHeight)) +
        attribute("width", number(kWidth)) + attribute("height", number(kHeight)) +
        " font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  }

  // `anchor`: start, middle or end.
  void text(Point at, const char* anchor, std::string_view content, int size = 13,
            const char* more = "") {
    text_ += "<text" + attribute("x", number(at.x)) + attribute("y", number(at.y)) +
             attribute("text-anchor", anchor) + attribute("font-size", std::to_string(size)) +
             attribute("fill", kInk) + more + ">" + xml_text(content) + "</text>\n";
  }

  void line(Point from, Point to, const char* colour, double width = 1) {
    text_ += "<line" + attribute("x1", number(from.x)) + attribute("y1", number(from.y)) +
             attribute("x2", number(to.x)) + attribute("y2", number(to.y)) +
             attribute("stroke", colour) + attribute("stroke-width", number(width)) + "/>\n";
  }

  void curve(const std::vector<Point>& points, const char* colour) {
    text_ += "<polyline" + attribute("points", list(points)) + attribute("stroke", colour) +
             " fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"/>\n";
  }

  void area(const std::vector<Point>& points, const char* colour) {
    text_ += "<polygon" + attribute("points", list(points)) + attribute("fill", colour) +
             " fill-opacity=\"0.15\"/>\n";
  }

  std::string finish() { return std::move(text_) + "</svg>\n"; }

 private:
  static std::string attribute(const char* name, const std::string& value) {
    return std::string(" ") + name + "=\"" + value + "\"";
  }
  static std::string list(const std::vector<Point>& points) {
    std::string text;
    for (const Point& point : points) text += number(point.x) + "," + number(point.y) + " ";
    return text;
  }

  std::string text_;
};

// A rectangle of the page with axes; values from 0 to 1 in both directions.
struct Panel {
  double left = 90;
  double top = 0;
  double width = kWidth - 130;
  double height = 290;

  Point at(double x, double y) const { return {left + x * width, top + (1 - y) * height}; }

  void title(Svg& svg, std::string_view words) const {
    svg.text({left, top - 14}, "start", words, 15, " font-weight=\"600\"");
  }
  void frame(Svg& svg) const {
    svg.line(at(0, 0), at(1, 0), kInk);
    svg.line(at(0, 0), at(0, 1), kInk);
  }
  void tick_x(Svg& svg, double x, std::string_view label) const {
    const Point foot = at(x, 0);
    svg.line(foot, at(x, 1), kGrid);
    svg.text({foot.x, foot.y + 20}, "middle", label);
  }
  void tick_y(Svg& svg, double y, std::string_view label) const {
    const Point foot = at(0, y);
    svg.line(foot, at(1, y), kGrid);
    svg.text({foot.x - 8, foot.y + 4}, "end", label);
  }
  void name_x(Svg& svg, std::string_view words) const {
    svg.text({left + width / 2, top + height + 42}, "middle", words);
  }
};

// 1, 2 or 5 times a power of ten.
double round_down(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  const double lead = value / power * (1 + 1e-9);
  return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power;
}

double round_up(double value) {
  const double below = round_down(value);
  if (below >= value * (1 - 1e-9)) return below;
  return round_down(below * 2.5 * (1 + 1e-9));
}

class LatencyPanel {
 public:
  explicit LatencyPanel(const load::Tally& tally) : tally_(tally) {
    double lowest = 1e300;
    double highest = 1;
    uint64_t most = 1;
    for (const load::Histogram* each : {&tally.fast, &tally.blocking}) {
      if (each->count() == 0) continue;
      // Of an empty or a faster than measurable reply, at least a nanosecond.
      lowest = std::min(lowest, std::max(1.0, static_cast<double>(each->steps().front().value)));
      highest = std::max(highest, static_cast<double>(each->max()));
      most = std::max(most, each->count());
    }
    low_ = round_down(std::min(lowest, highest));
    high_ = round_up(std::max(highest, low_ * 2));
    nines_ = std::max(1.0, std::log10(static_cast<double>(most)));
  }

  void draw(Svg& svg) const {
    panel_.title(svg, "Latency by percentile");
    draw_axes(svg);
    draw_curve(svg, tally_.fast, kBlue);
    draw_curve(svg, tally_.blocking, kOrange);
    if (tally_.fast.count() == 0 || tally_.blocking.count() == 0) return;
    const double right = panel_.left + panel_.width;
    svg.line({right - 220, panel_.top - 18}, {right - 200, panel_.top - 18}, kBlue, 2);
    svg.text({right - 195, panel_.top - 14}, "start", "not blocking");
    svg.line({right - 95, panel_.top - 18}, {right - 75, panel_.top - 18}, kOrange, 2);
    svg.text({right - 70, panel_.top - 14}, "start", "blocking");
  }

 private:
  double height_of(double nanoseconds) const {
    const double value = std::max(nanoseconds, low_);
    return std::log10(value / low_) / std::log10(high_ / low_);
  }

  // "10 ms", not "10.0 ms".
  static std::string label_of(double nanoseconds) {
    std::string label = show_time(nanoseconds);
    const size_t point = label.find('.');
    if (point != label.npos) label.erase(point, label.find(' ') - point);
    return label;
  }

  void draw_axes(Svg& svg) const {
    const bool narrow = high_ / low_ < 20'000;
    for (double tick = low_; tick < high_ * 1.001; tick = round_up(tick * 1.01)) {
      const double lead = tick / std::pow(10, std::floor(std::log10(tick) + 1e-9));
      if (narrow || lead < 1.5) panel_.tick_y(svg, height_of(tick), label_of(tick));
    }
    panel_.tick_x(svg, 0, "0 %");
    panel_.tick_x(svg, std::log10(2) / nines_, "50 %");
    std::string label = "9";
    for (int nines = 1; nines <= static_cast<int>(nines_ + 1e-9); ++nines) {
      panel_.tick_x(svg, nines / nines_, nines == 1 ? "90 %" : label + " %");
      label += nines == 1 ? "9" : nines == 2 ? ".9" : "9";
    }
    panel_.name_x(svg, "percentile: so many of the requests took at most that long");
    panel_.frame(svg);
  }

  // Steps that nobody can see only make the file longer.
  static bool far(const Point& from, const Point& to) {
    return std::abs(from.x - to.x) + std::abs(from.y - to.y) > 0.5;
  }

  void draw_curve(Svg& svg, const load::Histogram& latencies, const char* colour) const {
    if (latencies.count() == 0) return;
    const auto all = static_cast<double>(latencies.count());
    const auto place = [&](uint64_t count) {
      const double above = std::max(all - static_cast<double>(count), 1.0) / all;
      return -std::log10(above) / nines_;
    };
    std::vector<Point> points;
    uint64_t before = 0;
    for (const load::Histogram::Step& step : latencies.steps()) {
      const double y = height_of(static_cast<double>(step.value));
      for (const uint64_t count : {before, step.count}) {
        const Point point = panel_.at(place(count), y);
        if (points.empty() || far(points.back(), point)) points.push_back(point);
      }
      before = step.count;
    }
    svg.curve(points, colour);
  }

  const load::Tally& tally_;
  const Panel panel_{.top = 120};
  double low_ = 1;
  double high_ = 10;
  double nines_ = 1;
};

void draw_throughput(Svg& svg, const Subject& subject, const load::Measured& measured) {
  const Panel panel{.top = 500};
  const bool in_bytes = subject.options.load.scenario == load::Scenario::kStream;
  panel.title(svg, in_bytes ? "Throughput over time, MB/s, sent and received"
                            : "Throughput over time, requests/s");
  std::vector<Point> points;  // seconds, amount
  double time = 0;
  double most = 0;
  for (const load::Second& second : measured.per_second) {
    const double amount =
        in_bytes ? static_cast<double>(second.bytes) / 1e6 : static_cast<double>(second.requests);
    const double rate = amount / std::max(second.seconds, 1e-3);
    points.push_back({time, rate});
    points.push_back({time += second.seconds, rate});
    most = std::max(most, rate);
  }
  const std::vector<double> rates = round_ticks(std::max(most * 1.02, 1.0), 5);
  for (const double rate : rates) {
    const bool whole = rates.back() >= 5;
    panel.tick_y(svg, rate / rates.back(),
                 whole ? show_count(static_cast<uint64_t>(std::llround(rate))) : number(rate));
  }
  const double end = std::max(time, 1e-3);
  for (const double tick : round_ticks(end, 10)) {
    if (tick > end * 1.001) continue;
    char label[32];
    std::snprintf(label, sizeof label, "%g s", tick);
    panel.tick_x(svg, tick / end, label);
  }
  panel.name_x(svg, "seconds since the warm-up");
  for (Point& point : points) point = panel.at(point.x / end, point.y / rates.back());
  svg.curve(points, kBlue);
  points.insert(points.begin(), panel.at(0, 0));
  points.push_back(panel.at(points.size() > 1 ? time / end : 0, 0));
  svg.area(points, kBlue);
  panel.frame(svg);
}

std::string summary_of(const Subject& subject, const load::Measured& measured) {
  const load::Histogram& latencies =
      measured.tally.fast.count() > 0 ? measured.tally.fast : measured.tally.blocking;
  const load::LoadOptions& load = subject.options.load;
  const double rate = per(static_cast<double>(measured.requests), measured.seconds);
  const auto shown = [&](double fraction) {
    return show_time(static_cast<double>(latencies.percentile(fraction)));
  };
  return std::to_string(load.connections) + " connections, " +
         (load.rate > 0 ? "fixed rate, " : "closed loop, ") +
         show_count(static_cast<uint64_t>(rate)) + " requests/s; p50 " + shown(0.5) + ", p99 " +
         shown(0.99) + ", p99.9 " + shown(0.999) + ", max " +
         show_time(static_cast<double>(latencies.max()));
}

}  // namespace

std::string plot_of(const Subject& subject, const load::Measured& measured) {
  Svg svg;
  svg.text({90, 42}, "start", "trireme bench " + subject.scenario + " " + subject.url, 20,
           " font-weight=\"600\"");
  if (measured.tally.fast.count() + measured.tally.blocking.count() == 0) {
    svg.text({90, 66}, "start", "nothing was measured");
    return svg.finish();
  }
  svg.text({90, 66}, "start", summary_of(subject, measured));
  LatencyPanel(measured.tally).draw(svg);
  draw_throughput(svg, subject, measured);
  return svg.finish();
}

std::string xml_text(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    if (byte == '<') {
      escaped += "&lt;";
    } else if (byte == '>') {
      escaped += "&gt;";
    } else if (byte == '&') {
      escaped += "&amp;";
    } else if (byte == '"') {
      escaped += "&quot;";
    } else {
      escaped += byte < ' ' || byte > '~' ? '?' : byte;
    }
  }
  return escaped;
}

std::vector<double> round_ticks(double max, int count) {
  const double step = round_up(max / count);
  std::vector<double> ticks = {0};
  while (ticks.back() < max * (1 - 1e-9)) {
    ticks.push_back(step * static_cast<double>(ticks.size()));
  }
  return ticks;
}

}  // namespace bench
