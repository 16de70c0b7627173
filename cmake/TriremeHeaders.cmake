# Target `headers`: every header compiles alone. One generated source file a header, not part of `all`.

set(header_sources "")
set(header_patterns include/*.h src/*.h services/*.h tool/*.h)
if(TARGET trireme_sim)
  list(APPEND header_patterns components/sim/*.h)
endif()
file(GLOB_RECURSE headers RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS ${header_patterns})
foreach(header ${headers})
  string(MAKE_C_IDENTIFIER ${header} name)
  set(source ${CMAKE_BINARY_DIR}/headers/${name}.cc)
  # Twice: a header without `#pragma once` does not pass.
  file(CONFIGURE OUTPUT ${source} CONTENT
       "#include \"@CMAKE_CURRENT_SOURCE_DIR@/@header@\"\n#include \"@CMAKE_CURRENT_SOURCE_DIR@/@header@\"\n" @ONLY)
  list(APPEND header_sources ${source})
endforeach()
if(header_sources)
  add_library(headers OBJECT EXCLUDE_FROM_ALL ${header_sources})
  target_include_directories(headers PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(headers PRIVATE trireme_internal)
  if(TARGET trireme_sim)
    target_link_libraries(headers PRIVATE trireme_sim)
  endif()
endif()
