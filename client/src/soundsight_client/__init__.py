"""The Python client of the Soundsight render API."""
