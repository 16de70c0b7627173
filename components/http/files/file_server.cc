#include "http/files/file_server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "http/content/media_types.h"
#include "http/content/negotiation.h"
#include "http/message/characters.h"
#include "http/message/target.h"
#include "http/serving/conditional.h"
#include "http/serving/core.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr size_t kListedMax = 10'000;
constexpr uint64_t kReadMax = 1 << 20;  // of several ranges together

Response refuse(const Request& request, int status) {
  return error_response(status, {}, request.header("accept"));
}

std::string html_escaped(std::string_view text) {
  std::string made;
  for (const char byte : text) {
    switch (byte) {
      case '&':
        made += "&amp;";
        break;
      case '<':
        made += "&lt;";
        break;
      case '>':
        made += "&gt;";
        break;
      case '"':
        made += "&quot;";
        break;
      default:
        made += byte;
    }
  }
  return made;
}

// A name as a segment of a path.
std::string segment_of(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view unreserved = "-._~";
  std::string made;
  for (const char byte : name) {
    const char lowered = to_lower(byte);
    if (is_digit(byte) || (lowered >= 'a' && lowered <= 'z') ||
        unreserved.find(byte) != std::string_view::npos) {
      made += byte;
    } else {
      made += '%';
      made += digits[static_cast<unsigned char>(byte) >> 4];
      made += digits[static_cast<unsigned char>(byte) & 15];
    }
  }
  return made;
}

// An encoded slash divides nothing, so no file can be meant.
bool has_coded_slash(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (equal_ignoring_case(path.substr(at, 3), "%2f")) return true;
  }
  return false;
}

bool has_empty_segment(std::string_view path) {
  return path.starts_with('/') || path.find("//") != std::string_view::npos;
}

// Bytes of an open file. Throws std::system_error, also where it has become shorter.
void read_file(const FoundFile& file, const ByteRange& range, std::string& into) {
  const size_t before = into.size();
  into.resize(before + static_cast<size_t>(range.bytes));
  for (uint64_t done = 0; done < range.bytes;) {
    const ssize_t count = ::pread(file.file.descriptor(), into.data() + before + done,
                                  range.bytes - done, static_cast<off_t>(range.first + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      throw std::system_error(count < 0 ? errno : EIO, std::generic_category(), "a file was cut");
    }
    done += static_cast<uint64_t>(count);
  }
}

// The whole, or the ranges that the client wants.
Response with_content(const Request& request, Response response, const Validators& validators,
                      const FoundFile& file) {
  const RangePlan plan = plan_ranges(request, response, validators, {file.bytes, kReadMax});
  if (plan.kind == RangePlan::Kind::kUnsatisfiable) return response;
  if (plan.kind == RangePlan::Kind::kWhole) {
    return std::move(response).body(FileRange{file.file, 0, file.bytes});
  }
  if (plan.pieces.size() == 1) {
    const ByteRange part = plan.pieces[0].range;
    return std::move(response).body(FileRange{file.file, part.first, part.bytes});
  }
  std::string body;
  for (const RangePlan::Piece& piece : plan.pieces) {
    body += piece.before;
    read_file(file, piece.range, body);
  }
  return std::move(response).body(body + plan.end);
}

// To the same folder with a slash at its end. Two slashes at the front would name a host.
Response redirect_to_folder(const Request& request) {
  std::string_view path = request.path();
  while (path.starts_with("//")) path.remove_prefix(1);
  std::string location = std::string(path) + "/";
  if (!request.query_text().empty()) location.append("?").append(request.query_text());
  return redirect(location, 301);
}

}  // namespace

FileServer::FileServer(const std::string& folder, FilesOptions options)
    : options_(std::move(options)), root_(folder, options_.follows_links), files_(root_) {}

