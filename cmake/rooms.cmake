# A room is a folder that becomes one static library of the files in it (not below it, but for flows/, whose folders are
# one room each by purpose and one library together). A file named main.c is a program's and stays out.
function(txc_target_name path out)
  string(REPLACE "/" "_" name ${path})
  set(${out} ${name} PARENT_SCOPE)
endfunction()

function(txc_room path)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  txc_target_name(${path} name)
  if(path STREQUAL "flows" OR path STREQUAL "adapters" OR path STREQUAL "sim")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${path}/*.c)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${path}/*.c)
  endif()
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_compile_options(${name} PRIVATE ${TXC_WARNINGS})
    target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_LINK})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_LINK})
  endif()
endfunction()

function(txc_program name room)
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/main.c)
    return()
  endif()
  txc_target_name(${room} library)
  add_executable(${name} ${room}/main.c)
  target_compile_options(${name} PRIVATE ${TXC_WARNINGS})
  target_compile_definitions(${name} PRIVATE TXC_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${library})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME)
endfunction()

# What every test sees: sanitizers that say where, and ThreadSanitizer without the libraries that aren't built with it.
set(TXC_TEST_ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
if(TXC_SANITIZE MATCHES thread)
  list(APPEND TXC_TEST_ENVIRONMENT "TSAN_OPTIONS=ignore_noninstrumented_modules=1")
endif()

function(txc_test_properties name room timeout labels)
  if(NOT timeout)
    set(timeout 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS "${room};${labels}"
                       ENVIRONMENT "${TXC_TEST_ENVIRONMENT}")
endfunction()

# The programs of the tests that are labelled `threads`: what the preset tsan is for.
add_custom_target(tests_threads)

# tests/<room>/test_<what>.c is one cmocka program, named <room>.<what> in CTest.
#   txc_test(base/test_str.c LINK base [SOURCES base/other.c] [LABELS threads slow] [TIMEOUT seconds])
# Labels: `threads` runs under ThreadSanitizer too; `slow` only in ./dev test --all.
function(txc_test source)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LINK;LABELS;SOURCES" ${ARGN})
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(stem ${source} NAME_WE)
  string(REGEX REPLACE "^test_" "" what ${stem})
  string(REPLACE "/" "." room ${folder})
  set(name ${room}.${what})
  add_executable(${name} ${source} ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${TXC_WARNINGS})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} PkgConfig::cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/..)
  txc_test_properties(${name} ${room} "${ARG_TIMEOUT}" "${ARG_LABELS}")
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(tests_threads ${name})
  endif()
endfunction()

# A test that is a script: txc_script_test(style.tree scripts/style) runs it from the root of the tree. It is one case, or
# as many as it prints in cmocka's form ("[       OK ] name").
function(txc_script_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS" ${ARGN})
  string(REGEX REPLACE "\\.[^.]*$" "" room ${name})
  add_test(NAME ${name} COMMAND ${ARG_UNPARSED_ARGUMENTS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  txc_test_properties(${name} ${room} "${ARG_TIMEOUT}" "${ARG_LABELS}")
endfunction()

# Every target of ./dev fuzz.
add_custom_target(fuzz_targets)

# txc_fuzz(text fuzz/fuzz_text.c LINK base): a function that is fed hostile bytes (tests/fuzz/fuzz.h). With the preset
# fuzz it becomes a libFuzzer program; with any other one the test fuzz.<name>, which feeds it tests/fuzz/corpus/<name>.
function(txc_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  set(target fuzz_${name})
  if(TXC_FUZZ)
    add_executable(${target} ${ARG_UNPARSED_ARGUMENTS})
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzz_targets ${target})
  else()
    add_executable(${target} ${ARG_UNPARSED_ARGUMENTS} fuzz/replay.c)
    add_test(NAME fuzz.${name} COMMAND ${target} tests/fuzz/corpus/${name}
             WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/..)
    txc_test_properties(fuzz.${name} fuzz "" "")
  endif()
  target_compile_options(${target} PRIVATE ${TXC_WARNINGS})
  target_link_libraries(${target} PRIVATE ${ARG_LINK})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
