# Headers, library, CMake package `trireme` (targets trireme::trireme and trireme::COMPONENT), pkg-config file, the tool
# with its manual page, licence, examples.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/trireme)
install(DIRECTORY include/trireme DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS trireme EXPORT trireme_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET trireme_tool)
  install(TARGETS trireme_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(FILES docs/man/trireme.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
# Behind systemd: docs/sockets.md. The service names the program where it is installed.
set(TRIREME_BINDIR ${CMAKE_INSTALL_FULL_BINDIR})
configure_file(packaging/systemd/trireme@.service ${CMAKE_BINARY_DIR}/systemd/trireme@.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/systemd/trireme@.service packaging/systemd/trireme@.socket
        DESTINATION ${CMAKE_INSTALL_DATADIR}/trireme/systemd)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
        FILES_MATCHING PATTERN "*.cc" PATTERN "*.h" PATTERN "CMakeLists.txt")
install(EXPORT trireme_targets NAMESPACE trireme:: DESTINATION ${package_dir})
if(TRIREME_SIM AND TARGET trireme_sim)
  install(EXPORT trireme_sim_targets NAMESPACE trireme:: DESTINATION ${package_dir})
endif()

# All that may be installed beside the library, whether this build has them or not.
file(GLOB trireme_components RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/components components/*)
configure_package_config_file(cmake/trireme-config.cmake.in ${CMAKE_BINARY_DIR}/trireme-config.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/trireme-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/trireme-config.cmake ${CMAKE_BINARY_DIR}/trireme-config-version.cmake
        DESTINATION ${package_dir})

# Relative to where the .pc file is, so that an installed tree may be moved.
file(RELATIVE_PATH trireme_pc_include /${CMAKE_INSTALL_LIBDIR}/pkgconfig /${CMAKE_INSTALL_INCLUDEDIR})
configure_file(cmake/trireme.pc.in ${CMAKE_BINARY_DIR}/trireme.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/trireme.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
