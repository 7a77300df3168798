// The error of a shard whose bytes do not say what they should.
#pragma once

#include <string>
#include <utility>

#include "zoo/error.hpp"

namespace zoo::detail {

class ShardDamage : public Error {
 public:
  ShardDamage(const std::string& path, std::string why)
      : Error(ErrorKind::kCorrupt, "shard " + path + " is damaged: " + why), why_(std::move(why)) {}
  // The reason alone, without the path.
  [[nodiscard]] const std::string& why() const noexcept { return why_; }

 private:
  std::string why_;
};

}  // namespace zoo::detail
