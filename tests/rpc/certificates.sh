#!/bin/sh
# Makes what the TLS tests need in the folder $1: two authorities (old, new), each with a server and clients.
set -eu
cd "$1"
exec >log 2>&1

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$1-ca.key" -out "$1-ca.pem"
}

# signed AUTHORITY NAME COMMON_NAME SUBJECT_ALTERNATIVE_NAMES
signed() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$3" \
        -keyout "$1-$2.key" -out "$1-$2.csr"
    printf 'subjectAltName=%s\n' "$4" >"$1-$2.ext"
    openssl x509 -req -in "$1-$2.csr" -CA "$1-ca.pem" -CAkey "$1-ca.key" -CAcreateserial -days 2 \
        -extfile "$1-$2.ext" -out "$1-$2.pem"
}

for name in old new; do
    authority "$name"
    signed "$name" server localhost DNS:localhost,IP:127.0.0.1
    signed "$name" shop shop-frontend DNS:shop.example
    signed "$name" spiffe ignored URI:spiffe://example.org/ns/trade/sa/gateway
done
signed old long "$(printf 'x%.0s' $(seq 60))" "URI:spiffe://example.org/$(printf 'y%.0s' $(seq 150))"
