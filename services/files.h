// Service `files`: the files of a folder over HTTP, with conditions, ranges and media types.
//
// A user of the public API alone. Handlers block as the file system does.
#pragma once

#include <string>

#include "trireme/http.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

struct FilesChoice {
  std::string root;                  // the folder
  std::string index = "index.html";  // what a folder is answered with; empty: nothing
  bool lists_folders = false;
  bool follows_links = false;
};

// Before start(). The routes; the error is of code kSystem: the folder cannot be opened.
tr::Result<tr::http::Routes> file_routes(const FilesChoice& choice);

}  // namespace services
