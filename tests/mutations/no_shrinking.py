"""A pytest plugin: a property that fails is enough; nobody reads how little it takes."""

from hypothesis import Phase, settings

settings.register_profile("no shrinking", phases=[Phase.generate])
settings.load_profile("no shrinking")
