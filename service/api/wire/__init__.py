"""The rest-json protocol of the Lambda API, driven by botocore's service model. Knows no operation by name."""
