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
  Error(ErrorKind kind, const std::string& what, int os_code = 0)
      : std::runtime_error(what), kind_(kind), os_code_(os_code) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  // The system's errno of a kIo error, 0 where there is none.
  [[nodiscard]] int os_code() const noexcept { return os_code_; }

 private:
  ErrorKind kind_;
  int os_code_;
};

}  // namespace zoo
