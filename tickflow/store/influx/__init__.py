"""The store on InfluxDB 2.x, read with InfluxQL."""
