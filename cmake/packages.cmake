# Debian 12's packages; docs/DEPENDENCIES.md says why each.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(protobuf-c REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb)
pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)

# gRPC's own pkg-config file draws in some seventy libraries of abseil and takes pkg-config 20 seconds to work out. The C
# interface needs two; the third is named because rpc/ refers to a function of it weakly.
find_path(GRPC_INCLUDE grpc/grpc.h REQUIRED)
find_library(GRPC_LIBRARY grpc REQUIRED)
find_library(GPR_LIBRARY gpr REQUIRED)
find_library(ABSL_SYNCHRONIZATION_LIBRARY absl_synchronization REQUIRED)
add_library(PkgConfig::grpc INTERFACE IMPORTED)
target_include_directories(PkgConfig::grpc INTERFACE ${GRPC_INCLUDE})
target_link_libraries(PkgConfig::grpc INTERFACE ${GRPC_LIBRARY} ${GPR_LIBRARY} ${ABSL_SYNCHRONIZATION_LIBRARY})

find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_C protoc-c REQUIRED)
find_program(NANOPB_GENERATOR protoc-gen-nanopb REQUIRED)
