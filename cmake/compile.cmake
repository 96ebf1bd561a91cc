# Language, warnings and sanitizers of our own code.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_compile_definitions(_GNU_SOURCE)

# Assertions stay on in every build type.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

set(TXC_WARNINGS
  -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef
  -Wcast-qual -Wwrite-strings -Werror
  $<$<C_COMPILER_ID:Clang>:-Wno-cast-qual> # protobuf-c's initialisers cast const away; gcc looks away there, and at ours doesn't
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>) # snprintf cuts on purpose; what must not be cut checks its result

set(TXC_SANITIZE "" CACHE STRING "What to build with, as in -fsanitize=")
if(TXC_SANITIZE)
  add_compile_options(-fsanitize=${TXC_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TXC_SANITIZE})
  if(TXC_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize-recover=all)
  endif()
endif()

option(TXC_FUZZ "Build the libFuzzer targets (clang)" OFF)
if(TXC_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "TXC_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# What ships is hardened as Debian hardens; sanitizers bring their own, better checks.
if(NOT TXC_SANITIZE)
  add_compile_options($<$<CONFIG:RelWithDebInfo>:-fstack-protector-strong>)
  add_compile_definitions($<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

find_program(TXC_CCACHE ccache)
if(TXC_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${TXC_CCACHE})
endif()
