# SPDX-License-Identifier: Apache-2.0
# CMake toolchain file: cmake -DCMAKE_TOOLCHAIN_FILE=.../share/cmake/nsgx.cmake
get_filename_component(_nsgx_sdk "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER "${_nsgx_sdk}/bin/nsgx-cc")
set(CMAKE_CXX_COMPILER "${_nsgx_sdk}/bin/nsgx-c++")
set(CMAKE_ASM_COMPILER "${_nsgx_sdk}/bin/nsgx-cc")
set(CMAKE_AR "${_nsgx_sdk}/bin/nsgx-ar" CACHE FILEPATH "")
set(CMAKE_RANLIB "${_nsgx_sdk}/bin/nsgx-ranlib" CACHE FILEPATH "")
set(CMAKE_NM "${_nsgx_sdk}/bin/nsgx-nm" CACHE FILEPATH "")
set(CMAKE_STRIP "${_nsgx_sdk}/bin/nsgx-strip" CACHE FILEPATH "")
set(PKG_CONFIG_EXECUTABLE "${_nsgx_sdk}/bin/nsgx-pkg-config" CACHE FILEPATH "")

# Programs come from the build machine, everything else from the sysroot.
set(CMAKE_SYSROOT "${_nsgx_sdk}/lib/nsgx/sysroot")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# An image is one static, position-independent file.
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# nsgx_config(TARGET FILE): the launch configuration that the target's image gets; see nsgx.toml(5).
function(nsgx_config target file)
  get_filename_component(_path "${file}" ABSOLUTE)
  target_link_options(${target} PRIVATE "--nsgx-config=${_path}")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${_path}")
endfunction()
