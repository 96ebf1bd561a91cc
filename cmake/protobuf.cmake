# Every file below proto/ becomes C by protobuf-c in the library `proto`, and all of them together one descriptor set
# (for reflection) that is linked in as the symbols of txc_descriptors.h. saga/*.proto (stored records) go through nanopb.
set(TXC_GEN ${CMAKE_CURRENT_BINARY_DIR}/gen)
file(GLOB_RECURSE TXC_PROTOS CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/proto proto/*.proto)
set(TXC_WELL_KNOWN google/protobuf/timestamp.proto google/protobuf/duration.proto google/protobuf/any.proto
    google/protobuf/descriptor.proto)
find_path(TXC_INCLUDE_WELL_KNOWN google/protobuf/timestamp.proto REQUIRED)

set(sources)
foreach(proto ${TXC_PROTOS} ${TXC_WELL_KNOWN})
  string(REGEX REPLACE "\\.proto$" "" stem ${proto})
  set(full ${CMAKE_CURRENT_SOURCE_DIR}/proto/${proto})
  if(proto IN_LIST TXC_WELL_KNOWN)
    set(full ${TXC_INCLUDE_WELL_KNOWN}/${proto})
  endif()
  add_custom_command(
    OUTPUT ${TXC_GEN}/${stem}.pb-c.c ${TXC_GEN}/${stem}.pb-c.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${TXC_GEN}
    COMMAND ${PROTOC_C} -I${CMAKE_CURRENT_SOURCE_DIR}/proto -I${TXC_INCLUDE_WELL_KNOWN} --c_out=${TXC_GEN} ${full}
    DEPENDS ${full} VERBATIM)
  list(APPEND sources ${TXC_GEN}/${stem}.pb-c.c ${TXC_GEN}/${stem}.pb-c.h)
endforeach()

set(full_protos)
foreach(proto ${TXC_PROTOS})
  list(APPEND full_protos ${CMAKE_CURRENT_SOURCE_DIR}/proto/${proto})
endforeach()
set(TXC_DESCRIPTORS ${TXC_GEN}/descriptors.pb)
add_custom_command(
  OUTPUT ${TXC_DESCRIPTORS}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${TXC_GEN}
  COMMAND ${PROTOC} -I${CMAKE_CURRENT_SOURCE_DIR}/proto -I${TXC_INCLUDE_WELL_KNOWN} --include_imports
          --descriptor_set_out=${TXC_DESCRIPTORS} ${full_protos}
  DEPENDS ${full_protos} VERBATIM)
file(CONFIGURE OUTPUT ${TXC_GEN}/txc_descriptors.h CONTENT
"// Generated: the FileDescriptorSet of every proto, from txc_descriptors to txc_descriptors_end.
extern const char txc_descriptors[], txc_descriptors_end[];
")
file(CONFIGURE OUTPUT ${TXC_GEN}/txc_descriptors.c CONTENT
"__asm__(\".section .rodata\\n.global txc_descriptors\\n.global txc_descriptors_end\\n\"
        \"txc_descriptors: .incbin \\\"${TXC_DESCRIPTORS}\\\"\\ntxc_descriptors_end: .byte 0\\n.previous\\n\");
")
set_source_files_properties(${TXC_GEN}/txc_descriptors.c PROPERTIES OBJECT_DEPENDS ${TXC_DESCRIPTORS}
                            COMPILE_OPTIONS "-fno-lto")
# A compiler cache doesn't see what .incbin reads.
add_library(descriptors OBJECT ${TXC_GEN}/txc_descriptors.c)
set_target_properties(descriptors PROPERTIES C_COMPILER_LAUNCHER "")

add_library(proto STATIC ${sources} $<TARGET_OBJECTS:descriptors>)
target_include_directories(proto SYSTEM PUBLIC ${TXC_GEN})
target_link_libraries(proto PUBLIC PkgConfig::protobuf-c)

# Everything that is generated from proto/, for tools that read our sources without building them (clang-tidy).
add_custom_target(generated DEPENDS ${sources} ${TXC_DESCRIPTORS})

# nanopb: bounded records without a heap.
find_path(NANOPB_INCLUDE pb.h PATH_SUFFIXES nanopb REQUIRED)
find_library(NANOPB_LIBRARY NAMES protobuf-nanopb REQUIRED)
file(GLOB TXC_RECORDS CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} saga/*.proto)
set(sources)
foreach(record ${TXC_RECORDS})
  get_filename_component(stem ${record} NAME_WE)
  add_custom_command(
    OUTPUT ${TXC_GEN}/saga/${stem}.pb.c ${TXC_GEN}/saga/${stem}.pb.h
    COMMAND ${CMAKE_COMMAND} -E make_directory ${TXC_GEN}/saga
    COMMAND ${PROTOC} -I. --nanopb_out=${TXC_GEN} --plugin=protoc-gen-nanopb=${NANOPB_GENERATOR} ${record}
    DEPENDS ${record} saga/${stem}.options
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} VERBATIM) # where the generator looks for the .options beside it
  list(APPEND sources ${TXC_GEN}/saga/${stem}.pb.c)
endforeach()
if(sources)
  add_custom_target(generated_records DEPENDS ${sources})
  add_dependencies(generated generated_records)
  add_library(nanopb STATIC ${sources})
  target_include_directories(nanopb SYSTEM PUBLIC ${TXC_GEN} ${NANOPB_INCLUDE})
  target_link_libraries(nanopb PUBLIC ${NANOPB_LIBRARY})
else()
  add_library(nanopb INTERFACE)
endif()
