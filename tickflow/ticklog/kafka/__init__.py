"""The tick log on Apache Kafka."""

import warnings

# kafka-python 3.0 reads its schemas by a function that Python 3.11 deprecates: under PYTHONWARNINGS=error none would
# start.
warnings.filterwarnings("ignore", r"(read|open)_text is deprecated", DeprecationWarning)
