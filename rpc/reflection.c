#include "rpc/reflection.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "rpc/catalog.h"
#include "rpc/served.h"

#include <grpc/status.h>
#include <stdlib.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

enum { CALLS_MAX = 16, SERVICES_MAX = 64 };

struct rpc_reflection {
    const struct rpc_server *server;
    struct str set;
    struct rpc_catalog *catalog; // made when it is first asked for: most servers never are
};

static void send_response(struct rpc_inbound *in, const Request *request, Response *response) {
    Request original = *request; // its text is the request's
    response->valid_host = request->host;
    response->original_request = &original;
    if (rpc_stream_send(in, &response->base))
        return;
    struct error slow = {0};
    error_set(&slow, ERR_OVERLOADED, "the answers are not read");
    rpc_fail(in, &slow, NULL);
}

static void send_error(struct rpc_inbound *in, const Request *request, int code, const char *text) {
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    error.error_code = code;
    error.error_message = (char *)(uintptr_t)text;
    Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response.error_response = &error;
    send_response(in, request, &response);
}

static void send_file(struct rpc_inbound *in, const Request *request, const struct rpc_catalog *catalog,
                      const struct rpc_catalog_file *file) {
    if (!file) {
        send_error(in, request, GRPC_STATUS_NOT_FOUND, "this server does not know it");
        return;
    }
    struct str files[RPC_CATALOG_FILES_MAX];
    ProtobufCBinaryData list[RPC_CATALOG_FILES_MAX];
    size_t n = rpc_catalog_closure(catalog, file, files);
    for (size_t i = 0; i < n; i++)
        list[i] = (ProtobufCBinaryData){files[i].len, (uint8_t *)(uintptr_t)files[i].ptr};
    Grpc__Reflection__V1__FileDescriptorResponse found = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    found.n_file_descriptor_proto = n;
    found.file_descriptor_proto = list;
    Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response.file_descriptor_response = &found;
    send_response(in, request, &response);
}

static void send_services(struct rpc_inbound *in, const Request *request, const struct rpc_server *server) {
    Grpc__Reflection__V1__ServiceResponse services[SERVICES_MAX], *list[SERVICES_MAX];
    Grpc__Reflection__V1__ListServiceResponse all = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    all.service = list;
    for (size_t i = 0; i < server->n_routes && all.n_service < SERVICES_MAX; i++) {
        const char *name = server->routes[i].route->method.service->name;
        bool known = false;
        for (size_t k = 0; k < all.n_service; k++)
            known = known || strcmp(services[k].name, name) == 0;
        if (known)
            continue;
        grpc__reflection__v1__service_response__init(&services[all.n_service]);
        services[all.n_service].name = (char *)(uintptr_t)name;
        list[all.n_service] = &services[all.n_service];
        all.n_service++;
    }
    Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response.list_services_response = &all;
    send_response(in, request, &response);
}

static void serve(void *ctx, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct rpc_reflection *reflection = ctx;
    const Request *request = (const void *)message;
    if (!request) {
        rpc_stream_end(in);
        return;
    }
    if (!reflection->catalog)
        reflection->catalog = rpc_catalog_new(reflection->set);
    const struct rpc_catalog *catalog = reflection->catalog;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        send_file(in, request, catalog, rpc_catalog_file(catalog, str_c(request->file_by_filename)));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        send_file(in, request, catalog, rpc_catalog_symbol(catalog, str_c(request->file_containing_symbol)));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        send_services(in, request, reflection->server);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        send_error(in, request, GRPC_STATUS_NOT_FOUND, "there are no extensions in proto3");
        return;
    default: send_error(in, request, GRPC_STATUS_INVALID_ARGUMENT, "the request asks for nothing"); return;
    }
}

#define METHOD(service)                                                                                                \
    { &(service), "ServerReflectionInfo", .server_streaming = true, .client_streaming = true }

static const struct rpc_route routes[] = {
    {METHOD(grpc__reflection__v1__server_reflection__descriptor), serve, RPC_PUBLIC, RPC_TIER_LOW},
    {METHOD(grpc__reflection__v1alpha__server_reflection__descriptor), serve, RPC_PUBLIC, RPC_TIER_LOW},
};

struct rpc_reflection *rpc_reflection_new(struct rpc_server *server, struct str descriptor_set) {
    struct rpc_reflection *reflection = rpc_alloc(sizeof *reflection);
    *reflection = (struct rpc_reflection){.server = server, .set = descriptor_set};
    rpc_server_add_own(server, routes, sizeof routes / sizeof routes[0], reflection, CALLS_MAX);
    return reflection;
}

void rpc_reflection_free(struct rpc_reflection *reflection) {
    if (!reflection)
        return;
    rpc_catalog_free(reflection->catalog);
    free(reflection);
}
