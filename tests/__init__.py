"""The tests mirror the code: one file per verb, endpoint, page and job."""