bool FileServer::is_hidden(std::string_view path) const {
  if (options_.serves_hidden) return false;
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

Response FileServer::serve(const Request& request, const std::string& path) {
  const bool is_odd = has_coded_slash(request.path()) || has_empty_segment(path);
  if (is_odd || is_hidden(path)) return refuse(request, 404);
  const bool wants_folder = path.empty() || path.ends_with('/');
  const std::string name = path.substr(0, path.size() - (path.ends_with('/') ? 1 : 0));
  auto found = files_.find(name);
  switch (found->kind) {
    case FoundFile::Kind::kMissing:
      break;
    case FoundFile::Kind::kForbidden:
      return refuse(request, 403);
    case FoundFile::Kind::kFolder:
      if (!request.path().ends_with('/')) return redirect_to_folder(request);
      return serve_folder(request, name);
    case FoundFile::Kind::kFile:
      if (!wants_folder) return serve_file(request, name, std::move(found));
  }
  return refuse(request, 404);
}

Response FileServer::serve_folder(const Request& request, const std::string& path) {
  if (!options_.index.empty()) {
    const std::string index = path.empty() ? options_.index : path + "/" + options_.index;
    auto found = files_.find(index);
    if (found->kind == FoundFile::Kind::kFile) return serve_file(request, index, std::move(found));
  }
  if (!options_.lists_folders) return refuse(request, 404);
  return list(path, request.path());
}

Response FileServer::list(const std::string& path, std::string_view shown) const {
  struct stat facts {};
  OpenDescriptor folder;
  if (root_.open(path, folder, facts) != 0) return Response(404);
  const std::string title = html_escaped(percent_decode(shown).value_or(std::string(shown)));
  std::string page = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>" + title +
                     "</title>\n<h1>" + title + "</h1>\n<ul>\n";
  if (!path.empty()) page += "<li><a href=\"../\">../</a></li>\n";
  for (const RootFolder::Name& name : RootFolder::names_of(std::move(folder), kListedMax)) {
    if (is_hidden(name.text)) continue;
    const std::string slash = name.is_folder ? "/" : "";
    page += "<li><a href=\"" + segment_of(name.text) + slash + "\">" + html_escaped(name.text) +
            slash + "</a></li>\n";
  }
  return html(page + "</ul>\n");
}

FileServer::Variant FileServer::choose(const Request& request, const std::string& path,
                                       std::string_view type,
                                       std::shared_ptr<const FoundFile> file) {
  Variant best{.file = std::move(file)};
  if (!options_.precompressed || !is_worth_compressing(type)) return best;
  struct Coding {
    std::string_view name, ending;
  };
  constexpr std::array codings = {Coding{"br", ".br"}, Coding{"gzip", ".gz"}};
  const std::string_view accepted = request.header("accept-encoding");
  int weight = 0;
  for (const Coding& coding : codings) {
    auto found = files_.find(path + std::string(coding.ending));
    if (found->kind != FoundFile::Kind::kFile) continue;
    best.varies = true;
    const int wanted = weight_of(accepted, coding.name);
    if (wanted <= weight) continue;
    weight = wanted;
    best.coding = coding.name;
    best.file = std::move(found);
  }
  return best;
}

Response FileServer::serve_file(const Request& request, const std::string& path,
                                std::shared_ptr<const FoundFile> file) {
  const std::string_view type = media_type_of(path);
  const Variant variant = choose(request, path, type, std::move(file));
  const FoundFile& chosen = *variant.file;
  Validators validators{.last_modified = chosen.modified};
  validators.entity_tag = "\"" + chosen.tag;
  if (!variant.coding.empty()) validators.entity_tag.append("-").append(variant.coding);
  validators.entity_tag += '"';
  const auto add_fields = [&](Response response) {
    if (variant.varies) response.header("Vary", "Accept-Encoding");
    if (!options_.cache_control.empty()) response.header("Cache-Control", options_.cache_control);
    return response;
  };
  if (auto answer = check_conditions(request, validators)) return add_fields(std::move(*answer));
  Response response = add_fields(Response());
  response.header("Content-Type", type)
      .header("ETag", validators.entity_tag)
      .header("Last-Modified", date_text(chosen.modified))
      .header("Accept-Ranges", "bytes");
  if (!variant.coding.empty()) response.header("Content-Encoding", variant.coding);
  return with_content(request, std::move(response), validators, chosen);
}

}}}  // namespace trireme::http
