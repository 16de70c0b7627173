#include "http/serving/conditional.h"

#include <chrono>
#include <random>
#include <utility>

#include "http/content/conditions.h"
#include "http/content/ranges.h"
#include "http/message/date.h"
#include "http/message/fields.h"
#include "trireme/http/middleware.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

int64_t seconds_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

bool reads(const Request& request) {
  return request.method() == Method::kGet || request.method() == Method::kHead;
}

// What the response says of itself.
Validators validators_of(const Response& response) {
  Validators found{.entity_tag = std::string(response.header("etag"))};
  if (!is_entity_tag(found.entity_tag)) found.entity_tag.clear();
  const std::string_view date = response.header("last-modified");
  if (!date.empty()) found.last_modified = read_date(date, seconds_now());
  return found;
}

void answer_ranges(const Request& request, Response& response, const Validators& validators) {
  response.header("Accept-Ranges", "bytes");
  // Several parts of a file would have to be read here.
  const FileRange* const file = response.file();
  const RangePlan plan = plan_ranges(request, response, validators,
                                     {response.body_bytes(), file == nullptr ? ~uint64_t{0} : 0});
  if (plan.kind == RangePlan::Kind::kWhole) return;
  if (plan.kind == RangePlan::Kind::kUnsatisfiable) {
    response.replace_body("");
    return;
  }
  if (file != nullptr) {
    const ByteRange part = plan.pieces[0].range;
    response.body(FileRange{file->file, file->offset + part.first, part.bytes});
    return;
  }
  std::string body;
  body.reserve(plan.bytes);
  for (const RangePlan::Piece& piece : plan.pieces) {
    body.append(piece.before);
    body.append(response.body().substr(piece.range.first, piece.range.bytes));
  }
  response.replace_body(body.append(plan.end));
}

}  // namespace

std::optional<Response> check_conditions(const Request& request, const Validators& validators) {
  switch (judge_conditions(request.fields(), request.method(), validators, seconds_now())) {
    case Verdict::kGoOn:
      return std::nullopt;
    case Verdict::kFailed:
      return problem(412);
    case Verdict::kNotModified:
      break;
  }
  Response response(304);
  if (!validators.entity_tag.empty()) response.header("ETag", validators.entity_tag);
  if (validators.last_modified) {
    response.header("Last-Modified", date_text(*validators.last_modified));
  }
  return response;
}

std::string date_text(int64_t seconds) {
  std::string text(kDateBytes, ' ');
  write_date(seconds, text.data());
  return text;
}

RangePlan plan_ranges(const Request& request, Response& response, const Validators& validators,
                      const RangeLimits& limits) {
  RangePlan plan;
  if (request.method() != Method::kGet) return plan;
  const std::string_view wanted = request.header("range");
  if (wanted.empty() || !if_range_holds(request.fields(), validators, seconds_now())) return plan;
  const Ranges ranges = read_ranges(wanted, limits.content_bytes);
  if (ranges.kind == Ranges::Kind::kWhole) return plan;
  uint64_t together = 0;
  for (const ByteRange& part : ranges.parts) together += part.bytes;
  if (ranges.parts.size() > 1 && together > limits.several_bytes_max) return plan;
  const std::string all = "/" + std::to_string(limits.content_bytes);
  if (ranges.kind == Ranges::Kind::kUnsatisfiable) {
    plan.kind = RangePlan::Kind::kUnsatisfiable;
    response.status(416).header("Content-Range", "bytes *" + all).header("Content-Type", "");
    return plan;
  }
  const auto range_text = [&](const ByteRange& part) {
    return "bytes " + std::to_string(part.first) + "-" +
           std::to_string(part.first + part.bytes - 1) + all;
  };
  plan.kind = RangePlan::Kind::kParts;
  response.status(206);
  if (ranges.parts.size() == 1) {
    plan.pieces.push_back({{}, ranges.parts[0]});
    plan.bytes = ranges.parts[0].bytes;
    response.header("Content-Range", range_text(ranges.parts[0]));
    return plan;
  }
  std::random_device random;
  const std::string boundary = "part-" + std::to_string(random()) + "-" + std::to_string(random()) +
                               "-" + std::to_string(random());
  const std::string type(response.content_type());
  for (const ByteRange& part : ranges.parts) {
    std::string before = (plan.pieces.empty() ? "--" : "\r\n--") + boundary + "\r\n";
    if (!type.empty()) before += "Content-Type: " + type + "\r\n";
    before += "Content-Range: " + range_text(part) + "\r\n\r\n";
    plan.bytes += before.size() + part.bytes;
    plan.pieces.push_back({std::move(before), part});
  }
  plan.end = "\r\n--" + boundary + "--\r\n";
  plan.bytes += plan.end.size();
  response.header("Content-Type", "multipart/byteranges; boundary=" + boundary);
  return plan;
}

void answer_conditions(Routes& routes) {
  routes.after([](const Request& request, Response& response) {
    if (response.status() != 200 || !reads(request)) return;
    if (response.content_type() == "text/event-stream") return;
    const Validators validators = validators_of(response);
    const bool has_validators = !validators.entity_tag.empty() || validators.last_modified;
    if (has_validators) {
      switch (judge_conditions(request.fields(), request.method(), validators, seconds_now())) {
        case Verdict::kGoOn:
          break;
        case Verdict::kFailed:
          response = problem(412);
          return;
        case Verdict::kNotModified:
          response.status(304).header("Content-Type", "");
          return;
      }
    }
    answer_ranges(request, response, validators);
  });
}

}}}  // namespace trireme::http
