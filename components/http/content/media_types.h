// The media type of a file by the end of its name, and whether it is worth to be compressed.
//
// Step 4, handling. Thread: any, pure.
#pragma once

#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

// Text types say that they are UTF-8. What is not known is "application/octet-stream".
std::string_view media_type_of(std::string_view file_name);

// False for what is compressed already, such as pictures, and for streams of events.
bool is_worth_compressing(std::string_view media_type);

}}}  // namespace trireme::http
