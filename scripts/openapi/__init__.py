"""What `generate_openapi.py` is made of: the contracts, told in the words of OpenAPI 3.1."""
