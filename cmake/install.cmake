# Component "cpp": what find_package(slm) needs. The wheel takes component "python" alone.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(slm_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/slm)
install(TARGETS slm EXPORT slmTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cpp)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/cpp/include/slm DESTINATION include COMPONENT cpp)
install(EXPORT slmTargets NAMESPACE slm:: DESTINATION ${slm_package_dir} COMPONENT cpp)

write_basic_package_version_file(slmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/slmConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/slmConfigVersion.cmake
        DESTINATION ${slm_package_dir} COMPONENT cpp)
