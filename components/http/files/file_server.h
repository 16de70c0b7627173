// Answers requests with the files of a folder.
//
// Step 4, handling. Thread: the handler's; it may block as the file system does.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/files/open_files.h"
#include "trireme/http/files.h"
#include "trireme/http/request.h"
#include "trireme/http/response.h"

namespace trireme { inline namespace v0 { namespace http {

class FileServer {
 public:
  // Throws std::system_error: the folder cannot be opened.
  FileServer(const std::string& folder, FilesOptions options);

  // `path`: below the folder, decoded.
  Response serve(const Request& request, const std::string& path);

 private:
  // One file in the coding that the client likes best.
  struct Variant {
    std::shared_ptr<const FoundFile> file{};
    std::string_view coding{};  // empty: as it is
    bool varies = false;        // other clients may get another
  };

  Response serve_file(const Request& request, const std::string& path,
                      std::shared_ptr<const FoundFile> file);
  Response serve_folder(const Request& request, const std::string& path);
  Response list(const std::string& path, std::string_view shown) const;
  Variant choose(const Request& request, const std::string& path, std::string_view type,
                 std::shared_ptr<const FoundFile> file);
  bool is_hidden(std::string_view path) const;

  const FilesOptions options_;
  const RootFolder root_;
  OpenFiles files_;
};

}}}  // namespace trireme::http
