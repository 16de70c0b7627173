# What holds for every target when Trireme is built by itself. A project that adds Trireme as a subdirectory keeps its
# own flags.

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Left out on purpose: -Wconversion (noise around system calls), and the warning about members that a designated
# initializer leaves at their default, which is how options are meant to be written.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -Wvla -Wundef)
set(cxx_warnings -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND cxx_warnings -Wshadow -Wthread-safety -Werror=thread-safety)
else()
  list(APPEND cxx_warnings -Wshadow=local -Wduplicated-cond)
endif()
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${cxx_warnings}>")
if(TRIREME_WERROR)
  add_compile_options(-Werror)
endif()

if(TRIREME_SANITIZE STREQUAL "address")
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(TRIREME_SANITIZE STREQUAL "thread")
  set(sanitize -fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
elseif(TRIREME_SANITIZE STREQUAL "fuzzer")
  set(sanitize -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
elseif(TRIREME_SANITIZE)
  message(FATAL_ERROR "TRIREME_SANITIZE is '${TRIREME_SANITIZE}'; it must be empty, address, thread or fuzzer")
endif()
if(TRIREME_SANITIZE)
  add_compile_options(${sanitize} -fno-omit-frame-pointer)
  add_link_options(${sanitize})
  find_program(GOLD_PROGRAM ld.gold)
  if(GOLD_PROGRAM)
    add_link_options(-fuse-ld=gold)  # links in a third of the time
  endif()
endif()
