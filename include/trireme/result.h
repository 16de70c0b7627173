// A value, or a sentence that says what went wrong. For start-up and configuration, not for the
// data path.
//
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace trireme { inline namespace v0 {

// What went wrong.
struct Error {
  enum class Code {
    kUsage,   // a bad option or URL (exit 2)
    kSystem,  // port taken, ... (exit 1)
  };
  Code code = Code::kSystem;
  std::string message{};  // one sentence that says what to change
};

// A value type that holds either.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: conversion is the point
  Result(Error error) : error_(std::move(error)) {}  // NOLINT

  // Any thread. Whether there is a value. value() must be called only if there is one; error() has
  // an empty sentence then. Both are borrowed from the result.
  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  const Error& error() const { return error_; }

 private:
  std::optional<T> value_;
  Error error_{Error::Code::kSystem, {}};
};

// The value of a Result that has nothing to say.
struct Done {};

}}  // namespace trireme
