"""Where ticks come from: a source yields them, the producer publishes them."""
