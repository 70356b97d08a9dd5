"""Templates of SAM, CloudFormation, CDK, Serverless and Terraform, read as a configuration. `core` decides what becomes
of what a template says; what is here finds files and code."""
