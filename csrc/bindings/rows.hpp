// Rows of any source as Python hands them to a solver.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "zoo/row_source.hpp"

namespace zoo::bindings {

// A source, and the Python objects whose memory it reads.
class Rows {
 public:
  Rows(std::unique_ptr<RowSource> source, pybind11::tuple kept)
      : source_(std::move(source)), kept_(std::move(kept)) {}
  [[nodiscard]] const RowSource& source() const noexcept { return *source_; }

 private:
  std::unique_ptr<RowSource> source_;
  pybind11::tuple kept_;
};

}  // namespace zoo::bindings
