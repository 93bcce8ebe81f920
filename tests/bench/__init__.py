"""The benchmark: the protocol over HTTP beside two yardsticks, in one run (`make bench`)."""
