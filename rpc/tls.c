#include "rpc/tls.h"

#include <stdio.h>
#include <unistd.h>

// How often the files are looked at.
enum { REFRESH_S = 1 };

static bool readable(const char *path, const char *what, struct error *error) {
    if (!path || access(path, R_OK) == 0)
        return true;
    return error_set(error, ERR_CONFIG_INVALID, "the %s %s can't be read", what, path);
}

static grpc_tls_credentials_options *watch(const char *certificate, const char *key, const char *ca,
                                           struct error *error) {
    if (!certificate != !key) {
        error_set(error, ERR_CONFIG_INVALID, "a certificate and its key must be given together");
        return NULL;
    }
    if (!readable(certificate, "certificate", error) || !readable(key, "private key", error) ||
        !readable(ca, "CA certificate", error))
        return NULL;
    grpc_tls_certificate_provider *provider =
        grpc_tls_certificate_provider_file_watcher_create(key, certificate, ca, REFRESH_S);
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
    if (certificate)
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    if (ca)
        grpc_tls_credentials_options_watch_root_certs(options);
    return options;
}

grpc_server_credentials *rpc_tls_server(const struct rpc_tls *tls, struct error *error) {
    if (!tls->certificate && !tls->key && !tls->client_ca)
        return grpc_insecure_server_credentials_create();
    if (!tls->certificate) {
        error_set(error, ERR_CONFIG_INVALID, "a server with TLS needs a certificate");
        return NULL;
    }
    grpc_tls_credentials_options *options = watch(tls->certificate, tls->key, tls->client_ca, error);
    if (!options)
        return NULL;
    grpc_tls_credentials_options_set_cert_request_type(
        options, tls->client_ca ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    return grpc_tls_server_credentials_create(options);
}

grpc_channel_credentials *rpc_tls_client(const struct rpc_channel_options *options, struct error *error) {
    if (!options->ca && !options->certificate && !options->key)
        return grpc_insecure_credentials_create();
    if (!options->ca) {
        error_set(error, ERR_CONFIG_INVALID, "a client with TLS needs the CA of its server");
        return NULL;
    }
    grpc_tls_credentials_options *tls = watch(options->certificate, options->key, options->ca, error);
    return tls ? grpc_tls_credentials_create(tls) : NULL;
}
