"""The crash harness: is an acknowledged request ever lost, doubled or changed by a crash?"""
