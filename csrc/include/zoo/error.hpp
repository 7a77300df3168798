// The one exception type of the core, with the kind that a caller decides by.
#pragma once

#include <stdexcept>
#include <string>

namespace zoo {

enum class ErrorKind {
  kInvalid,      // the caller's argument: shape, type, value
  kIo,           // the operating system said no: disk full, permission, missing file
  kCorrupt,      // bytes that do not say what they should: checksum, header, length
  kInterrupted,  // the caller's poll asked to stop
  kUnavailable,  // this build or machine lacks what was asked for, such as a GPU
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace zoo
