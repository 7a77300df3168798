# Shortcuts for work on zoo itself. PYTHON names the interpreter of the environment in use.
PYTHON ?= python

.PHONY: core test cpp asan tsan lint
core:  ## build zoo._core in place, so that the checkout imports
	cmake -S . -B build/inplace -G Ninja -DPython_EXECUTABLE="$$($(PYTHON) -c 'import sys; print(sys.executable)')" \
	  -Dpybind11_DIR="$$($(PYTHON) -m pybind11 --cmakedir)"
	cmake --build build/inplace
	cp build/inplace/csrc/_core*.so zoo/
test: core
	$(PYTHON) -m pytest
cpp:
	cmake --preset release && cmake --build --preset release && ctest --preset release
asan:
	cmake --preset asan && cmake --build --preset asan && ctest --preset asan
tsan:
	cmake --preset tsan && cmake --build --preset tsan && ctest --preset tsan
lint:
	$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check . && $(PYTHON) -m mypy
	git ls-files '*.hpp' '*.cpp' '*.cu' '*.cuh' | xargs clang-format --dry-run -Werror
