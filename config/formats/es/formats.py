"""Spanish numbers as CLDR and its readers in South America write them; Django's have spaces."""

THOUSAND_SEPARATOR = "."
