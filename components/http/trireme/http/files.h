// Files of a folder as responses: Routes::files().
//
// Thread: before start().
#pragma once

#include <string>

namespace trireme { inline namespace v0 { namespace http {

// GET and HEAD of regular files, with conditions, ranges and media types. Nothing leads out of the
// folder: no "..", however written, no link. A file that is asked for often is opened once a second
// at most, so a change may show that much later.
struct FilesOptions {
  std::string index = "index.html";  // what a folder is answered with; empty: nothing
  bool lists_folders = false;        // a folder without index: a page with its names
  bool follows_links = false;        // symbolic links, as long as they stay below the root
  bool serves_hidden = false;        // names that begin with a dot
  bool precompressed = true;         // NAME.br and NAME.gz beside NAME, for clients that take them
  std::string cache_control{};       // the field of each response; empty: none
};

}}}  // namespace trireme::http
