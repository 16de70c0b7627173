#include "runtime/thrown.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>

#include "runtime/log.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kTextBytesMax = 400;

std::string readable(const char* type_name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type_name, nullptr, nullptr, &status), &std::free);
  return name == nullptr ? type_name : name.get();
}

}  // namespace

std::string describe_thrown() {
  const std::type_info* const type = abi::__cxa_current_exception_type();
  const std::string name = type == nullptr ? "an exception" : readable(type->name());
  try {
    throw;
  } catch (const std::exception& thrown) {
    return name + ": " + printable(thrown.what(), kTextBytesMax);
  } catch (...) {
    return name;
  }
}

}}  // namespace trireme
