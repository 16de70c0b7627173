#include "services/files.h"

#include <system_error>
#include <utility>

namespace services {

tr::Result<tr::http::Routes> file_routes(const FilesChoice& choice) {
  tr::http::FilesOptions options;
  options.index = choice.index;
  options.lists_folders = choice.lists_folders;
  options.follows_links = choice.follows_links;
  tr::http::Routes routes;
  try {
    routes.files("/", choice.root, std::move(options));
  } catch (const std::system_error& error) {
    return tr::Error{tr::Error::Code::kSystem, error.what()};
  }
  return routes;
}

}  // namespace services
