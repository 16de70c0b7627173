// JSON out of values: what is written is valid, whatever the values are.
//
// Part of the load engine; a writer belongs to one thread.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace load {

// The text in quotes. What is not UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
// A number, or null if it is not finite.
std::string json_number(double value);

// Objects and arrays, one field a line at the outermost level.
class JsonWriter {
 public:
  // In an array, `name` stays empty.
  void begin_object(std::string_view name = {}) { begin(name, '{'); }
  void end_object() { end('}'); }
  void begin_array(std::string_view name) { begin(name, '['); }
  void end_array() { end(']'); }

  void field(std::string_view name, std::string_view text) { put(name, json_string(text)); }
  void field(std::string_view name, const char* text) { put(name, json_string(text)); }
  void field(std::string_view name, double value) { put(name, json_number(value)); }
  void field(std::string_view name, bool value) { put(name, value ? "true" : "false"); }
  void field(std::string_view name, std::integral auto value) { put(name, std::to_string(value)); }
  void null(std::string_view name) { put(name, "null"); }

  const std::string& text() const { return text_; }

 private:
  void begin(std::string_view name, char bracket);
  void end(char bracket);
  void put(std::string_view name, std::string_view value);

  std::string text_;
  int depth_ = 0;
  bool first_ = true;  // of its object or array
};

}  // namespace load
