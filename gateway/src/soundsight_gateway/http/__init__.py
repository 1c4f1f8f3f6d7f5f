"""The HTTP/JSON API: the render API's own contract, transcoded, and routes for files."""
