"""Kafka with TLS, logins and permissions, and InfluxDB over HTTPS: real servers with certificates of a private
authority.
"""
