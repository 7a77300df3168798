# Cross-builds for 64-bit ARM on Debian (g++-aarch64-linux-gnu), tests under qemu-user-static.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR
    "qemu-aarch64-static;-cpu;max;-L;/usr/aarch64-linux-gnu")
