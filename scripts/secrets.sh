#!/bin/sh
# Certificates of a private authority, and random passwords, for docker-compose.secure.yml: `make secrets`.
#
# All are written into the folder secrets/, which only its owner can enter. The files themselves can be read by all, as
# each is shown to containers that run as other users. What is there is left as it is: delete the folder to begin again.
# The authority's key is deleted at the end, so that nobody can issue a further certificate.
set -eu
cd "$(dirname "$0")/.." || exit 1
folder=${1:-secrets}
days=825
command -v openssl >/dev/null || { echo "There is no openssl here: install it (Debian, Ubuntu: apt install openssl)" >&2; exit 1; }
umask 077
mkdir -p "$folder"
chmod 700 "$folder"
umask 022

for name in influxdb-operator-token influxdb-password kafka-producer-password kafka-worker-password \
    kafka-notifier-password kafka-auditor-password; do
    [ -s "$folder/$name" ] || openssl rand -hex 24 >"$folder/$name"
done

if [ ! -s "$folder/ca.pem" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" -subj "/CN=tickflow authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" \
        -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
    for server in kafka influxdb; do
        printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' "$server" >"$work/ext"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$server" \
            -keyout "$work/$server.key" -out "$work/$server.csr" 2>/dev/null
        openssl x509 -req -in "$work/$server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
            -days "$days" -extfile "$work/ext" -out "$work/$server.pem" 2>/dev/null
    done
    # Kafka takes key (PKCS#8) and certificates from one file.
    cat "$work/kafka.key" "$work/kafka.pem" "$work/ca.pem" >"$folder/kafka-keystore.pem"
    cp "$work/influxdb.key" "$folder/influxdb.key"
    cat "$work/influxdb.pem" "$work/ca.pem" >"$folder/influxdb.pem"
    chmod 644 "$folder/influxdb.key" "$folder/influxdb.pem" "$folder/kafka-keystore.pem"
    cp "$work/ca.pem" "$folder/ca.pem"
fi
echo "$folder has: $(ls "$folder" | tr '\n' ' ')"
