// Columns of shards kept in memory, once checked: what makes random rows as cheap as in an array.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "runtime/memory.hpp"
#include "zoo/store.hpp"

namespace zoo::detail {

// How many bytes a store may still keep.
class ResidentBudget {
 public:
  explicit ResidentBudget(std::uint64_t bytes) noexcept : left_(bytes) {}
  [[nodiscard]] bool take(std::uint64_t bytes) noexcept {
    std::uint64_t left = left_.load(std::memory_order_relaxed);
    while (left >= bytes) {
      if (left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back(std::uint64_t bytes) noexcept {
    left_.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> left_;
};

// A column's vectors in memory, not zeroed first; gives its bytes back when it ends.
class Resident {
 public:
  Resident(std::shared_ptr<ResidentBudget> budget, std::uint64_t taken, std::vector<RowKey> keys,
           std::size_t value_bytes, std::size_t scales)
      : budget_(std::move(budget)),
        keys_(std::move(keys)),
        taken_(taken),
        size_(value_bytes),
        values_(static_cast<std::byte*>(allocate_large(value_bytes))),
        scales_(scales) {}
  ~Resident() {
    free_large(values_);
    budget_->give_back(taken_);
  }
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;

  // The rows' keys, which their checksums were checked with.
  [[nodiscard]] std::span<const RowKey> keys() const noexcept { return keys_; }
  [[nodiscard]] std::span<std::byte> values() noexcept { return {values_, size_}; }
  [[nodiscard]] std::span<const std::byte> values() const noexcept { return {values_, size_}; }
  [[nodiscard]] std::span<float> scales() noexcept { return scales_; }
  [[nodiscard]] std::span<const float> scales() const noexcept { return scales_; }

 private:
  std::shared_ptr<ResidentBudget> budget_;
  std::vector<RowKey> keys_;
  std::uint64_t taken_;
  std::size_t size_;
  std::byte* values_;
  std::vector<float> scales_;
};

}  // namespace zoo::detail
