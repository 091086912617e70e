"""The tick log on Apache Kafka."""

import warnings

# To read its schemas, kafka-python 3.0 calls a function that Python 3.11 deprecates; under PYTHONWARNINGS=error no
# script would start.
warnings.filterwarnings("ignore", r"(read|open)_text is deprecated", DeprecationWarning)
