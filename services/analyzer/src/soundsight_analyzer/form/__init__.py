"""Sections: where they begin, which are alike, what they do."""
