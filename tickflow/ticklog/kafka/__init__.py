"""The tick log on Apache Kafka."""
