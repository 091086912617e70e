"""Where ticks come from: a source makes them, the producer publishes them."""
