"""The Soundsight command line, and the launcher that runs the whole suite on one machine."""
