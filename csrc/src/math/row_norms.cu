#include <algorithm>

#include "runtime/cuda_check.cuh"
#include "zoo/build_info.hpp"
#include "zoo/row_norms.hpp"

namespace zoo {
namespace {

constexpr int kWarp = 32;
constexpr int kWarpsPerBlock = 8;
constexpr std::size_t kMaxBlocks = 65535;

// One warp a row; lanes stride over columns, then halve by shuffles: a fixed order of additions.
__global__ void row_norms_kernel(const float* x, double* out, std::size_t rows, std::size_t cols) {
  const std::size_t lane = threadIdx.x % kWarp;
  const std::size_t step = static_cast<std::size_t>(gridDim.x) * kWarpsPerBlock;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * kWarpsPerBlock + threadIdx.x / kWarp;
       i < rows; i += step) {
    double sum = 0.0;
    for (std::size_t j = lane; j < cols; j += kWarp) {
      const double value = static_cast<double>(x[i * cols + j]);
      sum += value * value;
    }
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      sum += __shfl_down_sync(0xffffffffu, sum, offset);
    }
    if (lane == 0) out[i] = sum;
  }
}

}  // namespace

std::vector<double> row_norms_cuda(const Context&, MatrixView<float> x) {
  int devices = 0;
  detail::cuda_check(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  if (devices == 0) throw Error(ErrorKind::kUnavailable, "no CUDA device was found");
  std::vector<double> out(x.rows);
  if (x.rows == 0 || x.cols == 0) return out;
  detail::Stream stream;
  detail::DeviceBuffer<float> rows(x.rows * x.cols);
  detail::DeviceBuffer<double> norms(x.rows);
  detail::cuda_check(
      cudaMemcpy2DAsync(rows.get(), x.cols * sizeof(float), x.data, x.stride * sizeof(float),
                        x.cols * sizeof(float), x.rows, cudaMemcpyHostToDevice, stream.get()),
      "cudaMemcpy2DAsync");
  const std::size_t blocks = std::min(kMaxBlocks, (x.rows + kWarpsPerBlock - 1) / kWarpsPerBlock);
  row_norms_kernel<<<static_cast<unsigned>(blocks), kWarp * kWarpsPerBlock, 0, stream.get()>>>(
      rows.get(), norms.get(), x.rows, x.cols);
  detail::cuda_check(cudaGetLastError(), "row_norms_kernel");
  detail::cuda_check(cudaMemcpyAsync(out.data(), norms.get(), x.rows * sizeof(double),
                                     cudaMemcpyDeviceToHost, stream.get()),
                     "cudaMemcpyAsync");
  detail::cuda_check(cudaStreamSynchronize(stream.get()), "cudaStreamSynchronize");
  return out;
}

namespace detail {
int cuda_device_count() noexcept {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess) {
    (void)cudaGetLastError();
    return 0;
  }
  return devices;
}
}  // namespace detail

}  // namespace zoo
