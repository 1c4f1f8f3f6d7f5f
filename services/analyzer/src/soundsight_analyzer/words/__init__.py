"""The song's words: as given, as heard, and when each is sung."""
