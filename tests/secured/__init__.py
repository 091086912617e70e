"""Kafka with TLS, logins and rights, and InfluxDB over HTTPS: real servers with certificates of a private authority."""
