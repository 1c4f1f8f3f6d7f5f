"""Soundsight gateway: the render API, durable jobs and dispatch."""
